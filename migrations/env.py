"""How migrations are run: on the app's own engine, one transaction for each."""

import sys

from alembic import context
from alembic.script import ScriptDirectory
from flask import current_app

config = context.config
engine = current_app.extensions["migrate"].db.engine
metadata = current_app.extensions["migrate"].db.metadata

# Any number that no other program on the same database takes for a lock of its own.
MIGRATION_LOCK = 7_246_228


def skip_empty(_context, _revision, directives):
    """Make no file where nothing has changed."""
    if getattr(config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def run_offline() -> None:
    """Print the statements."""
    context.configure(url=engine.url, target_metadata=metadata, literal_binds=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Change the database."""
    with engine.execution_options(writes=True).connect() as connection:
        make_ready(connection)
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_type=True,
            # SQLite changes a table by building it anew.
            render_as_batch=connection.dialect.name == "sqlite",
            transaction_per_migration=True,
            process_revision_directives=skip_empty,
        )
        if goes_to_head() and is_of_later_program():
            print("The database was migrated by a later program; nothing was done.", file=sys.stderr)  # noqa: T201
            return
        with context.begin_transaction():
            context.run_migrations()


def goes_to_head() -> bool:
    """Whether the newest of these migrations is asked for, as `flask db upgrade` does."""
    try:
        return context.get_revision_argument() == context.get_head_revision()
    except KeyError:
        # A command that goes nowhere, such as `flask db current`.
        return False


def is_of_later_program() -> bool:
    """Whether a migration was run that is not among these.

    During a rollback the image before is started on the tables of the one after it, and its start must not
    fail over a migration that it has never heard of.
    """
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    return not known.issuperset(context.get_context().get_current_heads())


def make_ready(connection) -> None:
    """See to it that nobody else migrates now, and that a table built anew loses no row that points to it."""
    # What is set here must not go back to the pool: the connection is closed at the end.
    connection.detach()
    if connection.dialect.name == "sqlite":
        # Building a table anew drops the old one, and a drop deletes what points to its rows. The driver's
        # own connection is used, for within a transaction the pragma does nothing.
        connection.connection.dbapi_connection.execute("PRAGMA foreign_keys = OFF")
    elif connection.dialect.name == "postgresql":
        # Containers that start together migrate one after the other. Held until the connection is closed.
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        connection.commit()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
