"""Read the questions that have no group yet, and store the groups that they are put into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from ragbot.storage.asked_questions import asked_questions, question_groups
from ragbot.storage.database import Database

_READ_AT_ONCE = 5_000
_JOIN = (
    update(asked_questions)
    .where(asked_questions.c.id == bindparam("question"))
    .values(group_id=bindparam("group"), vector=None, embedder=None)
)
_GROW = (
    update(question_groups)
    .where(question_groups.c.id == bindparam("group"))
    .values(centroid=bindparam("new_centroid"), members=bindparam("new_members"))
)


@dataclass(frozen=True, slots=True)
class UngroupedQuestion:
    """Hold a question without a group. `vector` is packed; None, as `embedder`, if it has none."""

    id: int
    book: str
    words: str
    language: str
    embedder: str | None
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """Hold a group; `id` is None before it is stored. `centroid` is the sum of its members' unit vectors."""

    id: int | None
    centroid: bytes
    members: int


class QuestionGroupStore:
    """Store groups. One writer at a time: a group that two create is there twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ungrouped(self, after: int, limit: int) -> list[UngroupedQuestion]:
        """Return the oldest questions with words and without a group, from an id on."""
        columns = [asked_questions.c[name] for name in UngroupedQuestion.__slots__]
        query = (
            select(*columns)
            .where(
                asked_questions.c.id > after,
                asked_questions.c.group_id.is_(None),
                asked_questions.c.words.is_not(None),
            )
            .order_by(asked_questions.c.id)
            .limit(limit)
        )
        with self._database.reading(no_time_limit=True) as connection:
            return [UngroupedQuestion(*row) for row in connection.execute(query)]

    def largest(self, book: str, space: str, *, limit: int) -> list[StoredGroup]:
        """Return the groups with most members, the newest first among equals."""
        query = (
            select(question_groups.c.id, question_groups.c.centroid, question_groups.c.members)
            .where(
                question_groups.c.book == book,
                question_groups.c.space == space,
            )
            .order_by(question_groups.c.members.desc(), question_groups.c.id.desc())
            .limit(limit)
        )
        with self._database.reading(no_time_limit=True) as connection:
            return [StoredGroup(*row) for row in connection.execute(query)]

    def grouped_words(self) -> Iterator[tuple[str, str, int]]:
        """Yield book, words and group of every question that has one."""
        columns = ("id", "book", "words", "group_id")
        query = (
            select(*(asked_questions.c[name] for name in columns))
            .where(asked_questions.c.group_id.is_not(None), asked_questions.c.words.is_not(None))
            .order_by(asked_questions.c.id)
            .limit(_READ_AT_ONCE)
        )
        last = 0
        while True:
            with self._database.reading(no_time_limit=True) as connection:
                rows = connection.execute(query.where(asked_questions.c.id > last)).all()
            for row in rows:
                yield row.book, row.words, row.group_id
            if len(rows) < _READ_AT_ONCE:
                return
            last = rows[-1].id

    def join(self, joined: Sequence[tuple[int, int]]) -> None:
        """Put questions, by their ids, into groups that are stored."""
        if joined:
            with self._database.writing(no_time_limit=True) as connection:
                connection.execute(_JOIN, [{"question": one, "group": group} for one, group in joined])

    def store(
        self,
        book: str,
        space: str,
        groups: Sequence[StoredGroup],
        members: Iterable[Sequence[int]],
    ) -> list[int]:
        """Store new groups and changed ones, and what is in them, in one transaction. Returns their ids."""
        ids = []
        with self._database.writing(no_time_limit=True) as connection:
            for group in groups:
                if group.id is None:
                    values = {"centroid": group.centroid, "members": group.members}
                    added = insert(question_groups).values(book=book, space=space, **values)
                    made = connection.execute(added.returning(question_groups.c.id))
                    ids.append(int(made.scalar_one()))
                    continue
                ids.append(group.id)
            grown: list[dict[str, Any]] = [
                {"group": group.id, "new_centroid": group.centroid, "new_members": group.members}
                for group in groups
                if group.id is not None
            ]
            if grown:
                connection.execute(_GROW, grown)
            joined = [
                {"question": question, "group": group_id}
                for group_id, questions in zip(ids, members, strict=True)
                for question in questions
            ]
            if joined:
                connection.execute(_JOIN, joined)
        return ids
