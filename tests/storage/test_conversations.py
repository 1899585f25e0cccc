"""Test turns, history and sessions on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, text, update

from ragbot.core.answers import (
    Answer,
    CitedSpan,
    Degradation,
    Exchange,
    Latency,
    Mode,
    Question,
    Source,
    Status,
    Usage,
)
from ragbot.core.errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    MessageNotFound,
    RagbotError,
    SessionExpired,
    SessionNotFound,
)
from ragbot.storage.conversations import ConversationStore, messages, sessions
from ragbot.storage.database import Database
from ragbot.storage.idempotency_keys import IDEMPOTENCY_HOURS, IdempotencyClaim, idempotency_keys

TURN_LIMIT_S = 90.0
QUESTION = Question("How long is the cheddar ripened?")
CLAIM = IdempotencyClaim(key_sha="k" * 64, body_sha="b" * 64)
SOURCE = Source(
    id="e3d9c368-643f-5fd3-9232-4f370f1fa39e",
    chapter="Cheese",
    section="Ripening",
    heading_path=("Cheese", "Ripening"),
    path="02-cheese.md",
    url="https://book.test/02-cheese#ripening",
    quote="Bob ripens the *cheddar* for nine months in a cool cellar.",
    score=0.2,
    cited=True,
    quote_text="Bob ripens the cheddar for nine months in a cool cellar.",
    citations=(
        CitedSpan(29, 40, "nine months", "https://book.test/02-cheese#ripening:~:text=nine%20months"),
    ),
)
ANSWER = Answer(
    text="Nine months [1].",
    status=Status.ANSWERED,
    sources=(SOURCE,),
    mode=Mode.FULL_BOOK,
    book_version="first",
    model="test/scripted",
    degraded=(Degradation.DENSE_SEARCH,),
    usage=Usage(embedding_tokens=7, input_tokens=100, output_tokens=5, cost_usd=0.001),
    latency_ms=Latency(total=120.5, embed=10.0, search=1.5, generate=100.0),
)


@pytest.fixture
def conversations(database: Database) -> ConversationStore:
    return ConversationStore(database, 24, turn_limit_s=TURN_LIMIT_S)


def answered(conversations: ConversationStore, session_id: str | None, question: str, answer: str) -> str:
    """Take a whole turn; returns its session's id."""
    turn = conversations.open_turn(Question(question), session_id)
    conversations.close_turn(turn.message_id, replace(ANSWER, text=answer))
    return turn.session_id


def ended(conversations: ConversationStore, status: Status, *, claim: IdempotencyClaim | None = None) -> str:
    """Take a turn that ends so; returns its session's id."""
    turn = conversations.open_turn(QUESTION, None, claim=claim)
    conversations.close_turn(turn.message_id, replace(ANSWER, status=status))
    return turn.session_id


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0


def ago(**units: float) -> datetime:
    return datetime.now(UTC) - timedelta(**units)


def grown_old(engine: Engine, **units: float) -> None:
    """Let all that is kept have happened so long ago."""
    then = ago(**units)
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(update(messages).values(created_at=then))
        connection.execute(update(idempotency_keys).values(created_at=then))
        connection.execute(
            update(sessions).values(
                created_at=then, last_activity_at=then, expires_at=then + timedelta(hours=24)
            )
        )


def soon(holds: Callable[[], bool]) -> bool:
    """Return whether something comes to hold within five seconds."""
    until = time.monotonic() + 60
    while not holds() and time.monotonic() < until:
        time.sleep(0.005)
    return holds()


# --- a turn ------------------------------------------------------------------------------------


def test_question_is_kept_before_it_is_answered(conversations: ConversationStore) -> None:
    """A crash must lose nothing that the reader typed."""
    question = replace(QUESTION, mode=Mode.SELECTED_TEXT, selected_text="Bob ripens the cheddar")

    turn = conversations.open_turn(question, None)

    (message,), _ = conversations.messages(turn.session_id, limit=10)
    assert (message.query, message.mode, message.selected_text) == (
        QUESTION.text,
        "selected_text",
        "Bob ripens the cheddar",
    )
    assert (message.status, message.answer, message.sources) == ("pending", "", ())


