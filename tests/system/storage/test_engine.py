"""Test connections to a PostgreSQL server over TCP and TLS, and from several processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from harness.gunicorn_process import GunicornProcess, free_port, inherited_environment, open_files
from ragbot.config import PROJECT_ROOT, load_settings
from ragbot.storage.engine import (
    COUNT,
    IDLE_S,
    INTERVAL_S,
    UNACKNOWLEDGED_S,
)
from tests.databases import PostgresDatabases, migrate
from tests.fakes.certificates import Certificates, made_certificates
from tests.fakes.tls_door import TlsDoor
from tests.storage.engines import EngineMaker, shown, warnings_of

PASSWORD = "p@ss/w%rd"

IN_AN_ADDRESS = "p%40ss%2Fw%25rd"


@pytest.fixture(scope="module")
def tcp_port() -> Iterator[int]:
    """Yield where a server listens that knows alice by her password and gives her seventeen connections."""
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
    """Yield the same server behind TLS, which the one that the tests bring along does not speak itself."""
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
        timeout=300,
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


def test_limit_of_the_role_counts_where_it_is_smaller(make_engine: EngineMaker, tcp_url: str) -> None:
    """Hosts sell connections by the role: alice has seventeen."""
    engine = make_engine(tcp_url)

    (line,) = warnings_of(engine, workers=2, size=9, overflow=0)

    assert (line["wanted"], line["available"]) == (18, 17)
