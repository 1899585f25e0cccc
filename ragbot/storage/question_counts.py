"""Count what was asked: by the hour, language, page and edition, and by the sections of the book."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, Label, Row, cast, func, select

from ragbot.storage.question_samples import of_keys, split_place, wordings
from ragbot.storage.question_selection import (
    DISLIKED,
    IS_FINE,
    REFUSED,
    UNSUPPORTED,
    WANTS_ANSWER,
    Selection,
    number_of,
    row,
)

_CLOSED_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Hour:
    """Count the questions of one hour. `answered` are those that nobody minded and the book supports."""

    asked_at: datetime
    questions: int
    answered: int
    refused: int
    unsupported: int
    disliked: int
    cached: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Counted:
    """Count the questions with one value, such as a language."""

    value: str
    questions: int
    answered: int
    refused: int
    unsupported: int
    disliked: int


@dataclass(frozen=True, slots=True)
class Kinds:
    """Count the questions of each language, the commonest first, and of each edition, the newest first."""

    languages: tuple[Counted, ...]
    editions: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class FirstWord:
    """Hold how many milliseconds half of the readers, and 19 of 20, waited at most; None if nobody did."""

    median_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class PlaceCounts:
    """Count for one section how often it was cited, cited by a disliked answer, and near a missing one."""

    path: str
    headings: str
    cited: int
    disliked: int
    near: int


@dataclass(frozen=True, slots=True)
class EditionChange:
    """Count the gaps of an older edition by what the newer one does with their questions.

    `closed` are answered now and want nothing, `open` still want an answer, `silent` were not asked again.
    `new` want one since the newer edition only. `examples` are wordings of those that are closed.
    """

    newer: str
    older: str
    closed: int
    open: int
    silent: int
    new: int
    examples: tuple[str, ...]


def hours(connection: Connection, selection: Selection) -> list[Hour]:
    """Return the numbers of each hour, oldest first."""
    query = select(
        row.asked_at,
        *outcomes(),
        number_of(row.cache == "hit").label("cached"),
        func.coalesce(func.sum(row.cost_usd), 0.0).label("cost_usd"),
    )
    found = connection.execute(
        query.where(*selection.conditions()).group_by(row.asked_at).order_by(row.asked_at)
    )
    return [Hour(**one._mapping) for one in found]


def pages(connection: Connection, selection: Selection, *, limit: int | None) -> list[Counted]:
    """Return the questions from each page, the busiest first; those that came without a page are left out."""
    query = select(row.page.label("value"), *outcomes()).where(*selection.conditions(), row.page != "")
    query = query.group_by(row.page).order_by(func.count().desc(), row.page)
    return [
        Counted(**one._mapping) for one in connection.execute(query if limit is None else query.limit(limit))
    ]


def kinds(connection: Connection, selection: Selection, newest: Sequence[str] = ()) -> Kinds:
    """Return the questions of each language and of each edition, in one pass.

    `newest` are the names of the book's editions, newest first. Editions that are not stored any more stand
    behind them, first the one whose first question came last.
    """
    query = select(row.language, row.book_version, *outcomes())
    query = query.where(*selection.conditions()).group_by(row.language, row.book_version)
    found = connection.execute(query.order_by(func.min(row.id).desc())).all()
    languages, editions = dict[str, Counted](), dict[str, Counted]()
    for one in found:
        if one.language:
            languages[one.language] = added(languages.get(one.language), one.language, one)
        if one.book_version:
            editions[one.book_version] = added(editions.get(one.book_version), one.book_version, one)
    places = {name: place for place, name in enumerate(newest)}
    return Kinds(
        tuple(sorted(languages.values(), key=lambda counted: -counted.questions)),
        tuple(sorted(editions.values(), key=lambda counted: places.get(counted.value, len(places)))),
    )


def first_word(connection: Connection, selection: Selection) -> FirstWord:
    """Return the median and the 95th percentile of the time to the first word, to ten milliseconds."""
    # SQLite sorts integers in two thirds of the time that it takes for other numbers.
    tens = cast(func.round(row.first_word_ms / 10), Integer)
    query = select(tens, func.count()).where(*selection.conditions(), row.first_word_ms.is_not(None))
    rows = connection.execute(query.group_by(tens).order_by(tens))
    found = [(float(one[0]) * 10, int(one[1])) for one in rows]
    whole = sum(count for _, count in found)
    return FirstWord(_percentile(found, whole * 50 / 100), _percentile(found, whole * 95 / 100))


def _percentile(found: Sequence[tuple[float, int]], rank: float) -> float | None:
    """Return the first of some counted values up to which there are so many; None if there are none."""
    passed = 0
    for value, count in found:
        passed += count
        if passed >= rank:
            return value
    return None


def places_of(connection: Connection, selection: Selection) -> Sequence[PlaceCounts]:
    """Return the numbers of each section that was cited or near, in no order."""
    conditions = selection.conditions()
    cited, disliked, near = Counter[str](), Counter[str](), Counter[str]()
    lists = select(row.cited, func.count(), number_of(DISLIKED)).where(*conditions, row.cited != "")
    for lines, count, down in connection.execute(lists.group_by(row.cited)):
        for line in lines.splitlines():
            cited[line] += count
            disliked[line] += down
    lists = select(row.nearest, func.count()).where(*conditions, row.nearest != "", WANTS_ANSWER)
    for lines, count in connection.execute(lists.group_by(row.nearest)):
        for line in lines.splitlines():
            near[line] += count
    return [
        PlaceCounts(*split_place(line), cited[line], disliked[line], near[line])
        for line in dict.fromkeys((*cited, *near))
    ]


def change(connection: Connection, selection: Selection, *, newer: str, older: str) -> EditionChange:
    """Return what became of the gaps of an older edition."""
    of_newer, of_older = row.book_version == newer, row.book_version == older
    wanted = number_of(of_older & WANTS_ANSWER)
    wants, fine = number_of(of_newer & WANTS_ANSWER), number_of(of_newer & IS_FINE)
    conditions = [*selection.conditions(), row.group_id.is_not(None), of_newer | of_older]
    query = select(
        row.group_id, wanted.label("wanted"), wants.label("wants"), fine.label("fine"), func.count()
    ).where(*conditions)
    groups = connection.execute(query.group_by(row.group_id).order_by(func.count().desc())).all()
    closed = [one.group_id for one in groups if one.wanted and one.fine and not one.wants]
    shown = closed[:_CLOSED_EXAMPLES]
    sampled = [*selection.conditions_within_groups(), of_newer | of_older, of_keys(shown)]
    examples = wordings(connection, sampled, 1)
    return EditionChange(
        newer=newer,
        older=older,
        closed=len(closed),
        open=sum(1 for one in groups if one.wanted and one.wants),
        silent=sum(1 for one in groups if one.wanted and not one.wants and not one.fine),
        new=sum(1 for one in groups if one.wants and not one.wanted),
        examples=tuple(examples[group][0] for group in shown if examples.get(group)),
    )


def added(counted: Counted | None, value: str, one: Row[Any]) -> Counted:
    """Add the numbers of a row of `outcomes` to those of a value; None stands for none."""
    before = counted or Counted(value, 0, 0, 0, 0, 0)
    return Counted(value, *(getattr(before, name) + one._mapping[name] for name in Counted.__slots__[1:]))


def outcomes() -> list[Label[int]]:
    """Return the columns that count a group of rows as `Counted` has it."""
    return [
        func.count().label("questions"),
        number_of(IS_FINE).label("answered"),
        number_of(REFUSED).label("refused"),
        number_of(UNSUPPORTED).label("unsupported"),
        number_of(DISLIKED).label("disliked"),
    ]
