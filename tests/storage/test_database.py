"""Test that a database that failed slowly is not called for a while, and that failed writes are known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from ragbot.core.cooldown import PAUSE_S
from ragbot.core.errors import DatabaseUnavailable, StoreUnavailable
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.keyvalue.cache import DatabaseCache
from tests.storage.keyvalue.stores import Clock


def test_server_that_was_slow_to_fail_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question has several things to ask of it, and would wait each time."""
    engine = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    clock, slow = Clock(), SlowConnect(engine)
    database = Database(engine, clock=clock)
    monkeypatch.setattr(engine.pool, "connect", lambda: slow(clock))

    outcomes = [outcome(database) for _ in range(3)]
    clock.now += PAUSE_S + 0.1
    outcomes.append(outcome(database))

    assert outcomes == ["unavailable"] * 4
    assert slow.asked == 2


class SlowConnect:
    def __init__(self, engine: Engine) -> None:
        self._connect = engine.pool.connect
        self.asked = 0

    def __call__(self, clock: Clock) -> object:
        self.asked += 1
        clock.now += 5
        return self._connect()


def outcome(database: Database) -> str:
    try:
        with database.reading():
            return "read"
    except DatabaseUnavailable:
        return "unavailable"


def test_failed_write_is_remembered_until_one_succeeds(tmp_path: Path, migrated_database: Path) -> None:
    """A disk that is full lets everybody read."""
    shutil.copy(migrated_database, tmp_path / "full.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'full.db'}")
    make_sqlite_safe(engine, 1)
    database = Database(engine)
    cache = DatabaseCache(database)
    limit_pages(engine, 1)

    with pytest.raises(StoreUnavailable):
        cache.put("large", b"x" * 1_000_000, 60)
    full = database.cannot_write()
    limit_pages(engine, 1_000_000)
    with database.writing() as connection:
        connection.execute(text("DELETE FROM messages"))

    assert (full, database.cannot_write()) == (True, False)
    engine.dispose()


def limit_pages(engine: Engine, pages: int) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
