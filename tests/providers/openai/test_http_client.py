"""The HTTP client of model calls, against servers that send exactly these bytes."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.loopback import Call, Connection, LoopbackServer
from ragbot.providers.openai import http_client
from ragbot.providers.openai.http_client import (
    Address,
    CallFailed,
    CallTimedOut,
    HTTPClient,
    Request,
    Response,
    ResponseRefused,
)
from ragbot.providers.openai.interruptible_http import InterruptibleConnection
from tests.fakes.certificates import made_certificates
from tests.fakes.tls_door import TlsDoor

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nNine"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class RawServer(LoopbackServer):
    """Send the same bytes to each request; then close, if they do not say how long the body is."""

    def __init__(self, raw: bytes = PLAIN, *, closes: bool = False) -> None:
        super().__init__()
        self.raw = raw
        self.closes = closes

    def respond(self, call: Call, connection: Connection) -> None:
        connection.send(self.raw)
        if self.closes:
            connection.close()


class TunnelProxy(LoopbackServer):
    """Open the tunnels that are asked for, and answer other requests itself."""

    def respond(self, call: Call, connection: Connection) -> None:
        if call.method != "CONNECT":
            connection.reply(200, b"from the proxy")
            return
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        outside = connection._sock
        with socket.create_connection(("127.0.0.1", int(call.path.rpartition(":")[2]))) as inside:
            back = threading.Thread(target=_copy, args=(inside, outside))
            back.start()
            _copy(outside, inside)
            back.join()
        connection.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    # Either side may leave first.
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def client() -> Iterator[HTTPClient]:
    with contextlib.closing(HTTPClient()) as opened:
        yield opened


def sent(client: HTTPClient, url: str, *, seconds: float = 10, **more: Any) -> Response:
    request = Request("POST", Address.of(url), {"X-Key": "k"}, {"Authorization": "Bearer key"}, b'{"a": 1}')
    wire = InterruptibleConnection(seconds)
    return client.send(replace(request, **more), wire, connect_timeout_s=5)


def text_from(client: HTTPClient, url: str, **more: Any) -> str:
    with sent(client, url, **more) as response:
        return response.read(1_000_000).decode()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED + b"4\r\nNine\r\n",
        CHUNKED + b"zz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nNine",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_response_that_is_cut_or_nonsense_is_an_error_of_the_call(raw: bytes, client: HTTPClient) -> None:
    """It is retried, or another model answers."""
    with RawServer(raw, closes=True) as server, pytest.raises(CallFailed):
        text_from(client, server.url)


# --- connecting --------------------------------------------------------------------------------


@pytest.fixture
def swallowing(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[Any]]]:
    """Give the URL of a listener whose queue is full, so that it drops what comes, as firewalls do.

    The list has its addresses, which a test may add to.
    """
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", listener.getsockname())
        addresses = [address]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: addresses)
        yield f"http://provider.example:{address[4][1]}", addresses


@pytest.mark.parametrize("count", [1, 4])
def test_addresses_of_a_server_share_the_time_to_connect(
    count: int, swallowing: tuple[str, list[Any]], client: HTTPClient
) -> None:
    """A question has one time limit, however many addresses a firewall drops the packets to."""
    url, addresses = swallowing
    addresses *= count
    started = time.monotonic()

    with pytest.raises(CallTimedOut):
        sent(client, url, seconds=1)

    assert 0.8 < time.monotonic() - started < 1.0 + 2.0


def test_next_address_is_tried_where_one_does_not_answer(
    swallowing: tuple[str, list[Any]], client: HTTPClient
) -> None:
    """Such as IPv6 in a network that has none."""
    url, addresses = swallowing
    with RawServer() as server:
        port = Address.of(server.url).port
        addresses.append((*addresses[0][:4], ("127.0.0.1", port)))

        assert text_from(client, url, seconds=1) == "Nine"


def test_reader_who_leaves_ends_the_connecting_at_once(
    swallowing: tuple[str, list[Any]], client: HTTPClient
) -> None:
    """The thread is another reader's."""
    url, addresses = swallowing
    addresses *= 4
    wire = InterruptibleConnection(600)
    request = Request("GET", Address.of(url), {}, {})
    leaving = threading.Timer(0.2, wire.shut_down)
    leaving.start()
    started = time.monotonic()

    with pytest.raises(CallFailed):
        client.send(request, wire, connect_timeout_s=600)

    leaving.join()
    assert time.monotonic() - started < 60


