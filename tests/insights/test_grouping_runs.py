"""Test that questions are grouped by one process at a time, and daily, over shared states."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ragbot.core.errors import DatabaseUnavailable
from ragbot.insights.grouping_runs import EVERY_S, LEASE_S, RETRY_S, GroupingRuns
from ragbot.storage.keyvalue.shared_state import InProcessSharedState
from tests.storage.keyvalue.stores import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def states(clock: Clock) -> InProcessSharedState:
    return InProcessSharedState(clock=clock)


def test_second_run_waits_for_no_first_one(states: InProcessSharedState) -> None:
    """A report that comes while the daily run is on must not create its groups again."""
    others: list[int | None] = []
    second = GroupingRuns(states, lambda _goes_on: 1)

    def group(_goes_on: Callable[[], bool]) -> int:
        others.append(second.run())
        return 5

    assert GroupingRuns(states, group).run() == 5
    assert others == [None]
    assert second.run() == 1


def test_run_goes_on_while_its_lease_is_renewed(states: InProcessSharedState, clock: Clock) -> None:
    """Each batch renews it, however long all of them take; one that lost it ends."""
    second = GroupingRuns(states, lambda _goes_on: 1)
    seen: list[object] = []

    def group(goes_on: Callable[[], bool]) -> int:
        for _ in range(3):
            clock.now += LEASE_S * 0.9
            seen.append(goes_on())
        seen.append(second.run())
        clock.now += LEASE_S * 1.1
        seen.append(GroupingRuns(states, lambda other: other() and not goes_on()).run())
        return 0

    GroupingRuns(states, group).run()

    assert seen == [True, True, True, None, True]


def test_crashed_run_gives_way_in_time(states: InProcessSharedState, clock: Clock) -> None:
    """A process that was killed releases nothing."""

    def killed(_goes_on: Callable[[], bool]) -> int:
        raise SystemExit

    states.change("question_grouping_lease", lambda _state: {"by": "killed"}, LEASE_S)
    runs = GroupingRuns(states, lambda _goes_on: 1)

    assert runs.run() is None
    clock.now += LEASE_S * 1.1
    assert runs.run() == 1
    with pytest.raises(SystemExit):
        GroupingRuns(states, killed).run()
    assert runs.run() == 1


def test_day_counts_as_done_when_its_run_has_ended_well(states: InProcessSharedState, clock: Clock) -> None:
    """One that fails is tried again some minutes later, and not a day."""
    runs = 0
    fails = True

    def group(_goes_on: Callable[[], bool]) -> int:
        nonlocal runs
        runs += 1
        if fails:
            raise DatabaseUnavailable("away")
        return 0

    daily = GroupingRuns(states, group)
    with pytest.raises(DatabaseUnavailable):
        daily.run_daily()
    fails = False
    daily.run_daily()
    assert runs == 1
    clock.now += RETRY_S * 1.01
    daily.run_daily()
    daily.run_daily()
    assert runs == 2

    clock.now += EVERY_S * 1.01
    daily.run_daily()
    assert runs == 3


def test_day_is_not_done_while_another_process_groups(states: InProcessSharedState) -> None:
    """The report's run may have begun before the last questions came."""
    daily = GroupingRuns(states, lambda _goes_on: 1)
    runs = []

    def report(_goes_on: Callable[[], bool]) -> int:
        daily.run_daily()
        return 0

    GroupingRuns(states, report).run()
    GroupingRuns(states, lambda _goes_on: runs.append(1) or 0).run_daily()

    assert runs == [1]
