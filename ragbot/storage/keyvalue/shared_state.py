"""Share small states among all workers: in the database, or in each process while no store works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy import bindparam, delete, select

from ragbot.core.ports import State
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import ExpiringRows, insert_missing
from ragbot.storage.keyvalue.failover import Failover
from ragbot.storage.models import SharedStateRow

Change = Callable[[State | None], State | None]

states: Any = SharedStateRow.__table__

_LOCKED = select(states).where(states.c.name == bindparam("name")).with_for_update()


class SharedStateStore(Protocol):
    """Share states in one place: as `core.ports.SharedState`, but every method may raise StoreUnavailable."""

    name: str

    def peek(self, name: str) -> State | None:
        """Return the state now, or None."""
        ...

    def change(self, name: str, change: Change, ttl_s: float) -> State | None:
        """Replace the state by the result of `change`, atomically, and return it."""
        ...


class DatabaseSharedState:
    """Share states as rows of a table, changed under the row's lock."""

    name = "database"

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._rows = ExpiringRows(database, states, clock=clock)

    def peek(self, name: str) -> State | None:
        row = self._rows.get(name)
        return None if row is None else row.state

    def change(self, name: str, change: Change, ttl_s: float) -> State | None:
        with self._rows.transaction() as (connection, now):
            # A row to lock must be there first: of two who find none, one would overwrite the other.
            insert_missing(connection, states, [{"name": name, "state": {}, "expires_at": 0.0}])
            row = connection.execute(_LOCKED, {"name": name}).one()
            after = change(row.state if row.expires_at > now else None)
            here = states.c.name == name
            if after is None:
                connection.execute(delete(states).where(here))
            elif after != row.state or row.expires_at <= now:
                values = {"state": dict(after), "expires_at": now + ttl_s}
                connection.execute(states.update().where(here).values(values))
        return after


class InProcessSharedState:
    """Store states in this process alone. Never fails."""

    name = "process"

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[str, tuple[State, float]] = {}

    def peek(self, name: str) -> State | None:
        with self._lock:
            return self._live(name)

    def change(self, name: str, change: Change, ttl_s: float) -> State | None:
        with self._lock:
            before = self._live(name)
            after = change(before)
            if after is None:
                self._states.pop(name, None)
            elif after != before:
                self._states[name] = after, self._clock() + ttl_s
            return after

    def _live(self, name: str) -> State | None:
        state, expires_at = self._states.get(name, ({}, 0.0))
        if expires_at <= self._clock():
            self._states.pop(name, None)
            return None
        return state


class FailoverSharedState:
    """Share states in the first of several stores that works, or in this process if none does.

    Never raises. `failed` is called with the name of each store that fails.
    """

    def __init__(
        self,
        stores: Sequence[SharedStateStore],
        *,
        failed: Callable[[str], None] = lambda _store: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores: Failover[SharedStateStore] = Failover(
            "states", [*stores, InProcessSharedState()], failed=failed, clock=clock
        )

    def peek(self, name: str) -> State | None:
        """Return the state now, or None."""
        return self._stores.first(lambda store: store.peek(name))

    def change(self, name: str, change: Change, ttl_s: float) -> State | None:
        """Replace the state by the result of `change`, atomically, and return it."""
        return self._stores.first(lambda store: store.change(name, change, ttl_s))
