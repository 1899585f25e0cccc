"""One thread a process that calls back at given times, for all who would start a timer each."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from heapq import heappop, heappush

# Alarms are set for some seconds ahead and nearly all are stopped; so many of those may lie about.
STOPPED_AT_MOST = 1024


class Timer:
    """Something that will be called once, unless it is stopped before."""

    __slots__ = ("_clock", "call")

    def __init__(self, clock: TimerThread, call: Callable[[], None]) -> None:
        self._clock = clock
        self.call: Callable[[], None] | None = call

    def stop(self) -> None:
        """Have it not called any more. One that is being called at this moment is not waited for."""
        if self.call is not None:
            self.call = None
            self._clock.note_stopped()


class TimerThread:
    """Calls back in a thread that begins with the first alarm.

    What is called must not block, for all alarms share the thread; what it raises goes to
    `threading.excepthook`. Safe between threads, and in a forked child, which has none of the parent's.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._alarms: list[tuple[float, int, Timer]] = []
        self._number = itertools.count()
        self._stopped = 0
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._begin_anew)

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Have `call` called when so many seconds are over."""
        alarm = Timer(self, call)
        entry = (time.monotonic() + seconds, next(self._number), alarm)
        with self._changed:
            heappush(self._alarms, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="alarm-clock")
                self._thread.start()
            elif self._alarms[0] is entry:
                self._changed.notify()
        return alarm

    def note_stopped(self) -> None:
        """Count it, and sweep when there are many: they hold on to what they would have called."""
        with self._changed:
            self._stopped += 1
            if self._stopped > STOPPED_AT_MOST:
                self._stopped = 0
                self._alarms = sorted(entry for entry in self._alarms if entry[2].call is not None)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._alarms or (wait_s := self._alarms[0][0] - time.monotonic()) > 0:
                    self._changed.wait(wait_s if self._alarms else None)
                alarm = heappop(self._alarms)[2]
                call, alarm.call = alarm.call, None
            if call is not None:
                try:
                    call()
                except Exception as error:  # The others must be called all the same.
                    told = (type(error), error, error.__traceback__, threading.current_thread())
                    threading.excepthook(threading.ExceptHookArgs(told))

    def _begin_anew(self) -> None:
        self._changed = threading.Condition()
        self._alarms, self._stopped, self._thread = [], 0, None


TIMERS = TimerThread()
