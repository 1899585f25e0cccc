"""Test statements that the driver runs by itself: their values, their errors, and a server that hangs up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from ragbot.core.errors import DatabaseUnavailable
from ragbot.storage.database import Database
from ragbot.storage.models import CacheEntryRow, SessionRow, SharedStateRow

entries: Any = CacheEntryRow.__table__
states: Any = SharedStateRow.__table__
sessions: Any = SessionRow.__table__
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


def test_work_takes_effect_together_or_not_at_all(database: Database) -> None:
    """Of two rows of which the second exists already none is left, and the next work goes on."""
    insert_one = database.statement(INSERT)
    database.run(insert_one, ROW, writes=True)

    with pytest.raises(IntegrityError):
        database.run_together([(insert_one, {**ROW, "key": "b"}), (insert_one, ROW)])
    database.run_together([(insert_one, {**ROW, "key": "c; --%s"}), (insert_one, {**ROW, "key": "d"})])

    with database.reading() as connection:
        keys = list(connection.scalars(select(entries.c.key).order_by(entries.c.key)))
    assert keys == ["a", "c; --%s", "d"]


def test_values_are_converted_as_their_columns_are(database: Database) -> None:
    """JSON, times and what the statement itself compares with, as SQLAlchemy would write them."""
    began = datetime(2026, 3, 4, 5, 6, 7, 891, tzinfo=UTC)
    add = database.statement(insert(states), columns=("name", "state", "expires_at"), converts=True)
    raise_state = database.statement(
        update(states).where(states.c.name == "a"), columns=("state",), converts=True
    )
    session = database.statement(
        insert(sessions), columns=("id", "created_at", "last_activity_at", "expires_at"), converts=True
    )

    database.run_together(
        [
            (add, {"name": "a", "state": {"by": "%(x)s"}, "expires_at": 1.5}),
            (raise_state, {"state": {"by": ["ü", None]}}),
            (session, {"id": "s", "created_at": began, "last_activity_at": began, "expires_at": began}),
        ]
    )

    with database.reading() as connection:
        assert connection.scalar(select(states.c.state)) == {"by": ["ü", None]}
        found = connection.scalar(select(sessions.c.id).where(sessions.c.created_at == began))
    assert found == "s"


def test_value_without_a_place_is_no_silent_loss(database: Database) -> None:
    """Who adds a column to the values must add it to the statement."""
    insert_one = database.statement(INSERT, columns=("key", "value"))

    with pytest.raises(KeyError, match="expires_at"):
        database.run(insert_one, ROW, writes=True)


def test_connection_that_the_server_has_cut_is_replaced(database: Database) -> None:
    """As SQLAlchemy does it."""
    if database.dialect != "postgresql":
        pytest.skip("SQLite has no server")
    one = database.statement(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        database.run(database.statement(text("SELECT pg_terminate_backend(pg_backend_pid())")), {})

    assert database.run(one, {}) == [(1,)]
