"""Make a database of each kind, and clocks that tests set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from ragbot.storage.database import Database, make_sqlite_safe
from tests.storage.conftest import empty

NOBODY = "redis://127.0.0.1:1/0"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def database_of(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """Yield a migrated database of the kind that the fixture's parameter names."""
    if request.param == "postgresql":
        url = request.getfixturevalue("shared_postgres_url")
        empty(url)
    else:
        shutil.copy(request.getfixturevalue("migrated_database"), folder / "own.db")
        url = f"sqlite:///{folder / 'own.db'}"
    engine = create_engine(url, pool_size=20)
    make_sqlite_safe(engine, 5)
    yield Database(engine)
    engine.dispose()
