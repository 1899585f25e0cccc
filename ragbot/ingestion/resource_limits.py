"""A process that does a job: ended at its limits or on request, first kindly and then for certain."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

# Looked at so often, memory grows by some hundred megabytes in between at most.
LOOK_EVERY_S = 0.1

# What the main thread has for leaving its transaction and tidying up, once it is told to end. Containers
# are killed ten seconds after they were told.
GRACE_S = 5.0

# The kernel ends the process where even the watching thread does not run any more.
ALARM_AFTER_S = 60.0

# Writable memory that libraries and threads have without using it.
UNTOUCHED_BYTES = 500_000_000

STOPPED = "job_stopped"
OUT_OF_MEMORY = "memory_limit_exceeded"
OUT_OF_TIME = "time_limit_exceeded"

_STATM = Path("/proc/self/statm")


class JobEnded(SystemExit):
    """The job is to end. Not an Exception: whoever skips what cannot be read must not skip this."""

    def __init__(self, reason: str) -> None:
        super().__init__(1)
        self.reason = reason


class ResourceLimits:
    """Raises JobEnded in the main thread at the first reason to end; after a while `for_certain` is called.

    Memory is what is resident, and is watched: a limit on address space would have to be three times what
    is used, for ONNX Runtime and the index's engine map much that they never touch (1.6 GB at 0.55 GB
    resident). The kernel limits private writable memory besides, far above: a single allocation that is
    absurd fails at once. To be made in the main thread.
    """

    def __init__(self, *, memory_bytes: int, time_s: float, for_certain: Callable[[str], None]) -> None:
        self._memory_bytes = memory_bytes
        self._ends_at = time.monotonic() + time_s
        self._for_certain = for_certain
        self._reason: str | None = None
        self._finished = threading.Event()
        for told in (signal.SIGTERM, signal.SIGINT):
            signal.signal(told, self._on_signal)
        with suppress(ValueError, OSError):
            # Refused where a lower limit holds already.
            most = 2 * memory_bytes + UNTOUCHED_BYTES
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        signal.alarm(round(time_s + ALARM_AFTER_S))
        threading.Thread(target=self._watch, daemon=True, name="limits").start()

    def end(self, reason: str) -> None:
        """Have the main thread end, from any thread. The first reason holds."""
        if self._reason is None:
            self._reason = reason
            os.kill(os.getpid(), signal.SIGTERM)

    def finished(self) -> None:
        """Stop watching: from here on nothing ends the process but itself."""
        self._finished.set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._finished.is_set():
            return
        reason = self._reason or STOPPED
        self._reason = reason
        # Once is enough: a second signal must not disturb the tidying up.
        self._finished.set()
        threading.Thread(target=self._insist, args=(reason,), daemon=True, name="insist").start()
        raise JobEnded(reason)

    def _watch(self) -> None:
        while not self._finished.wait(LOOK_EVERY_S):
            if _resident_bytes() > self._memory_bytes:
                self._end_for_certain(OUT_OF_MEMORY)
            elif time.monotonic() > self._ends_at:
                self._end_for_certain(OUT_OF_TIME)

    def _end_for_certain(self, reason: str) -> None:
        self.end(reason)
        # The main thread may be in a call that no signal ends; then its handler never runs.
        if not self._finished.wait(GRACE_S):
            self._for_certain(reason)

    def _insist(self, reason: str) -> None:
        time.sleep(GRACE_S)
        self._for_certain(reason)


def _resident_bytes() -> int:
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except FileNotFoundError:
        # Linux alone tells it.
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