@pytest.fixture
def silent_name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no name be found or refused before the test ends, as where packets to name servers are lost."""
    is_over = threading.Event()

    def look_up(*_args: object, **_more: object) -> list[Any]:
        is_over.wait(600)
        raise socket.gaierror("Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    is_over.set()


@pytest.mark.usefixtures("silent_name_server")
def test_name_that_is_not_looked_up_in_time_costs_no_more_than_the_time_to_connect(
    client: HTTPClient,
) -> None:
    """The system's own limit is ten seconds and more, for each question while a network has no names."""
    with pytest.raises(CallTimedOut):
        sent(client, "http://provider.example", seconds=0.3)


@pytest.mark.usefixtures("silent_name_server")
def test_reader_who_leaves_ends_the_look_up_at_once(client: HTTPClient) -> None:
    wire = InterruptibleConnection(600)
    leaving = threading.Timer(0.2, wire.shut_down)
    leaving.start()

    with pytest.raises(CallTimedOut):
        client.send(
            Request("GET", Address.of("http://provider.example"), {}, {}), wire, connect_timeout_s=600
        )

    leaving.join()


def test_name_that_nobody_knows_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch, client: HTTPClient) -> None:
    def look_up(*_args: object, **_more: object) -> list[Any]:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    with pytest.raises(CallFailed, match="Name or service not known"):
        sent(client, "http://provider.example", seconds=5)


def test_reader_who_leaves_ends_the_handshake_at_once(client: HTTPClient) -> None:
    """A server may take the connection and then say nothing."""
    wire = InterruptibleConnection(600)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        request = Request("GET", Address.of(f"https://127.0.0.1:{silent.getsockname()[1]}"), {}, {})
        leaving = threading.Timer(0.2, wire.shut_down)
        leaving.start()
        started = time.monotonic()

        with pytest.raises(CallFailed):
            client.send(request, wire, connect_timeout_s=600)

        leaving.join()
    assert time.monotonic() - started < 60


# --- connections -------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [PLAIN, CHUNKED + b"4\r\nNine\r\n0\r\n\r\n"])
def test_connection_is_used_again(raw: bytes, client: HTTPClient) -> None:
    """A new one costs a round trip, or three with TLS."""
    with RawServer(raw) as server:
        texts = [text_from(client, server.url) for _ in range(3)]

        assert texts == ["Nine"] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nNine",
        b"HTTP/1.1 200 OK\r\n\r\nNine",
        b"HTTP/1.0 200 OK\r\n\r\nNine",
    ],
)
def test_body_that_ends_with_its_connection_is_read_whole(raw: bytes, client: HTTPClient) -> None:
    """Simple servers send no length."""
    with RawServer(raw, closes=True) as server:
        assert [text_from(client, server.url) for _ in range(2)] == ["Nine", "Nine"]
        assert server.connections == 2


def test_connection_that_its_server_closed_meanwhile_is_not_used(client: HTTPClient) -> None:
    """Servers close what is unused; no question shall find out."""
    with RawServer(closes=True) as server:
        for _ in range(3):
            assert text_from(client, server.url) == "Nine"


