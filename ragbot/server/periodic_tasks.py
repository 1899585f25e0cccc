"""What has to be done now and then, by one of all workers: settle, expire."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable, Sequence

import structlog

from ragbot.core.errors import RagbotError
from ragbot.core.ports import SharedState, State

log = structlog.get_logger(__name__)

EVERY_S = 60.0


class PeriodicTasks:
    """Runs its chores once a minute over all workers. A chore that fails is tried again the next time.

    With a clock that has jumped nothing is done, or what is a minute old would expire. `looks` are done by
    each worker in each round, whatever the clock says.
    """

    def __init__(
        self,
        states: SharedState,
        chores: Sequence[Callable[[], object]],
        *,
        looks: Sequence[Callable[[], object]] = (),
        clock_is_believed: Callable[[], bool] = lambda: True,
        every_s: float = EVERY_S,
    ) -> None:
        self._states = states
        self._looks = looks
        self._clock_is_believed = clock_is_believed
        self._chores = chores
        self._every_s = every_s

    def start(self) -> None:
        """Go on in a thread of its own, which ends with the process."""
        threading.Thread(target=self._run, daemon=True, name="housekeeping").start()

    def run_once(self) -> bool:
        """Do the chores if no worker did them within the time; whether they were this one's."""
        if not self._clock_is_believed():
            return False
        token = secrets.token_hex(8)

        def claimed(state: State | None) -> State:
            return state or {"by": token}

        # Kept a little shorter than the pause, or every second round would find the one before it.
        state = self._states.change("housekeeping", claimed, self._every_s * 0.9)
        if state is None or state.get("by") != token:
            return False
        for chore in self._chores:
            try:
                chore()
            except RagbotError as error:
                log.warning("chore_failed", chore=getattr(chore, "__name__", "?"), code=error.code)
        return True

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            # Workers that start together do not ask together.
            pause.wait(self._every_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads, guards nothing
            try:
                for look in self._looks:
                    look()
                self.run_once()
            except Exception as error:
                # The rim of this thread, which must go on.
                log.error("housekeeping_failed", exc_info=error)
