"""Open a database in memory that has the tables of questions, and is gone at the end of a block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, insert
from sqlalchemy.pool import StaticPool

from ragbot.extensions import db
from ragbot.storage.asked_questions import asked_questions, question_groups
from ragbot.storage.conversations import sessions
from ragbot.storage.database import Database
from ragbot.storage.models import MessageRow


@contextmanager
def passing_database(groups: Sequence[int], questions: Sequence[Mapping[str, Any]]) -> Iterator[Database]:
    """Yield a database with groups, by their ids, and rows of questions."""
    # In memory each connection has a database of its own, so that there is one connection.
    engine = create_engine("sqlite://", poolclass=StaticPool)
    tables = [sessions, MessageRow.__table__, question_groups, asked_questions]
    try:
        with engine.begin() as connection:
            db.metadata.create_all(connection, tables=tables)
            group = {"book": "", "space": "", "centroid": b"", "members": 0}
            connection.execute(insert(question_groups), [{"id": one, **group} for one in groups])
            connection.execute(insert(asked_questions), [*questions])
        yield Database(engine)
    finally:
        engine.dispose()
