"""Test that gunicorn's old workers stay until the new ones are warm."""

from __future__ import annotations

import logging
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from ragbot.server import worker_replacement
from ragbot.server.worker_replacement import (
    keep_workers_until_replaced,
    mark_if_due,
    mark_warm,
    share_state,
    stay_when_due,
)


class FakeArbiter:
    """Stands in for gunicorn's arbiter: ends its oldest workers, and reaps those that are due."""

    def __init__(self, *, wanted: int, workers: int) -> None:
        self.num_workers = wanted
        self.WORKERS: dict[int, Any] = {}
        self.while_waiting: list[Any] = []
        self.told_to_end: list[int] = []
        for _ in range(workers):
            self.spawn_worker()

    def spawn_worker(self) -> None:
        pid = max(self.WORKERS, default=0) + 1
        self.WORKERS[pid] = SimpleNamespace(pid=pid, age=pid, nr=0, max_requests=40, log=logging.getLogger())
        share_state(self.WORKERS[pid])
        stay_when_due(self.WORKERS[pid])

    def kill_worker(self, pid: int, sig: int) -> None:
        assert sig == signal.SIGTERM
        self.told_to_end.append(pid)

    def manage_workers(self) -> None:
        while len(self.WORKERS) < self.num_workers:
            self.spawn_worker()
        while len(self.WORKERS) > self.num_workers:
            del self.WORKERS[min(self.WORKERS)]

    def reap_workers(self) -> None:
        if self.while_waiting:
            self.while_waiting.pop(0)()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_replacement, "LOOK_EVERY_S", 0.0)


def test_old_workers_stay_until_the_new_ones_are_warm() -> None:
    """Else all readers wait for as long as the index takes to load."""
    arbiter = FakeArbiter(wanted=2, workers=4)
    seen: list[list[int]] = []

    def warm(pid: int) -> None:
        seen.append(sorted(arbiter.WORKERS))
        mark_warm(arbiter.WORKERS[pid])

    arbiter.while_waiting = [lambda: warm(3), lambda: warm(4)]
    keep_workers_until_replaced(arbiter)

    arbiter.manage_workers()

    assert seen == [[1, 2, 3, 4], [1, 2, 3, 4]]
    assert sorted(arbiter.WORKERS) == [3, 4]


def test_new_worker_that_dies_in_its_warm_up_is_not_waited_for() -> None:
    """The arbiter starts another one afterwards."""
    arbiter = FakeArbiter(wanted=1, workers=2)
    arbiter.while_waiting = [lambda: arbiter.WORKERS.pop(2)]
    keep_workers_until_replaced(arbiter)

    arbiter.manage_workers()

    assert sorted(arbiter.WORKERS) == [1]


def test_workers_end_at_last_even_if_no_new_one_gets_warm() -> None:
    """A service whose index cannot be built must still take its new settings."""
    clock = iter([0.0, 1.0, 59.0, 61.0])
    arbiter = FakeArbiter(wanted=1, workers=2)
    keep_workers_until_replaced(arbiter, now=lambda: next(clock))

    arbiter.manage_workers()

    assert sorted(arbiter.WORKERS) == [2]


def test_missing_workers_are_started_without_a_wait() -> None:
    """None of them is warm at the start."""
    arbiter = FakeArbiter(wanted=2, workers=2)
    keep_workers_until_replaced(arbiter)

    arbiter.manage_workers()

    assert sorted(arbiter.WORKERS) == [1, 2]


def two_warm_workers() -> FakeArbiter:
    """Return an arbiter that replaces its workers one after another."""
    arbiter = FakeArbiter(wanted=2, workers=2)
    for pid in (1, 2):
        mark_warm(arbiter.WORKERS[pid])
    keep_workers_until_replaced(arbiter)
    return arbiter


def has_had_its_requests(arbiter: FakeArbiter, pid: int) -> None:
    arbiter.WORKERS[pid].nr = 40
    mark_if_due(arbiter.WORKERS[pid])


def test_worker_that_is_due_goes_on_until_its_successor_is_warm() -> None:
    """Else the others carry all readers for as long as a start takes, and all of them may be due at once."""
    arbiter = two_warm_workers()
    has_had_its_requests(arbiter, 1)
    has_had_its_requests(arbiter, 2)

    arbiter.manage_workers()
    arbiter.manage_workers()
    while_cold = sorted(arbiter.WORKERS), list(arbiter.told_to_end)
    mark_warm(arbiter.WORKERS[3])
    arbiter.manage_workers()
    when_warm = sorted(arbiter.WORKERS), list(arbiter.told_to_end)
    arbiter.manage_workers()
    while_the_first_ends = sorted(arbiter.WORKERS), list(arbiter.told_to_end)
    del arbiter.WORKERS[1]
    mark_warm(arbiter.WORKERS[4])
    arbiter.manage_workers()
    del arbiter.WORKERS[2]
    arbiter.manage_workers()

    assert while_cold == ([1, 2, 3], [])
    assert when_warm == ([1, 2, 3], [1])
    assert while_the_first_ends == ([1, 2, 3, 4], [1])
    assert (sorted(arbiter.WORKERS), arbiter.told_to_end) == ([3, 4], [1, 2])
    assert arbiter.num_workers == 2


def test_successor_that_dies_is_started_again() -> None:
    """The old worker is not ended for one that never came."""
    arbiter = two_warm_workers()
    has_had_its_requests(arbiter, 2)
    arbiter.manage_workers()
    del arbiter.WORKERS[3]

    arbiter.manage_workers()
    again = sorted(arbiter.WORKERS)
    mark_warm(arbiter.WORKERS[3])
    arbiter.manage_workers()

    assert again == [1, 2, 3]
    assert arbiter.told_to_end == [2]


def test_worker_that_is_due_and_dies_leaves_its_place_to_the_successor() -> None:
    """Else there would be one too many for good."""
    arbiter = two_warm_workers()
    has_had_its_requests(arbiter, 1)
    arbiter.manage_workers()
    del arbiter.WORKERS[1]

    arbiter.manage_workers()

    assert (sorted(arbiter.WORKERS), arbiter.told_to_end) == ([2, 3], [])
