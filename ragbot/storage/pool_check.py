"""Compare the connections that all workers together may open with those that the server allows."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)

# Those reserved for superusers are not for us; a role and a database may have limits of their own (-1: none).
_LIMITS = text(
    "SELECT current_setting('max_connections')::int AS most, "
    "current_setting('superuser_reserved_connections')::int "
    "+ coalesce(current_setting('reserved_connections', true), '0')::int AS reserved, "
    "(SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS of_role, "
    "(SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS of_database"
)


@dataclass(frozen=True, slots=True)
class PoolCapacity:
    """Hold the connections of a PostgreSQL server; `available` is the most that we may open."""

    most: int
    reserved: int
    available: int


def pool_capacity(engine: Engine) -> PoolCapacity | None:
    """Return the server's connections, or None for a database without a limit. Raises SQLAlchemyError."""
    if engine.dialect.name != "postgresql":
        return None
    with engine.connect() as connection:
        row = connection.execute(_LIMITS).one()
    own = [limit for limit in (row.of_role, row.of_database) if limit is not None and limit >= 0]
    return PoolCapacity(row.most, row.reserved, min([row.most - row.reserved, *own]))


def warn_of_large_pool(engine: Engine, *, workers: int, size: int, overflow: int) -> None:
    """Log `pool_larger_than_server` if these workers alone may open more connections than the server allows.

    Other replicas are not counted. Does not warn of a database that is unavailable.
    """
    try:
        capacity = pool_capacity(engine)
    except SQLAlchemyError as error:
        log.info("pool_check_skipped", cause=type(error).__name__)
        return
    wanted = workers * (size + overflow)
    if capacity and wanted > capacity.available:
        log.warning(
            "pool_larger_than_server",
            wanted=wanted,
            available=capacity.available,
            max_connections=capacity.most,
            reserved=capacity.reserved,
            workers=workers,
            pool_size=size,
            max_overflow=overflow,
            advice="lower DB_POOL_SIZE, DB_MAX_OVERFLOW or WEB_CONCURRENCY, or put a pooler in front",
        )
