"""A question to a recorded answer: its turn is opened, answered in events, and closed however it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import structlog

from ragbot.answering.answer_cache import CachedAnswerer
from ragbot.answering.answerer import Answerer
from ragbot.answering.deferred_writes import DeferredWrites
from ragbot.core.deadline import Deadline
from ragbot.core.domain import (
    Answer,
    Degradation,
    Delta,
    Event,
    Finished,
    Latency,
    Mode,
    Question,
    Retrieved,
    Source,
    Status,
    TurnOutcome,
    Usage,
)
from ragbot.core.errors import Cancelled, DatabaseUnavailable, Overloaded, RagbotError
from ragbot.storage.conversations import ConversationStore, MessageFacts, Turn, unsaved_turn
from ragbot.storage.idempotency_keys import IdempotencyClaim

log = structlog.get_logger(__name__)


class AnswerSlots:
    """AnswerSlots for answers at once. Safe between threads."""

    def __init__(self, count: int) -> None:
        # A turn that is dropped gives its place back from wherever the collector runs.
        self._lock = threading.RLock()
        self._free = count

    def take(self) -> AnswerSlot:
        """A place, which whoever has it gives back. Raises Overloaded where there is none."""
        with self._lock:
            if not self._free:
                raise Overloaded(
                    "Too many questions are being answered just now; ask again in a few seconds."
                )
            self._free -= 1
        return AnswerSlot(self)

    def give_back(self) -> None:
        """Let another have one."""
        with self._lock:
            self._free += 1


class AnswerSlot:
    """One reader's place. It is given back once, however often that is said."""

    def __init__(self, places: AnswerSlots) -> None:
        self._lock = threading.RLock()
        self._places: AnswerSlots | None = places

    def give_back(self) -> None:
        """Let another reader have it."""
        with self._lock:
            places, self._places = self._places, None
        if places is not None:
            places.give_back()


class SlotEvents:
    """An iterator that keeps a place until it is closed, drawn to its end, or dropped."""

    def __init__(self, events: Generator[Event, None, None], place: AnswerSlot) -> None:
        self._events = events
        self._place = place

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        try:
            return next(self._events)
        except BaseException:
            self._place.give_back()
            raise

    def close(self) -> None:
        """End the turn; nothing happens if it has ended."""
        try:
            self._events.close()
        finally:
            self._place.give_back()

    def __del__(self) -> None:
        self._place.give_back()


@dataclass(frozen=True, slots=True)
class RunningTurn:
    """A turn under way. Whoever draws `events` closes the iterator; `deadline.cancel` ends it early."""

    turn: Turn
    events: SlotEvents
    deadline: Deadline
    ending: TurnRecorder


class Turns:
    """Opens turns, at most `most_at_once` in this process. Safe between threads.

    After `questions_by_model` questions of one session, the rest of them are answered without a model (None:
    never). With the database away a question is answered all the same, and not kept. `observe` is told of
    each turn that was closed; one that is told again is not one.
    """

    def __init__(
        self,
        conversations: ConversationStore,
        answerer: Answerer | CachedAnswerer,
        *,
        deadline_s: float,
        most_at_once: int,
        questions_by_model: int | None = None,
        observe: Callable[[TurnOutcome], None] = lambda _ended: None,
    ) -> None:
        self._observe = observe
        self._conversations = conversations
        self._late = DeferredWrites(conversations)
        self._questions_by_model = questions_by_model
        self._answerer = answerer
        self._deadline_s = deadline_s
        self._places = AnswerSlots(most_at_once)

    def place(self) -> AnswerSlot:
        """A place for an answer, to begin a turn with or to give back. Raises Overloaded."""
        return self._places.take()

    def begin(
        self,
        question: Question,
        session_id: str | None,
        *,
        claim: IdempotencyClaim | None = None,
        place: AnswerSlot | None = None,
    ) -> RunningTurn:
        """Write the question down and return its turn; nothing is asked before `events` is drawn.

        The turn keeps the `place`, or takes one, and gives it back at its end. A turn that was answered
        before under the same claim is told again and nothing is asked. Raises Overloaded and writes nothing
        where every place is taken; and what `ConversationStore.open_turn` raises.
        """
        place = place or self.place()
        try:
            deadline = Deadline(self._deadline_s)
            turn = self._opened(question, session_id, claim)
            ending = TurnRecorder(question)
            events = (
                _replayed(turn.replayed)
                if turn.replayed
                else self._recorded(question, turn, deadline, ending)
            )
            return RunningTurn(turn, SlotEvents(events, place), deadline, ending)
        except BaseException:
            place.give_back()
            raise

    def finish(self) -> None:
        """Before the process ends: write what could not be written before, if that can be done now."""
        self._late.write_all()

    def _opened(self, question: Question, session_id: str | None, claim: IdempotencyClaim | None) -> Turn:
        try:
            return self._conversations.open_turn(question, session_id, claim=claim)
        except DatabaseUnavailable as error:
            log.warning("turn_not_kept", cause=error.cause)
            return unsaved_turn()

    def _recorded(
        self, question: Question, turn: Turn, deadline: Deadline, ending: TurnRecorder
    ) -> Generator[Event, None, None]:
        """Pass the answer's events on and write down how it ended, also when the reader leaves.

        A whole answer is written down before its end is told: what a reader saw whole is never lost.
        """
        most = self._questions_by_model
        without_model = most is not None and turn.questions_before >= most
        answering = self._answerer.answer(question, turn.history, deadline, without_model=without_model)
        closed = False
        try:
            for event in answering:
                if isinstance(event, Finished) and turn.message_id is None:
                    event = _without_history(event)
                ending.note(event)
                if isinstance(event, Finished):
                    closed = True
                    self._close(turn, ending)
                yield event
        except RagbotError as error:
            ending.failed(error)
            raise
        except GeneratorExit:
            ending.stopped()
            raise
        except BaseException:
            ending.broke()
            raise
        finally:
            answering.close()
            if not closed:
                self._close(turn, ending)

    def _close(self, turn: Turn, ending: TurnRecorder) -> None:
        started = time.perf_counter()
        if turn.message_id is not None:
            try:
                self._conversations.close_turn(turn.message_id, ending.answer(), error_code=ending.error_code)
            except Exception as error:  # Whatever is wrong there, the reader is told his answer.
                code = error.code if isinstance(error, RagbotError) else type(error).__name__
                log.error("answer_not_recorded_yet", code=code, message_id=turn.message_id[:8])
                self._late.add(turn.message_id, ending.answer(), ending.error_code)
        ending.persisted((time.perf_counter() - started) * 1000)
        self._observe(ending.ended())


