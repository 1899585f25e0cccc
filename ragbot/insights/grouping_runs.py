"""Let one process at a time group questions, and let a day count as done when its run has ended well."""

from __future__ import annotations

from collections.abc import Callable

from ragbot.core.lease import Lease
from ragbot.core.ports import SharedState

# Names of the states that all workers share: who groups now, and that the day's run is done.
LEASE, DONE = "question_grouping_lease", "question_grouping_done"
# Renewed with each batch, the slowest of which waits for an embedder. After a crash others wait for so long.
LEASE_S = 600.0
EVERY_S = 24 * 3600.0

# Groups new questions until there are none or the function that it calls before each batch says no.
GroupNew = Callable[[Callable[[], bool]], int]


class GroupingRuns:
    """Run the grouping in one process at a time: two would create a group twice."""

    def __init__(self, states: SharedState, group_new: GroupNew) -> None:
        self._states = states
        self._group_new = group_new

    def run(self) -> int | None:
        """Group new questions and return how many; None if another process is doing it."""
        lease = Lease(self._states, LEASE, LEASE_S)
        if not lease.claim():
            return None
        try:
            return self._group_new(lease.claim)
        finally:
            lease.release()

    def run_daily(self) -> None:
        """Run unless a run has ended well within a day. One that fails is tried again the next time."""
        if self._states.peek(DONE) is None and self.run() is not None:
            self._states.change(DONE, lambda _state: {"done": True}, EVERY_S)
