"""Run statements by the driver itself, for what each answer reads and writes.

SQLAlchemy needs some 100 µs of CPU for a statement; the driver needs 15. The statements are still written as
SQLAlchemy's, and connections come from its pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ClauseElement, Dialect
from sqlalchemy.exc import DBAPIError, IllegalStateChangeError
from sqlalchemy.pool import PoolProxiedConnection

# In front of a statement and in one message with it, it holds for its transaction alone.
_NO_WAIT = "SET LOCAL synchronous_commit = off;\n"


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Hold what a driver takes, and what is done to the values before."""

    sql: str
    # In their order, where the driver takes values by position.
    names: Sequence[str] | None
    # Of the statement itself, as a status that it compares with.
    constants: Mapping[str, Any]
    converters: Mapping[str, Callable[[Any], Any]]
    binds: frozenset[str]


class DirectStatement:
    """Hold a statement as its driver takes it, with what converts its values; a result has tuples.

    With `columns` the statement inserts or updates these alone. Without `converts` values go to the driver as
    they are, and so a JSON column takes text.
    """

    def __init__(
        self,
        statement: ClauseElement,
        dialect: Dialect,
        *,
        columns: Sequence[str] | None = None,
        converts: bool = False,
    ) -> None:
        self._statement = statement
        self._dialect = dialect
        self._columns = columns
        self._converts = converts

    @property
    def sql(self) -> str:
        """Return the statement in the driver's words."""
        return self._compiled.sql

    @cached_property
    def _compiled(self) -> _Compiled:
        """Compile it when it is first run: an app has dozens, and most processes run few of them."""
        compiled = self._statement.compile(dialect=self._dialect, column_keys=self._columns)
        is_positional = getattr(compiled, "positional", False)
        return _Compiled(
            sql=str(compiled),
            names=getattr(compiled, "positiontup", None) if is_positional else None,
            constants={name: value for name, value in compiled.params.items() if value is not None},
            converters=dict(_converters(compiled, self._dialect)) if self._converts else {},
            binds=frozenset(compiled.params),
        )

    def parameters(self, values: Mapping[str, Any]) -> Mapping[str, Any] | Sequence[Any]:
        """Return the values in the form that the driver wants, by name or by position.

        Raises KeyError for a value that the statement has no place for, or that is missing.
        """
        compiled = self._compiled
        if not values.keys() <= compiled.binds:
            raise KeyError(*sorted(values.keys() - compiled.binds))
        if compiled.constants or compiled.converters:
            values = {**compiled.constants, **values}
            values |= {name: convert(values[name]) for name, convert in compiled.converters.items()}
        return values if compiled.names is None else [values[name] for name in compiled.names]


def _converters(compiled: Any, dialect: Dialect) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    for name, bind in compiled.binds.items():
        convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None:
            yield name, convert


def run_alone(
    connection: PoolProxiedConnection,
    dialect: Dialect,
    statement: DirectStatement,
    values: Mapping[str, Any],
    *,
    waits_for_disk: bool = True,
) -> list[tuple[Any, ...]]:
    """Run a statement in a transaction of its own, without BEGIN and COMMIT, and return its rows.

    PostgreSQL waits for its disk only with `waits_for_disk`. Raises what SQLAlchemy would raise. The
    connection of a server that is gone is dropped from the pool.
    """
    sql = statement.sql
    if not waits_for_disk and dialect.name == "postgresql":
        sql = f"{_NO_WAIT}{sql}"
    with _cursor(connection, dialect, sql) as cursor:
        cursor.execute(sql, statement.parameters(values))
        return list(cursor.fetchall()) if cursor.description else []


def run_together(
    connection: PoolProxiedConnection,
    dialect: Dialect,
    work: Sequence[tuple[DirectStatement, Mapping[str, Any]]],
) -> None:
    """Run statements one after another in one transaction: all of them take effect, or none.

    PostgreSQL gets them in one message, which is a transaction without BEGIN and COMMIT. (PostgreSQL,
    "Multiple Statements in a Simple Query".) Raises as `run_alone` does.
    """
    with _cursor(connection, dialect, work[0][0].sql) as cursor:
        if dialect.name == "postgresql":
            parts = [
                cursor.mogrify(statement.sql, statement.parameters(values)) for statement, values in work
            ]
            cursor.execute(b";\n".join(parts))
            return
        cursor.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in work:
                cursor.execute(statement.sql, statement.parameters(values))
            cursor.execute("COMMIT")
        except BaseException:
            if connection.is_valid and cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise


@contextmanager
def _cursor(connection: PoolProxiedConnection, dialect: Dialect, sql: str) -> Iterator[Any]:
    """Give a cursor whose statements commit themselves, and turn the driver's errors into SQLAlchemy's."""
    driver = connection.dbapi_connection
    if driver is None:
        raise IllegalStateChangeError("The connection was given back.")
    is_postgresql = dialect.name == "postgresql"
    if is_postgresql:
        driver.autocommit = True
    try:
        cursor = driver.cursor()
        try:
            yield cursor
        finally:
            cursor.close()
    except dialect.loaded_dbapi.Error as error:
        is_gone = dialect.is_disconnect(error, driver, None)
        if is_gone:
            connection.invalidate(error)
        raise translated(error, sql, dialect, is_gone=is_gone) from error
    finally:
        if is_postgresql and connection.is_valid and not driver.closed:
            driver.autocommit = False


def translated(
    error: Exception, sql: str | None, dialect: Dialect, *, is_gone: bool = False
) -> BaseException:
    """Return the error that SQLAlchemy would raise for one of the driver's, without what readers wrote."""
    # PostgreSQL quotes the row that failed below the first line.
    error.args = (str(error).partition("\n")[0],)
    base = dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        sql, None, error, base, hide_parameters=True, connection_invalidated=is_gone, dialect=dialect
    )
