"""Test connections to PostgreSQL: TLS, time limits, dead connections, one pool a process, a maximum."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from ragbot import create_app
from ragbot.core.errors import DatabaseUnavailable
from ragbot.extensions import db
from ragbot.storage.database import Database
from ragbot.storage.engine import (
    EngineLimits,
)
from tests.conftest import THREE_CHAPTERS, services_of
from tests.storage.conftest import empty
from tests.storage.engines import EngineMaker, shown, warnings_of


@pytest.fixture
def engine(make_engine: EngineMaker, shared_postgres_url: str) -> Engine:
    return make_engine(shared_postgres_url)


# --- time limits -------------------------------------------------------------------------------


def test_statement_that_takes_too_long_is_ended_and_the_next_one_works(
    make_engine: EngineMaker, shared_postgres_url: str
) -> None:
    """One bad plan must not take a worker's threads one by one."""
    limits = EngineLimits(size=1, overflow=0, wait_s=2, recycle_s=1800, lock_s=5, statement_s=0.1)
    database = Database(make_engine(shared_postgres_url, limits))

    with pytest.raises(DatabaseUnavailable), database.reading() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))

    with database.reading() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_work_that_nobody_waits_for_has_its_time(make_engine: EngineMaker, shared_postgres_url: str) -> None:
    """Taking in a large book is one, and it uses the connection of a reader's question before and after."""
    limits = EngineLimits(size=1, overflow=0, wait_s=2, recycle_s=1800, lock_s=5, statement_s=7)
    database = Database(make_engine(shared_postgres_url, limits))
    told = []
    for unhurried in (False, True, False):
        for door in (database.reading, database.writing):
            with door(no_time_limit=unhurried) as connection:
                told.append(connection.scalar(text("SHOW statement_timeout")))

    assert told == ["7s", "7s", "0", "0", "7s", "7s"]


def test_connection_has_no_isolation_level_of_its_own_when_it_is_used_again(engine: Engine) -> None:
    """Or the driver would send a statement more with each of ours."""
    database = Database(engine)
    for _ in range(2):
        with database.reading() as connection:
            driver: Any = connection.connection.dbapi_connection
            connection.execute(text("SELECT 1"))

        assert driver.isolation_level is None
        assert not driver.autocommit


def test_lock_that_another_holds_is_not_waited_for_for_ever(
    make_engine: EngineMaker, shared_postgres_url: str
) -> None:
    """A migration by hand holds one for as long as its author is at lunch."""
    limits = EngineLimits(size=2, overflow=0, wait_s=2, recycle_s=1800, lock_s=0.1, statement_s=15)
    engine = make_engine(shared_postgres_url, limits)
    with engine.connect() as other:
        other.execute(text("LOCK TABLE sessions"))

        with pytest.raises(DatabaseUnavailable), Database(engine).reading() as connection:
            connection.execute(text("SELECT count(*) FROM sessions"))


def test_what_the_address_says_wins_over_our_limits(
    make_engine: EngineMaker, shared_postgres_url: str
) -> None:
    """An operator who writes `options=` means it."""
    said = "options=-c%20statement_timeout%3D3s%20-c%20search_path%3Dragbot,public&application_name=site"

    engine = make_engine(f"{shared_postgres_url}&{said}")

    assert [shown(engine, name) for name in ("statement_timeout", "lock_timeout")] == ["3s", "5s"]
    assert shown(engine, "search_path") == "ragbot,public"
    assert shown(engine, "application_name") == "site"


def test_connections_have_a_name_where_the_address_gives_none(engine: Engine) -> None:
    """The first question of whoever looks at a full server is whose they are."""
    assert shown(engine, "application_name") == "ragbot"


