"""Run migrations on the app's own engine, one process at a time, without waiting long for a lock."""

import sys
import time

from alembic import context
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy.exc import OperationalError

config = context.config
engine = current_app.extensions["migrate"].db.engine
metadata = current_app.extensions["migrate"].db.metadata

# Any number that no other program on the same database uses for a lock.
MIGRATION_LOCK = 7_246_228

# A change of a table waits for transactions that read it, and later ones wait behind the change. So it gives
# up soon, lets them through, and tries again; after the last try it is an error, and nothing is changed.
# The pauses grow: a report or a backup that holds the table takes minutes.
LOCK_TIMEOUT = "2s"
PAUSES_S = (1, 2, 4, 8, 15, 30, 60)
LOCK_NOT_AVAILABLE = "55P03"

# SQLite has one lock for all; a process that starts at the same moment waits until the first has migrated.
SQLITE_BUSY_TIMEOUT_MS = 600_000


def skip_empty(_context, _revision, directives):
    """Write no migration file if nothing has changed."""
    if getattr(config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def run_offline() -> None:
    """Print the statements of the migrations."""
    context.configure(url=engine.url, target_metadata=metadata, literal_binds=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Migrate the database, and try again if a table is locked."""
    with engine.execution_options(writes=True).connect() as connection:
        make_ready(connection)
        for pause_s in (*PAUSES_S, None):
            try:
                migrate(connection)
                return
            except OperationalError as error:
                connection.rollback()
                if pause_s is None or getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                    raise
                print(f"A table is in use; trying again in {pause_s} s.", file=sys.stderr)  # noqa: T201
                time.sleep(pause_s)


def migrate(connection) -> None:
    """Run the migrations that have not been run yet."""
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        # SQLite changes a table by building it anew.
        render_as_batch=is_sqlite,
        # On PostgreSQL a transaction each, so that no lock is held longer than its own migration. On SQLite
        # one for all, which takes the lock before it looks at what is to be done: else another that started
        # at the same moment would do it once more.
        transactional_ddl=True,
        transaction_per_migration=not is_sqlite,
        process_revision_directives=skip_empty,
    )
    if goes_to_head() and is_of_later_program():
        print("The database was migrated by a later program; nothing was done.", file=sys.stderr)  # noqa: T201
        return
    with context.begin_transaction():
        context.run_migrations()


def goes_to_head() -> bool:
    """Return whether the newest migration is the target, as for `flask db upgrade`."""
    try:
        return context.get_revision_argument() == context.get_head_revision()
    except KeyError:
        # A command without a target, such as `flask db current`.
        return False


def is_of_later_program() -> bool:
    """Return whether a migration was run that is not among these.

    During a rollback the previous image is started on the tables of the next one, and its start must not
    fail because of a migration that it does not have.
    """
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    return not known.issuperset(context.get_context().get_current_heads())


def make_ready(connection) -> None:
    """Lock out other migrations, and keep rows that refer to a table that SQLite rebuilds."""
    # What is set here must not go back to the pool: the connection is closed at the end.
    connection.detach()
    if connection.dialect.name == "sqlite":
        # Building a table anew drops the old one, and a drop deletes what points to its rows. The driver's
        # own connection is used, for within a transaction the pragma does nothing.
        driver = connection.connection.dbapi_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")
    elif connection.dialect.name == "postgresql":
        # Containers that start together migrate one after the other, however long the first one takes. The
        # lock is held until the connection is closed, so it needs a session of its own: not one of a pooler
        # that hands out transactions.
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("SET lock_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.commit()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
