"""Call functions at given times from one thread per process."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from heapq import heappop, heappush

# Timers are set for some seconds ahead and nearly all are stopped; so many stopped ones may be stored.
STOPPED_AT_MOST = 1024


class Timer:
    """Stop a call that is due later."""

    __slots__ = ("_thread", "call")

    def __init__(self, thread: TimerThread, call: Callable[[], None]) -> None:
        self._thread = thread
        self.call: Callable[[], None] | None = call

    def stop(self) -> None:
        """Cancel the call. Does not wait for a call that is running at this moment."""
        if self.call is not None:
            self.call = None
            self._thread.note_stopped()


class TimerThread:
    """Run timers in one thread, which starts with the first of them.

    A timer's function must not block, since all share the thread; what it raises goes to
    `threading.excepthook`. Safe between threads. A forked child starts with no timers.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._timers: list[tuple[float, int, Timer]] = []
        self._number = itertools.count()
        self._stopped = 0
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._reset_after_fork)

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call `call` once after so many seconds, unless the timer is stopped before."""
        timer = Timer(self, call)
        entry = (time.monotonic() + seconds, next(self._number), timer)
        with self._changed:
            heappush(self._timers, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="timers")
                self._thread.start()
            elif self._timers[0] is entry:
                self._changed.notify()
        return timer

    def note_stopped(self) -> None:
        """Count a stopped timer; remove stopped ones when there are many, since they keep objects alive."""
        with self._changed:
            self._stopped += 1
            if self._stopped > STOPPED_AT_MOST:
                self._stopped = 0
                self._timers = sorted(entry for entry in self._timers if entry[2].call is not None)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._timers or (wait_s := self._timers[0][0] - time.monotonic()) > 0:
                    self._changed.wait(wait_s if self._timers else None)
                timer = heappop(self._timers)[2]
                call, timer.call = timer.call, None
            if call is not None:
                try:
                    call()
                except Exception as error:  # The other timers must run all the same.
                    caught = (type(error), error, error.__traceback__, threading.current_thread())
                    threading.excepthook(threading.ExceptHookArgs(caught))

    def _reset_after_fork(self) -> None:
        self._changed = threading.Condition()
        self._timers, self._stopped, self._thread = [], 0, None


TIMERS = TimerThread()
