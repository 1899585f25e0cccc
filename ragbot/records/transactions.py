"""Transactions: one context manager for reading, one for writing, and SQLite made safe for both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ragbot.core.errors import DatabaseUnavailable


class Database:
    """The door to the tables. Opens no connection until it is asked for one; safe between threads."""

    def __init__(self, engine: Engine) -> None:
        self._reader = engine
        self._writer = engine.execution_options(writes=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading; it goes back to the pool at the end of the block.

        Raises DatabaseUnavailable, as does `writing`.
        """
        with _translated(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that commits at the end of the block, or rolls back if it raises."""
        with _translated(), self._writer.begin() as connection:
            yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise DatabaseUnavailable("The database cannot be asked now.") from error


def make_sqlite_safe(engine: Engine, lock_timeout_s: float) -> None:
    """Give each SQLite connection a write-ahead log, foreign keys and honest transactions.

    `synchronous=FULL` keeps every commit over a power cut. A writer takes the lock when it begins:
    a transaction that reads first and writes later would fail at once, not wait, if another wrote
    in between. (https://www.sqlite.org/isolation.html, https://www.sqlite.org/lang_transaction.html)
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself; `_on_begin` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(lock_timeout_s * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
