"""Insert or update rows by their key, and delete those that have expired, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from ragbot.core.errors import DatabaseUnavailable, StoreUnavailable
from ragbot.storage.database import Database
from ragbot.storage.direct_statements import DirectStatement

CLEAN_UP_EVERY_S = 300.0
# The caller whose turn it is waits for it.
DELETED_AT_ONCE = 5000


def upsert(
    connection: Connection, table: Table, row: Mapping[str, Any], *, add: Collection[str] = ()
) -> None:
    """Insert a row. If its primary key exists, replace the other columns, but add to those named in `add`."""
    connection.execute(_upsert(connection.dialect.name, table, tuple(row), tuple(add)), row)


def insert_or_complete(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], column: str
) -> None:
    """Insert rows; where the key exists, replace this column alone."""
    connection.execute(_upsert(connection.dialect.name, table, (column,), ()), rows)


@cache
def _upsert(dialect: str, table: Table, names: tuple[str, ...], add: tuple[str, ...]) -> Any:
    """Return the statement that replaces or adds to these columns. It is made once: that takes longer than
    SQLite needs to execute it.
    """
    insert = _dialect(dialect).insert(table)
    key = [column.name for column in table.primary_key]
    changes = {name: insert.excluded[name] for name in names if name not in key}
    changes |= {name: table.c[name] + insert.excluded[name] for name in add}
    return insert.on_conflict_do_update(index_elements=key, set_=changes)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; one whose key exists already stays as it is."""
    connection.execute(_insert_missing(connection.dialect.name, table), rows)


@cache
def _insert_missing(dialect: str, table: Table) -> Any:
    return _dialect(dialect).insert(table).on_conflict_do_nothing()


def _dialect(name: str) -> Any:
    return postgresql if name == "postgresql" else sqlite


class ExpiringRows:
    """Store rows of one table until they expire. A power cut may lose the last of them.

    The table has one column as its key and one, named `expiry`, with the end of a row's life in seconds
    since the epoch. Every method raises StoreUnavailable.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        *,
        expiry: str = "expires_at",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._table = table
        (self._key,) = table.primary_key.columns
        self._expiry = table.c[expiry]
        self._clock = clock
        self._cleaned_up_at = clock()
        columns = [column for column in table.columns if not column.primary_key]
        self._live = database.statement(
            select(*columns).where(self._key == bindparam("key"), self._expiry > bindparam("now"))
        )
        self._put = database.statement(_upsert(database.dialect, table, tuple(table.columns.keys()), ()))

    def get(self, key: str) -> tuple[Any, ...] | None:
        """Return the columns of a row except its key; None if there is no row or it has expired."""
        rows = self.run(self._live, {"key": key, "now": self._clock()})
        return rows[0] if rows else None

    def put(self, key: str, values: Mapping[str, Any], lifetime_s: float) -> None:
        """Write a row in place of the one that the key may have."""
        now = self._clock()
        row = {self._key.name: key, **values, self._expiry.name: now + lifetime_s}
        self.run(self._put, row, writes=True)

    def run(
        self, statement: DirectStatement, values: Mapping[str, Any], *, writes: bool = False
    ) -> list[tuple[Any, ...]]:
        """Run one statement as `Database.run` does; now and then delete expired rows after it."""
        with _store_failures():
            rows = self._database.run(statement, values, writes=writes)
        if writes and self._is_clean_up_due():
            with self.transaction():
                pass  # Its end deletes them.
        return rows

    def put_many(self, rows: Iterable[tuple[str, Mapping[str, Any], float]]) -> None:
        """Write rows as `put` does, in one transaction."""
        with self.transaction() as (connection, now):
            # In one order everywhere, so that two workers never wait for each other.
            for key, values, lifetime_s in sorted(rows, key=lambda row: row[0]):
                row = {self._key.name: key, **values, self._expiry.name: now + lifetime_s}
                upsert(connection, self._table, row)

    def clear(self) -> int:
        """Delete all rows and return how many had not expired."""
        with _store_failures(), self._database.writing(durable=False) as connection:
            live = select(func.count()).select_from(self._table).where(self._expiry > self._clock())
            count = connection.scalar(live) or 0
            connection.execute(delete(self._table))
        return count

    def delete_expired(self) -> int:
        """Delete all rows that have expired, some at a time, and return how many."""
        count = 0
        while True:
            with _store_failures(), self._database.writing(durable=False) as connection:
                deleted = self._clean_up(connection, self._clock())
            count += deleted
            if deleted < DELETED_AT_ONCE:
                return count

    @contextmanager
    def transaction(self) -> Iterator[tuple[Connection, float]]:
        """Open a transaction and give its connection and the time; now and then delete expired rows in it."""
        with _store_failures(), self._database.writing(durable=False) as connection:
            now = self._clock()
            yield connection, now
            if self._is_clean_up_due():
                self._cleaned_up_at = now
                self._clean_up(connection, now)

    def _is_clean_up_due(self) -> bool:
        return abs(self._clock() - self._cleaned_up_at) > CLEAN_UP_EVERY_S

    def _clean_up(self, connection: Connection, now: float) -> int:
        # Rows that another worker deletes or writes at this moment are left to it.
        expired = select(self._key).where(self._expiry <= now).limit(DELETED_AT_ONCE)
        expired = expired.with_for_update(skip_locked=True)
        return connection.execute(delete(self._table).where(self._key.in_(expired))).rowcount


@contextmanager
def _store_failures() -> Iterator[None]:
    """Turn what the database raises within the block into StoreUnavailable."""
    try:
        yield
    except (DatabaseUnavailable, SQLAlchemyError) as error:
        raise StoreUnavailable("The database is unavailable now.") from error
