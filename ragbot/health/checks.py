"""How each part of the service is asked whether it is well, and what its silence means."""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import partial

from ragbot.core.cooldown import Cooldown
from ragbot.core.errors import RagbotError, SearchUnavailable, StoreUnavailable
from ragbot.core.ports import Cache, Generator, PassageStore
from ragbot.health.runner import CheckResult, HealthCheck
from ragbot.index.failover import FailoverStore
from ragbot.providers.extractive.generator import ExtractiveGenerator

# A provider counts how often it is asked, and each probe of each replica would ask it.
PROVIDER_ASKED_EVERY_S = 30.0
# It may take its time for an answer; it was well a moment ago.
PROVIDER_GRACE_S = 4.0

STANDS_IN = CheckResult("degraded", "embedded index stands in")
# The book is too large for the index that would stand in.
KEPT_ANSWERS = CheckResult("degraded", "kept answers alone")

# The names of what a circuit leaves alone now.
LeftAlone = Callable[[], Set[str]]


def health_checks(
    store: PassageStore,
    cache: Cache,
    generator: Generator,
    *,
    chunks: Callable[[], int],
    models: LeftAlone,
    embeddings: LeftAlone,
) -> dict[str, HealthCheck]:
    """A probe for each part. `chunks` is the size of the edition that is served, in chunks."""
    return {
        "vector_store": _store_probe(store, chunks),
        "cache": HealthCheck(partial(_ask_cache, cache)),
        "llm": _llm_probe(generator, models),
        "embeddings": HealthCheck(lambda: _told_of(embeddings())),
    }


def _store_probe(store: PassageStore, chunks: Callable[[], int]) -> HealthCheck:
    if not isinstance(store, FailoverStore):
        return HealthCheck(store.ping)

    def without_it() -> CheckResult:
        return STANDS_IN if store.can_replace_server(chunks()) else KEPT_ANSWERS

    def ask() -> CheckResult | None:
        try:
            store.ping()
        except SearchUnavailable:
            return without_it()
        return None

    return HealthCheck(ask, late=without_it)


def _ask_cache(cache: Cache) -> CheckResult:
    try:
        cache.ping()
    except StoreUnavailable:
        # The database stands in for Redis; nothing stands in for the database.
        return CheckResult(
            "degraded", "database stands in" if cache.name == "redis" else StoreUnavailable.code
        )
    return CheckResult("ok", cache.name)


def _llm_probe(generator: Generator, left_alone: LeftAlone) -> HealthCheck:
    if isinstance(generator, ExtractiveGenerator):
        return HealthCheck(lambda: CheckResult("ok", "extractive"))
    ping = _Seldom(generator.ping, PROVIDER_ASKED_EVERY_S)

    def ask() -> CheckResult | None:
        told = _told_of(left_alone())
        if told is None:
            ping()
        return told

    return HealthCheck(ask, grace_s=PROVIDER_GRACE_S)


def _told_of(names: Set[str]) -> CheckResult | None:
    return CheckResult("degraded", f"left alone: {', '.join(sorted(names))}") if names else None


class _Seldom:
    """A call that is made so seldom; in between its last outcome holds. For one thread at a time."""

    def __init__(self, call: Callable[[], None], every_s: float) -> None:
        self._call = call
        self._failure: RagbotError | None = None
        self._pause = Cooldown(every_s)

    def __call__(self) -> None:
        if self._pause.allows_call():
            # A failure that is none of ours leaves no outcome to hold.
            self._pause.end()
            try:
                self._call()
                self._failure = None
            except RagbotError as error:
                self._failure = error
            self._pause.start()
        if self._failure is not None:
            raise self._failure
