"""Which backups stay: the newest of each of the last days, weeks and months."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days, weeks and months keep their newest backup; 0 for none of them."""

    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    def __bool__(self) -> bool:
        return bool(self.daily or self.weekly or self.monthly)


def select_retained(taken: Collection[datetime], retention: Retention) -> set[datetime]:
    """Those moments whose backups stay. The newest always does.

    Days, weeks (from Monday) and months are those of UTC, and only such count as have a backup: after
    a month of silence the seven daily ones are still there.
    """
    newest_first = sorted(taken, reverse=True)
    stay = set(newest_first[:1])
    for count, period in (
        (retention.daily, _day),
        (retention.weekly, _week),
        (retention.monthly, _month),
    ):
        stay |= _newest_of_each(newest_first, period, count)
    return stay


def _newest_of_each(
    newest_first: Collection[datetime], period: Callable[[datetime], Hashable], count: int
) -> set[datetime]:
    newest: dict[Hashable, datetime] = {}
    for moment in newest_first:
        if len(newest) < count:
            newest.setdefault(period(moment), moment)
    return set(newest.values())


def _day(moment: datetime) -> Hashable:
    return moment.date()


def _week(moment: datetime) -> Hashable:
    return moment.isocalendar()[:2]


def _month(moment: datetime) -> Hashable:
    return moment.year, moment.month
