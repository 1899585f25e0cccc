"""Keep gunicorn's old workers until the new ones can answer.

At HUP gunicorn starts the new workers and at once ends the old ones, which takes a moment; the new ones take
seconds until they can search. Here a worker says that it is warm by a byte of memory that it shares with
gunicorn's main process, and this ends no worker before there are enough warm ones.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from typing import Any

# After so long the old workers end anyway.
LONGEST_WARM_UP_S = 60.0
LOOK_EVERY_S = 0.1


def share_warmth(worker: Any) -> None:
    """Give a worker its byte. Call before the fork, in the main process."""
    worker.warmth = mmap.mmap(-1, 1)


def mark_warm(worker: Any) -> None:
    """Say that a worker can answer. Call in the worker."""
    worker.warmth[0] = 1


def keep_workers_until_replaced(arbiter: Any, now: Callable[[], float] = time.monotonic) -> None:
    """Let gunicorn's arbiter end surplus workers only when enough of the others are warm.

    The main process waits for that, as it waits at HUP for the old workers to end.
    """
    manage = arbiter.manage_workers

    def manage_workers() -> None:
        ends_at = now() + LONGEST_WARM_UP_S
        while _would_leave_cold_ones(arbiter) and now() < ends_at:
            time.sleep(LOOK_EVERY_S)
            # A new worker that dies in its warm-up is no surplus any more.
            arbiter.reap_workers()
        manage()

    arbiter.manage_workers = manage_workers


def _would_leave_cold_ones(arbiter: Any) -> bool:
    """Return whether ending the surplus, the oldest workers first, would leave a worker that is not warm."""
    by_age = sorted(arbiter.WORKERS.values(), key=lambda worker: worker.age)
    surplus = len(by_age) - arbiter.num_workers
    return surplus > 0 and not all(worker.warmth[0] for worker in by_age[surplus:])
