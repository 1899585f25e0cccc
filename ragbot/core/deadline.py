"""Share one deadline among all steps of a question, and end blocked calls when it passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ragbot.core.errors import Cancelled, DeadlineExceeded
from ragbot.core.timers import TIMERS


class Deadline:
    """Hold the moment at which the work for one question must end. Safe to use from any thread.

    A caller that blocks on a socket passes a function that interrupts it (`interrupting`). It runs when the
    time is up or `cancel` is called; the blocked call must then fail at once. It must not block itself.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends_at = now() + seconds
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], None]] = []
        self._cancelled = False

    def left_s(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self._ends_at - self._now())

    @property
    def cancelled(self) -> bool:
        """Return whether the reader has left."""
        return self._cancelled

    def check(self) -> None:
        """Raise Cancelled or DeadlineExceeded if the question is over."""
        if self._cancelled:
            raise Cancelled("The reader has left.")
        if self.left_s() <= 0:
            raise DeadlineExceeded

    def cancel(self) -> None:
        """End the question now and interrupt every call that blocks for it."""
        with self._lock:
            self._cancelled = True
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            interrupt()

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt` (in another thread) if the deadline or `cancel` comes within the block."""
        with self._lock:
            if not self._cancelled:
                self._interrupts.append(interrupt)
        if self._cancelled:
            interrupt()
        timer = TIMERS.after(self.left_s(), interrupt)
        try:
            yield
        finally:
            timer.stop()
            with self._lock:
                if interrupt in self._interrupts:
                    self._interrupts.remove(interrupt)
