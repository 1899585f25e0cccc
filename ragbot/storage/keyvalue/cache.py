"""Cache bytes that can be made again: in the database, or in the first of several stores that works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from ragbot.core.errors import CacheNotCleared, StoreUnavailable
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import ExpiringRows
from ragbot.storage.keyvalue.failover import Failover
from ragbot.storage.models import CacheEntryRow

entries: Any = CacheEntryRow.__table__

# Entries that can wait are written this often.
BATCH_EVERY_S = 0.3


class CacheStore(Protocol):
    """Cache bytes in one place: as `core.ports.Cache`, but every method may raise StoreUnavailable."""

    name: str

    def get(self, key: str) -> bytes | None:
        """Return the value of the key, or None."""
        ...

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store a value for some seconds."""
        ...

    def put_many(self, entries: Iterable[tuple[str, bytes, float]]) -> None:
        """Store several values, each for some seconds."""
        ...

    def clear(self) -> int:
        """Delete everything and return the number of entries."""
        ...


class DatabaseCache:
    """Cache entries in a table of the database."""

    name = "database"

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._rows = ExpiringRows(database, entries, clock=clock)

    def get(self, key: str) -> bytes | None:
        row = self._rows.get(key)
        return None if row is None else bytes(row[0])

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        self._rows.put(key, {"value": value}, ttl_s)

    def put_many(self, entries: Iterable[tuple[str, bytes, float]]) -> None:
        self._rows.put_many((key, {"value": value}, ttl_s) for key, value, ttl_s in entries)

    def clear(self) -> int:
        return self._rows.clear()


class FailoverCache:
    """Use several stores as one cache: the first that works; one that failed is not called for a while.

    `failed` is called with the name of each store that fails. Entries of a store that failed stay valid: the
    key names the edition that an entry was made from.
    """

    def __init__(
        self,
        stores: Sequence[CacheStore],
        *,
        failed: Callable[[str], None] = lambda _store: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = stores[0].name
        self._all = stores
        self._stores = Failover("cache", stores, failed=failed, clock=clock)

    def get(self, key: str) -> bytes | None:
        return self._stores.first(lambda store: store.get(key))

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        self._stores.first(lambda store: store.put(key, value, ttl_s))

    def put_many(self, entries: Iterable[tuple[str, bytes, float]]) -> None:
        """Store several values, each for some seconds; they are lost if no store works."""
        whole = list(entries)
        self._stores.first(lambda store: store.put_many(whole))

    def clear(self) -> int:
        """Delete the entries of every store, also if one of them fails. Raises CacheNotCleared then."""
        count, failures = 0, []
        for store in self._all:
            try:
                count += store.clear()
            except StoreUnavailable as error:
                failures.append((store.name, error))
        if failures:
            names = " and ".join(name for name, _ in failures)
            raise CacheNotCleared(
                f"{count} entries were deleted, but the cache in {names} is unavailable now; clear it again."
            ) from failures[0][1]
        return count

    def is_unavailable(self) -> bool:
        return self._stores.all_failed()

    def ping(self) -> None:
        self._all[0].get("ping")


class BatchedCache:
    """Write entries to a cache some moments later, several together. Safe between threads.

    For entries that this process alone needs at once: it finds them from the moment of `put`. Other workers
    see them later, and a process that is killed loses the last.
    """

    def __init__(self, cache: FailoverCache, *, every_s: float = BATCH_EVERY_S) -> None:
        self.name = cache.name
        self._cache = cache
        self._every_s = every_s
        self._lock = threading.Lock()
        # Written once more if it is put again during a write.
        self._waiting: dict[str, tuple[bytes, float]] = {}
        self._is_writing = False

    def get(self, key: str) -> bytes | None:
        with self._lock:
            waiting = self._waiting.get(key)
        return waiting[0] if waiting is not None else self._cache.get(key)

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        with self._lock:
            self._waiting[key] = value, ttl_s
            starts, self._is_writing = not self._is_writing, True
        if starts:
            threading.Thread(target=self._write, daemon=True, name="cache-writer").start()

    def clear(self) -> int:
        with self._lock:
            count = len(self._waiting)
            self._waiting.clear()
        return count + self._cache.clear()

    def is_unavailable(self) -> bool:
        return self._cache.is_unavailable()

    def ping(self) -> None:
        self._cache.ping()

    def _write(self) -> None:
        while True:
            time.sleep(self._every_s)
            with self._lock:
                batch = dict(self._waiting)
                if not batch:
                    self._is_writing = False
                    return
            self._cache.put_many((key, value, ttl_s) for key, (value, ttl_s) in batch.items())
            with self._lock:
                for key, entry in batch.items():
                    if self._waiting.get(key) is entry:
                        del self._waiting[key]


class NoCache:
    """Cache nothing. `clear` deletes what was cached before the cache was switched off."""

    name = "none"

    def __init__(self, before: FailoverCache) -> None:
        self._before = before

    def get(self, key: str) -> bytes | None:  # noqa: ARG002
        return None

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Do nothing."""

    def clear(self) -> int:
        return self._before.clear()

    def is_unavailable(self) -> bool:
        return False

    def ping(self) -> None:
        """Do nothing: there is nothing that can fail."""
