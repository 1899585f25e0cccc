"""Compare the answers that readers saw whole with those in the database: none lost, doubled or changed."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy import create_engine, text

from bench.reader import Reader, Seen
from bench.upstream import MARK

ENDED_WELL = ("answered", "refused")


@dataclass(frozen=True)
class Whole:
    """Hold an answer that a reader saw to its end."""

    session_id: str
    message_id: str
    text: str
    status: str


@dataclass(frozen=True)
class Row:
    """Hold a message of the database."""

    session_id: str
    message_id: str
    query: str
    status: str
    answer: str


@dataclass(frozen=True)
class Verdict:
    """Count the differences between readers and database. All but `answers` should be zero or empty."""

    answers: int
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    pending: int = 0

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.otherwise or self.pending)


class Ledger:
    """Record questions and answers. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._whole: dict[str, Whole] = {}
        self._contradicted: list[str] = []
        self._posts: Counter[str] = Counter()
        self._keyed: set[str] = set()
        self.unkept = 0

    def sent(self, question: str, *, keyed: bool = False) -> None:
        """Record a question before it is sent; with an idempotency key it may be answered only once."""
        for mark in MARK.findall(question)[-1:]:
            with self._lock:
                self._posts[mark] += 1
                if keyed:
                    self._keyed.add(mark)

    def saw(self, seen: Seen) -> None:
        """Record an answer if it is whole."""
        reply = seen.reply
        if reply is None:
            return
        with self._lock:
            if reply["session_id"] is None:
                self.unkept += 1
                return
            whole = Whole(reply["session_id"], reply["message_id"], reply["answer"], reply["status"])
            # The same message again is a replay, which must say the same.
            if self._whole.setdefault(whole.message_id, whole) != whole:
                self._contradicted.append(whole.message_id)
            if seen.said and seen.said != whole.text:
                self._contradicted.append(whole.message_id)

    def forget(self, session_id: str) -> None:
        """Record that a reader deleted the session."""
        with self._lock:
            self._whole = {m: whole for m, whole in self._whole.items() if whole.session_id != session_id}

    def posts(self) -> dict[str, int]:
        """Return how often each marked question was sent."""
        with self._lock:
            return dict(self._posts)

    def compared_with(self, rows: Iterable[Row]) -> Verdict:
        """Compare all whole answers with the database's rows."""
        found = Counter(row.message_id for row in rows)
        by_id = {row.message_id: row for row in rows}
        answered = Counter(mark for row in rows if row.status in ENDED_WELL for mark in _mark(row))
        asked = Counter(mark for row in rows for mark in _mark(row))
        with self._lock:
            twice = [m for m in self._whole if found[m] > 1]
            twice += [mark for mark in self._keyed if answered[mark] > 1]
            twice += [mark for mark, times in asked.items() if times > self._posts.get(mark, times)]
            return Verdict(
                answers=len(self._whole),
                lost=[m for m in self._whole if not found[m]],
                doubled=twice,
                otherwise=self._contradicted
                + [m for m, whole in self._whole.items() if m in by_id and not _agree(whole, by_id[m])],
                pending=sum(row.status == "pending" for row in rows),
            )

    def compared_over_api(self, port: int) -> Verdict:
        """Compare all whole answers with `GET /sessions/{session_id}`."""
        with self._lock:
            of_session: dict[str, list[Whole]] = defaultdict(list)
            for whole in self._whole.values():
                of_session[whole.session_id].append(whole)
        with ThreadPoolExecutor(4) as pool:
            verdicts = list(pool.map(lambda talk: _talk_compared(port, *talk), of_session.items()))
        return Verdict(
            answers=sum(one.answers for one in verdicts),
            lost=[m for one in verdicts for m in one.lost],
            doubled=[m for one in verdicts for m in one.doubled],
            otherwise=[m for one in verdicts for m in one.otherwise],
        )


def rows_of(database_url: str) -> list[Row]:
    """Return every message in the database."""
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg2://"))
    try:
        with engine.connect() as connection:
            found = connection.execute(
                text("SELECT session_id, message_id, query, status, answer FROM messages")
            )
            return [Row(*row) for row in found]
    finally:
        engine.dispose()


def pending_in(database_url: str) -> int:
    """Return the number of pending turns."""
    return sum(row.status == "pending" for row in rows_of(database_url))


def _talk_compared(port: int, session_id: str, seen: list[Whole]) -> Verdict:
    listed: list[Mapping[str, object]] = []
    with Reader(port) as reader:
        path = f"/sessions/{session_id}?limit=100"
        page = reader.send("GET", path)
        while page.status == 200:
            listed += page.body["messages"]
            if page.body["next_before"] is None:
                break
            page = reader.send("GET", f"{path}&before={page.body['next_before']}")
    found = Counter(message["message_id"] for message in listed)
    by_id = {message["message_id"]: message for message in listed}
    return Verdict(
        answers=len(seen),
        lost=[w.message_id for w in seen if not found[w.message_id]],
        doubled=[w.message_id for w in seen if found[w.message_id] > 1],
        otherwise=[
            w.message_id
            for w in seen
            if (m := by_id.get(w.message_id)) and (m["answer"], m["status"]) != (w.text, w.status)
        ],
    )


def _mark(row: Row) -> list[str]:
    return MARK.findall(row.query)[-1:]


def _agree(whole: Whole, row: Row) -> bool:
    return (whole.session_id, whole.text, whole.status) == (row.session_id, row.answer, row.status)
