"""Store the lines that a model wrote for the search texts of chunks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from ragbot.storage.database import Database
from ragbot.storage.edition_rows import batches
from ragbot.storage.keyed_rows import insert_missing
from ragbot.storage.models import ChunkContextRow

contexts: Any = ChunkContextRow.__table__


class ChunkContextStore:
    """Keep each line under its model and the hash of the search text that it was written for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, model: str, shas: Iterable[str]) -> dict[str, str]:
        """Return the stored lines of a model by the hashes of their search texts."""
        found: dict[str, str] = {}
        with self._database.reading(no_time_limit=True) as connection:
            for batch in batches(list(shas)):
                query = select(contexts.c.search_sha, contexts.c.line).where(
                    contexts.c.model == model, contexts.c.search_sha.in_(batch)
                )
                found.update((row.search_sha, row.line) for row in connection.execute(query))
        return found

    def store(self, model: str, sha: str, line: str) -> None:
        """Store and commit a line; one that is stored already stays as it is."""
        with self._database.writing() as connection:
            insert_missing(connection, contexts, [{"model": model, "search_sha": sha, "line": line}])
