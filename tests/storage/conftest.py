"""Provide real databases of both kinds, or of the one that TEST_DATABASE names."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from ragbot.storage.database import Database, make_sqlite_safe
from tests.databases import KINDS, store_params
from tests.storage.engines import make_engine  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def shared_postgres_url(make_postgres_database: Callable[..., str], migrated_postgres: str) -> str:
    """Return the address of a migrated database that one test after another has to itself."""
    return make_postgres_database(migrated_postgres)


@pytest.fixture(params=store_params(*KINDS))
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a migrated database of each kind, with nothing in it."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("shared_postgres_url")
        empty(url)
        return url
    shutil.copy(request.getfixturevalue("migrated_database"), tmp_path / "ragbot.db")
    return f"sqlite:///{tmp_path / 'ragbot.db'}"


@pytest.fixture(params=store_params(*KINDS))
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database of each kind in which nothing was made yet."""
    if request.param == "postgresql":
        return request.getfixturevalue("make_postgres_database")()
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Yield an engine as the app has it, with the pool that it comes with."""
    engine = create_engine(database_url, pool_size=20)
    make_sqlite_safe(engine, 5)
    yield engine
    engine.dispose()


@pytest.fixture
def database(engine: Engine) -> Database:
    """Return the door to the migrated tables."""
    return Database(engine)


def empty(url: str) -> None:
    """Delete every row, which takes a tenth of the time of another database."""
    engine = create_engine(url)
    with engine.begin() as connection:
        tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
        connection.execute(text(f"TRUNCATE {', '.join(sorted(tables))} RESTART IDENTITY CASCADE"))
    engine.dispose()
