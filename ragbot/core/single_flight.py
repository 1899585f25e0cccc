"""Let one caller compute a value while others that want the same wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from ragbot.core.deadline import Deadline
from ragbot.core.errors import Cancelled, DeadlineExceeded

T = TypeVar("T")


class Flight(Generic[T]):
    """Hold a computation under way; once `has_landed`, its result or its failure, if it has either."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.has_landed = False
        self.result: T | None = None
        self.failure: Exception | None = None

    def land(self, result: T | None, failure: Exception | None) -> None:
        """Record how it ended and wake all who wait."""
        with self._changed:
            self.result, self.failure, self.has_landed = result, failure, True
            self._changed.notify_all()

    def wait(self, deadline: Deadline | None, *, reserve_s: float = 0.0) -> None:
        """Return when it has landed, or `reserve_s` before the deadline.

        Raises Cancelled or DeadlineExceeded.
        """
        if deadline is None:
            with self._changed:
                self._changed.wait_for(lambda: self.has_landed)
            return
        with deadline.interrupting(self._wake), self._changed:
            self._changed.wait_for(
                lambda: self.has_landed or deadline.cancelled, max(0.0, deadline.left_s() - reserve_s)
            )
        deadline.check()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class SingleFlight(Generic[T]):
    """Share computations under way by key, within this process. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Flight[T]] = {}

    def do(self, key: str, compute: Callable[[], T], deadline: Deadline | None = None) -> T:
        """Return what `compute` returns to this caller, or to another one that has begun with this key.

        An error is raised for all of them, except that a caller whose own question is over (Cancelled,
        DeadlineExceeded) leaves the computation to the next one.
        """
        while True:
            flight, leads = self.join(key)
            if leads:
                return self._lead(key, flight, compute)
            flight.wait(deadline)
            if flight.failure is not None:
                raise flight.failure
            if flight.result is not None:
                return flight.result

    def start(self, key: str, compute: Callable[[], T], *, thread_name: str) -> Flight[T]:
        """Return the flight of a key; if there is none, compute in a new thread.

        So the computation goes on when the callers that wait for it have left.
        """
        flight, leads = self.join(key)
        if leads:
            threading.Thread(
                target=self._lead_quietly, args=(key, flight, compute), daemon=True, name=thread_name
            ).start()
        return flight

    def join(self, key: str) -> tuple[Flight[T], bool]:
        """Return the flight of a key, and whether this caller leads it: then it has to `land` it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def land(
        self, key: str, flight: Flight[T], result: T | None = None, failure: Exception | None = None
    ) -> None:
        """End a flight. Without a result and a failure, the next caller that waits begins anew."""
        with self._lock:
            self._flights.pop(key, None)
        flight.land(result, failure)

    def _lead_quietly(self, key: str, flight: Flight[T], compute: Callable[[], T]) -> None:
        # Those who wait get the failure.
        with suppress(Exception):
            self._lead(key, flight, compute)

    def _lead(self, key: str, flight: Flight[T], compute: Callable[[], T]) -> T:
        result: T | None = None
        failure: Exception | None = None
        try:
            result = compute()
            return result
        except (Cancelled, DeadlineExceeded):
            raise
        except Exception as error:
            failure = error
            raise
        finally:
            self.land(key, flight, result, failure)