def test_connection_is_not_kept_for_longer_than_servers_do(
    client: HTTPClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server closes it just when the request is under way."""
    monkeypatch.setattr(http_client, "KEPT_S", 0.0)
    with RawServer() as server:
        for _ in range(2):
            text_from(client, server.url)

        assert server.connections == 2


def test_response_that_is_left_early_is_no_longer_waited_for(client: HTTPClient) -> None:
    """The next one must not read its rest."""
    with RawServer(CHUNKED + b"4\r\nNine\r\n") as server:
        with sent(client, server.url) as response:
            assert next(iter(response)) == b"Nine"
        server.raw = PLAIN

        assert text_from(client, server.url) == "Nine"
        assert server.connections == 2


def test_call_that_another_thread_ends_fails_at_once(client: HTTPClient) -> None:
    """Its reader has left."""
    with RawServer(CHUNKED + b"4\r\nNine\r\n") as server:
        request = Request("POST", Address.of(server.url), {}, {}, b"{}")
        wire = InterruptibleConnection(60)
        with client.send(request, wire, connect_timeout_s=5) as response:
            pieces = iter(response)
            assert next(pieces) == b"Nine"
            wire.shut_down()
            with pytest.raises(CallFailed):
                next(pieces)


# --- requests and responses --------------------------------------------------------------------


def test_request_arrives_as_it_was_meant(client: HTTPClient) -> None:
    """Its path stays encoded, its host and length are sent once."""
    with RawServer() as server:
        text_from(client, f"{server.url}/v1/a%20b c?api-version=1")
        (call,) = server.calls()

    assert (call.method, call.path, dict(call.query), call.body) == (
        "POST",
        "/v1/a%20b%20c",
        {"api-version": "1"},
        {"a": 1},
    )
    assert (call.headers["host"], call.headers["content-length"]) == (f"127.0.0.1:{server.port}", "8")
    assert (call.headers["x-key"], call.headers["authorization"]) == ("k", "Bearer key")


@pytest.mark.parametrize("header", ["a\r\nX-More: b", "a\nb", "a\0b"])
def test_header_with_a_line_end_is_not_sent(header: str, client: HTTPClient) -> None:
    """A key may come from a file that ends with one."""
    with RawServer() as server:
        with pytest.raises(ValueError, match="line end"):
            text_from(client, server.url, private={"Authorization": header})

        assert server.calls() == []


@pytest.mark.parametrize(
    "url", ["ftp://models.test", "models.test/v1", "http://", "http://a.test/\r\nHost: b"]
)
def test_address_that_is_not_of_http_is_refused(url: str) -> None:
    """It stands in a setting."""
    with pytest.raises(ValueError, match="no HTTP address"):
        Address.of(url)


def test_refusal_carries_what_the_server_said(client: HTTPClient) -> None:
    """And when to come again; its connection is used again."""
    body = b'{"error": "busy"}'
    head = b"HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n" % len(body)
    with RawServer(head + body) as server:
        with pytest.raises(ResponseRefused) as raised:
            text_from(client, server.url)
        server.raw = PLAIN

        assert (raised.value.status, raised.value.body, raised.value.retry_after) == (429, body, "7")
        assert text_from(client, server.url) == "Nine"
        assert server.connections == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_body_and_foreign_letters_in_headers_are_read(encoding: str, client: HTTPClient) -> None:
    """Proxies send both, though neither was asked for."""
    body = gzip.compress(b"Nine") if encoding == "gzip" else zlib.compress(b"Nine")
    head = b"HTTP/1.1 200 F\xfcr dich\r\nContent-Encoding: %s\r\nX-Name: M\xfcller\r\n" % encoding.encode()
    raw = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with RawServer(raw) as server, sent(client, server.url) as response:
        assert response.read(1000) == b"Nine"
        assert response.header("x-name") == "Müller"


@pytest.mark.parametrize("encoding", [b"gzip", b"br"])
def test_body_in_an_encoding_that_cannot_be_read_is_an_error(encoding: bytes, client: HTTPClient) -> None:
    """It must not reach a reader as words."""
    raw = PLAIN.replace(b"Content-Length", b"Content-Encoding: " + encoding + b"\r\nContent-Length")
    with RawServer(raw) as server, pytest.raises(CallFailed):
        text_from(client, server.url)


def test_silent_server_is_left_when_the_time_is_over(client: HTTPClient) -> None:
    """The reader waits behind it."""
    with RawServer(b"HTTP/1.1 200 OK\r\n") as server, pytest.raises(CallTimedOut):
        sent(client, server.url, seconds=0.05)


def test_server_that_is_not_there_is_an_error_of_the_call(client: HTTPClient) -> None:
    """Which is tried again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CallFailed):
        sent(client, f"http://127.0.0.1:{port}")


# --- redirects ---------------------------------------------------------------------------------


def redirect(to: str, status: int = 308) -> bytes:
    return f"HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


