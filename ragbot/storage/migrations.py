"""Compare a database's tables with the migrations of this program, and run the migrations that it lacks."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from ragbot.core.errors import DatabaseUnavailable
from ragbot.extensions import db
from ragbot.storage.database import Database, make_sqlite_safe

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

# Another process may be writing into the database that is migrated; it is waited for so long.
LOCK_TIMEOUT_S = 30


def known_revisions(migrations: Path) -> frozenset[str]:
    """Return every revision in a folder of migrations."""
    return frozenset(script.revision for script in _scripts(migrations).walk_revisions())


def migrate_up(url: str, migrations: Path, *, to: str = "head") -> None:
    """Run the migrations that the database at an address lacks. Raises DatabaseUnavailable.

    For commands: it makes an app of its own, since the migrations are written for an app's engine.
    """
    from alembic import command
    from alembic.util import CommandError
    from flask_migrate import Migrate

    app = Flask("migrating")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    migrate = Migrate(app, db, directory=str(migrations))
    with app.app_context():
        engine = db.engine
        make_sqlite_safe(engine, LOCK_TIMEOUT_S)
        try:
            # Flask-Migrate's own `upgrade` would end the process at a fault.
            command.upgrade(migrate.get_config(), to)
        except (SQLAlchemyError, CommandError) as error:
            raise DatabaseUnavailable(
                f"The database's tables could not be migrated to {to}: {type(error).__name__}."
            ) from error
        finally:
            engine.dispose()


class SchemaCheck:
    """Compare the database's revision with a folder of migrations. Reads the folder at its first use."""

    def __init__(self, database: Database, migrations: Path) -> None:
        self._database = database
        self._migrations = migrations
        self._was_current = False

    def is_current(self) -> bool:
        """Return False if a migration has not been run. Raises DatabaseUnavailable.

        A revision that is not among the migrations belongs to a later version of the program: while one
        version replaces another, both serve. Once True, it stays True.
        """
        if not self._was_current:
            heads, known = self._revisions
            found = self._found()
            self._was_current = bool(found) and (found >= heads or bool(found - known))
        return self._was_current

    def _found(self) -> set[str]:
        with self._database.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return set()
            return set(connection.scalars(text("SELECT version_num FROM alembic_version")))

    @cached_property
    def _revisions(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the newest revisions, and all."""
        return frozenset(_scripts(self._migrations).get_heads()), known_revisions(self._migrations)


def _scripts(migrations: Path) -> ScriptDirectory:
    # Takes 0.2 s to import, which the start of a worker saves.
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(migrations))
