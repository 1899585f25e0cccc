"""Delete expired rows also from tables that nothing is written to any more."""

from __future__ import annotations

import time
from collections.abc import Callable

from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import ExpiringRows
from ragbot.storage.keyvalue.cache import entries
from ragbot.storage.keyvalue.rate_counters import counts
from ragbot.storage.keyvalue.shared_state import states


class ExpiredRows:
    """Delete expired counts of calls, cache entries and shared states.

    The stores delete them when they write. But nobody may ask for days, and with Redis these tables are
    written to only while it is away. The counts have callers' addresses.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._tables = (
            ExpiringRows(database, counts, expiry="ends_at", clock=clock),
            ExpiringRows(database, entries, clock=clock),
            ExpiringRows(database, states, clock=clock),
        )

    def delete_expired(self) -> int:
        """Delete the rows and return how many. Raises StoreUnavailable."""
        return sum(table.delete_expired() for table in self._tables)
