"""Count calls per window, exactly over all workers, in the database or in the memory of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import text

from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import CLEAN_UP_EVERY_S, ExpiringRows
from ragbot.storage.keyvalue.failover import Failover
from ragbot.storage.models import QuotaCountRow

counts: Any = QuotaCountRow.__table__

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
    """Hold the hits of a window so far, and its end in seconds since the epoch."""

    hits: int
    ends_at: float


class RateCounters(Protocol):
    """Count calls in windows of a fixed length, each opened by its first call."""

    name: str

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount:
        """Add `amount` to the counter's open window, or to a new one. Raises StoreUnavailable.

        Concurrent callers get different counts.
        """
        ...


class DatabaseRateCounters:
    """Count calls in a table of the database, each call with one statement."""

    name = "database"

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._rows = ExpiringRows(database, counts, expiry="ends_at", clock=clock)
        self._count = database.statement(_COUNT)
        self._clock = clock

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount:
        """Count a call, as the protocol says."""
        values = {"counter": counter, "amount": amount, "now": self._clock(), "window": float(window_s)}
        ((hits, ends_at),) = self._rows.run(self._count, values, writes=True)
        return WindowCount(hits, ends_at)


class MemoryRateCounters:
    """Count calls in this process alone: with several workers each allows the whole quota."""

    name = "memory"

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, WindowCount] = {}
        self._lock = threading.Lock()
        self._cleaned_up_at = clock()

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount:
        """Count a call, as the protocol says. Never raises."""
        now = self._clock()
        with self._lock:
            if abs(now - self._cleaned_up_at) > CLEAN_UP_EVERY_S:
                self._cleaned_up_at = now
                self._windows = {name: open for name, open in self._windows.items() if open.ends_at > now}
            window = self._windows.get(counter)
            if window is None or not now < window.ends_at <= now + 2 * window_s:
                window = WindowCount(0, now + window_s)
            self._windows[counter] = counted = WindowCount(window.hits + amount, window.ends_at)
        return counted


class FailoverRateCounters:
    """Count in the first of several stores that works; one that failed is not called for a while.

    `failed` is called with the name of each store that fails.
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
        """Count a call. Returns None if no store works now; never raises StoreUnavailable."""
        return self._stores.first(lambda store: store.count(counter, window_s, amount))
