"""Share small states among all workers: in the database, or in each process while no store works."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Text, and_, bindparam, cast, delete, select, text, update

from ragbot.core.errors import StoreUnavailable
from ragbot.core.ports import SharedState, State
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import ExpiringRows
from ragbot.storage.keyvalue.failover import Failover
from ragbot.storage.models import SharedStateRow

Change = Callable[[State | None], State | None]

states: Any = SharedStateRow.__table__

# A change is given up after so many tries in which another worker came between; there is a pause between two.
MOST_TRIES = 40
PAUSE_S = 0.002

_KEY = states.c.name == bindparam("key")
# What a worker has read is still there.
_AS_READ = and_(
    _KEY, cast(states.c.state, Text) == bindparam("read"), states.c.expires_at == bindparam("read_expiry")
)
_READ = select(cast(states.c.state, Text), states.c.expires_at).where(_KEY)
_INSERT = text(
    "INSERT INTO shared_states (name, state, expires_at) VALUES (:key, :state, :expiry) "
    "ON CONFLICT (name) DO NOTHING RETURNING name"
)
_REPLACE = (
    update(states)
    .where(_AS_READ)
    .values(state=bindparam("new"), expires_at=bindparam("expiry"))
    .returning(states.c.name)
)
_DELETE = delete(states).where(_AS_READ).returning(states.c.name)


class ChangedMeanwhile(Exception):
    """Report that another worker changed a state between its reading and its writing."""


def repeated(attempt: Callable[[], State | None]) -> State | None:
    """Return the result of the first attempt without ChangedMeanwhile. Raises StoreUnavailable in the end."""
    for _ in range(MOST_TRIES):
        try:
            return attempt()
        except ChangedMeanwhile:
            time.sleep(random.uniform(0, PAUSE_S))  # noqa: S311 - spreads, guards nothing
    raise StoreUnavailable("Too many workers change one state at once.")


class SharedStateStore(SharedState, Protocol):
    """Share states in one place; every method may raise StoreUnavailable."""

    name: str


class DatabaseSharedState:
    """Share states as rows of a table; a change is repeated if another worker came between."""

    name = "database"

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._rows = ExpiringRows(database, states, clock=clock)
        self._clock = clock
        self._read = database.statement(_READ)
        self._insert = database.statement(_INSERT)
        self._replace = database.statement(_REPLACE)
        self._delete = database.statement(_DELETE)

    def peek(self, name: str) -> State | None:
        return self._live(self._row(name))

    def change(self, name: str, change: Change, ttl_s: float) -> State | None:
        # Most often there is none yet, as of a claim.
        after = change(None)
        if after is not None and self._is_inserted(name, after, ttl_s):
            return after
        return repeated(partial(self._changed, name, change, ttl_s))

    def _changed(self, name: str, change: Change, ttl_s: float) -> State | None:
        row = self._row(name)
        before = self._live(row)
        after = change(before)
        if after == before:
            return after
        if row is not None:
            is_changed = self._is_replaced(name, row, after, ttl_s)
        else:
            is_changed = after is not None and self._is_inserted(name, after, ttl_s)
        if not is_changed:
            raise ChangedMeanwhile
        return after

    def _row(self, name: str) -> tuple[str, float] | None:
        rows = self._rows.run(self._read, {"key": name})
        return (rows[0][0], rows[0][1]) if rows else None

    def _live(self, row: tuple[str, float] | None) -> State | None:
        return json.loads(row[0]) if row and row[1] > self._clock() else None

    def _is_inserted(self, name: str, state: State, ttl_s: float) -> bool:
        values = {"key": name, "state": json.dumps(state), "expiry": self._clock() + ttl_s}
        return bool(self._rows.run(self._insert, values, writes=True))

    def _is_replaced(self, name: str, row: tuple[str, float], state: State | None, ttl_s: float) -> bool:
        values: dict[str, Any] = {"key": name, "read": row[0], "read_expiry": row[1]}
        if state is None:
            return bool(self._rows.run(self._delete, values, writes=True))
        values |= {"new": json.dumps(state), "expiry": self._clock() + ttl_s}
        return bool(self._rows.run(self._replace, values, writes=True))


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
