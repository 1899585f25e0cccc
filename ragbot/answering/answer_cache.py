"""An answer that was given before, or is being given to another reader, instead of a new one."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import structlog

from ragbot.answering.answerer import Answerer
from ragbot.answering.cache_entries import (
    cache_key,
    deserialized,
    flight_name,
    is_cacheable,
    replay,
    replay_text,
    serialized,
)
from ragbot.answering.cross_worker_single_flight import CrossWorkerSingleFlight, Leader
from ragbot.core.deadline import Deadline
from ragbot.core.domain import (
    Answer,
    Degradation,
    EditionFacts,
    Event,
    Exchange,
    Finished,
    Latency,
    Question,
    Retrieved,
    Usage,
)
from ragbot.core.ports import Cache

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How answers are kept. `fingerprint` stands for all of the settings that an answer depends on.

    `shared` says that an answer costs a model's time, so that readers who ask at once should wait for one
    another. `kept_s` 0 keeps nothing.
    """

    kept_s: float
    fingerprint: str
    shared: bool


class CachedAnswerer:
    """Answers as `Answerer` does. Only questions without a talk before them are looked up and kept.

    `edition_of` gives the edition of a name also where it cannot be searched now. `unreadable` is told of
    each entry that could not be read.
    """

    def __init__(
        self,
        answerer: Answerer,
        edition_of: Callable[[str | None], EditionFacts],
        cache: Cache,
        single_flight: CrossWorkerSingleFlight,
        policy: CachePolicy,
        *,
        unreadable: Callable[[], None] = lambda: None,
    ) -> None:
        self._answerer = answerer
        self._edition_of = edition_of
        self._cache = cache
        self._flights = single_flight
        self._keeping = policy
        self._unreadable = unreadable

    def answer(
        self,
        question: Question,
        history: Sequence[Exchange],
        deadline: Deadline,
        *,
        without_model: bool = False,
    ) -> Generator[Event, None, None]:
        """As `Answerer.answer`."""
        if history or not self._keeping.kept_s:
            yield from self._answerer.answer(question, history, deadline, without_model=without_model)
            return
        began = time.perf_counter()
        key = cache_key(question, self._edition_of(question.book_version).key, self._keeping.fingerprint)
        kept = self._kept(key)
        look = _LookUp(began, (time.perf_counter() - began) * 1000)
        if kept is not None:
            yield from replay(look.hit(kept))
            return
        with closing(self._answerer.answer(question, (), deadline, without_model=without_model)) as answering:
            # The sources are found for each reader: it costs little, and tells him that he is being answered.
            yield look.before(next(answering))
            yield from self._answered(key, answering, deadline, look, alone=without_model)

    def _answered(
        self, key: str, answering: Iterator[Event], deadline: Deadline, look: _LookUp, *, alone: bool
    ) -> Iterator[Event]:
        if alone or not self._keeping.shared:
            yield from self._made(key, answering, look, None)
            return
        joined = self._flights.join(key, deadline)
        if isinstance(joined, Answer):
            yield from replay_text(look.hit(joined))
        else:
            yield from self._made(key, answering, look, joined)

    def _made(
        self, key: str, answering: Iterator[Event], look: _LookUp, lead: Leader | None
    ) -> Iterator[Event]:
        """A new answer, kept if it is good and handed to those who wait for it."""
        made: Answer | None = None
        kept = False
        try:
            for event in answering:
                if lead is not None:
                    lead.renew()
                if isinstance(event, Finished):
                    made = self._finished(look.noted(event.answer))
                    if kept := is_cacheable(made):
                        self._cache.put(flight_name(key), serialized(made), self._keeping.kept_s)
                    event = Finished(made)
                yield event
        finally:
            if lead is not None:
                lead.land(made, kept=kept)

    def _finished(self, answer: Answer) -> Answer:
        away = (Degradation.CACHE,) if self._cache.is_unavailable() else ()
        return replace(answer, cache="miss", degraded=(*answer.degraded, *away))

    def _kept(self, key: str) -> Answer | None:
        found = self._cache.get(flight_name(key))
        if found is None:
            return None
        answer = deserialized(found)
        if answer is None or not is_cacheable(answer):
            log.warning("kept_answer_unreadable")
            self._unreadable()
            return None
        return answer


@dataclass(frozen=True, slots=True)
class _LookUp:
    """The look for a kept answer: when it began (`perf_counter`), and the milliseconds that it took."""

    began: float
    took_ms: float

    def noted(self, answer: Answer) -> Answer:
        """The answer with this stage among its times."""
        return replace(answer, latency_ms=replace(answer.latency_ms, cache=self.took_ms))

    def before(self, event: Event) -> Event:
        """The first event of an answer, whose times so far have this stage too."""
        if not isinstance(event, Retrieved) or event.so_far is None:
            return event
        so_far = event.so_far
        return replace(event, so_far=lambda: self.noted(so_far()))

    def hit(self, answer: Answer) -> Answer:
        """An answer that is told again: it cost nothing, and took as long as finding it."""
        total_ms = (time.perf_counter() - self.began) * 1000
        latency = Latency(total=total_ms, cache=self.took_ms)
        return replace(answer, cache="hit", usage=Usage(cost_usd=0.0), latency_ms=latency)
