"""Test which backups are retained and which deleted, over the years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ragbot.backup.retention import Retention, select_retained

NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)  # a Wednesday


def nightly(days: int) -> list[datetime]:
    """Return times at 02:00 of this and each of the days before it, newest first."""
    return [NOON.replace(hour=2) - timedelta(days=ago) for ago in range(days)]


def dates(moments: set[datetime]) -> list[str]:
    return [f"{moment:%Y-%m-%d}" for moment in sorted(moments, reverse=True)]


def test_a_year_of_nights_leaves_days_weeks_and_months() -> None:
    """Sundays stand for their weeks, and last days for their months."""
    stay = select_retained(nightly(400), Retention(daily=3, weekly=3, monthly=3))

    assert dates(stay) == [
        "2026-03-18",
        "2026-03-17",
        "2026-03-16",
        "2026-03-15",
        "2026-03-08",
        "2026-02-28",
        "2026-01-31",
    ]


def test_of_several_in_a_day_the_newest_stays() -> None:
    """A nervous operator makes one before each deployment."""
    morning, noon = NOON.replace(hour=2), NOON

    assert select_retained([noon, morning], Retention(daily=7)) == {noon}


def test_days_without_a_backup_use_up_none_of_the_days() -> None:
    """After a month's silence the backups from before are all there is."""
    old = [moment - timedelta(days=60) for moment in nightly(5)]

    assert select_retained([NOON, *old], Retention(daily=4)) == {NOON, *old[:3]}


@pytest.mark.parametrize("retention", [Retention(), Retention(daily=0, weekly=0, monthly=0)])
def test_newest_stays_whatever_is_said(retention: Retention) -> None:
    """No option may leave a service without any."""
    assert select_retained(nightly(10), retention) == {nightly(1)[0]}


def test_weeks_begin_on_monday_and_may_span_years() -> None:
    """The first days of January belong to the last week of the year before."""
    new_year = [datetime(2027, 1, day, tzinfo=UTC) for day in (1, 3)]
    december = datetime(2026, 12, 29, tzinfo=UTC)

    assert select_retained([*new_year, december], Retention(weekly=1)) == {new_year[1]}


def test_nothing_is_retained_of_nothing() -> None:
    """A storage may be empty."""
    assert select_retained([], Retention(daily=7)) == set()


@pytest.mark.parametrize("count", [1, 2, 7, 31])
def test_thinning_out_each_night_is_as_thinning_out_once(count: int) -> None:
    """What one night deleted must not be missed by a later one."""
    retention = Retention(daily=count, weekly=4, monthly=3)
    every = nightly(200)

    left: set[datetime] = set()
    for moment in reversed(every):
        left = select_retained({*left, moment}, retention)

    assert left == select_retained(every, retention)
