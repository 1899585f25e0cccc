"""One clock for a question: how long is left, and a way to end a wait early from another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ragbot.core.errors import Cancelled, DeadlineExceeded
from ragbot.core.timers import TIMERS


class Deadline:
    """A point in time that everything done for one question shares. Safe to use from any thread.

    Whoever blocks on a socket says how to interrupt it (`interrupting`); the interrupt runs when the
    time is up or when somebody calls `cancel`, and the blocked call is expected to fail at once. It must not
    block itself.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends_at = now() + seconds
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], None]] = []
        self._cancelled = False

    def left_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._ends_at - self._now())

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._cancelled

    def check(self) -> None:
        """Raise Cancelled or DeadlineExceeded where the question is over; else do nothing."""
        if self._cancelled:
            raise Cancelled("The reader has gone away.")
        if self.left_s() <= 0:
            raise DeadlineExceeded("The time for this question ran out.")

    def cancel(self) -> None:
        """End the question now: every wait that is under way is interrupted."""
        with self._lock:
            self._cancelled = True
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            interrupt()

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Within the block, run `interrupt` (from another thread) at the deadline or on `cancel`."""
        with self._lock:
            if not self._cancelled:
                self._interrupts.append(interrupt)
        if self._cancelled:
            interrupt()
        alarm = TIMERS.after(self.left_s(), interrupt)
        try:
            yield
        finally:
            alarm.stop()
            with self._lock:
                if interrupt in self._interrupts:
                    self._interrupts.remove(interrupt)
