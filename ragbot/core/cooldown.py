"""Stop calling something that failed for a while, then let one caller try it again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# A server that cannot be reached costs each question its time limit; it is called once in so long.
PAUSE_S = 2.0


def is_running(ends_at: float, *, now: float, longest_s: float) -> bool:
    """Return whether a period that ends at `ends_at` and lasts at most `longest_s` is still running.

    For times that several hosts write down. An end much further ahead than the period can be long was
    written by a clock that was wrong and is ignored; clocks of hosts differ a little, so twice the length
    is believed.
    """
    return now < ends_at <= now + 2 * longest_s


class Cooldown:
    """Decide whether to call something that may have failed a moment ago. Safe between threads.

    Calls are allowed until `start` is called. Then none is for `pause_s`; after that one caller at a time
    may try, once in a pause, and the others do not wait for it. `end` allows calls again.

    For one process. The circuit breaker keeps its pauses in a state that all workers share.
    """

    def __init__(self, pause_s: float = PAUSE_S, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._ends_at: float | None = None

    @property
    def is_started(self) -> bool:
        """Return whether the last call that has ended failed."""
        return self._ends_at is not None

    def allows_call(self) -> bool:
        """Return whether to call now. True after a pause is the leave to try, for this caller alone."""
        if not self.is_started:
            return True
        with self._lock:
            now = self._clock()
            if self._ends_at is None:
                return True
            if is_running(self._ends_at, now=now, longest_s=self._pause_s):
                return False
            self._ends_at = now + self._pause_s
            return True

    def start(self) -> None:
        """Begin a pause: the call failed."""
        with self._lock:
            self._ends_at = self._clock() + self._pause_s

    def end(self) -> None:
        """Allow calls again: the call succeeded."""
        if self.is_started:
            with self._lock:
                self._ends_at = None
