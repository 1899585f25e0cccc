"""Test turns from the question to the stored row: the row says how it ended, and the slot is given back."""

from __future__ import annotations

import gc
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from ragbot.answering.answerer import AnswerLimits
from ragbot.answering.deferred_writes import DeferredWrites
from ragbot.answering.turns import RunningTurn, TurnRecorder, Turns
from ragbot.core.answers import NOT_IN_BOOK, Delta, Event, Finished, Question, Retrieved, Status, TurnOutcome
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerCut,
    DatabaseUnavailable,
    DeadlineExceeded,
    EditionNotFound,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    Overloaded,
    ProviderUnavailable,
    RagbotError,
    SessionNotFound,
)
from ragbot.core.ports import Generator
from ragbot.services import Services
from ragbot.storage.idempotency_keys import IdempotencyClaim
from ragbot.storage.message_rows import MessageFacts
from tests.answering.shelf import make_answerer
from tests.conftest import services_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app

HOW_LONG = Question("How long is the cheddar ripened?")


@dataclass
class Desk:
    """Where turns are begun and read back; every turn that was closed is in `observed`."""

    services: Services
    observed: list[TurnOutcome] = field(default_factory=list)

    def turns(self, generator: Generator, *, most_at_once: int = 1, deadline_s: float = 20) -> Turns:
        limits = AnswerLimits(context_tokens=4000, history_tokens=1000, answer_tokens=300)
        return Turns(
            self.services.conversations,
            make_answerer(self.services.retriever, generator, limits),
            deadline_s=deadline_s,
            most_at_once=most_at_once,
            observe=self.observed.append,
        )

    def rows(self, session_id: str) -> list[MessageFacts]:
        return self.services.conversations.messages(session_id, limit=100)[0]

    def row(self, running: RunningTurn) -> MessageFacts:
        return self.rows(running.turn.session_id)[-1]


@pytest.fixture(scope="module")
def services(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with three_chapter_app(new_database, tmp_path_factory.mktemp("turns")) as app:
        yield services_of(app)


@pytest.fixture
def desk(services: Services) -> Desk:
    return Desk(services)


def drawn(running: RunningTurn, count: int) -> list[Event]:
    return [next(running.events) for _ in range(count)]


def said(running: RunningTurn) -> str:
    return "".join(event.text for event in running.events if isinstance(event, Delta))


# --- how the row ends --------------------------------------------------------------------------


def test_question_is_written_down_before_anything_is_asked(desk: Desk) -> None:
    """A crash after this loses nothing that the reader typed."""
    generator = ScriptedGenerator("Nine [1].")

    running = desk.turns(generator).begin(HOW_LONG, None)

    row = desk.row(running)
    assert (row.query, row.status, row.answer) == (HOW_LONG.text, Status.PENDING, "")
    assert generator.prompts == []
    running.events.close()


def test_row_of_an_answer_is_all_that_was_told(desk: Desk) -> None:
    """The talk that is shown later is the talk that was."""
    running = desk.turns(ScriptedGenerator("Nine ", "months ", "[1].")).begin(HOW_LONG, None)

    *_, last = running.events

    row = desk.row(running)
    assert isinstance(last, Finished)
    assert (row.status, row.answer) == (Status.ANSWERED, "Nine months [1].")
    assert (row.model, row.book_version, row.error_code) == ("test/scripted", "first", None)
    assert row.sources == last.answer.sources
    assert row.usage["output_tokens"] == 3
    assert row.latency_ms["total"] > 0


def test_row_of_a_refusal_says_so(desk: Desk) -> None:
    """The author wants to know what the book does not say."""
    running = desk.turns(ScriptedGenerator(f"{NOT_IN_BOOK} The book is silent.")).begin(HOW_LONG, None)

    text = said(running)

    assert (desk.row(running).status, desk.row(running).answer) == (Status.REFUSED, text)


@pytest.mark.parametrize(("count", "answer"), [(1, ""), (2, "Nine"), (3, "Nine months")])
def test_row_of_a_reader_who_leaves_keeps_what_was_said(desk: Desk, count: int, answer: str) -> None:
    """He may come back to it."""
    generator = ScriptedGenerator("Nine ", "months ", "in a ", "cellar.")
    running = desk.turns(generator).begin(HOW_LONG, None)
    drawn(running, count)

    running.events.close()

    row = desk.row(running)
    assert (row.status, row.answer, row.error_code) == (Status.STOPPED, answer, None)
    assert row.sources
    assert generator.closed == len(generator.prompts)


def test_row_of_a_turn_that_was_cancelled_says_that_the_reader_left(desk: Desk) -> None:
    """The interrupted read raises; the cause is the reader all the same."""
    running = desk.turns(ScriptedGenerator("Nine ", "months [1].")).begin(HOW_LONG, None)
    drawn(running, 2)

    running.deadline.cancel()

    with pytest.raises(RagbotError):
        next(running.events)
    assert (desk.row(running).status, desk.row(running).answer) == (Status.STOPPED, "Nine")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProviderUnavailable("down"), "provider_unavailable"),
        (AnswerCut("cut"), "answer_cut"),
        (DeadlineExceeded("late"), "deadline_exceeded"),
        (RuntimeError("a bug"), "internal_error"),
    ],
    ids=lambda value: getattr(value, "code", str(value)),
)
def test_row_of_a_failure_keeps_what_was_said_and_why(desk: Desk, error: Exception, code: str) -> None:
    """The operator looks there first."""
    running = desk.turns(ScriptedGenerator("Nine ", "months ", error)).begin(HOW_LONG, None)

    with pytest.raises(type(error)):
        said(running)

    row = desk.row(running)
    assert (row.status, row.answer, row.error_code) == (Status.FAILED, "Nine months", code)


