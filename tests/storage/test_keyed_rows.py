"""Test rows by key on both kinds of database: replaced or added to, expired, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from ragbot.core.errors import StoreUnavailable
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import CLEAN_UP_EVERY_S, ExpiringRows, insert_missing, upsert
from ragbot.storage.models import CacheEntryRow, SpendingRow

entries: Any = CacheEntryRow.__table__
spending: Any = SpendingRow.__table__
SUMS = ("input_tokens", "output_tokens", "cost_usd")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows(database: Database, clock: Clock) -> ExpiringRows:
    return ExpiringRows(database, entries, clock=clock)


def keys(database: Database) -> list[str]:
    with database.reading() as connection:
        return sorted(connection.scalars(select(entries.c.key)))


def spent(model: str, tokens: int) -> dict[str, Any]:
    return {"day": "2026-01-31", "model": model, "input_tokens": tokens, "output_tokens": 1, "cost_usd": 0.5}


def test_upsert_adds_to_what_is_named_and_replaces_the_rest(database: Database) -> None:
    """Two workers write the spending of one day; the key has two columns."""
    with database.writing() as connection:
        for row in (spent("alice", 10), spent("alice", 5), spent("bob", 1)):
            upsert(connection, spending, row, add=SUMS)
        upsert(connection, spending, spent("carol", 7))
        upsert(connection, spending, spent("carol", 2))

    with database.reading() as connection:
        found = connection.execute(select(spending).order_by(spending.c.model)).all()
    assert [(row.model, row.input_tokens, row.output_tokens, row.cost_usd) for row in found] == [
        ("alice", 15, 2, 1.0),
        ("bob", 1, 1, 0.5),
        ("carol", 2, 1, 0.5),
    ]


def test_insert_of_what_is_missing_leaves_the_rest(database: Database) -> None:
    """A vector that is stored already is as good as the new one."""
    with database.writing() as connection:
        insert_missing(connection, entries, [{"key": "a", "value": b"old", "expires_at": 1.0}])
        both = [{"key": key, "value": b"new", "expires_at": 2.0} for key in "ab"]
        insert_missing(connection, entries, both)

    with database.reading() as connection:
        found = connection.execute(select(entries.c.key, entries.c.value).order_by(entries.c.key)).all()
    assert [(key, bytes(value)) for key, value in found] == [("a", b"old"), ("b", b"new")]


def test_row_is_read_until_the_moment_at_which_it_expires(rows: ExpiringRows, clock: Clock) -> None:
    """Whether or not it has been deleted yet."""
    rows.put("bread", {"value": b"fresh"}, 60)
    clock.now += 59.9
    before = rows.get("bread")
    clock.now += 0.1

    assert before is not None
    assert bytes(before[0]) == b"fresh"
    assert rows.get("bread") is None


def test_expired_rows_are_deleted_with_a_later_write(
    rows: ExpiringRows, database: Database, clock: Clock
) -> None:
    """Now and then: each write would wait for it."""
    rows.put("short", {"value": b""}, 10)
    rows.put("long", {"value": b""}, 10_000)
    clock.now += CLEAN_UP_EVERY_S - 1
    rows.put("early", {"value": b""}, 10_000)
    before = keys(database)
    clock.now += 2

    rows.put("late", {"value": b""}, 10_000)

    assert before == ["early", "long", "short"]
    assert keys(database) == ["early", "late", "long"]


def test_nothing_is_written_when_the_block_fails(rows: ExpiringRows, database: Database) -> None:
    """A caller that tries the next store must not find its change in this one too."""

    def half_a_change() -> None:
        with rows.transaction() as (connection, now):
            upsert(connection, entries, {"key": "half", "value": b"", "expires_at": now + 60})
            raise LookupError

    with pytest.raises(LookupError):
        half_a_change()

    assert keys(database) == []


def test_missing_table_is_a_store_that_is_unavailable(rows: ExpiringRows, database: Database) -> None:
    """Whoever has another store goes on with it."""
    with database.writing() as connection:
        entries.drop(connection)

    try:
        for call in (lambda: rows.get("a"), lambda: rows.put("a", {"value": b""}, 60), rows.clear):
            with pytest.raises(StoreUnavailable):
                call()
    finally:
        with database.writing() as connection:
            entries.create(connection)
