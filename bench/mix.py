"""Send the mixed requests of a public page's readers, and check each reply against the contract."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.ledger import Ledger
from bench.reader import Reader, Seen

# 5xx that the contract promises, of a response and inside a stream; the first two say when to come back.
PROMISED = {(503, "overloaded"), (503, "search_unavailable"), (504, "deadline_exceeded")}
PROMISED_IN_STREAM = {"search_unavailable", "deadline_exceeded"}
SELECTIONS = (
    "Colcon is the build tool of ROS 2: it builds packages in the order they depend on each other.",
    "A gyroscope measures angular velocity, which is how fast something turns.",
    "Humanoid robots share our physical form and can be trained with data from human environments.",
)
# Texts that come again under another page, so that they are asked anew but not embedded anew.
POOL = 400
# For so long everybody asks the same new question.
CROWD_S = 3.0
LONGEST_TALK = 6

# A bad request and its status.
BAD: Sequence[tuple[Any, int]] = (
    ({"wrong": 1}, 422),
    ({"query": ""}, 422),
    ({"query": "x" * 2001}, 422),
    ({"query": "What?", "top_k": 0}, 422),
    ({"query": "What?", "mode": "selected_text"}, 422),
    ({"query": "What?", "session_id": "no-such-session"}, 404),
    ({"query": "What?", "book_version": "no-such-edition"}, 404),
    (b"{", 400),
    (b'{"query": NaN}', 400),
    (b'{"query": "a\\u0000b"}', 422),
    (b'{"query": "\\ud800"}', 422),
    (b"[" * 5000, 400),
    (b"x" * 70_000, 413),
)


class Tally:
    """Count the results of all requests. Safe between threads."""

    def __init__(self, ledger: Ledger, explain: Callable[[Seen], bool]) -> None:
        self.ledger = ledger
        self._explain = explain
        self._lock = threading.Lock()
        self.kinds: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.degraded: Counter[str] = Counter()
        self.cache: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.faults: list[str] = []
        # When questions that were never asked before were answered by the first model, as (began, ended).
        self.well_at: list[tuple[float, float]] = []

    def saw(self, kind: str, seen: Seen, *, expected: Sequence[int] = (200,), fresh: bool = False) -> None:
        """Record a result; a result outside of the contract is a fault."""
        self.ledger.saw(seen)
        reply = seen.reply
        with self._lock:
            self.kinds[kind] += 1
            self.statuses[_named(seen)] += 1
            if reply is not None:
                self.seconds.append(seen.seconds)
                self.cache[reply["cache"]] += 1
                self.degraded.update(reply["degraded"])
                if fresh and reply["model"] == "gpt-4o" and not reply["degraded"]:
                    self.well_at.append((seen.began, seen.ended))
            if fault := self._fault(seen, expected):
                self.faults.append(f"{kind}: {fault}")

    def broken(self, sentence: str) -> None:
        """Record a broken promise."""
        with self._lock:
            self.faults.append(sentence)

    def _fault(self, seen: Seen, expected: Sequence[int]) -> str:
        if seen.left:
            return ""
        if seen.broken == "timeout":
            return f"nothing came in {seen.seconds:.0f} s"
        if seen.broken:
            return "" if self._explain(seen) else f"{seen.broken}, though no worker was killed"
        if seen.status == 200 and seen.code:
            return "" if seen.code in PROMISED_IN_STREAM else f"a stream ended with {seen.code}"
        if seen.status in expected:
            return ""
        if (seen.status, seen.code) not in PROMISED:
            return f"{seen.status} {seen.code}, not {expected}"
        return "" if seen.status == 504 or seen.retry_after else f"{seen.code} without Retry-After"


class Person:
    """Simulate one reader with a session. For one thread."""

    def __init__(self, port: int, number: int, questions: Sequence[str], tally: Tally) -> None:
        # An address of his own, as a proxy of ours would write it.
        self._address = f"10.1.{number // 250}.{number % 250 + 1}"
        self._port = port
        self._questions = questions
        self._tally = tally
        self._choose = random.Random(number)
        self._reader = Reader(port, address=self._address)
        self._talk: list[Mapping[str, Any]] = []

    def goes_on(self, over: threading.Event) -> None:
        """Send one request after another until the event is set."""
        doings, weights = zip(*self._doings(), strict=True)
        with self._reader:
            while not over.is_set():
                (do,) = self._choose.choices(doings, weights)
                do()
                if self._choose.random() < 0.25:
                    self._reader.shut_down()
                over.wait(self._choose.random() * 0.3)

    def _doings(self) -> Sequence[tuple[Callable[[], None], int]]:
        return (
            (self.asks_something_new, 24),
            (self.asks_what_many_ask, 24),
            (self.asks_with_the_crowd, 8),
            (self.follows_up, 12),
            (self.asks_about_a_selection, 8),
            (self.leaves, 6),
            (self.sends_nonsense, 8),
            (self.repeats, 6),
            (self.repeats_at_once, 2),
            (self.looks_at_the_talk, 4),
        )

    def asks_something_new(self) -> None:
        """Ask a question that no cache has; one in four has words that were never used before."""
        if self._choose.random() < 0.25:
            self._asks("new", {"query": self._question(f"m{next(_numbers)}")}, fresh=True)
        else:
            again = self._question(f"p{self._choose.randrange(POOL)}")
            self._asks("new on its page", {"query": again, "page_url": _new_page()})

    def asks_what_many_ask(self) -> None:
        """Ask one of forty questions."""
        place = self._choose.randrange(len(self._questions))
        self._asks("asked often", {"query": f"{self._questions[place]} (ref h{place})"})

    def asks_with_the_crowd(self) -> None:
        """Ask the question that all readers ask at this moment."""
        slot = int(time.monotonic() / CROWD_S)
        question = self._questions[slot % len(self._questions)]
        self._asks("crowd", {"query": f"{question} (ref c{slot})"})

    def follows_up(self) -> None:
        """Ask another question in the same session."""
        if not self._talk or len(self._talk) >= LONGEST_TALK:
            self._talk = []
        body: dict[str, Any] = {"query": self._question(f"f{next(_numbers)}")}
        if self._talk:
            body["session_id"] = self._talk[0]["session_id"]
        seen = self._asks("follow-up", body)
        if seen.reply is not None and seen.reply["session_id"]:
            if self._talk and seen.reply["session_id"] != self._talk[0]["session_id"]:
                self._tally.broken("a follow-up was stored in another session")
            self._talk.append(seen.reply)

    def asks_about_a_selection(self) -> None:
        """Ask about a selected text."""
        selected = self._choose.choice(SELECTIONS)
        body = {"query": "What does it say?", "mode": "selected_text", "selected_text": selected}
        if self._choose.random() < 0.5:
            body["page_url"] = _new_page()
        self._asks("selection", body)

    def leaves(self) -> None:
        """Leave in the middle of an answer, or before it."""
        body = {"query": self._question(f"l{next(_numbers)}"), "stream": True}
        self._tally.ledger.sent(str(body["query"]))
        self._tally.saw("leaves", self._reader.ask(body, leave_after=self._choose.randrange(6)))

    def sends_nonsense(self) -> None:
        """Send requests that the contract refuses."""
        body, status = self._choose.choice(BAD)
        self._tally.saw("nonsense", self._reader.send("POST", "/query", body), expected=(status,))
        if self._choose.random() < 0.3:
            self._tally.saw("nonsense", self._reader.send("GET", "/nothing"), expected=(404,))

    def repeats(self) -> None:
        """Repeat a question with the same key, after the first answer."""
        body, key = self._keyed()
        first = self._reader.ask(body, key=key)
        self._tally.saw("with a key", first)
        self._tally.ledger.sent(str(body["query"]), keyed=True)
        again = self._reader.ask({**body, "stream": not body["stream"]}, key=key)
        self._tally.saw("repeat", again, expected=(200, 409) if first.broken else (200,))
        self._same(first, again)

    def repeats_at_once(self) -> None:
        """Repeat a question with the same key, while the first one is running."""
        body, key = self._keyed()
        seen: list[Seen] = []

        def ask() -> None:
            with Reader(self._port, address=self._address) as reader:
                self._tally.ledger.sent(str(body["query"]), keyed=True)
                seen.append(reader.ask(body, key=key))

        other = threading.Thread(target=ask, daemon=True)
        other.start()
        first = self._reader.ask(body, key=key)
        other.join()
        for one in (first, seen[0]):
            self._tally.saw("at once with a key", one, expected=(200, 409))
        self._same(first, seen[0])

    def looks_at_the_talk(self) -> None:
        """Read and export the session, rate an answer, and sometimes delete the session."""
        if not self._talk:
            return
        session_id, message_id = self._talk[-1]["session_id"], self._talk[-1]["message_id"]
        path = f"/sessions/{session_id}"
        self._tally.saw("talk", self._reader.send("GET", path))
        self._tally.saw("talk", self._reader.send("GET", f"{path}/export"))
        rating = {"rating": self._choose.choice(("up", "down"))}
        feedback = f"{path}/messages/{message_id}/feedback"
        self._tally.saw("talk", self._reader.send("PUT", feedback, rating), expected=(204,))
        if self._choose.random() < 0.3:
            self._talk = []
            self._tally.ledger.forget(session_id)
            self._tally.saw("delete", self._reader.send("DELETE", path), expected=(204,))
            self._tally.saw("delete", self._reader.send("GET", path), expected=(404, 200))

    def _asks(self, kind: str, body: dict[str, Any], *, fresh: bool = False) -> Seen:
        body["stream"] = self._choose.random() < 0.5
        self._tally.ledger.sent(body["query"])
        seen = self._reader.ask(body)
        self._tally.saw(f"{kind}, {'stream' if body['stream'] else 'JSON'}", seen, fresh=fresh)
        return seen

    def _keyed(self) -> tuple[dict[str, Any], str]:
        number = next(_numbers)
        body = {"query": self._question(f"k{number}"), "stream": self._choose.random() < 0.5}
        self._tally.ledger.sent(str(body["query"]), keyed=True)
        return body, f"key-{number}"

    def _same(self, first: Seen, again: Seen) -> None:
        if first.reply is None or again.reply is None:
            return
        ids = first.reply["message_id"], again.reply["message_id"]
        if ids[0] != ids[1]:
            self._tally.broken("a repeat with the same key was answered anew")

    def _question(self, mark: str) -> str:
        return f"{self._choose.choice(self._questions)} (ref {mark})"


_numbers = itertools.count(1)


def _new_page() -> str:
    return f"https://book.test/page-{next(_numbers)}"


def _named(seen: Seen) -> str:
    if seen.left:
        return "left"
    if seen.broken:
        return seen.broken
    return f"{seen.status} {seen.code}".strip()


def questions_of(path: Any) -> list[str]:
    """Return the questions of an evaluation set."""
    return [json.loads(line)["question"] for line in path.read_text().splitlines() if line.strip()]
