"""Test cooldowns: a pause after a failure, then one caller that tries again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from ragbot.core.cooldown import PAUSE_S, Cooldown, is_running


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cooldown(clock: Clock) -> Cooldown:
    return Cooldown(clock=clock)


def test_calls_are_allowed_until_one_fails(cooldown: Cooldown) -> None:
    """A server that is well is called by everybody."""
    before = [cooldown.allows_call() for _ in range(3)]

    cooldown.start()

    assert before == [True] * 3
    assert not cooldown.allows_call()
    assert cooldown.is_started


def test_after_the_pause_one_caller_tries_in_each_pause(cooldown: Cooldown, clock: Clock) -> None:
    """If the one that tries hangs, the next may try when another pause is over."""
    cooldown.start()
    clock.now += PAUSE_S

    first_pause = [cooldown.allows_call() for _ in range(3)]
    clock.now += PAUSE_S
    second_pause = [cooldown.allows_call() for _ in range(3)]

    assert first_pause == second_pause == [True, False, False]
    assert cooldown.is_started


def test_of_callers_at_once_one_tries(cooldown: Cooldown, clock: Clock) -> None:
    """Twenty questions must not wait for a server that is still down."""
    cooldown.start()
    clock.now += PAUSE_S
    together = Barrier(8)

    def allowed(_: int) -> bool:
        together.wait()
        return cooldown.allows_call()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(allowed, range(8))) == 1


def test_failed_trial_begins_a_whole_pause(cooldown: Cooldown, clock: Clock) -> None:
    """Counted from its failure, not from its beginning."""
    cooldown.start()
    clock.now += PAUSE_S
    cooldown.allows_call()
    clock.now += PAUSE_S / 2
    cooldown.start()

    clock.now += PAUSE_S * 0.9

    assert not cooldown.allows_call()


def test_success_allows_all_calls_again(cooldown: Cooldown, clock: Clock) -> None:
    """Nobody has to restart anything."""
    cooldown.start()
    clock.now += PAUSE_S
    cooldown.allows_call()

    cooldown.end()

    assert [cooldown.allows_call() for _ in range(3)] == [True] * 3
    assert not cooldown.is_started


@pytest.mark.parametrize(("ends_at", "running"), [(99.9, False), (100.0, False), (100.1, True), (120, True)])
def test_period_runs_until_its_end(ends_at: float, running: bool) -> None:
    """The moment of its end does not belong to it."""
    assert is_running(ends_at, now=100.0, longest_s=10) is running


def test_period_that_ends_too_far_ahead_is_ignored() -> None:
    """A host whose clock is a day ahead must not stop all calls for a day."""
    assert not is_running(120.1, now=100.0, longest_s=10)
