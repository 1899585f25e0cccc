"""Call the first of several stores that works; do not call one that failed for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from ragbot.core.cooldown import Cooldown
from ragbot.core.errors import StoreUnavailable

log = structlog.get_logger(__name__)


class NamedStore(Protocol):
    """Give a store a name for log lines and metrics."""

    @property
    def name(self) -> str:
        """Return the name that operators see."""
        ...


Store = TypeVar("Store", bound=NamedStore)
Result = TypeVar("Result")


class Failover(Generic[Store]):
    """Call stores in their order until one works. Safe between threads.

    `purpose` is for the log; `failed` is called with the name of each store that fails, for a metric.
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
        self._cooldowns = {store.name: Cooldown(clock=clock) for store in stores}

    def first(self, call: Callable[[Store], Result]) -> Result | None:
        """Return the result of the first store that works, or None if none does."""
        for store in self._stores:
            cooldown = self._cooldowns[store.name]
            if not cooldown.allows_call():
                continue
            try:
                result = call(store)
            except StoreUnavailable as error:
                cooldown.start()
                cause = type(error.__cause__).__name__
                log.warning("store_failed", purpose=self._purpose, store=store.name, cause=cause)
                self._failed(store.name)
            else:
                cooldown.end()
                return result
        return None

    def all_failed(self) -> bool:
        """Return whether the last call of every store failed."""
        return all(cooldown.is_started for cooldown in self._cooldowns.values())
