"""Build the stores: the database's, and the key-value stores over the database and Redis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine

from ragbot.config import Settings
from ragbot.core.ports import Cache, SharedState
from ragbot.insights.masking import mask_personal_data
from ragbot.observability.metrics import Metrics
from ragbot.storage.asked_questions import AskedQuestionWriter
from ragbot.storage.conversations import ConversationStore
from ragbot.storage.database import Database
from ragbot.storage.editions import EditionStore
from ragbot.storage.expired_rows import ExpiredRows
from ragbot.storage.keyvalue.cache import BatchedCache, CacheStore, DatabaseCache, FailoverCache, NoCache
from ragbot.storage.keyvalue.rate_counters import (
    DatabaseRateCounters,
    FailoverRateCounters,
    MemoryRateCounters,
    RateCounters,
)
from ragbot.storage.keyvalue.shared_state import DatabaseSharedState, FailoverSharedState, SharedStateStore

# A server that is alive ends a statement by itself, and is given so much longer to say so.
DATABASE_GRACE_S = 2
# What cache failures are counted under that are an entry's and no store's.
UNREADABLE = "unreadable"
# A turn that is pending this long after its deadline was left by a crash.
TURN_GRACE_S = 60


@dataclass(frozen=True, slots=True)
class Storage:
    """Hold the stores that other services are built on; `batched_cache` writes to `cache` moments later."""

    database: Database
    editions: EditionStore
    conversations: ConversationStore
    cache: Cache
    batched_cache: Cache
    shared_state: SharedState
    rate_counters: FailoverRateCounters
    expired_rows: ExpiredRows


def build_storage(settings: Settings, engine: Engine, metrics: Metrics) -> Storage:
    """Build the stores over one engine. Opens no connection."""
    database = Database(
        engine,
        waited=partial(metrics.observe, "db_pool_wait_seconds"),
        timeout_s=settings.db_statement_timeout_s + DATABASE_GRACE_S,
    )
    cache = _cache(settings, database, metrics)
    return Storage(
        database=database,
        editions=EditionStore(database),
        conversations=ConversationStore(
            database,
            settings.session_timeout_hours,
            turn_limit_s=settings.query_deadline_s + TURN_GRACE_S,
            asked=AskedQuestionWriter(
                days=settings.insights_days, keeps_words=settings.insights_words, mask=mask_personal_data
            ),
        ),
        cache=cache,
        batched_cache=BatchedCache(cache) if isinstance(cache, FailoverCache) else cache,
        shared_state=_shared_state(settings, database, metrics),
        rate_counters=_rate_counters(settings, database, metrics),
        expired_rows=ExpiredRows(database),
    )


def _cache(settings: Settings, database: Database, metrics: Metrics) -> FailoverCache | NoCache:
    stores: list[CacheStore] = [DatabaseCache(database)]
    if settings.redis_url:
        from ragbot.storage.keyvalue.redis import RedisCache

        stores.insert(0, RedisCache(settings.redis_url))
    for store in (*(store.name for store in stores), UNREADABLE):
        metrics.start_at_zero("cache_failures_total", store=store)
    cache = FailoverCache(stores, failed=lambda store: metrics.count("cache_failures_total", store=store))
    return cache if settings.cache_ttl_hours else NoCache(cache)


def _shared_state(settings: Settings, database: Database, metrics: Metrics) -> SharedState:
    stores: list[SharedStateStore] = [DatabaseSharedState(database)]
    if settings.redis_url:
        from ragbot.storage.keyvalue.redis import RedisSharedState

        stores.insert(0, RedisSharedState(settings.redis_url))
    for store in stores:
        metrics.start_at_zero("state_store_failures_total", store=store.name)
    return FailoverSharedState(
        stores, failed=lambda store: metrics.count("state_store_failures_total", store=store)
    )


def _rate_counters(settings: Settings, database: Database, metrics: Metrics) -> FailoverRateCounters:
    in_database = DatabaseRateCounters(database)
    stores: list[RateCounters]
    match settings.chosen_rate_limit_storage:
        case "memory":
            stores = [MemoryRateCounters()]
        case "database":
            stores = [in_database]
        case "redis":
            from ragbot.storage.keyvalue.redis import RedisRateCounters

            assert settings.redis_url
            # When Redis fails the limits still hold, counted from that moment.
            stores = [RedisRateCounters(settings.redis_url), in_database]
    return FailoverRateCounters(stores, failed=lambda _store: metrics.count("quota_store_failures_total"))
