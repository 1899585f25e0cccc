"""Several stores that stand in for each other as one: who failed rests, and the next one is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ragbot.core.errors import DatabaseUnavailable, StoreUnavailable

log = structlog.get_logger(__name__)

# A store that failed is left alone for so long, so that it does not cost every question its time limit.
REST_S = 2.0


@contextmanager
def store_failures() -> Iterator[None]:
    """Within the block, what the database raises becomes StoreUnavailable."""
    try:
        yield
    except (DatabaseUnavailable, SQLAlchemyError) as error:
        raise StoreUnavailable("The store cannot be asked now.") from error


class NamedStore(Protocol):
    """Anything with a name for log lines and metrics."""

    @property
    def name(self) -> str:
        """What operators know it by."""
        ...


Store = TypeVar("Store", bound=NamedStore)
Result = TypeVar("Result")


class Failover(Generic[Store]):
    """Stores in the order in which they are asked. Safe between threads.

    `purpose` is for the log; `failed` is told the name of each store that fails, for a metric.
    """

    def __init__(
        self,
        purpose: str,
        stores: Sequence[Store],
        *,
        failed: Callable[[str], None] = lambda _store: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._purpose = purpose
        self._stores = stores
        self._failed = failed
        self._clock = clock
        self._rests_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def first(self, ask: Callable[[Store], Result]) -> Result | None:
        """What the first store that is well gives, or None if none is. Never raises StoreUnavailable."""
        for store in self._stores:
            if not self._may_ask(store.name):
                continue
            try:
                given = ask(store)
            except StoreUnavailable as error:
                self._rest(store.name, error)
            else:
                with self._lock:
                    self._rests_until.pop(store.name, None)
                return given
        return None

    def all_rest(self) -> bool:
        """Whether every store failed a moment ago."""
        with self._lock:
            return all(store.name in self._rests_until for store in self._stores)

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

    def _rest(self, name: str, error: StoreUnavailable) -> None:
        with self._lock:
            self._rests_until[name] = self._clock() + REST_S
        log.warning("store_failed", purpose=self._purpose, store=name, cause=type(error.__cause__).__name__)
        self._failed(name)
