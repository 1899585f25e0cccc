"""Turns and history: what was asked and what was said, written before and after the model is asked."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from ragbot.core.domain import Answer, Exchange, Question, Source, Status, Usage
from ragbot.core.errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    MessageNotFound,
    SessionExpired,
    SessionNotFound,
)
from ragbot.core.text import cleaned
from ragbot.storage.database import Database
from ragbot.storage.models import IdempotencyKeyRow, MessageRow, SessionRow

sessions = SessionRow.__table__
messages = MessageRow.__table__
idempotency_keys = IdempotencyKeyRow.__table__

IDEMPOTENCY_HOURS = 24
HISTORY_EXCHANGES = 10
NO_SESSION = "There is no session of this id; start one by asking without an id."


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session without its messages."""

    session_id: str
    created_at: datetime
    last_activity_at: datetime
    expires_at: datetime
    message_count: int = 0


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """A message as it is kept. `sources` are the kept values of `core.domain.Source`."""

    message_id: str
    session_id: str
    created_at: datetime
    query: str
    mode: str
    selected_text: str | None
    status: str
    answer: str
    sources: tuple[Source, ...]
    model: str | None
    book_version: str | None
    degraded: tuple[str, ...]
    cache: str | None
    usage: dict[str, Any]
    latency_ms: dict[str, Any]
    error_code: str | None
    rating: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """A question that is written down and waits for its answer.

    `session_id` and `message_id` are None where the database could not be asked and nothing is kept.
    `questions_before` counts those of its session. `replayed` is the kept message when the same idempotency
    key was answered before.
    """

    session_id: str | None
    message_id: str | None
    created_at: datetime
    history: tuple[Exchange, ...]
    questions_before: int = 0
    replayed: MessageFacts | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """A caller's key and body, both hashed."""

    key_sha: str
    body_sha: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune` did."""

    sessions: int
    messages_settled: int


class ConversationStore:
    """The talk as it is kept. Opens and commits its own transactions."""

    def __init__(self, database: Database, session_timeout_hours: float, *, turn_limit_s: float) -> None:
        """A turn that is still pending after `turn_limit_s` was left by a crash."""
        self._database = database
        self._timeout = timedelta(hours=session_timeout_hours)
        self._turn_limit = timedelta(seconds=turn_limit_s)

    def start_session(self) -> SessionFacts:
        """A new session, committed."""
        now = _now()
        with self._database.writing() as connection:
            session_id = self._insert_session(connection, now)
        return SessionFacts(session_id, now, now, now + self._timeout)

    def open_turn(
        self, question: Question, session_id: str | None, *, claim: IdempotencyClaim | None = None
    ) -> Turn:
        """Write the question with a pending answer and commit; nothing typed is lost after this.

        A session is started if `session_id` is None. Raises SessionNotFound, SessionExpired,
        IdempotencyKeyReused or IdempotencyInProgress, and writes nothing then.
        """
        try:
            return self._open_turn(question, session_id, claim)
        except IntegrityError as error:
            if claim is None:
                raise
            # Two requests with one key passed the check at the same moment; the other one came first.
            raise IdempotencyInProgress(
                "The first request with this idempotency key is still running."
            ) from error

    def _open_turn(self, question: Question, session_id: str | None, claim: IdempotencyClaim | None) -> Turn:
        now = _now()
        with self._database.writing() as connection:
            if claim and (kept := self._claimed(connection, claim, now)):
                return Turn(kept.session_id, kept.message_id, kept.created_at, (), replayed=kept)
            before = 0
            if session_id is None:
                session_id = self._insert_session(connection, now)
                history: tuple[Exchange, ...] = ()
            else:
                _live_session(connection, session_id, now)
                self._prolong(connection, session_id, now)
                history = _history(connection, session_id)
                before = _count(connection, session_id)
            message_id = new_id()
            connection.execute(insert(messages).values(_pending(question, session_id, message_id, now)))
            if claim:
                _insert_claim(connection, claim, message_id, now)
        return Turn(session_id, message_id, now, history, before)

    def close_turn(self, message_id: str, answer: Answer, *, error_code: str | None = None) -> None:
        """Write how the turn ended. A turn that is closed already stays as it is."""
        now = _now()
        with self._database.writing() as connection:
            closed = connection.execute(
                update(messages)
                .where(messages.c.message_id == message_id, messages.c.status == Status.PENDING)
                .values(
                    status=str(answer.status),
                    answer=cleaned(answer.text),
                    sources=[_kept_source(source) for source in answer.sources],
                    model=answer.model or None,
                    book_version=answer.book_version or None,
                    degraded=[str(name) for name in answer.degraded],
                    cache=answer.cache,
                    usage=asdict(answer.usage),
                    latency_ms=asdict(answer.latency_ms),
                    error_code=error_code,
                    finished_at=now,
                )
            )
            if closed.rowcount and answer.status in (Status.FAILED, Status.STOPPED):
                # The reader may ask again with the same key.
                connection.execute(
                    delete(idempotency_keys).where(idempotency_keys.c.message_id == message_id)
                )

    def session(self, session_id: str) -> SessionFacts:
        """A live session with the number of its messages. Raises SessionNotFound or SessionExpired."""
        with self._database.reading() as connection:
            row = _live_session(connection, session_id, _now())
            count = _count(connection, session_id)
        return SessionFacts(row.id, row.created_at, row.last_activity_at, row.expires_at, count)

    def messages(
        self, session_id: str, *, limit: int, before: str | None = None
    ) -> tuple[list[MessageFacts], str | None]:
        """The newest `limit` messages before one, oldest first, and the id to ask with for older ones.

        Raises MessageNotFound if `before` is not in the session.
        """
        newest_first = select(messages).where(messages.c.session_id == session_id)
        with self._database.reading() as connection:
            if before is not None:
                newest_first = newest_first.where(messages.c.id < _place(connection, session_id, before))
            rows = connection.execute(newest_first.order_by(messages.c.id.desc()).limit(limit + 1)).all()
        page = [_message(row) for row in reversed(rows[:limit])]
        return page, page[0].message_id if len(rows) > limit else None

    def sessions(self, *, limit: int, before: str | None) -> tuple[list[SessionFacts], str | None]:
        """The newest `limit` sessions older than one, newest first, and the id to ask with for more.

        Raises SessionNotFound if there is no session `before`.
        """
        newest_first = select(
            sessions,
            select(func.count())
            .where(messages.c.session_id == sessions.c.id)
            .scalar_subquery()
            .label("said"),
        ).order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
        with self._database.reading() as connection:
            if before is not None:
                last = connection.execute(select(sessions).where(sessions.c.id == before)).first()
                if last is None:
                    raise SessionNotFound(NO_SESSION)
                newest_first = newest_first.where(
                    tuple_(sessions.c.created_at, sessions.c.id) < tuple_(last.created_at, last.id)
                )
            rows = connection.execute(newest_first.limit(limit + 1)).all()
        page = [
            SessionFacts(row.id, row.created_at, row.last_activity_at, row.expires_at, row.said)
            for row in rows[:limit]
        ]
        return page, page[-1].session_id if len(rows) > limit else None

    def delete_session(self, session_id: str) -> None:
        """Delete a session and every word of it. Raises SessionNotFound."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount
        if not gone:
            raise SessionNotFound(NO_SESSION)

    def rate(self, session_id: str, message_id: str, rating: str, comment: str | None) -> None:
        """Keep the reader's verdict on an answer; the last one wins. Raises MessageNotFound."""
        with self._database.writing() as connection:
            _live_session(connection, session_id, _now())
            rated = connection.execute(
                update(messages)
                .where(messages.c.message_id == message_id, messages.c.session_id == session_id)
                .values(rating=rating, comment=comment)
            ).rowcount
        if not rated:
            raise MessageNotFound("There is no message of this id in the session.")

    def prune(self) -> Pruned:
        """Settle turns that a crash left pending and delete sessions that have expired."""
        now = _now()
        with self._database.writing(no_time_limit=True) as connection:
            abandoned = (
                messages.c.status == Status.PENDING,
                messages.c.created_at < now - self._turn_limit,
            )
            # The reader may ask again with the same key.
            connection.execute(
                delete(idempotency_keys).where(
                    idempotency_keys.c.message_id.in_(select(messages.c.message_id).where(*abandoned))
                )
            )
            settled = connection.execute(
                update(messages)
                .where(*abandoned)
                .values(status=str(Status.FAILED), error_code="abandoned", finished_at=now)
            ).rowcount
            expired = connection.execute(delete(sessions).where(sessions.c.expires_at <= now)).rowcount
            connection.execute(
                delete(idempotency_keys).where(
                    idempotency_keys.c.created_at < now - timedelta(hours=IDEMPOTENCY_HOURS)
                )
            )
        return Pruned(expired, settled)

    def _insert_session(self, connection: Connection, now: datetime) -> str:
        session_id = new_id()
        connection.execute(
            insert(sessions).values(
                id=session_id, created_at=now, last_activity_at=now, expires_at=now + self._timeout
            )
        )
        return session_id

    def _prolong(self, connection: Connection, session_id: str, now: datetime) -> None:
        prolonged = connection.execute(
            update(sessions)
            .where(sessions.c.id == session_id)
            .values(last_activity_at=now, expires_at=now + self._timeout)
        ).rowcount
        if not prolonged:
            # PostgreSQL let another transaction delete it since it was read.
            raise SessionNotFound(NO_SESSION)

    def _claimed(self, connection: Connection, claim: IdempotencyClaim, now: datetime) -> MessageFacts | None:
        row = connection.execute(
            select(idempotency_keys.c.body_sha, idempotency_keys.c.created_at.label("claimed_at"), messages)
            .join(messages, messages.c.message_id == idempotency_keys.c.message_id)
            .where(idempotency_keys.c.key_sha == claim.key_sha)
        ).first()
        if row is None:
            return None
        given_up = row.status == Status.PENDING and row.created_at < now - self._turn_limit
        if given_up or row.claimed_at < now - timedelta(hours=IDEMPOTENCY_HOURS):
            connection.execute(delete(idempotency_keys).where(idempotency_keys.c.key_sha == claim.key_sha))
            return None
        if row.body_sha != claim.body_sha:
            raise IdempotencyKeyReused(
                "This idempotency key came with another body before; send a new key with a new body."
            )
        if row.status == Status.PENDING:
            raise IdempotencyInProgress("The first request with this idempotency key is still running.")
        return _message(row)


def new_id() -> str:
    """An id of 192 random bits that cannot be guessed."""
    return secrets.token_urlsafe(24)


def unkept_turn() -> Turn:
    """A turn of a question that cannot be written down now."""
    return Turn(None, None, _now(), ())


def _now() -> datetime:
    return datetime.now(UTC)


def _live_session(connection: Connection, session_id: str, now: datetime) -> Row[Any]:
    row = connection.execute(select(sessions).where(sessions.c.id == session_id)).first()
    if row is None:
        raise SessionNotFound(NO_SESSION)
    if row.expires_at <= now:
        raise SessionExpired("This session has ended; start a new one by asking without an id.")
    return row


def _pending(question: Question, session_id: str, message_id: str, now: datetime) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "session_id": session_id,
        "created_at": now,
        "query": question.text,
        "mode": str(question.mode),
        "selected_text": question.selected_text,
        "status": str(Status.PENDING),
        "answer": "",
        "sources": [],
        "degraded": [],
        "usage": asdict(Usage()),
        "latency_ms": {},
    }


def _history(connection: Connection, session_id: str) -> tuple[Exchange, ...]:
    rows = connection.execute(
        select(messages.c.query, messages.c.answer)
        .where(
            messages.c.session_id == session_id,
            messages.c.status.in_([Status.ANSWERED, Status.REFUSED]),
        )
        .order_by(messages.c.id.desc())
        .limit(HISTORY_EXCHANGES)
    ).all()
    return tuple(Exchange(row.query, row.answer) for row in reversed(rows))


def _count(connection: Connection, session_id: str) -> int:
    counted = select(func.count()).select_from(messages).where(messages.c.session_id == session_id)
    return connection.scalar(counted) or 0


def _insert_claim(connection: Connection, claim: IdempotencyClaim, message_id: str, now: datetime) -> None:
    connection.execute(
        insert(idempotency_keys).values(
            key_sha=claim.key_sha, body_sha=claim.body_sha, message_id=message_id, created_at=now
        )
    )


def _place(connection: Connection, session_id: str, message_id: str) -> int:
    place = connection.scalar(
        select(messages.c.id).where(messages.c.message_id == message_id, messages.c.session_id == session_id)
    )
    if place is None:
        raise MessageNotFound("There is no message of this id in the session.")
    return int(place)


def _kept_source(source: Source) -> dict[str, Any]:
    kept = asdict(source)
    kept["heading_path"] = list(source.heading_path)
    return kept


def _message(row: Row[Any]) -> MessageFacts:
    sources = tuple(Source(**{**s, "heading_path": tuple(s["heading_path"])}) for s in row.sources)
    return MessageFacts(
        message_id=row.message_id,
        session_id=row.session_id,
        created_at=row.created_at,
        query=row.query,
        mode=row.mode,
        selected_text=row.selected_text,
        status=row.status,
        answer=row.answer,
        sources=sources,
        model=row.model,
        book_version=row.book_version,
        degraded=tuple(row.degraded),
        cache=row.cache,
        usage=row.usage,
        latency_ms=row.latency_ms,
        error_code=row.error_code,
        rating=row.rating,
        comment=row.comment,
    )
