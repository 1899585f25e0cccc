"""Several stores that stand in for each other as one: who failed rests, and the next one is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from ragbot.core.cooldown import Cooldown
from ragbot.core.errors import StoreUnavailable

log = structlog.get_logger(__name__)


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
        self._cooldowns = {store.name: Cooldown(clock=clock) for store in stores}

    def first(self, ask: Callable[[Store], Result]) -> Result | None:
        """What the first store that is well gives, or None if none is. Never raises StoreUnavailable."""
        for store in self._stores:
            cooldown = self._cooldowns[store.name]
            if not cooldown.allows_call():
                continue
            try:
                given = ask(store)
            except StoreUnavailable as error:
                cooldown.start()
                cause = type(error.__cause__).__name__
                log.warning("store_failed", purpose=self._purpose, store=store.name, cause=cause)
                self._failed(store.name)
            else:
                cooldown.end()
                return given
        return None

    def all_failed(self) -> bool:
        """Whether the last call of every store failed."""
        return all(cooldown.is_started for cooldown in self._cooldowns.values())
