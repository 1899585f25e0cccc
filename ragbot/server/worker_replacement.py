"""Keep gunicorn's old workers until the new ones can answer.

At HUP gunicorn starts the new workers and at once ends the old ones, which takes a moment; the new ones take
seconds until they can search. A worker that had its number of requests ends by itself, and gunicorn starts
another one when it is gone. Here a worker says by bytes of memory that it shares with gunicorn's main process
that it is warm, or due to be replaced. The main process ends no worker before there are enough warm ones.
"""

from __future__ import annotations

import mmap
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

# After so long the old workers end anyway.
LONGEST_WARM_UP_S = 60.0
LOOK_EVERY_S = 0.1

_WARM, _DUE = 0, 1


def share_state(worker: Any) -> None:
    """Give a worker its bytes. Call before the fork, in the main process."""
    worker.state = mmap.mmap(-1, 2)


def mark_warm(worker: Any) -> None:
    """Say that a worker can answer. Call in the worker."""
    worker.state[_WARM] = 1


def stay_when_due(worker: Any) -> None:
    """Have a worker go on at its number of requests, where gunicorn's own would end. Call when it is made."""
    worker.due_at_requests, worker.max_requests = worker.max_requests, sys.maxsize


def mark_if_due(worker: Any) -> None:
    """Say that a worker has had its number of requests. Call in the worker, after each."""
    if worker.nr >= worker.due_at_requests and not worker.state[_DUE]:
        worker.state[_DUE] = 1
        worker.log.info("Worker is due to be replaced (pid: %s)", worker.pid)


def keep_workers_until_replaced(arbiter: Any, now: Callable[[], float] = time.monotonic) -> None:
    """Let gunicorn's arbiter end workers only when enough of the others are warm.

    At HUP the main process waits for that, as it waits for the old workers to end. For workers that are due
    it does not wait: it looks again at each of its rounds, every second.
    """
    manage = arbiter.manage_workers
    replacements = _Replacements(arbiter)

    def manage_workers() -> None:
        ends_at = now() + LONGEST_WARM_UP_S
        while _would_leave_cold_ones(arbiter, replacements.extra()) and now() < ends_at:
            time.sleep(LOOK_EVERY_S)
            # A new worker that dies in its warm-up is no surplus any more.
            arbiter.reap_workers()
        replacements.advance(manage)

    arbiter.manage_workers = manage_workers


class _Replacements:
    """Replace workers that are due, one after another: start a successor, end the old one when it is warm."""

    def __init__(self, arbiter: Any) -> None:
        self._arbiter = arbiter
        # The worker whose successor warms up, and those that were told to end and finish their answers.
        self._next: Any = None
        self._ending: list[Any] = []

    def extra(self) -> int:
        """Return how many workers there may be above the wanted number."""
        alive = list(self._arbiter.WORKERS.values())
        self._ending = [worker for worker in self._ending if worker in alive]
        if self._next not in alive:
            self._next = None
        return len(self._ending) + (self._next is not None)

    def advance(self, manage: Callable[[], None]) -> None:
        """Choose a worker that is due, have gunicorn start its successor, and end it if that one is warm."""
        extra = self.extra()
        if self._next is None:
            self._next = self._chosen()
            extra += self._next is not None
        wanted = self._arbiter.num_workers
        self._arbiter.num_workers = wanted + extra
        try:
            manage()
        finally:
            self._arbiter.num_workers = wanted
        if self._next is not None and self._warm_beside() >= wanted:
            self._arbiter.kill_worker(self._next.pid, signal.SIGTERM)
            self._ending.append(self._next)
            self._next = None

    def _chosen(self) -> Any:
        due = [w for w in self._arbiter.WORKERS.values() if w.state[_DUE] and w not in self._ending]
        return min(due, key=lambda worker: worker.age, default=None)

    def _warm_beside(self) -> int:
        leaving = (self._next, *self._ending)
        return sum(w.state[_WARM] for w in self._arbiter.WORKERS.values() if w not in leaving)


def _would_leave_cold_ones(arbiter: Any, extra: int) -> bool:
    """Return whether ending the surplus, the oldest workers first, would leave a worker that is not warm."""
    by_age = sorted(arbiter.WORKERS.values(), key=lambda worker: worker.age)
    surplus = len(by_age) - arbiter.num_workers - extra
    return surplus > 0 and not all(worker.state[_WARM] for worker in by_age[surplus:])
