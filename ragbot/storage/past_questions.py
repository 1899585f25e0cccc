"""Read stored questions with their answers, so that a restore drill can ask them again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Row, func, select

from ragbot.core.answers import EXTRACTIVE, Mode, Status
from ragbot.core.domain import EditionFacts
from ragbot.core.languages import foreign_language
from ragbot.storage.database import Database
from ragbot.storage.models import EditionRow, MessageRow

# How many of the newest are looked through for each that is wanted.
LOOKED_THROUGH = 20

messages = MessageRow.__table__
editions = EditionRow.__table__


@dataclass(frozen=True, slots=True)
class PastQuestion:
    """Hold a question that was answered; `top_source` is the chunk id of its first source."""

    message_id: str
    text: str
    top_source: str
    without_model: bool


def past_questions(database: Database, edition: EditionFacts, limit: int) -> list[PastQuestion]:
    """Return the newest questions that an edition answered from the whole book, at most `limit`.

    Only the first question of each session: a later one depends on those before. And only in the book's
    language: what was asked in another one was found by vectors and answered by a model alone.
    """
    first = select(func.min(messages.c.id)).group_by(messages.c.session_id)
    # The answers of another edition that had the same name before are left out.
    since = select(editions.c.created_at).where(editions.c.key == edition.key).scalar_subquery()
    query = (
        select(messages.c.message_id, messages.c.query, messages.c.sources, messages.c.model)
        .where(
            messages.c.id.in_(first),
            messages.c.status == str(Status.ANSWERED),
            messages.c.mode == str(Mode.FULL_BOOK),
            messages.c.book == edition.book,
            messages.c.book_version == edition.name,
            messages.c.created_at >= since,
        )
        .order_by(messages.c.id.desc())
        .limit(limit * LOOKED_THROUGH)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    asked_in_it = (row for row in rows if not foreign_language(row.query, edition.language))
    return list(islice((_question(row) for row in asked_in_it if row.sources), limit))


def _question(row: Row[tuple[object, ...]]) -> PastQuestion:
    return PastQuestion(row.message_id, row.query, str(row.sources[0]["id"]), row.model == EXTRACTIVE)
