"""Whether the database's tables are those that this program was written for."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from ragbot.storage.database import Database


class SchemaCheck:
    """Compares the database's revision with the migrations in a folder. Reads the folder at its first use."""

    def __init__(self, database: Database, migrations: Path) -> None:
        self._database = database
        self._migrations = migrations
        self._lock = threading.Lock()
        self._known: tuple[frozenset[str], frozenset[str]] | None = None
        self._was_current = False

    def is_current(self) -> bool:
        """False where a migration has not been run. Raises DatabaseUnavailable.

        A revision that is not among the migrations is a later program's: while one version takes over from
        another, both serve. Once current, it is taken to stay so.
        """
        if not self._was_current:
            heads, known = self._revisions()
            found = self._found()
            self._was_current = bool(found) and (found >= heads or bool(found - known))
        return self._was_current

    def _found(self) -> set[str]:
        with self._database.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return set()
            return set(connection.scalars(text("SELECT version_num FROM alembic_version")))

    def _revisions(self) -> tuple[frozenset[str], frozenset[str]]:
        with self._lock:
            if self._known is None:
                scripts = ScriptDirectory(str(self._migrations))
                known = frozenset(script.revision for script in scripts.walk_revisions())
                self._known = frozenset(scripts.get_heads()), known
            return self._known
