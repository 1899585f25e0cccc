"""Select the backups to retain: the newest of each of the last days, weeks and months."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Retention:
    """Hold how many days, weeks and months keep their newest backup; 0 for none."""

    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    def __bool__(self) -> bool:
        return bool(self.daily or self.weekly or self.monthly)


def select_retained(taken: Collection[datetime], retention: Retention) -> set[datetime]:
    """Return the times of the backups to retain, the newest always among them.

    Days, weeks (from Monday) and months are in UTC. Only those that have a backup count: after a month
    without backups the last seven daily ones are still there.
    """
    newest_first = sorted(taken, reverse=True)
    retained = set(newest_first[:1])
    for count, period in (
        (retention.daily, datetime.date),
        (retention.weekly, lambda moment: moment.isocalendar()[:2]),
        (retention.monthly, lambda moment: (moment.year, moment.month)),
    ):
        retained |= _newest_of_each(newest_first, period, count)
    return retained


def _newest_of_each(
    newest_first: Collection[datetime], period: Callable[[datetime], Hashable], count: int
) -> set[datetime]:
    newest: dict[Hashable, datetime] = {}
    for moment in newest_first:
        if len(newest) < count:
            newest.setdefault(period(moment), moment)
    return set(newest.values())