def test_answer_is_read_as_it_was_given(conversations: ConversationStore) -> None:
    """A reader who comes back sees the same words with the same sources."""
    session_id = answered(conversations, None, QUESTION.text, ANSWER.text)

    (message,), _ = conversations.messages(session_id, limit=10)

    assert (message.status, message.answer, message.sources) == ("answered", ANSWER.text, (SOURCE,))
    assert (message.model, message.book_version, message.cache) == ("test/scripted", "first", "bypass")
    assert message.degraded == ("dense_search",)
    assert Usage(**message.usage) == ANSWER.usage
    assert Latency(**message.latency_ms) == ANSWER.latency_ms
    assert message.created_at.utcoffset() == timedelta(0)


def test_source_of_an_earlier_version_is_read_without_what_it_lacks(
    conversations: ConversationStore, engine: Engine
) -> None:
    """Talks outlive an upgrade; their sources had neither citations nor a quote's text."""
    session_id = ended(conversations, Status.ANSWERED)
    before = {
        name: value for name, value in asdict(SOURCE).items() if name not in ("citations", "quote_text")
    }
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(update(messages).values(sources=[before]))

    (message,), _ = conversations.messages(session_id, limit=10)

    assert message.sources == (replace(SOURCE, citations=(), quote_text=""),)


def test_closed_turn_stays_as_it_is(conversations: ConversationStore) -> None:
    """The reader leaves just as the last word is said: the whole answer is kept, not the leaving."""
    turn = conversations.open_turn(QUESTION, None)
    conversations.close_turn(turn.message_id, ANSWER)

    conversations.close_turn(turn.message_id, replace(ANSWER, status=Status.STOPPED, text="Nine"))

    (message,), _ = conversations.messages(turn.session_id, limit=10)
    assert (message.status, message.answer) == ("answered", "Nine months [1].")


def test_failure_is_kept_with_its_code_and_what_was_said(conversations: ConversationStore) -> None:
    """The operator looks for it there."""
    turn = conversations.open_turn(QUESTION, None)

    conversations.close_turn(
        turn.message_id, replace(ANSWER, status=Status.FAILED, text="Nine"), error_code="answer_cut"
    )

    (message,), _ = conversations.messages(turn.session_id, limit=10)
    assert (message.status, message.answer, message.error_code) == ("failed", "Nine", "answer_cut")


@pytest.mark.parametrize(
    ("said", "kept"), [("nine \ud83d months", "nine ? months"), ("nine \x00months", "nine months")]
)
def test_half_a_character_or_nul_in_an_answer_does_not_break_closing(
    conversations: ConversationStore, said: str, kept: str
) -> None:
    """Models write both now and then; one such answer once left SQLite locked for all."""
    session_id = answered(conversations, None, QUESTION.text, said)

    (message,), _ = conversations.messages(session_id, limit=10)

    assert (message.status, message.answer) == ("answered", kept)


def test_turn_of_a_deleted_session_is_closed_without_a_word(
    conversations: ConversationStore, engine: Engine
) -> None:
    """A reader may delete the talk while the answer is still being written."""
    turn = conversations.open_turn(QUESTION, None)
    conversations.delete_session(turn.session_id)

    conversations.close_turn(turn.message_id, ANSWER)

    assert count(engine, "messages") == 0


# --- history -----------------------------------------------------------------------------------


def test_history_is_the_talk_so_far_oldest_first(conversations: ConversationStore) -> None:
    """A follow-up is understood from what was said before it."""
    session_id = answered(conversations, None, "one?", "1")
    answered(conversations, session_id, "two?", "2")

    turn = conversations.open_turn(Question("three?"), session_id)

    assert turn.history == (Exchange("one?", "1"), Exchange("two?", "2"))


def test_history_holds_the_last_ten_exchanges(conversations: ConversationStore) -> None:
    """A talk of a year must not be read whole for each question."""
    session_id = answered(conversations, None, "0?", "0")
    for number in range(1, 12):
        answered(conversations, session_id, f"{number}?", str(number))

    turn = conversations.open_turn(QUESTION, session_id)

    assert [exchange.answer for exchange in turn.history] == [str(number) for number in range(2, 12)]