class TwoPlaces(LoopbackServer):
    """Answer at `/there`, and redirect to it from elsewhere."""

    def __init__(self, location: str = "/there", status: int = 308) -> None:
        super().__init__()
        self.location, self.status = location, status

    def respond(self, call: Call, connection: Connection) -> None:
        connection.send(PLAIN if call.path == "/there" else redirect(self.location, self.status))


@pytest.mark.parametrize("status", [307, 308])
def test_request_follows_a_server_that_has_moved_it(status: int, client: HTTPClient) -> None:
    """With its body and its key, as it stays on the server."""
    with TwoPlaces(status=status) as server:
        assert text_from(client, f"{server.url}/here") == "Nine"
        calls = [
            (call.method, call.path, call.headers["authorization"], call.body) for call in server.calls()
        ]

    assert calls == [("POST", path, "Bearer key", {"a": 1}) for path in ("/here", "/there")]


def test_key_does_not_follow_to_another_server(client: HTTPClient) -> None:
    """Whoever may redirect a request may not have the key."""
    with TwoPlaces() as other, TwoPlaces(f"http://127.0.0.1:{other.port}/there") as server:
        assert text_from(client, f"{server.url}/here") == "Nine"
        (call,) = other.calls()

    assert "authorization" not in call.headers


@pytest.mark.parametrize("location", ["/here", "ftp://127.0.0.1/there"])
def test_redirect_that_leads_nowhere_is_an_error(location: str, client: HTTPClient) -> None:
    """Round in a circle, or out of HTTP."""
    with TwoPlaces(location) as server, pytest.raises(CallFailed):
        text_from(client, f"{server.url}/here")


def test_redirect_that_would_lose_the_body_is_not_followed(client: HTTPClient) -> None:
    """A browser would send GET."""
    with TwoPlaces(status=302) as server:
        with pytest.raises(ResponseRefused):
            text_from(client, f"{server.url}/here")

        assert len(server.calls()) == 1


# --- TLS and proxies ---------------------------------------------------------------------------


def test_only_a_trusted_server_is_spoken_to(tmp_path: Path, client: HTTPClient) -> None:
    """The key goes with each request."""
    certificates = made_certificates(tmp_path)
    with RawServer() as server, TlsDoor(server.port, certificates) as door:
        with trusting(certificates.authority) as friend:
            assert text_from(friend, f"https://127.0.0.1:{door.port}") == "Nine"
        with pytest.raises(CallFailed):
            text_from(client, f"https://127.0.0.1:{door.port}")
        assert len(server.calls()) == 1


@contextlib.contextmanager
def trusting(authority: Path) -> Iterator[HTTPClient]:
    with contextlib.closing(HTTPClient(ssl.create_default_context(cafile=authority))) as opened:
        yield opened


def test_proxy_of_the_environment_is_used(client: HTTPClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the whole address and its password, and whoever is exempt is asked directly."""
    with RawServer() as server, TunnelProxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://alice:p%40ss@127.0.0.1:{proxy.port}")
        assert text_from(client, "http://models.test/v1") == "from the proxy"
        (call,) = proxy.calls()
        assert (call.path, call.headers["host"]) == ("/v1", "models.test")
        assert call.headers["proxy-authorization"] == "Basic YWxpY2U6cEBzcw=="

        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert text_from(client, server.url) == "Nine"


def test_https_goes_through_a_tunnel_that_hides_it_from_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees an address and nothing else."""
    certificates = made_certificates(tmp_path)
    with RawServer() as server, TlsDoor(server.port, certificates) as door, TunnelProxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://alice:secret@127.0.0.1:{proxy.port}")
        with trusting(certificates.authority) as friend:
            assert text_from(friend, f"https://127.0.0.1:{door.port}") == "Nine"
        assert [call.method for call in proxy.calls()] == ["CONNECT"]
        assert "proxy-authorization" in proxy.calls()[0].headers
        assert "proxy-authorization" not in server.calls()[0].headers


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1080", "https://127.0.0.1:1"])
def test_proxy_of_another_kind_is_named(
    address: str, client: HTTPClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence would send the key past it."""
    monkeypatch.setenv("all_proxy", address)
    with pytest.raises(CallFailed, match="no HTTP proxy"):
        sent(client, "http://models.test")
