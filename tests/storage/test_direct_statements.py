"""Test statements that the driver runs by itself: their values, their errors, and a server that hangs up."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, text
from sqlalchemy.exc import IntegrityError

from ragbot.core.errors import DatabaseUnavailable
from ragbot.storage.database import Database
from ragbot.storage.models import CacheEntryRow

entries: Any = CacheEntryRow.__table__
INSERT = insert(entries)
READ = select(entries.c.value, entries.c.expires_at).where(entries.c.key == bindparam("wanted"))
ROW = {"key": "a", "value": b"\x00%s:name?", "expires_at": 1_700_000_000.123456}


def test_values_come_back_as_they_were_written(database: Database) -> None:
    """Bytes, signs that drivers read as places of values, and numbers to the last digit."""
    insert_one, read = database.statement(INSERT), database.statement(READ)

    assert database.run(insert_one, ROW, writes=True) == []
    ((value, expires_at),) = database.run(read, {"wanted": "a"})

    assert (bytes(value), expires_at) == (ROW["value"], ROW["expires_at"])
    assert database.run(read, {"wanted": "b"}) == []


def test_statement_is_committed_and_leaves_the_connection_as_it_was(database: Database) -> None:
    """A transaction on the same connection can still be rolled back."""
    database.run(database.statement(INSERT), ROW, writes=True)

    def half_a_change() -> None:
        with database.writing() as connection:
            connection.execute(INSERT, {**ROW, "key": "b"})
            raise LookupError

    with pytest.raises(LookupError):
        half_a_change()

    with database.reading() as connection:
        assert list(connection.scalars(select(entries.c.key))) == ["a"]


def test_errors_are_the_usual_ones_and_quote_no_value(database: Database) -> None:
    """What is stored was written by readers, and errors are logged."""
    insert_one = database.statement(INSERT)
    database.run(insert_one, {**ROW, "key": "alice@example.com"}, writes=True)

    with pytest.raises(IntegrityError) as raised:
        database.run(insert_one, {**ROW, "key": "alice@example.com"}, writes=True)
    with pytest.raises(DatabaseUnavailable) as missing:
        database.run(database.statement(text("SELECT 1 FROM no_such_table")), {})

    assert "alice" not in str(raised.value)
    assert "upgrade" in str(missing.value)


def test_connection_that_the_server_has_cut_is_replaced(database: Database) -> None:
    """As SQLAlchemy does it."""
    if database.dialect != "postgresql":
        pytest.skip("SQLite has no server")
    one = database.statement(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        database.run(database.statement(text("SELECT pg_terminate_backend(pg_backend_pid())")), {})

    assert database.run(one, {}) == [(1,)]