def test_row_of_a_question_that_could_not_be_searched_says_so(desk: Desk) -> None:
    """Nothing was told to the reader but an error."""
    running = desk.turns(ScriptedGenerator("Nine [1].")).begin(Question("How?", book_version="none"), None)

    with pytest.raises(EditionNotFound):
        next(running.events)

    row = desk.row(running)
    assert (row.status, row.answer, row.error_code) == (Status.FAILED, "", "edition_not_found")


def test_deadline_counts_from_the_beginning_of_the_turn(desk: Desk) -> None:
    """The reader's clock has been running since he asked."""
    running = desk.turns(ScriptedGenerator("Nine [1]."), deadline_s=0).begin(HOW_LONG, None)

    with pytest.raises(DeadlineExceeded):
        said(running)

    assert desk.row(running).error_code == "deadline_exceeded"


def test_answer_that_was_told_whole_stays_whole_when_the_reader_leaves_then(desk: Desk) -> None:
    """The connection often goes with the last byte."""
    running = desk.turns(ScriptedGenerator("Nine [1].")).begin(HOW_LONG, None)
    drawn(running, 4)

    running.events.close()

    assert desk.row(running).status == Status.ANSWERED


def test_reader_gets_his_answer_when_it_cannot_be_written_down(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may go away in the middle of an answer."""

    def down(*_args: object, **_more: object) -> None:
        raise DatabaseUnavailable("gone")

    turns = desk.turns(ScriptedGenerator("Nine months [1]."))
    running = turns.begin(HOW_LONG, None)
    monkeypatch.setattr(type(desk.services.conversations), "close_turn", down)

    *_, last = running.events

    assert isinstance(last, Finished)
    monkeypatch.undo()
    turns.finish()
    assert desk.row(running).status == Status.ANSWERED


def test_answer_that_cannot_be_written_at_all_keeps_no_other_back() -> None:
    """A fault of ours in one must not cost the rest."""
    written: queue.SimpleQueue[str] = queue.SimpleQueue()

    class Picky:
        def close_turn(self, message_id: str, *_args: object, **_more: object) -> None:
            if message_id == "first":
                raise ValueError("a bug")
            written.put(message_id)

    late = DeferredWrites(Picky(), try_every_s=0.01)
    for name in ("first", "second", "third"):
        late.add(name, TurnRecorder(HOW_LONG).answer(), None)

    assert [written.get(timeout=60) for _ in range(2)] == ["second", "third"]


def test_whoever_watches_is_told_of_each_turn_that_was_closed(desk: Desk) -> None:
    """The metrics count them."""
    turns = desk.turns(ScriptedGenerator("Nine ", "months [1]."))
    said(turns.begin(HOW_LONG, None))
    leaving = turns.begin(HOW_LONG, None)
    drawn(leaving, 1)
    leaving.events.close()

    assert [ended.answer.status for ended in desk.observed] == [Status.ANSWERED, Status.STOPPED]
    assert desk.observed[0].first_word_ms is not None
    assert desk.observed[1].first_word_ms is None


# --- places ------------------------------------------------------------------------------------


def end_by_drawing(running: RunningTurn) -> None:
    list(running.events)


def end_by_closing(running: RunningTurn) -> None:
    next(running.events)
    running.events.close()


def end_by_closing_twice(running: RunningTurn) -> None:
    end_by_closing(running)
    running.events.close()


def end_by_closing_undrawn(running: RunningTurn) -> None:
    running.events.close()


def end_by_cancelling(running: RunningTurn) -> None:
    next(running.events)
    running.deadline.cancel()
    with pytest.raises(RagbotError):
        list(running.events)


@pytest.mark.parametrize(
    "end",
    [end_by_drawing, end_by_closing, end_by_closing_twice, end_by_closing_undrawn, end_by_cancelling],
)
def test_place_is_given_back_when_the_turn_ends(desk: Desk, end: Callable[[RunningTurn], None]) -> None:
    """A place that is lost is lost until the process is."""
    turns = desk.turns(ScriptedGenerator("Nine ", "months [1]."))
    end(turns.begin(HOW_LONG, None))

    again = turns.begin(HOW_LONG, None)

    assert said(again) == "Nine months [1]."


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), RuntimeError("a bug")], ids=repr)
@pytest.mark.parametrize("words", [0, 1])
def test_place_is_given_back_when_the_turn_fails(desk: Desk, error: Exception, words: int) -> None:
    """Trouble comes in rows; places must not run out by it."""
    turns = desk.turns(ScriptedGenerator(*["Nine "] * words, error))
    for _ in range(3):
        with pytest.raises(type(error)):
            list(turns.begin(HOW_LONG, None).events)


@pytest.mark.parametrize("begun", [0, 1])
def test_place_is_given_back_when_the_turn_is_dropped(desk: Desk, begun: int) -> None:
    """A server may lose a reader without closing anything."""
    turns = desk.turns(ScriptedGenerator("Nine ", "months [1]."))
    running = turns.begin(HOW_LONG, None)
    drawn(running, begun)

    del running
    gc.collect()

    assert said(turns.begin(HOW_LONG, None)) == "Nine months [1]."


def test_place_is_given_back_when_the_turn_cannot_be_opened(desk: Desk) -> None:
    """An unknown session takes none."""
    turns = desk.turns(ScriptedGenerator("Nine [1]."))

    for _ in range(3):
        with pytest.raises(SessionNotFound):
            turns.begin(HOW_LONG, "unknown")


def test_question_without_a_place_is_refused_and_not_written_down(desk: Desk) -> None:
    """A queue would only make everybody wait; the reader may ask again in a moment."""
    turns = desk.turns(ScriptedGenerator("Nine ", "months [1]."))
    running = turns.begin(HOW_LONG, None)

    with pytest.raises(Overloaded):
        turns.begin(HOW_LONG, running.turn.session_id)

    running.events.close()
    assert len(desk.rows(running.turn.session_id)) == 1


def test_no_more_turns_than_places_run_at_once(desk: Desk) -> None:
    """Each holds a thread of the server."""

    class Counting(ScriptedGenerator):
        def __init__(self) -> None:
            super().__init__("Nine [1].")
            self.lock, self.now, self.most = threading.Lock(), 0, 0

        def generate(self, prompt: object, deadline: Deadline, generation: object) -> Iterator[str]:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            yield "Nine [1]."
            with self.lock:
                self.now -= 1

    generator = Counting()
    turns = desk.turns(generator, most_at_once=2)
    answered: list[str] = []

    def ask() -> None:
        while True:
            try:
                answered.append(said(turns.begin(HOW_LONG, None)))
                return
            except Overloaded:
                threading.Event().wait(0.005)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answered == ["Nine [1]."] * 8
    assert generator.most <= 2


# --- history -----------------------------------------------------------------------------------


def test_next_turn_knows_what_was_answered_and_not_what_broke(desk: Desk) -> None:
    """Half an answer would mislead the model."""
    generator = ScriptedGenerator("Nine months [1].")
    turns = desk.turns(generator)
    first = turns.begin(HOW_LONG, None)
    said(first)
    session_id = first.turn.session_id
    leaving = turns.begin(Question("Who leaves?"), session_id)
    drawn(leaving, 2)
    leaving.events.close()
    generator.pieces = ["Half", AnswerCut("cut")]
    with pytest.raises(AnswerCut):
        said(turns.begin(Question("How long is the tea steeped?"), session_id))

    follow_up = turns.begin(Question("And where?"), session_id)

    assert [(e.question, e.answer) for e in follow_up.turn.history] == [(HOW_LONG.text, "Nine months [1].")]
    follow_up.events.close()


# --- the same again ----------------------------------------------------------------------------


@pytest.fixture
def claim(request: pytest.FixtureRequest) -> IdempotencyClaim:
    """Return a key of this test's own."""
    return IdempotencyClaim(request.node.name, "a body")


def test_same_claim_is_told_the_kept_answer_and_no_model_is_asked(
    desk: Desk, claim: IdempotencyClaim
) -> None:
    """A client that did not get the reply asks again, and should neither pay nor wait."""
    generator = ScriptedGenerator("Nine ", "months ", "[1].")
    turns = desk.turns(generator)
    first = turns.begin(HOW_LONG, None, claim=claim)
    *_, whole = first.events

    again = turns.begin(HOW_LONG, None, claim=claim)
    events = list(again.events)

    assert [type(event) for event in events] == [Retrieved, Delta, Finished]
    assert events[-1] == whole
    assert (again.turn.session_id, again.turn.message_id) == (first.turn.session_id, first.turn.message_id)
    assert len(generator.prompts) == 1
    assert len(desk.rows(first.turn.session_id)) == 1
    assert len(desk.observed) == 1


def test_place_of_an_answer_that_is_told_again_is_given_back(desk: Desk, claim: IdempotencyClaim) -> None:
    """Whether it is heard to the end or not."""
    turns = desk.turns(ScriptedGenerator("Nine [1]."))
    said(turns.begin(HOW_LONG, None, claim=claim))

    for count in (0, 1, 3):
        again = turns.begin(HOW_LONG, None, claim=claim)
        drawn(again, count)
        again.events.close()

    assert said(turns.begin(HOW_LONG, None)) == "Nine [1]."


def test_same_key_with_another_body_is_refused(desk: Desk, claim: IdempotencyClaim) -> None:
    """One of the two is a mistake."""
    turns = desk.turns(ScriptedGenerator("Nine [1]."))
    said(turns.begin(HOW_LONG, None, claim=claim))

    with pytest.raises(IdempotencyKeyReused):
        turns.begin(HOW_LONG, None, claim=IdempotencyClaim(claim.key_sha, "another"))


def test_same_key_is_refused_while_the_first_is_running(desk: Desk, claim: IdempotencyClaim) -> None:
    """Else both would be paid for."""
    turns = desk.turns(ScriptedGenerator("Nine [1]."), most_at_once=2)
    running = turns.begin(HOW_LONG, None, claim=claim)

    with pytest.raises(IdempotencyInProgress):
        turns.begin(HOW_LONG, None, claim=claim)

    running.events.close()


@pytest.mark.parametrize("ending", ["failed", "stopped"])
def test_key_is_free_again_after_a_turn_without_an_answer(
    desk: Desk, claim: IdempotencyClaim, ending: str
) -> None:
    """The reader asks again because there was none."""
    generator = ScriptedGenerator("Nine ", AnswerCut("cut"))
    turns = desk.turns(generator)
    first = turns.begin(HOW_LONG, None, claim=claim)
    if ending == "failed":
        with pytest.raises(AnswerCut):
            said(first)
    else:
        drawn(first, 1)
        first.events.close()
    generator.pieces = ["Nine months [1]."]

    again = turns.begin(HOW_LONG, None, claim=claim)

    assert said(again) == "Nine months [1]."
    assert again.turn.message_id != first.turn.message_id
