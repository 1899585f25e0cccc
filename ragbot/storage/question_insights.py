"""Find the gaps of a book: groups of questions that were refused, not supported or disliked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select

from ragbot.storage.asked_questions import asked_questions
from ragbot.storage.database import Database

_EXAMPLES = 5
_SECTIONS = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """Describe a group that wants an answer. `group` is None for a question that has no group yet.

    `examples` are the commonest wordings, `sections` the nearest ones as (path, headings), best first.
    `answered_since` counts answers without a complaint after the last question that had none.
    """

    group: int | None
    questions: int
    refused: int
    unsupported: int
    disliked: int
    answered_since: int
    first_asked_at: datetime
    last_asked_at: datetime
    examples: tuple[str, ...]
    sections: tuple[tuple[str, str], ...]


class QuestionInsights:
    """Read what was asked of one book. Examples that no reader asked are left out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def gaps(self, book: str, *, since: datetime) -> list[Gap]:
        """Return the gaps since a time, those with most questions first."""
        columns = [asked_questions.c[name] for name in _COLUMNS]
        query = select(*columns).where(
            asked_questions.c.book == book,
            asked_questions.c.asked_at >= since,
            asked_questions.c.is_example.is_(False),
        )
        with self._database.reading(no_time_limit=True) as connection:
            wanting = connection.execute(query.where(_wants_answer()).order_by(asked_questions.c.id)).all()
            groups = {row.group_id for row in wanting} - {None}
            answered = connection.execute(
                select(asked_questions.c.id, asked_questions.c.group_id).where(
                    asked_questions.c.book == book,
                    asked_questions.c.group_id.in_(
                        select(asked_questions.c.group_id).where(
                            asked_questions.c.book == book,
                            asked_questions.c.asked_at >= since,
                            asked_questions.c.is_example.is_(False),
                            _wants_answer(),
                        )
                    ),
                    asked_questions.c.outcome == "answered",
                    ~_wants_answer(),
                )
            ).all()
        later = [(row.id, row.group_id) for row in answered if row.group_id in groups]
        return sorted(_gaps(wanting, later), key=lambda gap: (-gap.questions, gap.examples))


_COLUMNS = (
    "id",
    "group_id",
    "asked_at",
    "words",
    "outcome",
    "rating",
    "sentences",
    "supported",
    "cited",
    "nearest",
)


def _wants_answer() -> ColumnElement[bool]:
    row = asked_questions.c
    unsupported = (row.sentences > 0) & (row.supported == 0)
    disliked = (row.rating == "down") & row.rating.is_not(None)
    return or_(row.outcome == "refused", unsupported, disliked)


def _gaps(wanting: Iterable[Row[Any]], answered: Iterable[tuple[int, int]]) -> Iterable[Gap]:
    groups: dict[object, list[Row[Any]]] = {}
    for row in wanting:
        # Without a group a question stands for itself.
        groups.setdefault(row.group_id or ("alone", row.id), []).append(row)
    last = {group: rows[-1].id for group, rows in groups.items()}
    since = Counter(group for number, group in answered if number > last[group])
    return [_gap(rows, since[rows[0].group_id]) for rows in groups.values()]


def _gap(rows: list[Row[Any]], answered_since: int) -> Gap:
    words = Counter(row.words for row in rows if row.words)
    sections = Counter(line for row in rows for line in (row.nearest or row.cited).splitlines())
    return Gap(
        group=rows[0].group_id,
        questions=len(rows),
        refused=sum(row.outcome == "refused" for row in rows),
        unsupported=sum(row.sentences > 0 and not row.supported for row in rows),
        disliked=sum(row.rating == "down" for row in rows),
        answered_since=answered_since,
        first_asked_at=rows[0].asked_at,
        last_asked_at=rows[-1].asked_at,
        examples=tuple(text for text, _ in words.most_common(_EXAMPLES)),
        sections=tuple(_split(line) for line, _ in sections.most_common(_SECTIONS)),
    )


def _split(line: str) -> tuple[str, str]:
    path, _, headings = line.partition("\t")
    return path, headings
