"""Test that a jump of the clock is detected, logged once, and over when the clock is right again."""

from __future__ import annotations

from ragbot.core.clock_jumps import BELIEVED_AFTER_S, ClockJumpDetector
from ragbot.server.periodic_tasks import PeriodicTasks
from ragbot.storage.keyvalue.shared_state import InProcessSharedState


class Clocks:
    """One that somebody sets, and one that only goes on."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.steady = 50.0
        self.told: list[float] = []
        self.watch = ClockJumpDetector(self.told.append, wall=lambda: self.wall, steady=lambda: self.steady)

    def pass_s(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_clock_that_goes_on_evenly_is_believed() -> None:
    """Also where it is put right by a little."""
    clocks = Clocks()
    clocks.pass_s(100_000)
    clocks.wall += 30

    assert clocks.watch.is_believed()
    assert clocks.told == []


def test_jump_is_told_once_and_the_way_back_too() -> None:
    """In both directions."""
    clocks = Clocks()

    clocks.wall += 90_000
    jumped = [clocks.watch.is_believed() for _ in range(3)]
    clocks.wall -= 90_000
    back = clocks.watch.is_believed()

    assert (jumped, back) == ([False] * 3, True)
    assert clocks.told == [90_000, 0]


def test_clock_that_stays_is_believed_after_an_hour() -> None:
    """A laptop that slept is not wrong for ever."""
    clocks = Clocks()
    clocks.wall += 90_000
    before = clocks.watch.is_believed()

    clocks.pass_s(BELIEVED_AFTER_S + 1)

    assert (before, clocks.watch.is_believed()) == (False, True)
    assert clocks.told == [90_000]


def test_nothing_expires_by_a_clock_that_jumped() -> None:
    """Every session would be a day old, and be deleted."""
    clocks, done = Clocks(), []
    house = PeriodicTasks(
        InProcessSharedState(),
        [lambda: done.append("pruned")],
        clock_is_believed=clocks.watch.is_believed,
        every_s=0,
    )

    clocks.wall += 90_000
    during = house.run_once()
    clocks.wall -= 90_000

    assert (during, done) == (False, [])
    assert house.run_once()
