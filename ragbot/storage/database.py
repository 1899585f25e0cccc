"""Open transactions for reading and for writing, and configure SQLite for both."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from sqlalchemy import ClauseElement, Connection, Engine, event
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection

from ragbot.core.cooldown import Cooldown
from ragbot.core.errors import DatabaseUnavailable
from ragbot.storage.direct_statements import DirectStatement, run_alone, run_together, translated
from ragbot.storage.timeouts import cut_off_after

# A server that took so long to fail is not called for a while, or every question would wait for it several
# times. One that refuses at once may be called at any time.
SLOW_S = 0.5
SQLITE_BUSY = "SQLITE_BUSY"
# A write that failed longer ago says nothing about now.
FAILURE_REMEMBERED_S = 60.0

Connected = TypeVar("Connected", Connection, PoolProxiedConnection)


class Database:
    """Open transactions for reading and for writing. Connects at first use; safe between threads.

    `waited` is called with the seconds that each connection took to get, or to fail. `timeout_s` is the
    longest that a transaction may take on PostgreSQL (None: no limit).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], float] = time.monotonic,
        waited: Callable[[float], None] = lambda _seconds: None,
        timeout_s: float | None = None,
    ) -> None:
        self._engine = engine
        self._dialect = engine.dialect
        self._waited = waited
        self._timeout_s = timeout_s if engine.dialect.name == "postgresql" else None
        # Made once: an engine with options costs 20 µs.
        # On PostgreSQL each statement sees what is committed by then, in a transaction or alone; alone it
        # costs one round trip instead of three.
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._reader = engine if self._is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reader_without_limit = engine.execution_options(no_time_limit=True)
        self._writers = {
            (durable, no_time_limit): engine.execution_options(
                writes=True, durable=durable, no_time_limit=no_time_limit
            )
            for durable in (True, False)
            for no_time_limit in (True, False)
        }
        self._clock = clock
        self._cooldown = Cooldown(clock=clock)
        self._write_failed_at: float | None = None
        # SQLite has one lock for all writers. A question writes several times, and would wait each time.
        self._locked = Cooldown(clock=clock)

    @contextmanager
    def reading(self, *, no_time_limit: bool = False) -> Iterator[Connection]:
        """Open a connection for reading; it returns to the pool at the end of the block.

        `no_time_limit` is for work that no reader waits for. Raises DatabaseUnavailable, as does `writing`.
        """
        engine = self._reader_without_limit if no_time_limit else self._reader
        with _translated_errors(), self._connected(engine) as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True, no_time_limit: bool = False) -> Iterator[Connection]:
        """Open a transaction that commits at the end of the block, or rolls back if the block raises.

        With `durable=False` SQLite does not wait for the disk: a power cut may lose the transaction. Where
        another writer has just kept SQLite's lock for longer than `busy_timeout`, others fail at once for a
        moment; work that no reader waits for (`no_time_limit`) always waits.
        """
        if not no_time_limit:
            self._check_lock()
        engine = self._writers[durable, no_time_limit]
        try:
            with _translated_errors(), self._connected(engine) as connection, connection.begin():
                yield connection
        except DatabaseUnavailable as error:
            self._note_failed_write(error)
            raise
        self._locked.end()
        if durable:
            # (A small count may still fit where a conversation does not.)
            self._write_failed_at = None

    @property
    def dialect(self) -> str:
        """Return `sqlite` or `postgresql`."""
        return self._dialect.name

    def statement(
        self, statement: ClauseElement, *, columns: Sequence[str] | None = None, converts: bool = False
    ) -> DirectStatement:
        """Return a statement for `run` and `run_together`."""
        return DirectStatement(statement, self._dialect, columns=columns, converts=converts)

    def run(
        self, statement: DirectStatement, values: Mapping[str, Any], *, writes: bool = False
    ) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own and return its rows, at a fifth of the usual cost.

        For small values that may be lost: it does not wait for the disk. Raises DatabaseUnavailable.
        """
        with self._direct(writes=writes, durable=False) as connection:
            return run_alone(connection, self._dialect, statement, values, waits_for_disk=not writes)

    def run_together(self, work: Sequence[tuple[DirectStatement, Mapping[str, Any]]]) -> None:
        """Run statements that write in one transaction, which survives a power cut.

        On PostgreSQL it takes one round trip. Raises DatabaseUnavailable, and IntegrityError for a row that
        breaks a rule of its table.
        """
        with self._direct(writes=True, durable=True) as connection:
            run_together(connection, self._dialect, work)

    @contextmanager
    def _direct(self, *, writes: bool, durable: bool) -> Iterator[PoolProxiedConnection]:
        if writes:
            self._check_lock()
        try:
            with _translated_errors(), closing(self._connect(self._raw_connection)) as connection:
                if writes and self._is_sqlite:
                    _wait_for_disk(connection.dbapi_connection, connection.info, durable)
                with self._limited(connection.dbapi_connection):
                    yield connection
        except DatabaseUnavailable as error:
            if writes:
                self._note_failed_write(error)
            raise
        if writes:
            self._locked.end()
            if durable:
                self._write_failed_at = None

    def cannot_write(self) -> bool:
        """Return whether the last write failed, not long ago: a disk may be full while reading goes on."""
        failed_at = self._write_failed_at
        return failed_at is not None and self._clock() - failed_at < FAILURE_REMEMBERED_S

    def _raw_connection(self) -> PoolProxiedConnection:
        try:
            return self._engine.raw_connection()
        except self._dialect.loaded_dbapi.Error as error:
            raise translated(error, None, self._dialect) from error

    def _check_lock(self) -> None:
        if not self._locked.allows_call():
            raise DatabaseUnavailable("The database was locked a moment ago.", SQLITE_BUSY)

    def _note_failed_write(self, error: DatabaseUnavailable) -> None:
        self._write_failed_at = self._clock()
        if error.cause == SQLITE_BUSY:
            self._locked.start()

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        with self._connect(engine.connect) as connection:
            if connection.get_execution_options().get("no_time_limit"):
                yield connection
            else:
                with self._limited(connection.connection.dbapi_connection):
                    yield connection

    @contextmanager
    def _limited(self, driver_connection: Any) -> Iterator[None]:
        if self._timeout_s is None:
            yield
            return
        began = self._clock()
        try:
            with cut_off_after(self._timeout_s, driver_connection):
                yield
        except OperationalError:
            if self._clock() - began >= self._timeout_s:
                self._cooldown.start()
            raise

    def _connect(self, connect: Callable[[], Connected]) -> Connected:
        if not self._cooldown.allows_call():
            raise DatabaseUnavailable("The database could not be reached a moment ago.")
        began = self._clock()
        try:
            connection = connect()
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


# How SQLite and PostgreSQL (as codes) report that a table or a column is missing.
_NO_TABLE = ("no such table", "no such column", "has no column named")
_NO_TABLE_CODES = ("42P01", "42703")
# PostgreSQL fails whatever the statement is: the connection, resources, an operator, the system (classes);
# or it is read-only, as a standby or a host with a full disk is.
_UNWELL_CLASSES = ("08", "53", "57", "58")
_UNWELL_CODES = ("25006",)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        if _lacks_tables(error):
            raise DatabaseUnavailable(
                "The database's tables are missing or older than the program; run `flask db upgrade`.",
                "tables are missing: run flask db upgrade",
            ) from error
        # A DatabaseError of no narrower class is a file that is no database. The other narrower ones
        # (a violated constraint, a wrong statement) are for the caller.
        narrower = isinstance(error, DatabaseError) and type(error) not in (DatabaseError, OperationalError)
        if narrower and not _is_unwell(error):
            raise
        raise DatabaseUnavailable(cause=_name_of(error)) from error


def _name_of(error: DatabaseError | InterfaceError | PoolTimeout) -> str:
    cause = getattr(error, "orig", None)
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "pgcode", None)
    return str(name or type(error).__name__)


def _is_unwell(error: DatabaseError | InterfaceError | PoolTimeout) -> bool:
    code = getattr(getattr(error, "orig", None), "pgcode", None) or ""
    return code in _UNWELL_CODES or code[:2] in _UNWELL_CLASSES


def _lacks_tables(error: DatabaseError | InterfaceError | PoolTimeout) -> bool:
    cause = getattr(error, "orig", None)
    return getattr(cause, "pgcode", None) in _NO_TABLE_CODES or any(
        words in str(cause) for words in _NO_TABLE
    )


def make_sqlite_safe(engine: Engine, lock_timeout_s: float) -> None:
    """Configure an engine's SQLite connections: write-ahead log, foreign keys, explicit transactions.

    With `synchronous=FULL` every commit survives a power cut. A writer takes the lock when it begins: a
    transaction that reads first and writes later would fail at once, not wait, if another wrote in between.
    (https://www.sqlite.org/isolation.html, https://www.sqlite.org/lang_transaction.html)
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
        begin = "BEGIN IMMEDIATE" if options.get("writes") else "BEGIN"
        driver: Any = connection.connection.dbapi_connection
        try:
            _wait_for_disk(driver, connection.info, options.get("durable", True))
            driver.execute(begin)
        except sqlite3.Error as error:
            raise translated(error, begin, connection.dialect) from error


def _wait_for_disk(driver: Any, info: dict[Any, Any], waits: bool) -> None:
    """Let SQLite wait for the disk at each commit, or not. `info` belongs to the pool's connection."""
    if info.get("waits_for_disk", True) != waits:
        driver.execute(f"PRAGMA synchronous = {'FULL' if waits else 'NORMAL'}")
        info["waits_for_disk"] = waits
