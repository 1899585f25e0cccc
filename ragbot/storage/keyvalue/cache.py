"""Bytes that can be made again, kept for a while: in Redis, in the database, or nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ragbot.core.errors import CacheNotCleared, StoreUnavailable
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import ExpiringRows
from ragbot.storage.keyvalue.failover import Failover
from ragbot.storage.models import CacheEntryRow

entries: Any = CacheEntryRow.__table__


class CacheStore(Protocol):
    """As `core.ports.Cache`, but a store that fails says so: every call raises StoreUnavailable then."""

    name: str

    def get(self, key: str) -> bytes | None:
        """What was put under the key, or None."""
        ...

    def put(self, key: str, value: bytes, kept_s: float) -> None:
        """Keep a value for some seconds."""
        ...

    def clear(self) -> int:
        """Forget everything; returns how many entries that were."""
        ...


class DatabaseCache:
    """Entries as rows."""

    name = "database"

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._rows = ExpiringRows(database, entries, clock=clock)

    def get(self, key: str) -> bytes | None:
        row = self._rows.get(key)
        return None if row is None else bytes(row.value)

    def put(self, key: str, value: bytes, kept_s: float) -> None:
        self._rows.put(key, {"value": value}, kept_s)

    def clear(self) -> int:
        return self._rows.clear()


class FailoverCache:
    """Several stores as one cache: the first one that is well is asked, and one that failed rests.

    `failed` is told the name of each store that fails. What is in a store that rested stays there; it was
    right when it was kept, and its key says for which edition.
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

    def put(self, key: str, value: bytes, kept_s: float) -> None:
        self._stores.first(lambda store: store.put(key, value, kept_s))

    def clear(self) -> int:
        """As the port says: also of those that are well when another one is away."""
        count, failures = 0, []
        for store in self._all:
            try:
                count += store.clear()
            except StoreUnavailable as error:
                failures.append((store.name, error))
        if failures:
            names = " and ".join(name for name, _ in failures)
            raise CacheNotCleared(
                f"{count} entries were forgotten, but the cache in {names} is away now; clear it again."
            ) from failures[0][1]
        return count

    def is_away(self) -> bool:
        return self._stores.all_failed()

    def ping(self) -> None:
        self._all[0].get("ping")


class NoCache:
    """Keeps nothing. What was kept before it was switched off can be forgotten."""

    name = "none"

    def __init__(self, before: FailoverCache) -> None:
        self._before = before

    def get(self, key: str) -> bytes | None:  # noqa: ARG002
        return None

    def put(self, key: str, value: bytes, kept_s: float) -> None:
        """Do nothing."""

    def clear(self) -> int:
        return self._before.clear()

    def is_away(self) -> bool:
        return False

    def ping(self) -> None:
        """Return always."""
