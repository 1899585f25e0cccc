"""Test the shipped nginx in front of a real gunicorn: what passes, what is refused, which address counts."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.gunicorn_process import GunicornProcess
from harness.loopback import Call, Connection, LoopbackServer
from harness.openai_upstream import OpenAIUpstream, Reply
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, services_of
from tests.system.deploy.nginx_process import NGINX, NginxProcess

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed (apt-get install nginx-light)")

CHEDDAR = "How long is the cheddar ripened?"
WORDS = ["According ", "to ", "the ", "book ", "nine ", "months ", "[1]."]


class OneByOne(list[str]):
    """An answer's words, each of which comes when it is let go."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__(words)
        self.let_go = threading.Semaphore(0)

    def __iter__(self) -> Iterator[str]:
        for number in range(len(self)):
            assert self.let_go.acquire(timeout=60)
            yield self[number]


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIUpstream]:
    """Yield a provider on the loopback."""
    with OpenAIUpstream(models=("gpt-4o",)) as upstream:
        upstream.always(Reply(tokens=WORDS))
        yield upstream


@pytest.fixture(scope="module")
def database(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one that holds the three-chapter book."""
    folder = tmp_path_factory.mktemp("behind-nginx")
    path = folder / "ragbot.db"
    shutil.copy(migrated_database, path)
    app = create_app(
        {
            "ENVIRONMENT": "testing",
            "DATABASE_URL": f"sqlite:///{path}",
            "INDEX_DIR": str(folder),
            "EMBEDDER": "none",
        }
    )
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    with app.app_context():
        db.engine.dispose()
    return path


@pytest.fixture(scope="module")
def server(database: Path, upstream: OpenAIUpstream) -> Iterator[GunicornProcess]:
    """Yield the service as it stands behind the proxy: one hop is believed, addresses have quotas."""
    environment = {
        "DATABASE_URL": f"sqlite:///{database}",
        "INDEX_DIR": str(database.parent),
        "EMBEDDER": "none",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": upstream.base_url,
        # Each question is to reach the provider.
        "CACHE_TTL_HOURS": "0",
        "TRUSTED_PROXIES": "1",
        "RATE_LIMIT_ENABLED": "true",
        "RATE_LIMIT_QUERIES_PER_MINUTE": "1000",
    }
    with GunicornProcess(environment) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: GunicornProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxProcess]:
    """Yield the proxy that readers connect to."""
    with NginxProcess(tmp_path_factory.mktemp("proxy"), server.port) as proxy:
        yield proxy


def connected(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def asked(
    connection: http.client.HTTPConnection, headers: dict[str, str] | None = None, **fields: object
) -> http.client.HTTPResponse:
    body = json.dumps({"query": CHEDDAR} | fields)
    connection.request("POST", "/query", body, {"Content-Type": "application/json"} | (headers or {}))
    return connection.getresponse()


def counted_addresses(database: Path) -> set[str]:
    """Under which names callers were counted."""
    with closing(sqlite3.connect(database, timeout=5)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'quota%'").fetchall()
        keys = [
            str(row) for (table,) in tables for row in connection.execute(f"SELECT * FROM {table}").fetchall()
        ]
    return {address for address in ("127.0.0.1", "203.0.113.7", "198.51.100.9") if address in str(keys)}


@pytest.mark.parametrize(
    "choice", [{}, {"balanced": True}, {"tls": True}], ids=["plain", "behind a balancer", "tls"]
)
def test_nginx_takes_each_configuration(tmp_path: Path, choice: dict[str, bool]) -> None:
    """A proxy that does not start takes the whole service with it."""
    proxy = NginxProcess(tmp_path, 1, **choice)
    make_certificate(proxy.folder)

    told = subprocess.run(proxy.command("-t"), capture_output=True, text=True, timeout=300)

    assert "syntax is ok" in told.stderr
    assert "[warn]" not in told.stderr
    assert told.returncode == 0


def test_answer_comes_piece_by_piece(proxy: NginxProcess, upstream: OpenAIUpstream) -> None:
    """A proxy that collects a stream makes the reader wait for its end."""
    words = OneByOne(f"word{number} " for number in range(9))
    upstream.always(Reply(tokens=words))
    with closing(connected(proxy.port)) as connection:
        # A word is given when the next one has shown that it is whole.
        words.let_go.release(2)
        response = asked(connection, stream=True)
        lines = iter(response)
        said = [read_until(lines, b"event: delta")]
        for _ in range(6):
            words.let_go.release()
            said.append(read_until(lines, b"event: delta"))
        words.let_go.release()
        rest = b"".join(lines)
    upstream.always(Reply(tokens=WORDS))

    assert response.status == 200
    assert b"event: sources" in said[0]
    assert b"event: done" not in b"".join(said)
    assert b"event: done" in rest
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["Content-Encoding"] is None


def read_until(lines: Iterator[bytes], word: bytes) -> bytes:
    said = b""
    for line in lines:
        said += line
        if word in line:
            return said
    raise AssertionError(f"{word!r} never came:\n{said.decode()}")


def test_reader_who_leaves_is_noticed_behind_the_proxy(proxy: NginxProcess, upstream: OpenAIUpstream) -> None:
    """Nobody pays for words that nobody reads."""
    upstream.forget()
    upstream.always(Reply(delay_s=0.1, tokens=[f"word{number} " for number in range(100)]))
    connection = connected(proxy.port)
    response = asked(connection, stream=True)
    read_until(iter(response), b"event: delta")

    response.close()
    connection.close()

    assert upstream.wait_for_disconnect()
    upstream.always(Reply(tokens=WORDS))


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_address_that_a_client_makes_up_is_not_counted(
    proxy: NginxProcess, database: Path, header: str
) -> None:
    """Else one machine has as many quotas as it can think of addresses."""
    forged = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Real-IP": "203.0.113.7"}
    with closing(connected(proxy.port)) as connection:
        assert asked(connection, {header: forged[header]}).status == 200

    addresses = counted_addresses(database)

    assert "127.0.0.1" in addresses
    assert "203.0.113.7" not in addresses


def test_behind_a_balancer_its_last_word_counts(
    server: GunicornProcess, database: Path, tmp_path: Path
) -> None:
    """The balancer appends the reader's address to whatever the reader sent."""
    with (
        NginxProcess(tmp_path, server.port, balanced=True) as proxy,
        closing(connected(proxy.port)) as connection,
    ):
        told = {"X-Forwarded-For": "203.0.113.7, 198.51.100.9", "X-Forwarded-Proto": "https"}
        response = asked(connection, told)

    assert response.status == 200
    assert "198.51.100.9" in counted_addresses(database)
    assert "203.0.113.7" not in counted_addresses(database)
    assert response.headers["Strict-Transport-Security"]


class Replica(LoopbackServer):
    """One of several services; it can go down and come up again."""

    def respond(self, call: Call, connection: Connection) -> None:
        connection.reply_json(200, {"path": call.path})


def test_replica_that_was_just_restarted_is_asked_while_the_other_is_down(tmp_path: Path) -> None:
    """nginx set it aside for ten seconds, and readers were told 502 in a rolling restart."""
    with (
        Replica() as first,
        Replica() as second,
        NginxProcess(tmp_path, 1, replicas=(first.port, second.port)) as proxy,
    ):
        statuses = []
        for restarted in (first, second, first):
            restarted.go_down()
            statuses += [status_through(proxy) for _ in range(4)]
            restarted.come_up()
        shares = [len(replica.calls()) for replica in (first, second)]

    assert set(statuses) == {200}
    assert min(shares) > 0


def status_through(proxy: NginxProcess) -> int:
    with closing(connected(proxy.port)) as connection:
        return asked(connection).status


def test_metrics_are_not_for_readers(proxy: NginxProcess) -> None:
    """They tell how much is asked and what it costs."""
    with closing(connected(proxy.port)) as connection:
        connection.request("GET", "/metrics")

        assert connection.getresponse().status == 404


def test_slow_clients_take_no_thread_of_the_service(proxy: NginxProcess, server: GunicornProcess) -> None:
    """More of them than there are threads, and everybody else is answered."""
    slow = []
    try:
        for _ in range(60):
            client = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
            client.sendall(b"POST /query HTTP/1.1\r\nHost: book.test\r\nContent-Length: 100\r\n\r\n{")
            slow.append(client)
        started = time.monotonic()
        with closing(connected(proxy.port)) as connection:
            status = asked(connection).status
        took = time.monotonic() - started
    finally:
        for client in slow:
            client.close()

    assert status == 200
    assert took < 8


def test_body_that_is_too_large_is_refused_at_the_door(proxy: NginxProcess) -> None:
    """It costs the service nothing."""
    with closing(connected(proxy.port)) as connection:
        response = asked(connection, query="x" * 70_000)

        assert response.status == 413


def test_book_that_an_author_sends_passes(proxy: NginxProcess) -> None:
    """It is larger than any question; whether it is taken is for the service to say."""
    with closing(connected(proxy.port)) as connection:
        headers = {"Content-Type": "application/zip", "X-API-Key": "not-configured-here"}
        connection.request("POST", "/admin/ingest", b"PK" * 200_000, headers)

        answer = connection.getresponse()

    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("named_by_compose", ["", "book.test"], ids=["by the file", "by Compose"])
@pytest.mark.parametrize("host", ["evil.test", "book.test.evil.test", "book.test:8080", "127.0.0.1"])
def test_reader_is_sent_to_the_configured_name_whatever_the_request_says(
    server: GunicornProcess, tmp_path: Path, host: str, named_by_compose: str
) -> None:
    """A cache before it would send everybody to where one request wanted to."""
    proxy = NginxProcess(tmp_path, server.port, tls=True, named_by_compose=named_by_compose)
    make_certificate(proxy.folder)
    with proxy, closing(connected(proxy.port)) as connection:
        connection.request("GET", "/docs?a=1", headers={"Host": host})
        sent = connection.getresponse()

    assert (sent.status, sent.headers["Location"]) == (308, "https://book.test/docs?a=1")


def test_reader_is_sent_to_https_and_served_there(server: GunicornProcess, tmp_path: Path) -> None:
    """Where the proxy ends TLS itself."""
    proxy = NginxProcess(tmp_path, server.port, tls=True)
    certificate = make_certificate(proxy.folder)
    with proxy:
        with closing(connected(proxy.port)) as connection:
            connection.request("GET", "/docs", headers={"Host": "book.test"})
            sent = connection.getresponse()
        context = ssl.create_default_context(cafile=str(certificate))
        secure = http.client.HTTPSConnection("localhost", proxy.tls_port, context=context, timeout=60)
        with closing(secure):
            secure.request("GET", "/health")
            served = secure.getresponse()

    assert (sent.status, sent.headers["Location"]) == (308, "https://book.test/docs")
    assert served.status == 200
    assert served.headers["Strict-Transport-Security"]


def make_certificate(folder: Path) -> Path:
    """Return a certificate for localhost that signs itself."""
    certificate = folder / "fullchain.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(folder / "privkey.pem"), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return certificate
