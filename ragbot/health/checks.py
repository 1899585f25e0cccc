"""Define the health check of each part of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ragbot.core.cooldown import Cooldown
from ragbot.core.errors import RagbotError, SearchUnavailable, StoreUnavailable
from ragbot.core.ports import Cache, Generator, PassageStore
from ragbot.health.runner import CheckResult, HealthCheck
from ragbot.index.failover import FailoverStore
from ragbot.index.published_books import PublishedBooks
from ragbot.providers.extractive.generator import ExtractiveGenerator

# A provider counts its calls, and each health request to each replica would make one.
PROVIDER_PING_EVERY_S = 30.0
# It may be slow once; its last result is recent.
PROVIDER_GRACE_S = 4.0

EMBEDDED_INDEX = CheckResult("degraded", "embedded index used instead")
# The book is too large for the embedded index.
CACHED_ANSWERS = CheckResult("degraded", "cached answers only")
# The log has the reason.
NO_INDEX = "the index cannot be built"
INDEX_IN_THE_MAKING = CheckResult("down", "the index is being built")
OLD_INDEX = CheckResult("degraded", "the newest edition's index cannot be built; the one before is searched")
INDEX_WAIT_S = 0.4
# Redis cannot be reached.
DATABASE_STORE = CheckResult("degraded", "database used instead")

# Returns the models that are not called for a while, or refuse each request, with the provider's reasons.
Troubles = Callable[[], Mapping[str, str]]


def health_checks(
    store: PassageStore,
    cache: Cache,
    generator: Generator,
    *,
    published: PublishedBooks,
    models: Troubles,
    embeddings: Troubles,
) -> dict[str, HealthCheck]:
    """Build the health check of each part."""
    return {
        "vector_store": _store_check(store, published),
        "cache": HealthCheck(partial(_check_cache, cache)),
        "llm": _llm_check(generator, models),
        "embeddings": HealthCheck(lambda: _circuits_result(embeddings())),
    }


def _store_check(store: PassageStore, published: PublishedBooks) -> HealthCheck:
    if not isinstance(store, FailoverStore):

        def check_embedded() -> CheckResult | None:
            store.ping()
            return index_result(published)

        return HealthCheck(check_embedded)

    def without_server() -> CheckResult:
        served = published.served()
        return EMBEDDED_INDEX if store.can_replace_server(served.chunks if served else 0) else CACHED_ANSWERS

    def check() -> CheckResult | None:
        try:
            store.ping()
        except SearchUnavailable:
            return without_server()
        return index_result(published)

    return HealthCheck(check, on_timeout=without_server)


def index_result(published: PublishedBooks) -> CheckResult | None:
    """Return whether this process can search, and whether what it searches is the newest edition."""
    try:
        served = published.searchable(INDEX_WAIT_S)
    except SearchUnavailable:
        return CheckResult("down", NO_INDEX)
    except RagbotError:
        # There is no book yet, or no database: the check of the database says so.
        return None
    if served is None:
        return INDEX_IN_THE_MAKING
    return OLD_INDEX if published.trouble() else None


def _check_cache(cache: Cache) -> CheckResult:
    try:
        cache.ping()
    except StoreUnavailable:
        # The database can replace Redis; nothing replaces the database.
        return DATABASE_STORE if cache.name == "redis" else CheckResult("degraded", StoreUnavailable.code)
    return CheckResult("ok", cache.name)


def _llm_check(generator: Generator, troubles: Troubles) -> HealthCheck:
    if isinstance(generator, ExtractiveGenerator):
        return HealthCheck(lambda: CheckResult("ok", generator.name))
    ping = _Throttled(generator.ping, PROVIDER_PING_EVERY_S)

    def check() -> CheckResult | None:
        result = _circuits_result(troubles())
        if result is None:
            ping()
        return result

    return HealthCheck(check, grace_s=PROVIDER_GRACE_S)


def _circuits_result(troubles: Mapping[str, str]) -> CheckResult | None:
    names = [f"{name} ({why})" if why else name for name, why in sorted(troubles.items())]
    return CheckResult("degraded", f"circuit open: {', '.join(names)}") if names else None


class _Throttled:
    """Call a function at most once in a time, and repeat its last outcome meanwhile. For one thread."""

    def __init__(self, call: Callable[[], None], every_s: float) -> None:
        self._call = call
        self._failure: RagbotError | None = None
        self._pause = Cooldown(every_s)

    def __call__(self) -> None:
        if self._pause.allows_call():
            # Another exception than ours leaves no outcome to repeat.
            self._pause.end()
            try:
                self._call()
                self._failure = None
            except RagbotError as error:
                self._failure = error
            self._pause.start()
        if self._failure is not None:
            raise self._failure