class TurnRecorder:
    """What has been said so far, and how it ended."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._started = time.perf_counter()
        self._sources: tuple[Source, ...] = ()
        self._so_far: Callable[[], Answer] | None = None
        self._said: list[str] = []
        self._finished: Answer | None = None
        self._status = Status.FAILED
        self.error_code: str | None = None
        self._first_word_ms: float | None = None
        self._persist_ms: float | None = None

    def note(self, event: Event) -> None:
        match event:
            case Retrieved(sources, so_far):
                self._sources, self._so_far = sources, so_far
            case Delta(text):
                if not self._said:
                    self._first_word_ms = (time.perf_counter() - self._started) * 1000
                self._said.append(text)
            case Finished(answer):
                self._finished = answer

    def failed(self, error: RagbotError) -> None:
        self._status = Status.STOPPED if isinstance(error, Cancelled) else Status.FAILED
        self.error_code = error.code

    def stopped(self) -> None:
        self._status, self.error_code = Status.STOPPED, None

    def broke(self) -> None:
        self._status, self.error_code = Status.FAILED, RagbotError.code

    def persisted(self, milliseconds: float) -> None:
        self._persist_ms = milliseconds

    def ended(self) -> TurnOutcome:
        """All of it, for those who watch; of a turn that was not closed yet, what is known so far."""
        return TurnOutcome(self.answer(), self.error_code, self._first_word_ms, self._persist_ms)

    def answer(self) -> Answer:
        """The answer as it is kept. One that was told whole stays whole if the reader left just then."""
        if self._finished is not None:
            self.error_code = None
            return self._finished
        if self._so_far is not None:
            return replace(self._so_far(), text="".join(self._said), status=self._status)
        return Answer(
            text="".join(self._said),
            status=self._status,
            sources=self._sources,
            mode=self._question.mode,
            book_version=self._question.book_version or "",
            model="",
            latency_ms=Latency(total=(time.perf_counter() - self._started) * 1000),
        )


def _without_history(finished: Finished) -> Finished:
    degraded = (*finished.answer.degraded, Degradation.HISTORY)
    return Finished(replace(finished.answer, degraded=degraded))


def _replayed(kept: MessageFacts) -> Generator[Event, None, None]:
    """A kept answer as the events it came in."""
    yield Retrieved(kept.sources)
    if kept.answer:
        yield Delta(kept.answer)
    yield Finished(
        Answer(
            text=kept.answer,
            status=Status(kept.status),
            sources=kept.sources,
            mode=Mode(kept.mode),
            book_version=kept.book_version or "",
            model=kept.model or "",
            degraded=tuple(Degradation(name) for name in kept.degraded),
            cache=kept.cache or "bypass",
            usage=Usage(**kept.usage),
            latency_ms=Latency(**kept.latency_ms),
        )
    )