def test_limit_for_connecting_is_told_once(make_engine: EngineMaker) -> None:
    """The driver refuses a word that comes twice, and ours must not take the operator's place."""
    words = {}
    for query in ("", "?connect_timeout=9&keepalives=0"):
        engine = make_engine(f"postgresql://alice@db/book{query}")

        @event.listens_for(engine, "do_connect")
        def keep(
            _dialect: object, _record: object, _args: object, told: dict[str, object], query=query
        ) -> None:
            words[query] = told["connect_timeout"], told["keepalives"]
            raise ConnectionRefusedError

        with pytest.raises(ConnectionRefusedError):
            engine.connect()

    assert words == {"": (2, 1), "?connect_timeout=9&keepalives=0": ("9", "0")}


# --- a server over TCP, and behind TLS ---------------------------------------------------------


def test_host_that_never_answers_is_given_up(make_engine: EngineMaker) -> None:
    """It takes the connection and says nothing, as a machine does that is out of memory."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        engine = make_engine(f"postgres://alice@127.0.0.1:{deaf.getsockname()[1]}/book")
        started = time.monotonic()

        with pytest.raises(OperationalError):
            engine.connect()

    assert time.monotonic() - started < 10


# --- what the server ends ----------------------------------------------------------------------


@pytest.fixture
def app(shared_postgres_url: str, tmp_path: Path) -> Iterator[OpenAPI]:
    """Yield an app with a book, whose pool keeps one connection."""
    empty(shared_postgres_url)
    app = create_app(
        {
            "DATABASE_URL": shared_postgres_url,
            "DB_POOL_SIZE": 1,
            "ENVIRONMENT": "testing",
            "EMBEDDER": "none",
            "EDITION_POLL_S": 0,
            "RATE_LIMIT_ENABLED": False,
            "INDEX_DIR": str(tmp_path),
        }
    )
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    yield app
    with app.app_context():
        db.engine.dispose()


def backends(url: str, *, end: bool = False) -> set[int]:
    """Return the pids of the server's ends of our connections to a database, ended if so told."""
    asked = "SELECT pid" + (", pg_terminate_backend(pid)" if end else "")
    where = "WHERE datname = current_database() AND application_name = 'ragbot'"
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {row.pid for row in connection.execute(text(f"{asked} FROM pg_stat_activity {where}"))}
    engine.dispose()
    return found


def test_question_after_the_server_ended_the_connection_is_answered(
    app: OpenAPI, shared_postgres_url: str
) -> None:
    """A server that is restarted ends them all, and no reader is told of it."""
    question = {"query": "How long is the cheddar ripened?"}
    before = app.test_client().post("/query", json=question)

    ended = backends(shared_postgres_url, end=True)
    after = app.test_client().post("/query", json=question)

    assert ended
    assert (before.status_code, after.status_code) == (200, 200)
    assert after.json["answer"] == before.json["answer"]
    assert backends(shared_postgres_url).isdisjoint(ended)


# --- one pool a process ------------------------------------------------------------------------


# --- no more than the server has ---------------------------------------------------------------


def test_pools_that_fit_are_not_spoken_of(engine: Engine) -> None:
    """The server keeps three of its hundred for superusers."""
    assert warnings_of(engine, workers=1, size=97, overflow=0) == []


def test_pools_that_do_not_fit_are_told_with_their_numbers(engine: Engine) -> None:
    """Else it shows at the first rush, as errors of a full server."""
    (line,) = warnings_of(engine, workers=2, size=20, overflow=29)

    numbers = {name: line[name] for name in ("wanted", "available", "max_connections", "reserved", "workers")}
    assert numbers == {
        "wanted": 98,
        "available": 97,
        "max_connections": 100,
        "reserved": 3,
        "workers": 2,
    }
    assert line["log_level"] == "warning"


@pytest.mark.parametrize("url", ["postgresql://alice@127.0.0.1:1/book", "sqlite:///{}/book.db"])
def test_database_that_is_away_or_has_no_limit_keeps_nobody_from_starting(
    make_engine: EngineMaker, tmp_path: Path, url: str
) -> None:
    """The warning is a kindness, not a check."""
    assert warnings_of(make_engine(url.format(tmp_path)), workers=9, size=99, overflow=0) == []
