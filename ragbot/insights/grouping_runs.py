"""Let one process at a time group questions, and let a day count as done when its run has ended well."""

from __future__ import annotations

from collections.abc import Callable

from ragbot.core.errors import RagbotError
from ragbot.core.lease import Lease
from ragbot.core.ports import SharedState

# Names of the states that all workers share: who groups now, and that no run is due.
LEASE, DONE = "question_grouping_lease", "question_grouping_done"
# Renewed with each batch, the slowest of which waits for an embedder. After a crash others wait for so long.
LEASE_S = 600.0
EVERY_S = 24 * 3600.0
# After a failure: an embedder that is away is not called each minute.
RETRY_S = 900.0

# Groups new questions until there are none or the function that it calls before each batch says no.
GroupNew = Callable[[Callable[[], bool]], int]


class GroupingRuns:
    """Run the grouping in one process at a time: two would create a group twice."""

    def __init__(self, states: SharedState, group_new: GroupNew) -> None:
        self._states = states
        self._group_new = group_new

    def run(self) -> int | None:
        """Group new questions and return how many; None if another process is doing it.

        Raises the RagbotError that has left some of them without a group.
        """
        lease = Lease(self._states, LEASE, LEASE_S)
        if not lease.claim():
            return None
        try:
            return self._group_new(lease.claim)
        finally:
            lease.release()

    def run_daily(self) -> None:
        """Run unless a run has ended well within a day. One that fails is tried again after `RETRY_S`."""
        if self._states.peek(DONE) is not None:
            return
        try:
            if self.run() is not None:
                self._pause(EVERY_S)
        except RagbotError:
            self._pause(RETRY_S)
            raise

    def _pause(self, seconds: float) -> None:
        self._states.change(DONE, lambda _state: {"done": True}, seconds)
