"""Calls to counts: who called how often in a window, exact over workers, in the database or in Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import delete, select, text
from sqlalchemy.exc import SQLAlchemyError

from ragbot.core.errors import CountersUnavailable, DatabaseUnavailable
from ragbot.records.models import QuotaCount
from ragbot.records.transactions import Database

log = structlog.get_logger(__name__)

# A count is worth no longer wait: the question itself is what the reader waits for.
REDIS_TIMEOUT_S = 0.3
REDIS_PREFIX = "ragbot:quota:"

# A store that failed is left alone for so long, so that it does not cost every question its time limit.
REST_S = 2.0

# Called with the store's name at each failure; for a metric.
on_quota_store_failure: list[Callable[[str], None]] = []

TIDY_EVERY_S = 300.0
TIDIED_AT_ONCE = 1000

# A window that ends later than its own length from now was opened by a clock that was wrong. Clocks of
# hosts and the order of commits differ a little, so a whole length is allowed for.
_COUNT = text(
    "INSERT INTO quota_counts (counter, hits, ends_at) VALUES (:counter, :amount, :now + :window) "
    "ON CONFLICT (counter) DO UPDATE SET "
    "hits = CASE WHEN quota_counts.ends_at > :now AND quota_counts.ends_at <= :now + 2 * :window "
    "THEN quota_counts.hits + excluded.hits ELSE excluded.hits END, "
    "ends_at = CASE WHEN quota_counts.ends_at > :now AND quota_counts.ends_at <= :now + 2 * :window "
    "THEN quota_counts.ends_at ELSE excluded.ends_at END "
    "RETURNING hits, ends_at"
)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many hits a window has by now, and when it ends (seconds since the epoch)."""

    hits: int
    ends_at: float


class Counters(Protocol):
    """Windows of a fixed length, each opened by its first hit."""

    name: str

    def count(self, counter: str, window_s: int, amount: int = 1) -> Counted:
        """Add `amount` to the counter's open window, or to a new one. Raises CountersUnavailable.

        Of callers at once each is told another number.
        """
        ...


class DatabaseCounters:
    """Counters as rows; each count is one statement in a transaction of its own."""

    name = "database"

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._tidied_at = clock()

    def count(self, counter: str, window_s: int, amount: int = 1) -> Counted:
        """As the protocol says."""
        now = self._clock()
        values = {"counter": counter, "amount": amount, "now": now, "window": float(window_s)}
        try:
            with self._database.counting() as connection:
                hits, ends_at = connection.execute(_COUNT, values).one()
            if abs(now - self._tidied_at) > TIDY_EVERY_S:
                self._tidied_at = now
                self._tidy(now)
        except (DatabaseUnavailable, SQLAlchemyError) as error:
            raise CountersUnavailable("The database cannot count calls now.") from error
        return Counted(hits, ends_at)

    def _tidy(self, now: float) -> None:
        # Rows that another worker removes at this moment are left to it.
        over = (
            select(QuotaCount.counter)
            .where(QuotaCount.ends_at < now)
            .limit(TIDIED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        with self._database.counting() as connection:
            connection.execute(delete(QuotaCount).where(QuotaCount.counter.in_(over)))


class RedisCounters:
    """Counters as keys that Redis lets expire."""

    name = "redis"

    def __init__(self, url: str) -> None:
        # A connection that the server has closed meanwhile is opened anew, once.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        self._client = redis.Redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, retry=retry
        )

    def count(self, counter: str, window_s: int, amount: int = 1) -> Counted:
        """As the protocol says."""
        key = f"{REDIS_PREFIX}{counter}"
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.set(key, 0, ex=window_s, nx=True)
                pipeline.incrby(key, amount)
                pipeline.pttl(key)
                _, hits, left_ms = pipeline.execute()
        except redis.RedisError as error:
            raise CountersUnavailable("Redis cannot count calls now.") from error
        return Counted(int(hits), time.time() + int(left_ms) / 1000)

    def close(self) -> None:
        """Close its connections; the next count opens one again."""
        self._client.close()


class MemoryCounters:
    """Counters of this process alone: several workers let as many times the quota through."""

    name = "memory"

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, Counted] = {}
        self._lock = threading.Lock()
        self._tidied_at = clock()

    def count(self, counter: str, window_s: int, amount: int = 1) -> Counted:
        """As the protocol says; never fails."""
        now = self._clock()
        with self._lock:
            if abs(now - self._tidied_at) > TIDY_EVERY_S:
                self._tidied_at = now
                self._windows = {name: kept for name, kept in self._windows.items() if kept.ends_at > now}
            window = self._windows.get(counter)
            if window is None or not now < window.ends_at <= now + 2 * window_s:
                window = Counted(0, now + window_s)
            self._windows[counter] = counted = Counted(window.hits + amount, window.ends_at)
        return counted


class FirstThatCounts:
    """Several stores in order: the first one that is well counts, and one that failed rests for a while."""

    def __init__(
        self,
        stores: Sequence[Counters],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._rests_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def count(self, counter: str, window_s: int, amount: int = 1) -> Counted | None:
        """The count, or None if no store can count now. Never raises for a store that fails."""
        for store in self._stores:
            if not self._may_ask(store.name):
                continue
            try:
                counted = store.count(counter, window_s, amount)
            except CountersUnavailable as error:
                self._rest(store.name, error)
            else:
                self._rests_until.pop(store.name, None)
                return counted
        return None

    def _may_ask(self, name: str) -> bool:
        with self._lock:
            until = self._rests_until.get(name)
            if until is None:
                return True
            if self._clock() < until:
                return False
            # This caller finds out whether it is well again; the others do not wait for it.
            self._rests_until[name] = self._clock() + REST_S
            return True

    def _rest(self, name: str, error: CountersUnavailable) -> None:
        with self._lock:
            self._rests_until[name] = self._clock() + REST_S
        log.warning("quota_store_failed", store=name, cause=type(error.__cause__).__name__)
        for listener in on_quota_store_failure:
            listener(name)
