"""Calls to counts: who called how often in a window, exact over workers, in the database or in Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import delete, select, text

from ragbot.storage.database import Database
from ragbot.storage.keyvalue.failover import Failover, store_failures
from ragbot.storage.models import QuotaCountRow

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
class WindowCount:
    """How many hits a window has by now, and when it ends (seconds since the epoch)."""

    hits: int
    ends_at: float


class RateCounters(Protocol):
    """Windows of a fixed length, each opened by its first hit."""

    name: str

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount:
        """Add `amount` to the counter's open window, or to a new one. Raises StoreUnavailable.

        Of callers at once each is told another number.
        """
        ...


class DatabaseRateCounters:
    """RateCounters as rows; each count is one statement in a transaction of its own."""

    name = "database"

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._tidied_at = clock()

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount:
        """As the protocol says."""
        now = self._clock()
        values = {"counter": counter, "amount": amount, "now": now, "window": float(window_s)}
        with store_failures():
            with self._database.counting() as connection:
                hits, ends_at = connection.execute(_COUNT, values).one()
            if abs(now - self._tidied_at) > TIDY_EVERY_S:
                self._tidied_at = now
                self._tidy(now)
        return WindowCount(hits, ends_at)

    def _tidy(self, now: float) -> None:
        # Rows that another worker removes at this moment are left to it.
        over = (
            select(QuotaCountRow.counter)
            .where(QuotaCountRow.ends_at < now)
            .limit(TIDIED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        with self._database.counting() as connection:
            connection.execute(delete(QuotaCountRow).where(QuotaCountRow.counter.in_(over)))


class MemoryRateCounters:
    """RateCounters of this process alone: several workers let as many times the quota through."""

    name = "memory"

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, WindowCount] = {}
        self._lock = threading.Lock()
        self._tidied_at = clock()

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount:
        """As the protocol says; never fails."""
        now = self._clock()
        with self._lock:
            if abs(now - self._tidied_at) > TIDY_EVERY_S:
                self._tidied_at = now
                self._windows = {name: kept for name, kept in self._windows.items() if kept.ends_at > now}
            window = self._windows.get(counter)
            if window is None or not now < window.ends_at <= now + 2 * window_s:
                window = WindowCount(0, now + window_s)
            self._windows[counter] = counted = WindowCount(window.hits + amount, window.ends_at)
        return counted


class FailoverRateCounters:
    """Several stores in order: the first one that is well counts, and one that failed rests for a while.

    `failed` is told the name of each store that fails.
    """

    def __init__(
        self,
        stores: Sequence[RateCounters],
        *,
        failed: Callable[[str], None] = lambda _store: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = Failover("quotas", stores, failed=failed, clock=clock)

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount | None:
        """The count, or None if no store can count now. Never raises for a store that fails."""
        return self._stores.first(lambda store: store.count(counter, window_s, amount))