@pytest.mark.parametrize(
    ("status", "counts"),
    [(Status.ANSWERED, 1), (Status.REFUSED, 1), (Status.STOPPED, 0), (Status.FAILED, 0)],
)
def test_only_whole_answers_are_history(
    conversations: ConversationStore, status: Status, counts: int
) -> None:
    """Half an answer misleads the model."""
    session_id = ended(conversations, status)

    assert len(conversations.open_turn(QUESTION, session_id).history) == counts


def test_talks_do_not_mix(conversations: ConversationStore) -> None:
    """Alice must not see what Bob asked."""
    alice = answered(conversations, None, "Alice's question", "an answer")
    bob = answered(conversations, None, "Bob's question", "an answer")

    kept, _ = conversations.messages(alice, limit=10)

    assert [message.query for message in kept] == ["Alice's question"]
    assert conversations.open_turn(QUESTION, bob).history == (Exchange("Bob's question", "an answer"),)


# --- sessions ----------------------------------------------------------------------------------


def test_session_lives_from_its_last_activity(conversations: ConversationStore, engine: Engine) -> None:
    """A reader who reads on for a week is not thrown out in the middle."""
    session = conversations.start_session()
    grown_old(engine, hours=23)

    conversations.open_turn(QUESTION, session.session_id)

    after = conversations.session(session.session_id)
    assert after.expires_at > datetime.now(UTC) + timedelta(hours=23.9)
    assert after.message_count == 1


def test_expired_session_is_not_one_that_never_was(conversations: ConversationStore, engine: Engine) -> None:
    """The reader is told that the talk ended, and can start another."""
    session = conversations.start_session()
    grown_old(engine, hours=25)

    for call in (
        lambda: conversations.session(session.session_id),
        lambda: conversations.open_turn(QUESTION, session.session_id),
        lambda: conversations.rate(session.session_id, "any", "up", None),
    ):
        with pytest.raises(SessionExpired):
            call()
    with pytest.raises(SessionNotFound):
        conversations.session("never-was")
    assert count(engine, "messages") == 0


def test_question_in_no_session_writes_nothing(conversations: ConversationStore, engine: Engine) -> None:
    """An id that was guessed leaves no trace."""
    with pytest.raises(SessionNotFound):
        conversations.open_turn(QUESTION, "guessed", claim=CLAIM)

    assert [count(engine, table) for table in ("sessions", "messages", "idempotency_keys")] == [0, 0, 0]


def test_deleted_session_leaves_no_word_behind(conversations: ConversationStore, engine: Engine) -> None:
    """It is a reader's right, and the rating's comment and the key are words too."""
    session_id = ended(conversations, Status.ANSWERED, claim=CLAIM)

    conversations.delete_session(session_id)

    assert [count(engine, table) for table in ("sessions", "messages", "idempotency_keys")] == [0, 0, 0]
    with pytest.raises(SessionNotFound):
        conversations.delete_session(session_id)


def test_session_that_is_deleted_while_a_question_comes_in_is_not_found(
    conversations: ConversationStore, engine: Engine
) -> None:
    """On PostgreSQL it once looked like a repeated request."""
    session_id = conversations.start_session().session_id

    with ThreadPoolExecutor(1) as threads:
        with engine.execution_options(writes=True).begin() as other:
            other.execute(delete(sessions).where(sessions.c.id == session_id))
            question = threads.submit(conversations.open_turn, QUESTION, session_id)
            assert soon(lambda: waits_for_a_lock(engine))

        with pytest.raises(SessionNotFound):
            question.result(60)


def waits_for_a_lock(engine: Engine) -> bool:
    """Return whether a transaction waits for another; SQLite does not tell, and locks from the beginning."""
    if engine.dialect.name == "sqlite":
        return True
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


# --- pages of a talk ---------------------------------------------------------------------------


def test_talk_is_read_in_pages_from_its_end(conversations: ConversationStore) -> None:
    """A long talk must not be sent whole to show its end."""
    session_id = answered(conversations, None, "0?", "0")
    for number in range(1, 5):
        answered(conversations, session_id, f"{number}?", str(number))

    newest, before = conversations.messages(session_id, limit=2)
    older, before_that = conversations.messages(session_id, limit=2, before=before)
    oldest, end = conversations.messages(session_id, limit=2, before=before_that)

    assert [[message.answer for message in page] for page in (oldest, older, newest)] == [
        ["0"],
        ["1", "2"],
        ["3", "4"],
    ]
    assert end is None


