"""Run single statements by the driver itself, for the small stores that each answer asks several times.

SQLAlchemy needs some 100 µs of CPU for a statement; the driver needs 15. The statements are still written as
SQLAlchemy's, and connections come from its pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Dialect
from sqlalchemy.exc import DBAPIError, IllegalStateChangeError
from sqlalchemy.pool import PoolProxiedConnection


class DirectStatement:
    """Hold a statement as its driver takes it. Values are given to the driver as they are.

    So a JSON column takes and returns text, and a result has tuples.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        names = getattr(compiled, "positiontup", None)
        self._names: Sequence[str] | None = names if getattr(compiled, "positional", False) else None

    def parameters(self, values: Mapping[str, Any]) -> Mapping[str, Any] | Sequence[Any]:
        """Return the values in the form that the driver wants, by name or by position."""
        return values if self._names is None else [values[name] for name in self._names]


def run_alone(
    connection: PoolProxiedConnection,
    dialect: Dialect,
    statement: DirectStatement,
    values: Mapping[str, Any],
) -> list[tuple[Any, ...]]:
    """Run a statement in a transaction of its own, without BEGIN and COMMIT, and return its rows.

    Raises what SQLAlchemy would raise. The connection of a server that is gone is dropped from the pool.
    """
    driver = connection.dbapi_connection
    if driver is None:
        raise IllegalStateChangeError("The connection was given back.")
    is_postgresql = dialect.name == "postgresql"
    if is_postgresql:
        driver.autocommit = True
    try:
        cursor = driver.cursor()
        try:
            cursor.execute(statement.sql, statement.parameters(values))
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()
    except dialect.loaded_dbapi.Error as error:
        is_gone = dialect.is_disconnect(error, driver, None)
        if is_gone:
            connection.invalidate(error)
        raise translated(error, statement.sql, dialect, is_gone=is_gone) from error
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
