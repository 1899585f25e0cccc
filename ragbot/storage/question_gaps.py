"""Find the gaps of a book: groups of questions that were refused, not supported or disliked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Subquery, exists, func, select

from ragbot.storage.asked_questions import asked_questions
from ragbot.storage.question_samples import samples_of
from ragbot.storage.question_selection import (
    DISLIKED,
    GROUP_KEY,
    REFUSED,
    UNSUPPORTED,
    WANTS_ANSWER,
    WORDLESS,
    Selection,
    is_fine,
    number_of,
    row,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """Describe a group that wants an answer. `group` is None for a question that has no group yet.

    `examples` are the commonest wordings, `sections` the nearest ones as (path, headings), best first.
    `answered_since` counts answers without a complaint after the last question that had none. `trend` counts
    the questions in equal parts of the time, oldest first.
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
    trend: tuple[int, ...]


def gaps(
    connection: Connection, selection: Selection, *, limit: int, offset: int, group: int | None = None
) -> list[Gap]:
    """Return some of the gaps, or that of one group, those with most questions first."""
    conditions = [*selection.conditions(), WANTS_ANSWER, ~WORDLESS]
    if group is not None:
        conditions.append(row.group_id == group)
    wanting = _wanting(conditions, limit, offset)
    answered = _answered_after(wanting)
    found = connection.execute(
        select(wanting, answered.label("answered_since")).order_by(
            wanting.c.questions.desc(), wanting.c.last.desc()
        )
    ).all()
    samples = samples_of(connection, selection, [one.key for one in found], WANTS_ANSWER)
    return [
        Gap(
            group=one.key if one.key > 0 else None,
            questions=one.questions,
            refused=one.refused,
            unsupported=one.unsupported,
            disliked=one.disliked,
            answered_since=one.answered_since,
            first_asked_at=one.first_asked_at,
            last_asked_at=one.last_asked_at,
            examples=samples[one.key].examples,
            sections=samples[one.key].sections,
            trend=samples[one.key].trend,
        )
        for one in found
    ]


def open_gaps(connection: Connection, since: datetime) -> dict[str, int]:
    """Count the gaps of each book without an answer after their last question."""
    conditions = [row.asked_at >= since, WANTS_ANSWER, ~WORDLESS]
    wanting = (
        select(GROUP_KEY.label("key"), row.book, func.max(row.id).label("last"))
        .where(*conditions)
        .group_by(GROUP_KEY, row.book)
        .subquery()
    )
    later = asked_questions.alias("later")
    closed = exists().where(later.c.group_id == wanting.c.key, later.c.id > wanting.c.last, is_fine(later.c))
    query = select(wanting.c.book, func.count().label("gaps")).where(~closed).group_by(wanting.c.book)
    return {one.book: one.gaps for one in connection.execute(query)}


def _wanting(conditions: Sequence[ColumnElement[bool]], limit: int, offset: int) -> Subquery:
    last = func.max(row.id).label("last")
    count = func.count().label("questions")
    return (
        select(
            GROUP_KEY.label("key"),
            last,
            count,
            number_of(REFUSED).label("refused"),
            number_of(UNSUPPORTED).label("unsupported"),
            number_of(DISLIKED).label("disliked"),
            func.min(row.asked_at).label("first_asked_at"),
            func.max(row.asked_at).label("last_asked_at"),
        )
        .where(*conditions)
        .group_by(GROUP_KEY)
        .order_by(count.desc(), last.desc())
        .limit(limit)
        .offset(offset)
        .subquery()
    )


def _answered_after(wanting: Subquery) -> ColumnElement[int]:
    later = asked_questions.alias("later")
    return (
        select(func.count())
        .where(later.c.group_id == wanting.c.key, later.c.id > wanting.c.last, is_fine(later.c))
        .scalar_subquery()
    )
