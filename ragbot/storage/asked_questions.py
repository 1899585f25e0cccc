"""Keep what readers asked, masked and apart from their sessions, for the author's insights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Select,
    bindparam,
    cast,
    delete,
    insert,
    select,
    update,
)

from ragbot.core.answers import Answer, Question, QuestionEmbedding, Source, Status
from ragbot.core.languages import foreign_language
from ragbot.core.text import cleaned
from ragbot.storage.models import AskedQuestionRow, QuestionGroupRow

asked_questions: Any = AskedQuestionRow.__table__
question_groups: Any = QuestionGroupRow.__table__

# A page's path is kept up to this length; longer ones are made by programs.
_LONGEST_PAGE = 300
_NEAREST_SECTIONS = 5
# A full table is pruned in parts, each of which is one statement.
_PRUNED_AT_ONCE = 5_000

_COLUMNS = [column for column in asked_questions.columns if column.name != "id"]
_RATE = (
    update(asked_questions)
    .where(asked_questions.c.message_id == bindparam("rated"))
    .values(rating=bindparam("new_rating"), reason=bindparam("new_reason"))
)


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """Hold a question as it came, with the milliseconds to the first word and its embedding, if known."""

    question: Question
    first_word_ms: float | None = None
    embedding: QuestionEmbedding | None = None


class AskedQuestionWriter:
    """Make and change rows, in transactions of the caller's. With `days` of 0 nothing is kept.

    `mask` is applied to words before they are written; without `keeps_words` neither words nor vectors are.
    """

    def __init__(
        self, *, days: int, keeps_words: bool = True, mask: Callable[[str], str] = lambda text: text
    ) -> None:
        self._days = days
        self._keeps_words = keeps_words
        self._mask = mask

    def values(
        self, message_id: str, asked: AskedQuestion, answer: Answer, now: datetime
    ) -> dict[str, Any] | None:
        """Return the row of a question that has its answer; None if nothing is kept."""
        return self._values(message_id, asked, answer, now) if self._days else None

    def rate(self, connection: Connection, message_id: str, rating: str, comment: str | None) -> None:
        """Keep the rating of an answer, with its reason."""
        if self._days:
            reason = self._mask(comment) if comment and self._keeps_words else None
            connection.execute(_RATE, {"rated": message_id, "new_rating": rating, "new_reason": reason})

    def delete_of(self, connection: Connection, message_ids: Select[Any]) -> None:
        """Delete the rows of some messages, also if nothing new is kept any more."""
        theirs = asked_questions.c.message_id.in_(message_ids)
        groups = set(connection.scalars(select(asked_questions.c.group_id).where(theirs))) - {None}
        connection.execute(delete(asked_questions).where(theirs))
        _delete_empty_groups(connection, question_groups.c.id.in_(groups))

    def prune(self, connection: Connection, now: datetime) -> int:
        """Delete rows that are older than the days, and groups without a question. Returns how many rows."""
        too_old = asked_questions.c.asked_at < now - timedelta(days=self._days)
        where = [too_old] if self._days else []
        some = select(asked_questions.c.id).where(*where).limit(_PRUNED_AT_ONCE)
        deleted = 0
        while gone := connection.execute(
            delete(asked_questions).where(asked_questions.c.id.in_(some.scalar_subquery()))
        ).rowcount:
            deleted += gone
        if deleted:
            _delete_empty_groups(connection)
        return deleted

    def _values(self, message_id: str, asked: AskedQuestion, answer: Answer, now: datetime) -> dict[str, Any]:
        question, words, grounding = asked.question, None, answer.grounding
        embedding = None
        if self._keeps_words:
            words = self._mask(cleaned(question.text))
            # A vector can be turned back into words: that of words that were masked is not kept.
            embedding = asked.embedding if words == question.text else None
        return {
            "message_id": message_id,
            "asked_at": now.replace(minute=0, second=0, microsecond=0),
            "book": answer.book,
            "book_version": answer.book_version or None,
            "words": words,
            "language": foreign_language(question.text, ""),
            # Part by part: numbered parts in a row look like a key.
            "page": "/".join(map(self._mask, page_path(question.page_url).split("/"))),
            "mode": str(question.mode),
            "outcome": str(answer.status),
            "degraded": bool(answer.degraded),
            "model": answer.model,
            "cited": places(source for source in answer.sources if source.cited),
            "nearest": places(answer.sources[:_NEAREST_SECTIONS]) if _is_wanting(answer) else "",
            "sentences": grounding.sentences if grounding else 0,
            "supported": grounding.supported if grounding else 0,
            "cache": answer.cache,
            "cost_usd": answer.usage.cost_usd,
            "first_word_ms": asked.first_word_ms,
            "rating": None,
            "reason": None,
            "embedder": embedding.embedder if embedding else None,
            "vector": packed(embedding.vector) if embedding else None,
            "group_id": None,
        }


def conditional_insert(dialect: str, condition: ColumnElement[bool]) -> Insert:
    """Return the statement that inserts a row, its values by their columns' names, if a condition holds."""
    binds = (bindparam(column.name, type_=column.type) for column in _COLUMNS)
    # PostgreSQL takes a bare value in a SELECT for a text. (SQLite takes a time that is cast for a number.)
    casts = dialect == "postgresql"
    values = [cast(bind, bind.type) if casts else bind for bind in binds]
    return insert(asked_questions).from_select(
        [column.name for column in _COLUMNS], select(*values).where(condition), include_defaults=False
    )


def _delete_empty_groups(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Delete groups without a question: their vectors would outlive it."""
    used = select(asked_questions.c.id).where(asked_questions.c.group_id == question_groups.c.id)
    connection.execute(delete(question_groups).where(~used.exists(), *which))


def _is_wanting(answer: Answer) -> bool:
    """Return whether nothing is cited, so that the sections that were found tell where an answer belongs."""
    return answer.status is Status.REFUSED or not any(source.cited for source in answer.sources)


def places(sources: Iterable[Source]) -> str:
    """Return the sections of sources, each once, as lines: the page's path, a tab, and the headings."""
    lines = (place(source.path, source.heading_path) for source in sources)
    return "\n".join(dict.fromkeys(lines))


def place(path: str, heading_path: Sequence[str]) -> str:
    """Return one section as a line."""
    headings = " > ".join(" ".join(heading.split()) for heading in heading_path)
    return f"{' '.join(path.split())}\t{headings}"


def page_path(url: str | None) -> str:
    """Return the path of a page's address as it is read: what is before and behind it may tell who reads."""
    try:
        return cleaned(unquote(urlsplit(url or "").path))[:_LONGEST_PAGE]
    except ValueError:
        return ""


def packed(vector: Sequence[float]) -> bytes:
    """Return a vector's direction with a byte for each number, in steps of the largest one."""
    import numpy as np

    numbers = np.asarray(vector, dtype=np.float64)
    largest = float(np.abs(numbers).max(initial=0.0)) or 1.0
    return bytes(np.rint(numbers * (127 / largest)).astype(np.int8))
