"""End the process of a job at its limits or on a signal: first by an exception, then by force."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from ragbot.config.resources import resident_bytes

# Between two checks memory grows by some hundred megabytes at most.
CHECK_EVERY_S = 0.1

# The time that the main thread has to end its transaction and clean up. Containers are killed ten seconds
# after their SIGTERM.
GRACE_S = 5.0

# The kernel ends the process if even the watching thread no longer runs.
ALARM_AFTER_S = 60.0

# Writable memory that libraries and threads have without using it.
UNTOUCHED_BYTES = 500_000_000

STOPPED = "job_stopped"
OUT_OF_MEMORY = "memory_limit_exceeded"
OUT_OF_TIME = "time_limit_exceeded"


class JobEnded(SystemExit):
    """End the job. Not an Exception: code that skips an unreadable file must not catch it."""

    def __init__(self, reason: str) -> None:
        super().__init__(1)
        self.reason = reason


class ResourceLimits:
    """Raise JobEnded in the main thread at the first reason to end; call `force_end` some seconds later.

    Resident memory is watched: a limit on address space would have to be three times as much, as ONNX Runtime
    and the index's engine map memory that they never touch (1.6 GB at 0.55 GB resident). The kernel limits
    private writable memory besides, far above: an absurd single allocation fails at once. Create it in the
    main thread.
    """

    def __init__(self, *, memory_bytes: int, time_s: float, force_end: Callable[[str], None]) -> None:
        self._memory_bytes = memory_bytes
        self._ends_at = time.monotonic() + time_s
        self._force_end = force_end
        self._reason: str | None = None
        self._finished = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        with suppress(ValueError, OSError):
            # It is refused where a lower limit is set already.
            most = 2 * memory_bytes + UNTOUCHED_BYTES
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        signal.alarm(round(time_s + ALARM_AFTER_S))
        threading.Thread(target=self._watch, daemon=True, name="limits").start()

    def end(self, reason: str) -> None:
        """End the main thread, from any thread. The first reason counts."""
        if self._reason is None:
            self._reason = reason
            os.kill(os.getpid(), signal.SIGTERM)

    def finished(self) -> None:
        """Stop watching. From here on the process ends by itself alone."""
        self._finished.set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._finished.is_set():
            return
        reason = self._reason or STOPPED
        self._reason = reason
        # A second signal must not disturb the cleaning up.
        self._finished.set()
        threading.Thread(target=self._force_end_later, args=(reason,), daemon=True, name="force-end").start()
        raise JobEnded(reason)

    def _watch(self) -> None:
        while not self._finished.wait(CHECK_EVERY_S):
            if (resident_bytes() or 0) > self._memory_bytes:
                self._end_or_force(OUT_OF_MEMORY)
            elif time.monotonic() > self._ends_at:
                self._end_or_force(OUT_OF_TIME)

    def _end_or_force(self, reason: str) -> None:
        self.end(reason)
        # The main thread may be in a call that no signal ends; then its handler never runs.
        if not self._finished.wait(GRACE_S):
            self._force_end(reason)

    def _force_end_later(self, reason: str) -> None:
        time.sleep(GRACE_S)
        self._force_end(reason)
