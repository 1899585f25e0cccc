"""Transactions: one context manager for reading, one for writing, and SQLite made safe for both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ragbot.core.cooldown import Cooldown
from ragbot.core.errors import DatabaseUnavailable
from ragbot.storage.timeouts import cut_off_after

# A server that kept somebody waiting so long before it could not be reached is not called for a while, or
# every question would wait for it several times. One that refuses at once may be called at any time.
SLOW_S = 0.5
# A write that failed longer ago tells nothing of now.
FAILURE_REMEMBERED_S = 60.0


class Database:
    """The door to the tables. Opens no connection until it is asked for one; safe between threads.

    `waited` is told how many seconds it took to get each connection, or to find that there is none.
    `patience_s` is how long a block that somebody waits for may take on PostgreSQL (None: without a limit).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], float] = time.monotonic,
        waited: Callable[[float], None] = lambda _seconds: None,
        patience_s: float | None = None,
    ) -> None:
        self._waited = waited
        self._patience_s = patience_s if engine.dialect.name == "postgresql" else None
        self._reader = engine
        self._writer = engine.execution_options(writes=True)
        self._counter = engine.execution_options(writes=True, may_be_lost=True)
        self._unhurried_reader = engine.execution_options(unhurried=True)
        self._unhurried_writer = engine.execution_options(writes=True, unhurried=True)
        self._clock = clock
        self._cooldown = Cooldown(clock=clock)
        self._write_failed_at: float | None = None

    @contextmanager
    def reading(self, *, unhurried: bool = False) -> Iterator[Connection]:
        """A connection for reading; it goes back to the pool at the end of the block.

        `unhurried` work, which no reader waits for, is not bound by the time limit of a statement.
        Raises DatabaseUnavailable, as does `writing`.
        """
        engine = self._unhurried_reader if unhurried else self._reader
        with _translated(), self._connected(engine) as connection:
            yield connection

    @contextmanager
    def writing(self, *, unhurried: bool = False) -> Iterator[Connection]:
        """A connection in a transaction that commits at the end of the block, or rolls back if it raises."""
        engine = self._unhurried_writer if unhurried else self._writer
        with self._written(engine) as connection:
            yield connection
        # (A small count may still fit where a talk does not.)
        self._write_failed_at = None

    @contextmanager
    def counting(self) -> Iterator[Connection]:
        """As `writing`, for what may be lost in a power cut: SQLite then does not wait for the disk."""
        with self._written(self._counter) as connection:
            yield connection

    def cannot_write(self) -> bool:
        """Whether the last write, not long ago, failed: a disk may be full while reading goes on."""
        failed_at = self._write_failed_at
        return failed_at is not None and self._clock() - failed_at < FAILURE_REMEMBERED_S

    @contextmanager
    def _written(self, engine: Engine) -> Iterator[Connection]:
        try:
            with _translated(), self._connected(engine) as connection, connection.begin():
                yield connection
        except DatabaseUnavailable:
            self._write_failed_at = self._clock()
            raise

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        with self._taken(engine) as connection:
            if self._patience_s is None or connection.get_execution_options().get("unhurried"):
                yield connection
                return
            began = self._clock()
            try:
                with cut_off_after(self._patience_s, connection.connection.dbapi_connection):
                    yield connection
            except OperationalError:
                if self._clock() - began >= self._patience_s:
                    self._cooldown.start()
                raise

    def _taken(self, engine: Engine) -> Connection:
        if not self._cooldown.allows_call():
            raise DatabaseUnavailable("The database could not be reached a moment ago.")
        began = self._clock()
        try:
            connection = engine.connect()
        except OperationalError:
            if self._clock() - began > SLOW_S:
                self._cooldown.start()
            else:
                self._cooldown.end()
            raise
        finally:
            self._waited(self._clock() - began)
        self._cooldown.end()
        return connection


# How SQLite and PostgreSQL (as codes) say that a table or a column is not there.
_NO_TABLE = ("no such table", "no such column", "has no column named")
_NO_TABLE_CODES = ("42P01", "42703")
# PostgreSQL does not do what it should, whatever the statement: the connection, resources, an operator, the
# system (classes); a server that only reads, as a standby or a host with a full disk does.
_UNWELL_CLASSES = ("08", "53", "57", "58")
_UNWELL_CODES = ("25006",)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        if _lacks_tables(error):
            raise DatabaseUnavailable(
                "The database's tables are missing or older than the program; run `flask db upgrade`.",
                "tables are missing: run flask db upgrade",
            ) from error
        # A DatabaseError of no narrower class is a file that is no database. The other narrower ones
        # (a broken constraint, a wrong statement) are for the caller.
        narrower = isinstance(error, DatabaseError) and type(error) not in (DatabaseError, OperationalError)
        if narrower and not _is_unwell(error):
            raise
        raise DatabaseUnavailable("The database cannot be asked now.", _name_of(error)) from error


def _name_of(error: DatabaseError | InterfaceError | PoolTimeout) -> str:
    cause = getattr(error, "orig", None)
    told = getattr(cause, "sqlite_errorname", None) or getattr(cause, "pgcode", None)
    return str(told or type(error).__name__)


def _is_unwell(error: DatabaseError | InterfaceError | PoolTimeout) -> bool:
    code = getattr(getattr(error, "orig", None), "pgcode", None) or ""
    return code in _UNWELL_CODES or code[:2] in _UNWELL_CLASSES


def _lacks_tables(error: DatabaseError | InterfaceError | PoolTimeout) -> bool:
    cause = getattr(error, "orig", None)
    return getattr(cause, "pgcode", None) in _NO_TABLE_CODES or any(said in str(cause) for said in _NO_TABLE)


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
        options = connection.get_execution_options()
        writes = options.get("writes")
        synchronous = "NORMAL" if options.get("may_be_lost") else "FULL"
        if connection.info.get("synchronous", "FULL") != synchronous:
            connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
            connection.info["synchronous"] = synchronous
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
