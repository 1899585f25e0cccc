"""A database's tables brought up to those of this program, outside of any app that serves."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask
from flask_migrate import Migrate
from sqlalchemy.exc import SQLAlchemyError

from ragbot.core.errors import DatabaseUnavailable
from ragbot.extensions import db
from ragbot.storage.database import make_sqlite_safe

# Whoever else writes into a database that is being brought up is waited for so long.
LOCK_TIMEOUT_S = 30


def known_revisions(migrations: Path) -> frozenset[str]:
    """Every revision that a folder of migrations leads to."""
    return frozenset(script.revision for script in ScriptDirectory(str(migrations)).walk_revisions())


def migrate_up(url: str, migrations: Path, *, to: str = "head") -> None:
    """Run the migrations that the database at an address lacks. Raises DatabaseUnavailable."""
    # The migrations are written for an app's engine; this one has nothing else.
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
                f"The database's tables could not be brought up to {to}: {type(error).__name__}."
            ) from error
        finally:
            engine.dispose()
