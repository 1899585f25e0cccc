"""Small states that all workers agree on: in Redis, in the database, or of one process when both are away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy import delete, select

from ragbot.core.ports import State
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import ExpiringRows, insert_missing
from ragbot.storage.keyvalue.failover import Failover
from ragbot.storage.models import SharedStateRow

Change = Callable[[State | None], State | None]

states: Any = SharedStateRow.__table__


class SharedStateStore(Protocol):
    """As `core.ports.SharedState`, but one that fails says so: every call raises StoreUnavailable then."""

    name: str

    def peek(self, name: str) -> State | None:
        """The state now, or None."""
        ...

    def change(self, name: str, change: Change, kept_s: float) -> State | None:
        """Put what `change` makes of the state in its place, alone, and return it."""
        ...


class DatabaseSharedState:
    """States as rows, changed under the row's lock."""

    name = "database"

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._rows = ExpiringRows(database, states, clock=clock)

    def peek(self, name: str) -> State | None:
        row = self._rows.get(name)
        return None if row is None else row.state

    def change(self, name: str, change: Change, kept_s: float) -> State | None:
        with self._rows.transaction() as (connection, now):
            # A row to lock must be there first: of two who find none, one would overwrite the other.
            insert_missing(connection, states, [{"name": name, "state": {}, "expires_at": 0.0}])
            row = connection.execute(select(states).where(states.c.name == name).with_for_update()).one()
            after = change(row.state if row.expires_at > now else None)
            here = states.c.name == name
            if after is None:
                connection.execute(delete(states).where(here))
            elif after != row.state or row.expires_at <= now:
                kept = {"state": dict(after), "expires_at": now + kept_s}
                connection.execute(states.update().where(here).values(kept))
        return after


class InProcessSharedState:
    """States of this process alone. Never fails."""

    name = "process"

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[str, tuple[State, float]] = {}

    def peek(self, name: str) -> State | None:
        with self._lock:
            return self._live(name)

    def change(self, name: str, change: Change, kept_s: float) -> State | None:
        with self._lock:
            before = self._live(name)
            after = change(before)
            if after is None:
                self._states.pop(name, None)
            elif after != before:
                self._states[name] = after, self._clock() + kept_s
            return after

    def _live(self, name: str) -> State | None:
        state, expires_at = self._states.get(name, ({}, 0.0))
        if expires_at <= self._clock():
            self._states.pop(name, None)
            return None
        return state


class FailoverSharedState:
    """Several stores as one, the last of which never fails. Never raises.

    `failed` is told the name of each store that fails.
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
        """The state now, or None."""
        return self._stores.first(lambda store: store.peek(name))

    def change(self, name: str, change: Change, kept_s: float) -> State | None:
        """Put what `change` makes of the state in its place, alone, and return it."""
        return self._stores.first(lambda store: store.change(name, change, kept_s))
