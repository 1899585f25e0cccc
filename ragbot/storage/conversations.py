"""Store sessions with their messages: the question before the model is called, the answer after it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from ragbot.core.answers import Answer, Exchange, Question, Status
from ragbot.core.errors import IdempotencyInProgress, MessageNotFound, SessionExpired, SessionNotFound
from ragbot.storage.asked_questions import AskedQuestion, AskedQuestionWriter, conditional_insert
from ragbot.storage.database import Database
from ragbot.storage.idempotency_keys import (
    IdempotencyClaim,
    answered_message,
    delete_expired_claims,
    insert_claim,
    release_claim,
    release_claims,
)
from ragbot.storage.message_rows import (
    ENDED_COLUMNS,
    PENDING_COLUMNS,
    SESSION_COLUMNS,
    MessageFacts,
    ended_values,
    message_facts,
    pending_values,
)
from ragbot.storage.models import MessageRow, SessionRow

sessions = SessionRow.__table__
messages = MessageRow.__table__

# Made once: building a statement takes longer than running it.
_INSERT_SESSION = insert(sessions)
_INSERT_MESSAGE = insert(messages)
_CLOSE = update(messages).where(
    messages.c.message_id == bindparam("closed_id"), messages.c.status == str(Status.PENDING)
)
# A message that the statement before it has closed, or another one at the same microsecond.
_CLOSED_NOW = exists().where(
    messages.c.message_id == bindparam("closed_id"), messages.c.finished_at == bindparam("closed_at")
)

HISTORY_EXCHANGES = 10
NO_SESSION = "There is no session of this id; start one by asking without an id."


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Describe a session without its messages."""

    session_id: str
    created_at: datetime
    last_activity_at: datetime
    expires_at: datetime
    message_count: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Describe a stored question that waits for its answer.

    `session_id` and `message_id` are None if the database is unavailable and nothing is stored.
    `questions_before` counts those of its session. `replayed` is the stored message if the same idempotency
    key was answered before.
    """

    session_id: str | None
    message_id: str | None
    created_at: datetime
    history: tuple[Exchange, ...]
    questions_before: int = 0
    replayed: MessageFacts | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """Count what `prune` changed."""

    sessions: int
    messages_settled: int


class ConversationStore:
    """Store conversations, each change in a transaction of its own."""

    def __init__(
        self,
        database: Database,
        session_timeout_hours: float,
        *,
        turn_limit_s: float,
        asked: AskedQuestionWriter | None = None,
    ) -> None:
        """Treat a turn that is still pending after `turn_limit_s` as left by a crash.

        What readers asked is kept with `asked`, apart from their sessions; None keeps nothing.
        """
        self._asked = asked or AskedQuestionWriter(days=0)
        self._database = database
        self._timeout = timedelta(hours=session_timeout_hours)
        self._turn_limit = timedelta(seconds=turn_limit_s)
        self._session_statement = database.statement(_INSERT_SESSION, columns=SESSION_COLUMNS, converts=True)
        self._pending_statement = database.statement(_INSERT_MESSAGE, columns=PENDING_COLUMNS, converts=True)
        self._close_statement = database.statement(_CLOSE, columns=ENDED_COLUMNS, converts=True)
        self._asked_statement = database.statement(
            conditional_insert(database.dialect, _CLOSED_NOW), converts=True
        )
        self._release_statement = database.statement(release_claim(_CLOSED_NOW), converts=True)

    def start_session(self) -> SessionFacts:
        """Start a session and commit it."""
        now = _now()
        with self._database.writing() as connection:
            session_id = self._insert_session(connection, now)
        return SessionFacts(session_id, now, now, now + self._timeout)

    def open_turn(
        self, question: Question, session_id: str | None, *, claim: IdempotencyClaim | None = None
    ) -> Turn:
        """Store the question with a pending answer and commit, so that no question is lost after this.

        Starts a session if `session_id` is None. Raises SessionNotFound, SessionExpired,
        IdempotencyKeyReused or IdempotencyInProgress, and stores nothing then.
        """
        try:
            return self._open_turn(question, session_id, claim)
        except IntegrityError as error:
            if claim is None:
                raise
            # Two requests with one key passed the check at the same moment; the other one came first.
            raise IdempotencyInProgress from error

    def _open_turn(self, question: Question, session_id: str | None, claim: IdempotencyClaim | None) -> Turn:
        if session_id is None and claim is None:
            return self._open_first_turn(question)
        now = _now()
        with self._database.writing() as connection:
            if claim and (row := answered_message(connection, claim, now, pending_limit=self._turn_limit)):
                replayed = message_facts(row)
                return Turn(
                    replayed.session_id, replayed.message_id, replayed.created_at, (), replayed=replayed
                )
            before = 0
            if session_id is None:
                session_id = self._insert_session(connection, now)
                history: tuple[Exchange, ...] = ()
            else:
                _live_session(connection, session_id, now)
                self._extend(connection, session_id, now)
                history = _history(connection, session_id, question.book)
                before = _count(connection, session_id)
            message_id = new_id()
            connection.execute(_INSERT_MESSAGE, pending_values(question, session_id, message_id, now))
            if claim:
                insert_claim(connection, claim, message_id, now)
        return Turn(session_id, message_id, now, history, before)

    def _open_first_turn(self, question: Question) -> Turn:
        """Store a question in a session of its own, in one round trip: nothing must be read before."""
        now, session_id, message_id = _now(), new_id(), new_id()
        self._database.run_together(
            [
                (self._session_statement, self._session_values(session_id, now)),
                (self._pending_statement, pending_values(question, session_id, message_id, now)),
            ]
        )
        return Turn(session_id, message_id, now, ())

    def close_turn(
        self,
        message_id: str,
        answer: Answer,
        *,
        error_code: str | None = None,
        asked: AskedQuestion | None = None,
    ) -> None:
        """Store how the turn ended, and what was asked. A turn that is closed already stays as it is."""
        now = _now()
        ended = ended_values(answer, error_code, now)
        work = [(self._close_statement, {"closed_id": message_id, **ended})]
        this = {"closed_id": message_id, "closed_at": now}
        if asked is not None and (kept := self._asked.values(message_id, asked, answer, now)):
            work.append((self._asked_statement, {**kept, **this}))
        if answer.status in (Status.FAILED, Status.STOPPED):
            # The reader may ask again with the same key.
            work.append((self._release_statement, this))
        self._database.run_together(work)

    def session(self, session_id: str) -> SessionFacts:
        """Return a session with the number of its messages. Raises SessionNotFound or SessionExpired."""
        with self._database.reading() as connection:
            row = _live_session(connection, session_id, _now())
            count = _count(connection, session_id)
        return SessionFacts(row.id, row.created_at, row.last_activity_at, row.expires_at, count)

    def message(self, session_id: str, message_id: str) -> MessageFacts:
        """Return a message. Raises SessionNotFound, SessionExpired or MessageNotFound."""
        mine = (messages.c.message_id == message_id, messages.c.session_id == session_id)
        with self._database.reading() as connection:
            _live_session(connection, session_id, _now())
            row = connection.execute(select(messages).where(*mine)).first()
        if row is None:
            raise MessageNotFound
        return message_facts(row)

    def messages(
        self, session_id: str, *, limit: int, before: str | None = None
    ) -> tuple[list[MessageFacts], str | None]:
        """Return the newest `limit` messages before one, oldest first, and the `before` of the next page.

        The second is None if there are no older ones.
        Raises MessageNotFound if `before` is not in the session.
        """
        newest_first = select(messages).where(messages.c.session_id == session_id)
        with self._database.reading() as connection:
            if before is not None:
                newest_first = newest_first.where(messages.c.id < _row_id(connection, session_id, before))
            rows = connection.execute(newest_first.order_by(messages.c.id.desc()).limit(limit + 1)).all()
        page = [message_facts(row) for row in reversed(rows[:limit])]
        return page, page[0].message_id if len(rows) > limit else None

    def sessions(self, *, limit: int, before: str | None) -> tuple[list[SessionFacts], str | None]:
        """Return the newest `limit` sessions before one, newest first, and the `before` of the next page.

        The second is None if there are no older ones.
        Raises SessionNotFound if there is no session `before`.
        """
        newest_first = select(
            sessions,
            select(func.count())
            .where(messages.c.session_id == sessions.c.id)
            .scalar_subquery()
            .label("message_count"),
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
            SessionFacts(row.id, row.created_at, row.last_activity_at, row.expires_at, row.message_count)
            for row in rows[:limit]
        ]
        return page, page[-1].session_id if len(rows) > limit else None

    def delete_session(self, session_id: str) -> None:
        """Delete a session with its messages and what was kept of its questions. Raises SessionNotFound."""
        with self._database.writing() as connection:
            self._asked.delete_of(
                connection, select(messages.c.message_id).where(messages.c.session_id == session_id)
            )
            gone = connection.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount
        if not gone:
            raise SessionNotFound(NO_SESSION)

    def rate(self, session_id: str, message_id: str, rating: str, comment: str | None) -> None:
        """Store the reader's rating of an answer; the last one wins. Raises MessageNotFound."""
        with self._database.writing() as connection:
            _live_session(connection, session_id, _now())
            rated = connection.execute(
                update(messages)
                .where(messages.c.message_id == message_id, messages.c.session_id == session_id)
                .values(rating=rating, comment=comment)
            ).rowcount
            if rated:
                self._asked.rate(connection, message_id, rating, comment)
        if not rated:
            raise MessageNotFound

    def prune(self) -> Pruned:
        """Mark turns that a crash left pending as failed, and delete expired sessions and old questions."""
        now = _now()
        with self._database.writing(no_time_limit=True) as connection:
            abandoned = (
                messages.c.status == Status.PENDING,
                messages.c.created_at < now - self._turn_limit,
            )
            # The reader may ask again with the same key.
            release_claims(connection, select(messages.c.message_id).where(*abandoned))
            settled = connection.execute(
                update(messages)
                .where(*abandoned)
                .values(status=str(Status.FAILED), error_code="abandoned", finished_at=now)
            ).rowcount
            expired = connection.execute(delete(sessions).where(sessions.c.expires_at <= now)).rowcount
            delete_expired_claims(connection, now)
            self._asked.prune(connection, now)
        return Pruned(expired, settled)

    def _insert_session(self, connection: Connection, now: datetime) -> str:
        session_id = new_id()
        connection.execute(_INSERT_SESSION, self._session_values(session_id, now))
        return session_id

    def _session_values(self, session_id: str, now: datetime) -> dict[str, Any]:
        return {
            "id": session_id,
            "created_at": now,
            "last_activity_at": now,
            "expires_at": now + self._timeout,
        }

    def _extend(self, connection: Connection, session_id: str, now: datetime) -> None:
        extended = connection.execute(
            update(sessions)
            .where(sessions.c.id == session_id)
            .values(last_activity_at=now, expires_at=now + self._timeout)
        ).rowcount
        if not extended:
            # PostgreSQL let another transaction delete it since it was read.
            raise SessionNotFound(NO_SESSION)