def test_page_before_a_message_of_another_talk_is_not_given(conversations: ConversationStore) -> None:
    """An id of Bob's must open nothing of Alice's, and say nothing about it."""
    alice = answered(conversations, None, "Alice's question", "an answer")
    bob = answered(conversations, None, "Bob's question", "an answer")
    (message,), _ = conversations.messages(bob, limit=1)

    for before in (message.message_id, "never-was"):
        with pytest.raises(MessageNotFound):
            conversations.messages(alice, limit=10, before=before)


# --- ratings -----------------------------------------------------------------------------------


def test_last_rating_wins(conversations: ConversationStore) -> None:
    """A reader may think again."""
    session_id = answered(conversations, None, QUESTION.text, ANSWER.text)
    (message,), _ = conversations.messages(session_id, limit=1)

    conversations.rate(session_id, message.message_id, "up", "good")
    conversations.rate(session_id, message.message_id, "down", None)

    (rated,), _ = conversations.messages(session_id, limit=1)
    assert (rated.rating, rated.comment) == ("down", None)


def test_message_of_another_talk_is_not_rated(conversations: ConversationStore) -> None:
    """Nobody rates for somebody else."""
    alice = answered(conversations, None, "Alice's question", "an answer")
    bob = answered(conversations, None, "Bob's question", "an answer")
    (message,), _ = conversations.messages(alice, limit=1)

    with pytest.raises(MessageNotFound):
        conversations.rate(bob, message.message_id, "down", "mine")

    (unrated,), _ = conversations.messages(alice, limit=1)
    assert unrated.rating is None


# --- repeated requests -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.ANSWERED, Status.REFUSED])
def test_repeated_request_is_told_the_kept_answer(conversations: ConversationStore, status: Status) -> None:
    """A reader whose connection broke must not be charged twice."""
    session_id = ended(conversations, status, claim=CLAIM)

    again = conversations.open_turn(QUESTION, None, claim=CLAIM)

    assert again.session_id == session_id
    assert again.replayed is not None
    assert (again.replayed.status, again.replayed.answer) == (str(status), ANSWER.text)


def test_key_with_another_body_is_refused(conversations: ConversationStore, engine: Engine) -> None:
    """It is a fault of the caller's program, and an old answer to a new question is worse."""
    ended(conversations, Status.ANSWERED, claim=CLAIM)

    with pytest.raises(IdempotencyKeyReused):
        conversations.open_turn(QUESTION, None, claim=replace(CLAIM, body_sha="c" * 64))

    assert count(engine, "messages") == 1


def test_request_that_still_runs_is_not_begun_again(conversations: ConversationStore) -> None:
    """Two answers to one request would be paid for."""
    conversations.open_turn(QUESTION, None, claim=CLAIM)

    with pytest.raises(IdempotencyInProgress):
        conversations.open_turn(QUESTION, None, claim=CLAIM)


@pytest.mark.parametrize("status", [Status.FAILED, Status.STOPPED])
def test_request_that_failed_may_be_sent_again(conversations: ConversationStore, status: Status) -> None:
    """That is what the key is for."""
    ended(conversations, status, claim=CLAIM)

    assert conversations.open_turn(QUESTION, None, claim=CLAIM).replayed is None


def test_request_that_a_crash_left_open_may_be_sent_again(
    conversations: ConversationStore, engine: Engine
) -> None:
    """Otherwise the reader waits for a process that is gone."""
    conversations.open_turn(QUESTION, None, claim=CLAIM)
    grown_old(engine, seconds=TURN_LIMIT_S + 1)

    assert conversations.open_turn(QUESTION, None, claim=CLAIM).replayed is None


def test_request_that_was_settled_after_a_crash_may_be_sent_again(
    conversations: ConversationStore, engine: Engine
) -> None:
    """It was once told an empty answer that had failed."""
    conversations.open_turn(QUESTION, None, claim=CLAIM)
    grown_old(engine, seconds=TURN_LIMIT_S + 1)
    conversations.prune()

    assert conversations.open_turn(QUESTION, None, claim=CLAIM).replayed is None


def test_key_is_forgotten_after_a_day(conversations: ConversationStore, engine: Engine) -> None:
    """It is what the contract says."""
    ended(conversations, Status.ANSWERED, claim=CLAIM)
    grown_old(engine, hours=IDEMPOTENCY_HOURS + 1)

    assert conversations.open_turn(QUESTION, None, claim=CLAIM).replayed is None


