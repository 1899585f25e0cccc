"""Detect jumps of the wall clock by comparing it with the monotonic clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Clocks are adjusted by less than this all the time.
TOLERANCE_S = 60.0
# A clock that has run evenly for so long since its jump is right now: the machine was asleep.
BELIEVED_AFTER_S = 3600.0


class ClockJumpDetector:
    """Detect when the time of day jumps while the process runs. Safe between threads.

    `jumped` is called once for each jump, with the seconds.
    """

    def __init__(
        self,
        jumped: Callable[[float], None] = lambda _seconds: None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jumped = jumped
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self._usual = self._reported = wall() - steady()
        self._jumped_at = 0.0

    def is_believed(self) -> bool:
        """Return False after a jump, until the clock has come back or has run evenly for an hour."""
        with self._lock:
            now = self._steady()
            offset = self._wall() - now
            by_s = offset - self._usual
            is_new = abs(offset - self._reported) > TOLERANCE_S
            if is_new:
                self._reported, self._jumped_at = offset, now
            if abs(by_s) > TOLERANCE_S and now - self._jumped_at > BELIEVED_AFTER_S:
                self._usual, by_s = offset, 0.0
        if is_new:
            self._jumped(by_s)
        return abs(by_s) <= TOLERANCE_S
