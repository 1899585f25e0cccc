"""How migrations are run: on the app's own engine, one transaction for each."""

from alembic import context
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
        with context.begin_transaction():
            context.run_migrations()


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