# --- clearing up -------------------------------------------------------------------------------


def test_prune_settles_what_a_crash_left_open_and_nothing_else(
    conversations: ConversationStore, engine: Engine
) -> None:
    """An answer that is being written now is not a crash."""
    abandoned = conversations.open_turn(QUESTION, None)
    grown_old(engine, seconds=TURN_LIMIT_S + 1)
    running = conversations.open_turn(QUESTION, None)

    pruned = conversations.prune()

    (settled,), _ = conversations.messages(abandoned.session_id, limit=1)
    (pending,), _ = conversations.messages(running.session_id, limit=1)
    assert (pruned.messages_settled, pruned.sessions) == (1, 0)
    assert (settled.status, settled.error_code) == ("failed", "abandoned")
    assert pending.status == "pending"


def test_prune_deletes_expired_sessions_with_every_word_and_nothing_else(
    conversations: ConversationStore, engine: Engine
) -> None:
    """What is kept longer than promised is a leak."""
    ended(conversations, Status.ANSWERED, claim=CLAIM)
    grown_old(engine, hours=25)
    alive = answered(conversations, None, QUESTION.text, ANSWER.text)

    pruned = conversations.prune()

    assert pruned.sessions == 1
    assert [count(engine, table) for table in ("sessions", "messages", "idempotency_keys")] == [1, 1, 0]
    assert conversations.session(alive).message_count == 1


def test_prune_twice_is_as_once(conversations: ConversationStore, engine: Engine) -> None:
    """It runs from a timer, and by hand."""
    ended(conversations, Status.ANSWERED)
    grown_old(engine, hours=25)

    assert conversations.prune().sessions == 1
    assert conversations.prune().sessions == 0


# --- at once -----------------------------------------------------------------------------------


def at_once(number: int, call: Callable[[int], object]) -> list[object]:
    """Return what so many calls that begin together return, or the error of ours that they raise."""
    together = threading.Barrier(number)

    def begin(place: int) -> object:
        together.wait(60)
        try:
            return call(place)
        except RagbotError as error:
            return error

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(begin, range(number)))


def test_eight_readers_ask_at_once_and_all_are_written_down(
    conversations: ConversationStore, engine: Engine
) -> None:
    """SQLite has one writer: the others wait and do not fail."""

    def ask_thrice(_: int) -> set[str]:
        return {answered(conversations, None, QUESTION.text, ANSWER.text) for _ in range(3)}

    session_ids = at_once(8, ask_thrice)

    assert len(set().union(*session_ids)) == 24
    assert count(engine, "messages") == count(engine, "sessions") == 24


def test_questions_of_one_session_at_once_are_all_written_down(
    conversations: ConversationStore, engine: Engine
) -> None:
    """A reader with two tabs is one reader."""
    session_id = conversations.start_session().session_id

    turns = at_once(8, lambda _: conversations.open_turn(QUESTION, session_id))

    assert len({turn.message_id for turn in turns}) == 8
    assert conversations.session(session_id).message_count == 8


def test_of_equal_requests_at_once_one_wins(conversations: ConversationStore, engine: Engine) -> None:
    """The others are told to wait, and none is answered twice."""
    outcomes = at_once(4, lambda _: conversations.open_turn(QUESTION, None, claim=CLAIM))

    kinds = sorted(type(outcome).__name__ for outcome in outcomes)
    assert kinds == ["IdempotencyInProgress"] * 3 + ["Turn"]
    assert count(engine, "messages") == count(engine, "sessions") == 1


def test_turns_are_closed_while_others_are_opened_and_pruned(
    conversations: ConversationStore, engine: Engine
) -> None:
    """The timer's prune runs while readers are answered."""

    def one(place: int) -> None:
        for _ in range(3):
            if place % 4 == 3:
                conversations.prune()
            else:
                answered(conversations, None, QUESTION.text, ANSWER.text)

    outcomes = at_once(8, one)

    assert outcomes == [None] * 8
    with engine.connect() as connection:
        statuses = set(connection.scalars(text("SELECT DISTINCT status FROM messages")))
    assert statuses == {"answered"}
