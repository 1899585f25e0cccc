"""List questions, alone and in the groups that ask the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from ragbot.core.answers import Source
from ragbot.storage.asked_questions import asked_questions
from ragbot.storage.message_rows import stored_source
from ragbot.storage.models import MessageRow
from ragbot.storage.question_counts import outcomes
from ragbot.storage.question_samples import samples_of, split_place
from ragbot.storage.question_selection import GROUP_KEY, LIKED, WORDLESS, Selection, number_of, row

messages: Any = MessageRow.__table__

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class AskedFacts:
    """Hold a question as it is kept. `cited` and `nearest` are sections as (path, headings).

    `answer` and `sources` are None without an answer to read: only a group's questions come with them, while
    the reader's session exists.
    """

    id: int
    asked_at: datetime
    group: int | None
    words: str | None
    language: str
    page: str
    edition: str | None
    mode: str
    outcome: str
    is_unsupported: bool
    degraded: bool
    model: str
    rating: str | None
    reason: str | None
    cited: tuple[Place, ...]
    nearest: tuple[Place, ...]
    cost_usd: float | None
    first_word_ms: float | None
    answer: str | None = None
    sources: tuple[Source, ...] | None = None


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """Describe questions that ask the same, all of them. `group` is None for one without a group yet."""

    group: int | None
    questions: int
    answered: int
    refused: int
    unsupported: int
    disliked: int
    liked: int
    first_asked_at: datetime
    last_asked_at: datetime
    examples: tuple[str, ...]
    sections: tuple[Place, ...]
    trend: tuple[int, ...]


def questions(
    connection: Connection, selection: Selection, *, limit: int, offset: int, group: int | None = None
) -> list[AskedFacts]:
    """Return some questions, newest first; those of one group with their answers, where there are any."""
    query = select(*row).where(*selection.conditions())
    if group is not None:
        answers = asked_questions.outerjoin(messages, messages.c.message_id == row.message_id)
        query = query.add_columns(messages.c.answer, messages.c.sources).select_from(answers)
        query = query.where(row.group_id == group)
    found = connection.execute(query.order_by(row.asked_at.desc(), row.id.desc()).limit(limit).offset(offset))
    return [_asked(one, *(one[-2:] if group is not None else (None, None))) for one in found]


def groups(
    connection: Connection, selection: Selection, *, limit: int, offset: int, group: int | None = None
) -> list[GroupFacts]:
    """Return some groups of questions with words, or one group, those with most questions first."""
    conditions = [*selection.conditions(), ~WORDLESS]
    if group is not None:
        conditions.append(row.group_id == group)
    query = (
        select(
            GROUP_KEY.label("key"),
            *outcomes(),
            number_of(LIKED).label("liked"),
            func.min(row.asked_at).label("first_asked_at"),
            func.max(row.asked_at).label("last_asked_at"),
        )
        .where(*conditions)
        .group_by(GROUP_KEY)
        .order_by(func.count().desc(), func.max(row.id).desc())
    )
    found = connection.execute(query.limit(limit).offset(offset)).all()
    samples = samples_of(connection, selection, [one.key for one in found])
    return [
        GroupFacts(
            group=one.key if one.key > 0 else None,
            **{name: one._mapping[name] for name in _COUNTED},
            examples=samples[one.key].examples,
            sections=samples[one.key].sections,
            trend=samples[one.key].trend,
        )
        for one in found
    ]


_COUNTED = (
    *("questions", "answered", "refused", "unsupported", "disliked", "liked"),
    *("first_asked_at", "last_asked_at"),
)


def _asked(one: Row[Any], answer: str | None, sources: Sequence[Any] | None) -> AskedFacts:
    return AskedFacts(
        id=one.id,
        asked_at=one.asked_at,
        group=one.group_id,
        words=one.words,
        language=one.language,
        page=one.page,
        edition=one.book_version,
        mode=one.mode,
        outcome=one.outcome,
        is_unsupported=one.sentences > 0 and not one.supported,
        degraded=one.degraded,
        model=one.model,
        rating=one.rating,
        reason=one.reason,
        cited=_places(one.cited),
        nearest=_places(one.nearest),
        cost_usd=one.cost_usd,
        first_word_ms=one.first_word_ms,
        answer=answer,
        sources=None if sources is None else tuple(map(stored_source, sources)),
    )


def _places(lines: str) -> tuple[Place, ...]:
    return tuple(map(split_place, lines.splitlines()))
