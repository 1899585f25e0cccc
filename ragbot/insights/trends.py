"""Follow what was asked from day to day, by language and page, and from one edition to the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from ragbot.storage.question_counts import Counted, EditionChange, FirstWord, Hour, Kinds
from ragbot.storage.question_insights import QuestionInsights
from ragbot.storage.question_selection import Selection

BUSIEST_PAGES = 10


@dataclass(frozen=True, slots=True)
class Numbers:
    """Count questions. `answered` are those that the book supports and nobody disliked."""

    questions: int = 0
    answered: int = 0
    refused: int = 0
    unsupported: int = 0
    disliked: int = 0
    cached: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Numbers) -> Numbers:
        """Return the numbers of both."""
        return Numbers(*(getattr(self, name) + getattr(other, name) for name in Numbers.__slots__))

    def share(self, count: float) -> float:
        """Return a count as a share of all questions; 0 without a question."""
        return count / self.questions if self.questions else 0.0


@dataclass(frozen=True, slots=True)
class Day:
    """Hold the numbers of one day (UTC)."""

    day: date
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Trends:
    """Hold the course of a time: in all, for each day, and by kinds.

    `before` has the numbers of as long a time before it; None if its questions are not all kept any more.
    `change` is None with one edition.
    """

    total: Numbers
    before: Numbers | None
    days: tuple[Day, ...]
    first_word: FirstWord
    kinds: Kinds
    pages: tuple[Counted, ...]
    change: EditionChange | None


def trends(insights: QuestionInsights, selection: Selection, now: datetime, *, kept: timedelta) -> Trends:
    """Return the course of the selected questions. They are kept for a time, `kept`."""
    end = min(selection.until or now, now)
    hours = insights.hours(selection)
    earlier = replace(selection, since=selection.since - (end - selection.since), until=selection.since)
    kinds = insights.kinds(selection)
    change = None
    if len(kinds.editions) > 1:
        newer, older = (counted.value for counted in kinds.editions[:2])
        change = insights.change(selection, newer=newer, older=older)
    return Trends(
        total=_total(hours),
        before=_total(insights.hours(earlier)) if earlier.since >= now - kept else None,
        days=tuple(days_of(hours, selection.since, end)),
        first_word=insights.first_word(selection),
        kinds=kinds,
        pages=tuple(insights.pages(selection, limit=BUSIEST_PAGES)),
        change=change,
    )


def days_of(hours: Sequence[Hour], since: datetime, until: datetime) -> Iterable[Day]:
    """Yield each day of a time, those without a question too."""
    by_day: dict[date, list[Hour]] = {}
    for hour in hours:
        by_day.setdefault(hour.asked_at.astimezone(UTC).date(), []).append(hour)
    first = since.astimezone(UTC).date()
    # What ends at midnight ends with the day before.
    last = (until.astimezone(UTC) - timedelta(microseconds=1)).date()
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        yield Day(day, _total(by_day.get(day, ())))


def _total(hours: Iterable[Hour]) -> Numbers:
    total = Numbers()
    for hour in hours:
        total += Numbers(*(getattr(hour, name) for name in Numbers.__slots__))
    return total