def new_id() -> str:
    """Return an id of 192 random bits, which cannot be guessed."""
    return secrets.token_urlsafe(24)


def unsaved_turn() -> Turn:
    """Return a turn for a question that cannot be stored now."""
    return Turn(None, None, _now(), ())


def _now() -> datetime:
    return datetime.now(UTC)


def _live_session(connection: Connection, session_id: str, now: datetime) -> Row[Any]:
    row = connection.execute(select(sessions).where(sessions.c.id == session_id)).first()
    if row is None:
        raise SessionNotFound(NO_SESSION)
    if row.expires_at <= now:
        raise SessionExpired
    return row


def _history(connection: Connection, session_id: str, book: str) -> tuple[Exchange, ...]:
    """Return the last exchanges about a book: what was said about another one explains nothing."""
    rows = connection.execute(
        select(messages.c.query, messages.c.answer)
        .where(
            messages.c.session_id == session_id,
            messages.c.book == book,
            messages.c.status.in_([Status.ANSWERED, Status.REFUSED]),
        )
        .order_by(messages.c.id.desc())
        .limit(HISTORY_EXCHANGES)
    ).all()
    return tuple(Exchange(row.query, row.answer) for row in reversed(rows))


def _count(connection: Connection, session_id: str) -> int:
    counted = select(func.count()).select_from(messages).where(messages.c.session_id == session_id)
    return connection.scalar(counted) or 0


def _row_id(connection: Connection, session_id: str, message_id: str) -> int:
    row_id = connection.scalar(
        select(messages.c.id).where(messages.c.message_id == message_id, messages.c.session_id == session_id)
    )
    if row_id is None:
        raise MessageNotFound
    return int(row_id)
