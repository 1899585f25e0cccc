"""Run periodic tasks, such as deleting expired sessions, in one worker at a time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

import structlog

from ragbot.core.errors import RagbotError
from ragbot.core.lease import Lease
from ragbot.core.ports import SharedState

log = structlog.get_logger(__name__)

EVERY_S = 60.0

# The shared state by which the workers agree who runs the tasks.
STATE = "housekeeping"


class PeriodicTasks:
    """Run tasks once a minute over all workers. A task that fails is tried again the next time.

    After a jump of the clock no task runs, or what is a minute old would expire. `checks` run in each worker
    in each round, whatever the clock says.
    """

    def __init__(
        self,
        states: SharedState,
        tasks: Sequence[Callable[[], object]],
        *,
        checks: Sequence[Callable[[], object]] = (),
        clock_is_believed: Callable[[], bool] = lambda: True,
        every_s: float = EVERY_S,
    ) -> None:
        self._states = states
        self._tasks = tasks
        self._checks = checks
        self._clock_is_believed = clock_is_believed
        self._every_s = every_s

    def start(self) -> None:
        """Run in a thread of its own, which ends with the process."""
        threading.Thread(target=self._run, daemon=True, name="housekeeping").start()

    def run_once(self) -> bool:
        """Run the tasks unless another worker has run them within the time. Returns whether they ran."""
        if not self._clock_is_believed():
            return False
        # A little shorter than the pause: otherwise every second round would find the previous claim.
        if not Lease(self._states, STATE, self._every_s * 0.9).claim():
            return False
        for task in self._tasks:
            try:
                task()
            except RagbotError as error:
                log.warning("periodic_task_failed", task=getattr(task, "__name__", "?"), code=error.code)
        return True

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            # Workers that start together do not call the store together.
            pause.wait(self._every_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads, guards nothing
            try:
                for check in self._checks:
                    check()
                self.run_once()
            except Exception as error:
                # The outermost frame of this thread, which must go on.
                log.error("periodic_tasks_failed", exc_info=error)
