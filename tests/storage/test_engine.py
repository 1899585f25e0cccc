"""Connections to PostgreSQL: TLS and time limits kept, ends noticed, one pool a process, none too many."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from harness.gunicorn_process import GunicornProcess, free_port, inherited_environment, open_files
from ragbot import create_app
from ragbot.config import PROJECT_ROOT, load_settings
from ragbot.core.errors import DatabaseUnavailable
from ragbot.extensions import db
from ragbot.storage.database import Database
from ragbot.storage.engine import (
    COUNT,
    IDLE_S,
    INTERVAL_S,
    UNACKNOWLEDGED_S,
    EngineLimits,
    engine_options,
    make_safe,
)
from ragbot.storage.pool_check import warn_of_large_pool
from tests.conftest import THREE_CHAPTERS, services_of
from tests.databases import PostgresDatabases, migrate
from tests.fakes.certificates import Certificates, made_certificates
from tests.fakes.tls_door import TlsDoor
from tests.storage.conftest import empty

PASSWORD = "p@ss/w%rd"
IN_AN_ADDRESS = "p%40ss%2Fw%25rd"
LIMITS = EngineLimits(size=2, overflow=0, wait_s=2, recycle_s=1800, lock_s=5, statement_s=15)

EngineMaker = Callable[..., Engine]


@pytest.fixture
def make_engine() -> Iterator[EngineMaker]:
    """Make engines as the app has them, by an address as an operator writes it."""
    engines: list[Engine] = []

    def make(written: str, limits: EngineLimits = LIMITS) -> Engine:
        address = make_url(load_settings({"DATABASE_URL": written}).database_url)
        engine = create_engine(address, **engine_options(address, limits))
        make_safe(engine, limits)
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def engine(make_engine: EngineMaker, shared_postgres_url: str) -> Engine:
    return make_engine(shared_postgres_url)


def shown(engine: Engine, name: str) -> str:
    with engine.connect() as connection:
        return str(connection.scalar(text(f"SHOW {name}")))


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


@pytest.fixture(scope="module")
def tcp_port() -> Iterator[int]:
    """Where a server listens that knows alice by her password and gives her seventeen connections."""
    databases, port = PostgresDatabases(), free_port()
    with databases.serving(), databases.over_tcp(port):
        databases.say(f"CREATE ROLE alice LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 17")
        databases.say("CREATE DATABASE book OWNER alice")
        yield port


@pytest.fixture
def tcp_url(tcp_port: int) -> str:
    return f"postgres://alice:{IN_AN_ADDRESS}@127.0.0.1:{tcp_port}/book"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return made_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls_url(tcp_port: int, certificates: Certificates) -> Iterator[str]:
    """The same server behind TLS, which the one that the tests bring along does not speak itself."""
    with TlsDoor(tcp_port, certificates, asked_for=True) as door:
        yield f"postgres://alice:{IN_AN_ADDRESS}@localhost:{door.port}/book"


def test_certificate_is_checked_as_the_address_says(
    make_engine: EngineMaker, tls_url: str, certificates: Certificates
) -> None:
    """`sslmode` and `sslrootcert` come through whole."""
    engine = make_engine(f"{tls_url}?sslmode=verify-full&sslrootcert={certificates.authority}")

    with engine.connect() as connection:
        assert connection.connection.dbapi_connection.info.ssl_in_use


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?sslmode=disable", "closed the connection"),
        ("?sslmode=verify-full&sslrootcert={strangers}", "certificate verify failed"),
        # This door ends TLS before the server, which is what channel binding is there to notice.
        ("?sslmode=require&channel_binding=require", "channel binding"),
    ],
)
def test_connection_that_breaks_a_rule_of_tls_is_refused(
    make_engine: EngineMaker, tls_url: str, query: str, said: str, tmp_path: Path
) -> None:
    """A word that got lost would let it through, and nobody would notice."""
    strangers = made_certificates(tmp_path)

    with pytest.raises(OperationalError, match=said) as refused:
        make_engine(tls_url + query.format(strangers=strangers.authority)).connect()

    assert PASSWORD not in str(refused.value)


def test_peer_that_is_gone_is_noticed_by_the_kernel(make_engine: EngineMaker, tcp_url: str) -> None:
    """A firewall that forgets a connection says nothing; Linux alone would wait for two hours."""
    engine = make_engine(tcp_url)

    with engine.connect() as connection:
        fd = connection.connection.dbapi_connection.fileno()
        with closing(socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM)) as ours:
            told = [
                ours.getsockopt(level, name)
                for level, name in [
                    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
                    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                ]
            ]

    assert told == [1, IDLE_S, INTERVAL_S, COUNT, UNACKNOWLEDGED_S * 1000]
    assert load_settings().query_deadline_s > IDLE_S + INTERVAL_S * COUNT


def test_second_host_is_taken_where_the_first_is_away(make_engine: EngineMaker, tcp_url: str) -> None:
    """A cluster hands out all of its hosts in one address."""
    user, _, place = tcp_url.rpartition("@")
    engine = make_engine(f"{user}@127.0.0.1:1,{place}")

    assert shown(engine, "application_name") == "ragbot"


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
    """An app with a book, whose pool keeps one connection."""
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
    """The pids of the server's ends of our connections to a database, ended if so told."""
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

