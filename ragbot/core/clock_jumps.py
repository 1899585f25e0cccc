"""Whether the wall clock can be believed: it is held against one that only goes forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Clocks are put right by less than this all the time.
TOLERANCE_S = 60.0
# A clock that has gone on evenly for so long since it jumped is taken to be right now: a machine that slept.
BELIEVED_AFTER_S = 3600.0


class ClockJumpDetector:
    """Notices when the time of day jumps while the process runs. Safe between threads.

    `jumped` is told by how many seconds, once for each jump.
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
        self._usual = self._told = wall() - steady()
        self._jumped_at = 0.0

    def is_believed(self) -> bool:
        """Whether the clock has not jumped, has come back, or has gone on evenly for an hour since."""
        with self._lock:
            now = self._steady()
            offset = self._wall() - now
            by_s = offset - self._usual
            is_new = abs(offset - self._told) > TOLERANCE_S
            if is_new:
                self._told, self._jumped_at = offset, now
            if abs(by_s) > TOLERANCE_S and now - self._jumped_at > BELIEVED_AFTER_S:
                self._usual, by_s = offset, 0.0
        if is_new:
            self._jumped(by_s)
        return abs(by_s) <= TOLERANCE_S
