"""Answer from the cache, or with the answer that another reader gets now, before making a new one."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import structlog

from ragbot.answering.answerer import Answerer
from ragbot.answering.cache_entries import (
    cache_key,
    deserialized,
    entry_name,
    is_cacheable,
    replay,
    replay_text,
    serialized,
)
from ragbot.answering.cross_worker_single_flight import CrossWorkerSingleFlight, Leader
from ragbot.core.answers import (
    Answer,
    Degradation,
    Event,
    Exchange,
    Finished,
    Latency,
    Question,
    Retrieved,
    Usage,
)
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.core.ports import Cache

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Describe how answers are cached. `fingerprint` identifies the settings that an answer depends on.

    `shared` says that a model writes the answers, so that readers who ask the same at once share one call.
    `ttl_s` is in seconds; 0 caches nothing.
    """

    ttl_s: float
    fingerprint: str
    shared: bool


class CachedAnswerer:
    """Answer as `Answerer` does. Only questions without a conversation before them are cached.

    `edition_of` returns the edition that a question asks, even if it cannot be searched now. `unreadable` is
    called for each entry that could not be read.
    """

    def __init__(
        self,
        answerer: Answerer,
        edition_of: Callable[[Question, Deadline], EditionFacts],
        cache: Cache,
        single_flight: CrossWorkerSingleFlight,
        policy: CachePolicy,
        *,
        unreadable: Callable[[], None] = lambda: None,
    ) -> None:
        self._answerer = answerer
        self._edition_of = edition_of
        self._cache = cache
        self._single_flight = single_flight
        self._policy = policy
        self._unreadable = unreadable

    def answer(
        self,
        question: Question,
        history: Sequence[Exchange],
        deadline: Deadline,
        *,
        without_model: bool = False,
        whole: bool = False,
    ) -> Generator[Event, None, None]:
        """Yield events as `Answerer.answer` does."""
        if history or not self._policy.ttl_s:
            yield from self._answerer.answer(
                question, history, deadline, without_model=without_model, whole=whole
            )
            return
        began = time.perf_counter()
        edition = self._edition_of(question, deadline)
        key = cache_key(question, edition.key, self._policy.fingerprint)
        cached = self._cached(key)
        lookup = _Lookup(began, (time.perf_counter() - began) * 1000)
        if cached is not None:
            yield from replay(lookup.hit(cached))
            return
        with closing(
            self._answerer.answer(question, (), deadline, without_model=without_model, whole=whole)
        ) as events:
            # Every reader gets the sources of a search of their own: it is cheap, and shows progress.
            yield lookup.noted(next(events))
            joined = None if without_model else self._join(key, deadline)
            if isinstance(joined, Answer):
                yield from replay_text(lookup.hit(joined))
                return
            answer, is_cached = None, False
            try:
                for event in events:
                    if joined is not None:
                        joined.renew()
                    if isinstance(event, Finished):
                        answer = self._finished(lookup, event.answer)
                        is_cached = self._store(key, answer)
                        event = Finished(answer)
                    yield lookup.noted(event)
            finally:
                if joined is not None:
                    joined.land(answer, is_cached=is_cached)

    def _join(self, key: str, deadline: Deadline) -> Leader | Answer | None:
        return self._single_flight.join(key, deadline) if self._policy.shared else None

    def _store(self, key: str, answer: Answer) -> bool:
        if not is_cacheable(answer):
            return False
        self._cache.put(entry_name(key), serialized(answer), self._policy.ttl_s)
        return True

    def _finished(self, lookup: _Lookup, answer: Answer) -> Answer:
        lost = (Degradation.CACHE,) if self._cache.is_unavailable() else ()
        return replace(lookup.timed(answer), cache="miss", degraded=(*answer.degraded, *lost))

    def _cached(self, key: str) -> Answer | None:
        found = self._cache.get(entry_name(key))
        if found is None:
            return None
        answer = deserialized(found)
        if answer is None or not is_cacheable(answer):
            log.warning("cached_answer_unreadable")
            self._unreadable()
            return None
        return answer


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Describe the lookup of a cached answer: when it began (`perf_counter`), and its milliseconds."""

    began: float
    took_ms: float

    def timed(self, answer: Answer) -> Answer:
        """Return the answer with this stage among its times."""
        return replace(answer, latency_ms=replace(answer.latency_ms, cache=self.took_ms))

    def noted(self, event: Event) -> Event:
        """Return the event. If it has a draft, this stage is added to the draft's times."""
        if not isinstance(event, Retrieved) or event.draft is None:
            return event
        return replace(event, draft=replace(event.draft, known=self.timed(event.draft.known)))

    def hit(self, answer: Answer) -> Answer:
        """Return a cached answer as a hit: it cost nothing, and took as long as the lookup."""
        total_ms = (time.perf_counter() - self.began) * 1000
        latency = Latency(total=total_ms, cache=self.took_ms)
        return replace(answer, cache="hit", usage=Usage(cost_usd=0.0), latency_ms=latency)
