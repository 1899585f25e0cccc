"""Test that gunicorn's old workers stay until the new ones are warm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ragbot.server import worker_replacement
from ragbot.server.worker_replacement import keep_workers_until_replaced, mark_warm, share_warmth


class FakeArbiter:
    """Stands in for gunicorn's arbiter: ends its oldest workers, and reaps those that are due."""

    def __init__(self, *, wanted: int, workers: int) -> None:
        self.num_workers = wanted
        self.WORKERS: dict[int, Any] = {}
        self.while_waiting: list[Any] = []
        for pid in range(1, workers + 1):
            self.WORKERS[pid] = SimpleNamespace(age=pid)
            share_warmth(self.WORKERS[pid])

    def manage_workers(self) -> None:
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
