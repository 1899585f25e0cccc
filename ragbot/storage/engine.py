"""Choose the options of a database engine, and set limits on each of its connections."""

from __future__ import annotations

from dataclasses import dataclass
from os import getpid
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError

from ragbot.storage.database import make_sqlite_safe
from ragbot.storage.timeouts import limit_pings

# For a connection that the host, a firewall or a failed machine has cut silently. On an idle one the kernel
# checks after IDLE_S that the other end is there, and gives up within COUNT * INTERVAL_S; what was sent and
# is not acknowledged it gives up after UNACKNOWLEDGED_S. By default Linux takes two hours for the one and a
# quarter of an hour for the other. Together they stay below a question's deadline.
IDLE_S = 15
INTERVAL_S = 5
COUNT = 2
UNACKNOWLEDGED_S = 10


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Hold the number of connections that a process may have, and the longest waits in seconds."""

    size: int
    overflow: int
    wait_s: float
    recycle_s: int
    lock_s: float
    statement_s: float


def engine_options(address: URL, limits: EngineLimits) -> dict[str, Any]:
    """Return the options of `create_engine` for an address. An option in the address overrides ours."""
    is_sqlite = address.get_backend_name() == "sqlite"
    return {
        "pool_size": limits.size,
        "max_overflow": limits.overflow,
        "pool_timeout": limits.wait_s,
        "pool_recycle": limits.recycle_s,
        "pool_pre_ping": not is_sqlite,
        # Parameters are questions and answers, and an error's text would quote them.
        "hide_parameters": True,
        "connect_args": _sqlite_options(limits) if is_sqlite else _libpq_options(address, limits),
    }


def make_safe(engine: Engine, limits: EngineLimits) -> None:
    """Set the limits of each connection, and let no process use another's connection."""
    make_sqlite_safe(engine, limits.lock_s)
    if engine.dialect.name == "postgresql":
        _limit_statements(engine, limits)
        _forget_isolation_level(engine)
        limit_pings(engine)
        _keep_values_out_of_errors(engine)
    _keep_to_one_process(engine)


def _sqlite_options(limits: EngineLimits) -> dict[str, Any]:
    return {"check_same_thread": False, "timeout": limits.lock_s}


def _libpq_options(address: URL, limits: EngineLimits) -> dict[str, Any]:
    options = {
        # For each host of the address; libpq takes 1 for 2.
        "connect_timeout": max(2, round(limits.wait_s)),
        "keepalives": 1,
        "keepalives_idle": IDLE_S,
        "keepalives_interval": INTERVAL_S,
        "keepalives_count": COUNT,
        "tcp_user_timeout": UNACKNOWLEDGED_S * 1000,
        "fallback_application_name": "ragbot",
    }
    return {name: value for name, value in options.items() if name not in address.query}


def _limit_statements(engine: Engine, limits: EngineLimits) -> None:
    # Set when a connection is made and not in the start-up packet: connection poolers such as PgBouncer
    # refuse a packet with `options` that they do not know. What the address itself sets there stays.
    in_address = engine.url.query.get("options", "")
    timeouts = {"lock_timeout": limits.lock_s, "statement_timeout": limits.statement_s}
    settings = "; ".join(
        f"SET {name} = {round(seconds * 1000)}"
        for name, seconds in timeouts.items()
        if name not in in_address
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        if settings:
            # Outside of a transaction, or the first rollback would take it back.
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(settings)
            connection.autocommit = False

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("no_time_limit"):
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _forget_isolation_level(engine: Engine) -> None:
    """Leave the isolation level to the server, whose own is SQLAlchemy's default, too.

    SQLAlchemy sets it anew behind each use that had another one, and with a level set psycopg2 sends a
    statement whenever a connection leaves its mode of automatic commits, as it does ten times an answer.
    """

    @event.listens_for(engine, "checkin")
    def _on_checkin(connection: Any, _record: Any) -> None:
        if connection is not None and not connection.closed and connection.isolation_level is not None:
            connection.isolation_level = None


def _keep_values_out_of_errors(engine: Engine) -> None:
    """Cut errors to their first line: below it PostgreSQL quotes the row that failed, which readers wrote.

    The driver puts the values into the statement before it is sent, so `hide_parameters` does not hide them.
    """

    @event.listens_for(engine, "handle_error")
    def _on_error(context: ExceptionContext) -> None:
        text, wrapper = str(context.original_exception), context.sqlalchemy_exception
        first_line = text.partition("\n")[0]
        if context.statement is None or wrapper is None or text == first_line:
            return
        context.original_exception.args = (first_line,)
        wrapper.args = (str(wrapper.args[0]).replace(text, first_line),)


def _keep_to_one_process(engine: Engine) -> None:
    """Drop connections that a forked child inherited: two processes would read each other's results.

    Nothing is open before gunicorn forks; this is for forks that happen later. The child's copy is dropped
    unclosed, as closing it would end the parent's session. (SQLAlchemy, "Using Connection Pools with
    Multiprocessing".)
    """

    @event.listens_for(engine, "connect")
    def _on_connect(_connection: Any, record: Any) -> None:
        record.info["process"] = getpid()

    @event.listens_for(engine, "checkout")
    def _on_checkout(_connection: Any, record: Any, proxy: Any) -> None:
        if record.info["process"] != getpid():
            record.dbapi_connection = proxy.dbapi_connection = None
            raise DisconnectionError("The connection belongs to the process that forked this one.")
