"""Open a turn for a question, answer it in events, and record the turn however it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial

import structlog

from ragbot.answering.answer_cache import CachedAnswerer
from ragbot.answering.answerer import Answerer
from ragbot.answering.deferred_writes import DeferredWrites
from ragbot.core.answers import (
    Answer,
    Degradation,
    Delta,
    Draft,
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
from ragbot.core.deadline import Deadline
from ragbot.core.errors import Cancelled, DatabaseUnavailable, Overloaded, RagbotError
from ragbot.storage.asked_questions import AskedQuestion
from ragbot.storage.conversations import ConversationStore, Turn, unsaved_turn
from ragbot.storage.idempotency_keys import IdempotencyClaim
from ragbot.storage.message_rows import MessageFacts

log = structlog.get_logger(__name__)


class AnswerSlots:
    """Limit the number of answers that are made at once. Safe between threads."""

    def __init__(self, count: int) -> None:
        # A turn that is dropped gives its slot back from wherever the garbage collector runs.
        self._lock = threading.RLock()
        self._free = count

    def take(self) -> AnswerSlot:
        """Return a slot, which the caller gives back. Raises Overloaded if none is free."""
        with self._lock:
            if not self._free:
                raise Overloaded
            self._free -= 1
        return AnswerSlot(self)

    def give_back(self) -> None:
        """Free one slot."""
        with self._lock:
            self._free += 1


class AnswerSlot:
    """Hold one slot, which can be given back once; later calls do nothing."""

    def __init__(self, slots: AnswerSlots) -> None:
        self._lock = threading.RLock()
        self._slots: AnswerSlots | None = slots

    def give_back(self) -> None:
        """Free the slot for another reader."""
        with self._lock:
            slots, self._slots = self._slots, None
        if slots is not None:
            slots.give_back()


class TurnEvents:
    """Iterate over the events of a turn, and record its end, even if the reader leaves or an error is raised.

    A whole answer is recorded before Finished is returned, so that no answer that a reader saw whole is lost.
    The slot is given back at the end, when the iterator is closed, or when it is garbage-collected.
    """

    def __init__(
        self,
        events: Generator[Event, None, None],
        slot: AnswerSlot,
        recorder: TurnRecorder,
        close_turn: Callable[[TurnRecorder], None],
        *,
        is_stored: bool,
    ) -> None:
        self._events = events
        self._slot = slot
        self._recorder = recorder
        self._close_turn = close_turn
        self._is_stored = is_stored
        self._is_recorded = False

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        try:
            event = next(self._events)
            if isinstance(event, Finished) and not self._is_stored:
                event = _without_history(event)
            self._recorder.note(event)
            if isinstance(event, Finished):
                self._record()
            return event
        except BaseException as error:
            try:
                self._recorder.failed(error)
                self._record()
            finally:
                self._slot.give_back()
            raise

    def close(self) -> None:
        """End the turn; it counts as stopped by its reader if it has not ended. A second call does nothing.

        Raises ValueError while another thread draws an event: that thread then records the end.
        """
        try:
            self._events.close()
            if not self._is_recorded:
                self._recorder.stopped()
                self._record()
        finally:
            self._slot.give_back()

    def __del__(self) -> None:
        self.close()

    def _record(self) -> None:
        if not self._is_recorded:
            self._is_recorded = True
            self._close_turn(self._recorder)


@dataclass(frozen=True, slots=True)
class RunningTurn:
    """Hold a running turn. The caller that iterates over `events` closes it; `deadline.cancel` ends it."""

    turn: Turn
    events: TurnEvents
    deadline: Deadline
    ending: TurnRecorder


class Turns:
    """Open turns, at most `most_at_once` in this process. Safe between threads.

    After `questions_by_model` questions of one session, the rest of them are answered without a model (None:
    no limit). While the database is unavailable, questions are answered but not stored. `observe` is called
    for each turn that ends, except for a replayed one.
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
        self._slots = AnswerSlots(most_at_once)

    def reserve(self) -> AnswerSlot:
        """Return a slot, to begin a turn with or to give back. Raises Overloaded."""
        return self._slots.take()

    def begin(
        self,
        question: Question,
        session_id: str | None,
        *,
        claim: IdempotencyClaim | None = None,
        slot: AnswerSlot | None = None,
        whole: bool = False,
    ) -> RunningTurn:
        """Store the question and return its turn; no model is called before `events` is drawn.

        The turn keeps the `slot`, or takes one, and gives it back at its end. A turn that was answered before
        under the same claim is replayed. With `whole` the caller shows nothing before the end, so that
        another model may answer for one that breaks off. Raises Overloaded and stores nothing if no slot is
        free; and what `ConversationStore.open_turn` raises.
        """
        slot = slot or self.reserve()
        try:
            deadline = Deadline(self._deadline_s)
            turn = self._opened(question, session_id, claim)
            recorder = TurnRecorder(question)
            if turn.replayed:
                source, close_turn = replayed(turn.replayed), _leave_as_it_is
            else:
                source = self._answering(question, turn, deadline, whole=whole)
                close_turn = partial(self._close, turn)
            is_stored = turn.message_id is not None
            events = TurnEvents(source, slot, recorder, close_turn, is_stored=is_stored)
            return RunningTurn(turn, events, deadline, recorder)
        except BaseException:
            slot.give_back()
            raise

    def finish(self) -> None:
        """Write the answers that could not be written before. Called before the process ends."""
        self._late.write_all()

    def _opened(self, question: Question, session_id: str | None, claim: IdempotencyClaim | None) -> Turn:
        try:
            return self._conversations.open_turn(question, session_id, claim=claim)
        except DatabaseUnavailable as error:
            log.warning("question_not_stored", cause=error.cause)
            return unsaved_turn()

    def _answering(
        self, question: Question, turn: Turn, deadline: Deadline, *, whole: bool
    ) -> Generator[Event, None, None]:
        most = self._questions_by_model
        without_model = most is not None and turn.questions_before >= most
        return self._answerer.answer(
            question, turn.history, deadline, without_model=without_model, whole=whole
        )

    def _close(self, turn: Turn, recorder: TurnRecorder) -> None:
        """Store the end of a turn, now or, if the database is unavailable, later."""
        started = time.perf_counter()
        if turn.message_id is not None:
            answer, error_code, asked = recorder.answer(), recorder.error_code, recorder.asked()
            try:
                self._conversations.close_turn(turn.message_id, answer, error_code=error_code, asked=asked)
            except Exception as error:  # Whatever is wrong there, the reader gets the answer.
                code = error.code if isinstance(error, RagbotError) else type(error).__name__
                log.error("answer_write_postponed", code=code, message_id=turn.message_id[:8])
                self._late.add(turn.message_id, answer, error_code, asked)
        recorder.persisted((time.perf_counter() - started) * 1000)
        self._observe(recorder.ended())