FORKS = """
import os, sys
from sqlalchemy import create_engine, make_url, text
from ragbot.storage.engine import EngineLimits, engine_options, make_safe

url = make_url(sys.argv[1])
limits = EngineLimits(1, 0, 2, 1800, 5, 15)
engine = create_engine(url, **engine_options(url, limits))
make_safe(engine, limits)

def backend():
    with engine.connect() as connection:
        return connection.scalar(text("SELECT pg_backend_pid()"))

ours = backend()
child = os.fork()
if child == 0:
    theirs = backend()
    os._exit(1 if theirs == ours or theirs != backend() else 0)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), backend() == ours)
"""


def test_child_of_a_fork_opens_a_connection_of_its_own(shared_postgres_url: str) -> None:
    """Over a shared one each would read the other's answers; and the parent's must outlive the child."""
    ran = subprocess.run(
        [sys.executable, "-c", FORKS, shared_postgres_url],
        cwd=PROJECT_ROOT,
        env=inherited_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert ran.stdout == "0 True\n"


def test_gunicorn_opens_nothing_before_it_forks(tcp_url: str, tcp_port: int, tmp_path: Path) -> None:
    """Each worker has a pool of its own and the master none; and what does not fit is told once."""
    migrate(tcp_url)
    settings = {"DATABASE_URL": tcp_url, "INDEX_DIR": str(tmp_path), "EMBEDDER": "none"}
    with GunicornProcess(settings, workers=2) as server:
        # The workers warm up by themselves, over a connection of each.
        until = time.monotonic() + 30
        while time.monotonic() < until and not (
            all(connected(pid, tcp_port) for pid in server.worker_pids())
            and "pool_larger_than_server" in server.logs()
        ):
            time.sleep(0.05)
        holders = {pid for pid in (server.pid, *server.worker_pids()) if connected(pid, tcp_port)}
        workers = set(server.worker_pids())
        told = [line for line in server.logs().splitlines() if "pool_larger_than_server" in line]

    assert holders == workers
    assert len(told) == 1
    assert (json.loads(told[0])["wanted"], json.loads(told[0])["available"]) == (120, 17)


def connected(pid: int, port: int) -> bool:
    """Whether a process holds a connection to that port of the loopback, by the kernel's table (Linux)."""
    held = open_files(pid)
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(int(row[2].rpartition(":")[2], 16) == port and f"socket:[{row[9]}]" in held for row in rows)


# --- no more than the server has ---------------------------------------------------------------


def warnings_of(engine: Engine, **pool: int) -> list[dict[str, object]]:
    with capture_logs() as lines:
        warn_of_large_pool(engine, **pool)
    return [dict(line) for line in lines if line["event"] == "pool_larger_than_server"]


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


def test_limit_of_the_role_counts_where_it_is_smaller(make_engine: EngineMaker, tcp_url: str) -> None:
    """Hosts sell connections by the role: alice has seventeen."""
    engine = make_engine(tcp_url)

    (line,) = warnings_of(engine, workers=2, size=9, overflow=0)

    assert (line["wanted"], line["available"]) == (18, 17)


@pytest.mark.parametrize("url", ["postgresql://alice@127.0.0.1:1/book", "sqlite:///{}/book.db"])
def test_database_that_is_away_or_has_no_limit_keeps_nobody_from_starting(
    make_engine: EngineMaker, tmp_path: Path, url: str
) -> None:
    """The warning is a kindness, not a check."""
    assert warnings_of(make_engine(url.format(tmp_path)), workers=9, size=99, overflow=0) == []
