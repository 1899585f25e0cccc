"""Lay out the charts of the insights: where each bar, point and square is drawn. The templates draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ragbot.insights.book_map import MappedPage
from ragbot.insights.trends import Day, Numbers

# Units of the drawing, which is scaled to the width of the page.
WIDTH, HEIGHT = 720, 160
# More bars than these could not be told apart, and shares of few questions jump: days are put together then.
MOST_BARS, MOST_SHARES = 92, 14
STRIP_ROW = 22
SPARK_WIDTH, SPARK_HEIGHT = 80, 20


@dataclass(frozen=True, slots=True)
class Period:
    """Hold the numbers of some days that follow each other."""

    first: date
    last: date
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Bar:
    """Place the bar of a period: below what was answered, above the rest."""

    x: float
    width: float
    rest_y: float
    rest_height: float
    answered_y: float
    answered_height: float
    period: Period


@dataclass(frozen=True, slots=True)
class BarChart:
    """Hold bars, and the number of questions that the height stands for."""

    bars: tuple[Bar, ...]
    highest: int


@dataclass(frozen=True, slots=True)
class LineChart:
    """Hold the points of each line by its name, and the share that the height stands for."""

    lines: tuple[tuple[str, str], ...]
    highest: float


@dataclass(frozen=True, slots=True)
class Square:
    """Place the square of a page in a heat strip; the more it counts, the more opaque it is."""

    x: float
    width: float
    opacity: float
    count: int
    title: str


@dataclass(frozen=True, slots=True)
class StripRow:
    """Hold a row of the heat strip with a square for each page that counts something."""

    name: str
    y: int
    highest: int
    squares: tuple[Square, ...]


def periods(days: Sequence[Day], most: int) -> list[Period]:
    """Put days together so that there are at most so many periods; each but the last has as many days."""
    each = math.ceil(len(days) / most) or 1
    found = []
    for start in range(0, len(days), each):
        part = days[start : start + each]
        numbers = sum((day.numbers for day in part), Numbers())
        found.append(Period(part[0].day, part[-1].day, numbers))
    return found


def bar_chart(found: Sequence[Period]) -> BarChart:
    """Return a bar for each period, the answered questions below the others."""
    highest = max((period.numbers.questions for period in found), default=0)
    step = WIDTH / max(1, len(found))
    bars = []
    for number, period in enumerate(found):
        whole = HEIGHT * period.numbers.questions / (highest or 1)
        answered = HEIGHT * period.numbers.answered / (highest or 1)
        bars.append(
            Bar(
                x=round(number * step, 2),
                width=round(step * 0.82, 2),
                rest_y=round(HEIGHT - whole, 2),
                rest_height=round(whole - answered, 2),
                answered_y=round(HEIGHT - answered, 2),
                answered_height=round(answered, 2),
                period=period,
            )
        )
    return BarChart(tuple(bars), highest)


def share_lines(found: Sequence[Period], names: Sequence[str]) -> LineChart:
    """Return a line for each name: the share that this number has of each period's questions.

    A period without a question has no point.
    """
    asked = [(number, period.numbers) for number, period in enumerate(found) if period.numbers.questions]
    shares = {name: [one.share(getattr(one, name)) for _, one in asked] for name in names}
    top = max((share for line in shares.values() for share in line), default=0.0)
    highest = max(1, math.ceil(top * 10)) / 10
    step = WIDTH / max(1, len(found))
    places = [round((number + 0.41) * step, 1) for number, _ in asked]
    lines = {
        name: " ".join(
            f"{x},{HEIGHT * (1 - share / highest):.1f}" for x, share in zip(places, line, strict=True)
        )
        for name, line in shares.items()
    }
    return LineChart(tuple(lines.items()), highest)


def heat_strip(pages: Sequence[MappedPage]) -> list[StripRow]:
    """Return the rows of the strip, a square for each page in reading order; the darkest has the most."""
    rows = (("asked from", "asked"), ("cited", "cited"), ("no answer near", "near"), ("disliked", "disliked"))
    step = WIDTH / max(1, len(pages))
    strip = []
    for number, (name, field) in enumerate(rows):
        counts = [getattr(page, field) for page in pages]
        highest = max(counts, default=0)
        squares = tuple(
            # The root lets a few be seen next to many.
            Square(
                x=round(place * step, 2),
                width=round(step * 0.9, 2),
                opacity=round(math.sqrt(count / highest), 2),
                count=count,
                title=page.title,
            )
            for place, (page, count) in enumerate(zip(pages, counts, strict=True))
            if count
        )
        strip.append(StripRow(name, number * STRIP_ROW, highest, squares))
    return strip


def spark_line(counts: Sequence[int]) -> str:
    """Return the points of a small line over counts."""
    highest = max(counts, default=0) or 1
    step = SPARK_WIDTH / max(1, len(counts) - 1)
    return " ".join(
        f"{number * step:.1f},{SPARK_HEIGHT - 1 - (SPARK_HEIGHT - 2) * count / highest:.1f}"
        for number, count in enumerate(counts)
    )
