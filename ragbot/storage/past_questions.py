"""Questions with their answers as they were kept, to be asked again where nobody waits."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row, func, select

from ragbot.core.domain import Mode, Status
from ragbot.storage.database import Database
from ragbot.storage.models import EditionRow, MessageRow

messages = MessageRow.__table__
editions = EditionRow.__table__


@dataclass(frozen=True, slots=True)
class PastQuestion:
    """A question that was answered from an edition; `top_source` is the id of its first source's chunk."""

    message_id: str
    text: str
    top_source: str


class PastQuestions:
    """Kept questions of a database that is not served."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def questions(self, edition: str, limit: int) -> list[PastQuestion]:
        """The newest questions that an edition answered from the whole book, at most `limit`.

        Only those that began a session: what follows one is understood with what was said before.
        """
        first = select(func.min(messages.c.id)).group_by(messages.c.session_id)
        # An edition that took over the name of another one does not answer for it.
        since = select(editions.c.created_at).where(editions.c.name == edition).scalar_subquery()
        query = (
            select(messages.c.message_id, messages.c.query, messages.c.sources)
            .where(
                messages.c.id.in_(first),
                messages.c.status == str(Status.ANSWERED),
                messages.c.mode == str(Mode.FULL_BOOK),
                messages.c.book_version == edition,
                messages.c.created_at >= since,
            )
            .order_by(messages.c.id.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [_question(row) for row in rows if row.sources]


def _question(row: Row[tuple[object, ...]]) -> PastQuestion:
    return PastQuestion(row.message_id, row.query, str(row.sources[0]["id"]))