def _leave_as_it_is(_recorder: TurnRecorder) -> None:
    """Store nothing: the turn that is replayed was stored when it ended."""


class TurnRecorder:
    """Collect the events of a turn, and how it ended."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._started = time.perf_counter()
        self._sources: tuple[Source, ...] = ()
        self._draft: Draft | None = None
        self._deltas: list[str] = []
        self._finished: Answer | None = None
        self._status = Status.FAILED
        self.error_code: str | None = None
        self._first_word_ms: float | None = None
        self._persist_ms: float | None = None

    @property
    def is_thinking(self) -> bool:
        """Return whether a model is at work and has not said a word yet."""
        return self._draft is not None and self._draft.generation.is_thinking

    def note(self, event: Event) -> None:
        """Collect an event."""
        match event:
            case Retrieved(sources, draft):
                self._sources, self._draft = sources, draft
            case Delta(text):
                if not self._deltas:
                    self._first_word_ms = (time.perf_counter() - self._started) * 1000
                self._deltas.append(text)
            case Finished(answer):
                self._finished = answer

    def failed(self, error: BaseException) -> None:
        """Record that an error ended the turn."""
        self._status = Status.STOPPED if isinstance(error, Cancelled) else Status.FAILED
        self.error_code = error.code if isinstance(error, RagbotError) else RagbotError.code

    def stopped(self) -> None:
        """Record that the reader ended the turn."""
        self._status, self.error_code = Status.STOPPED, None

    def persisted(self, milliseconds: float) -> None:
        """Record how long storing took."""
        self._persist_ms = milliseconds

    def ended(self) -> TurnOutcome:
        """Return the outcome for metrics and logs; of a turn that has not ended, what is known so far."""
        return TurnOutcome(self.answer(), self.error_code, self._first_word_ms, self._persist_ms)

    def asked(self) -> AskedQuestion:
        """Return the question for what is kept of it apart from its session."""
        embedding = self._draft.embedding if self._draft else None
        return AskedQuestion(self._question, self._first_word_ms, embedding)

    def answer(self) -> Answer:
        """Return the answer as it is stored. A whole one stays whole if the reader left just then."""
        if self._finished is not None:
            self.error_code = None
            return self._finished
        if self._draft is not None:
            return replace(self._draft.so_far(), text="".join(self._deltas), status=self._status)
        return Answer(
            text="".join(self._deltas),
            status=self._status,
            sources=self._sources,
            mode=self._question.mode,
            book=self._question.book,
            book_version=self._question.book_version or "",
            model="",
            latency_ms=Latency(total=(time.perf_counter() - self._started) * 1000),
        )


def _without_history(finished: Finished) -> Finished:
    degraded = (*finished.answer.degraded, Degradation.HISTORY)
    return Finished(replace(finished.answer, degraded=degraded))


def replayed(message: MessageFacts) -> Generator[Event, None, None]:
    """Yield a stored answer as the events in which it came."""
    yield Retrieved(message.sources)
    if message.answer:
        yield Delta(message.answer)
    yield Finished(
        Answer(
            text=message.answer,
            status=Status(message.status),
            sources=message.sources,
            mode=Mode(message.mode),
            book=message.book,
            book_version=message.book_version or "",
            model=message.model or "",
            degraded=tuple(Degradation(name) for name in message.degraded),
            cache=message.cache or "bypass",
            usage=Usage(**message.usage),
            latency_ms=Latency(**message.latency_ms),
            grounding=message.grounding,
        )
    )
