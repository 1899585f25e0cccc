"""Run migrations on the app's own engine, one process at a time, without waiting long for a lock."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError

from ragbot.storage.timeouts import cut_off_after

config = context.config
engine = current_app.extensions["migrate"].db.engine
metadata = current_app.extensions["migrate"].db.metadata

# Any number that no other program on the same database uses for a lock.
MIGRATION_LOCK = 7_246_228

# Containers that start together migrate one after the other; the first one may take some minutes.
WAIT_FOR_OTHERS_S = 900
LOOK_EVERY_S = 0.5
STILL_LOCKED = (
    f"Another process has been migrating this database for {WAIT_FOR_OTHERS_S} s, or one that died left "
    f"its lock: pg_locks has it as locktype 'advisory', objid {MIGRATION_LOCK}. End that process with "
    "pg_terminate_backend, and migrate again."
)
# The lock has one connection, the migrations another.
SECOND_CONNECTION_S = 30
NO_SECOND_CONNECTION = (
    f"The database gave no second connection within {SECOND_CONNECTION_S} s. Migrations need two: raise the "
    "pooler's default_pool_size, or set DATABASE_URL to the server itself for this command."
)

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
    """Migrate the database, one process at a time."""
    with engine.execution_options(writes=True).connect() as connection:
        if connection.dialect.name == "postgresql":
            event.listen(connection, "begin", set_limits)
            with lock_out_others(connection):
                migrate_patiently(connection)
        else:
            make_sqlite_ready(connection)
            migrate_patiently(connection)


def migrate_patiently(connection) -> None:
    """Migrate the database, and try again if a table is locked."""
    for pause_s in (*PAUSES_S, None):
        try:
            migrate(connection)
            return
        except OperationalError as error:
            connection.rollback()
            if pause_s is None or getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                raise
            say(f"A table is in use; trying again in {pause_s} s.")
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
        say("The database was migrated by a later program; nothing was done.")
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


def set_limits(connection) -> None:
    """Let a statement of a migration take its time, and a lock not.

    In each transaction: a pooler that hands out transactions gives the next one to another program.
    """
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


@contextmanager
def lock_out_others(connection) -> Iterator[None]:
    """Hold the lock of migrations in a transaction of its own, while others migrate within the block.

    A lock of a session would stay behind on a connection of a pooler that hands out transactions. This one
    ends with its transaction, also where the process dies.
    """
    with engine.connect() as holder:
        ends_at = time.monotonic() + WAIT_FOR_OTHERS_S
        is_waiting = False
        while not took_lock(holder):
            # In short transactions, for a pooler may have few connections and the other needs two.
            holder.rollback()
            if time.monotonic() > ends_at:
                raise CommandError(STILL_LOCKED)
            if not is_waiting:
                say("Another process migrates this database; waiting for it.")
                is_waiting = True
            time.sleep(LOOK_EVERY_S)
        try:
            with cut_off_after(SECOND_CONNECTION_S, connection.connection.dbapi_connection):
                connection.exec_driver_sql("SELECT 1")
        except DBAPIError as error:
            raise CommandError(NO_SECOND_CONNECTION) from error
        connection.rollback()
        yield


def took_lock(holder) -> bool:
    """Return whether this process may migrate."""
    # It says nothing while the others migrate.
    holder.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    return bool(holder.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({MIGRATION_LOCK})").scalar())


def make_sqlite_ready(connection) -> None:
    """Wait for other migrations, and keep rows that refer to a table that is rebuilt."""
    # What is set here must not go back to the pool: the connection is closed at the end.
    connection.detach()
    # Building a table anew drops the old one, and a drop deletes what points to its rows. The driver's own
    # connection is used, for within a transaction the pragma does nothing.
    driver = connection.connection.dbapi_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    driver.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")


def say(sentence: str) -> None:
    """Tell the operator what is going on."""
    print(sentence, file=sys.stderr)  # noqa: T201


if context.is_offline_mode():
    run_offline()
else:
    run_online()
