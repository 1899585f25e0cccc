"""The transport under the SDK, against servers that send exactly these bytes."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.loopback import Call, Connection, LoopbackServer
from ragbot.providers.openai import http_transport
from ragbot.providers.openai.http_transport import ChunkDecoder, HTTPClientTransport
from tests.fakes.certificates import made_certificates
from tests.fakes.tls_door import TlsDoor
from tests.fuzzing import fuzz

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
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=HTTPClientTransport()) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# --- chunked bodies ----------------------------------------------------------------------------


@fuzz(50)
@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(1, 30), max_size=40),
    st.sampled_from([b"", b";name=value", b" "]),
)
def test_chunked_body_is_read_wherever_it_was_cut(
    parts: list[bytes], cuts: list[int], extension: bytes
) -> None:
    """Packets end where they like."""
    raw = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts) + b"0\r\nA: b\r\n\r\n"
    decoder, body = ChunkDecoder(), b""
    for size in [*cuts, len(raw)]:
        piece, raw = raw[:size], raw[size:]
        body += decoder.feed(piece) if piece else b""

    assert body == b"".join(parts)
    assert decoder.is_done


def test_chunks_that_came_at_once_are_one_piece() -> None:
    """So that a model's words that came together are handled together."""
    assert ChunkDecoder().feed(b"4\r\nNine\r\n7\r\n months\r\n2\r\n [") == b"Nine months ["


@pytest.mark.parametrize(
    "raw", [b"nine\r\n", b"-4\r\nNine\r\n", b"\r\n", b"4\r\nNineteen\r\n", b"0\r\n\r\nmore", b"9" * 5000]
)
def test_what_is_no_chunked_body_is_refused(raw: bytes) -> None:
    """Its rest would be read as another answer."""
    with pytest.raises(http.client.HTTPException):
        ChunkDecoder().feed(raw)


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
def test_response_that_is_cut_or_nonsense_is_an_error_that_the_sdk_knows(
    raw: bytes, client: httpx2.Client
) -> None:
    """It is retried, or another model answers."""
    with RawServer(raw, closes=True) as server, pytest.raises(httpx2.TransportError):
        client.post(server.url, content=b"{}")


# --- connections -------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [PLAIN, CHUNKED + b"4\r\nNine\r\n0\r\n\r\n"])
def test_connection_is_used_again(raw: bytes, client: httpx2.Client) -> None:
    """A new one costs a round trip, or three with TLS."""
    with RawServer(raw) as server:
        texts = [client.post(server.url, content=b"{}").text for _ in range(3)]

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
def test_body_that_ends_with_its_connection_is_read_whole(raw: bytes, client: httpx2.Client) -> None:
    """Simple servers send no length."""
    with RawServer(raw, closes=True) as server:
        assert [client.get(server.url).text for _ in range(2)] == ["Nine", "Nine"]
        assert server.connections == 2


def test_connection_that_its_server_closed_meanwhile_is_not_used(client: httpx2.Client) -> None:
    """Servers close what is unused; no question shall find out."""
    with RawServer(closes=True) as server:
        for _ in range(3):
            assert client.post(server.url, content=b"{}").text == "Nine"


def test_connection_is_not_kept_for_longer_than_servers_do(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server closes it just when the request is under way."""
    monkeypatch.setattr(http_transport, "KEPT_S", 0.0)
    with RawServer() as server:
        for _ in range(2):
            client.get(server.url)

        assert server.connections == 2


def test_response_that_is_left_early_is_no_longer_waited_for(client: httpx2.Client) -> None:
    """The next one must not read its rest."""
    with RawServer(CHUNKED + b"4\r\nNine\r\n") as server:
        with client.stream("POST", server.url) as response:
            assert next(response.iter_bytes()) == b"Nine"
        server.raw = PLAIN

        assert client.get(server.url).text == "Nine"
        assert server.connections == 2


def test_request_arrives_as_the_sdk_wrote_it(client: httpx2.Client) -> None:
    """Its path stays encoded, its host and length are sent once."""
    with RawServer() as server:
        client.post(f"{server.url}/v1/a%20b?api-version=1", content=b'{"a": 1}', headers={"X-Key": "k"})
        (call,) = server.calls()

    assert (call.method, call.path, dict(call.query), call.body) == (
        "POST",
        "/v1/a%20b",
        {"api-version": "1"},
        {"a": 1},
    )
    assert (call.headers["host"], call.headers["content-length"]) == (f"127.0.0.1:{server.port}", "8")
    assert call.headers["x-key"] == "k"


def test_compressed_body_and_foreign_letters_in_headers_are_read(client: httpx2.Client) -> None:
    """Proxies send both."""
    body = gzip.compress(b"Nine")
    head = b"HTTP/1.1 200 F\xfcr dich\r\nContent-Encoding: gzip\r\nX-Name: M\xfcller\r\n"
    with RawServer(head + b"Content-Length: %d\r\n\r\n" % len(body) + body) as server:
        response = client.get(server.url)

    assert (response.text, response.headers["x-name"]) == ("Nine", "Müller")


def test_silent_server_is_left_when_the_time_is_over(client: httpx2.Client) -> None:
    """The reader waits behind it."""
    with RawServer(b"HTTP/1.1 200 OK\r\n") as server, pytest.raises(httpx2.ReadTimeout):
        client.get(server.url, timeout=0.05)


def test_server_that_is_not_there_is_an_error_of_the_connection(client: httpx2.Client) -> None:
    """Which the SDK retries."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(httpx2.ConnectError):
        client.get(f"http://127.0.0.1:{port}")


# --- TLS and proxies ---------------------------------------------------------------------------


def test_only_a_trusted_server_is_spoken_to(tmp_path: Path) -> None:
    """The key goes with each request."""
    certificates = made_certificates(tmp_path)
    with RawServer() as server, TlsDoor(server.port, certificates) as door:
        trusting = HTTPClientTransport(ssl.create_default_context(cafile=certificates.authority))
        with httpx2.Client(transport=trusting) as client:
            assert client.get(f"https://127.0.0.1:{door.port}").text == "Nine"
        with httpx2.Client(transport=HTTPClientTransport()) as client, pytest.raises(httpx2.ConnectError):
            client.get(f"https://127.0.0.1:{door.port}")
        assert len(server.calls()) == 1


def test_proxy_of_the_environment_is_used(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the whole address and its password, and whoever is exempt is asked directly."""
    with RawServer() as server, TunnelProxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://alice:p%40ss@127.0.0.1:{proxy.port}")
        assert client.get("http://models.test/v1").text == "from the proxy"
        (call,) = proxy.calls()
        assert (call.path, call.headers["host"]) == ("/v1", "models.test")
        assert call.headers["proxy-authorization"] == "Basic YWxpY2U6cEBzcw=="

        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert client.get(server.url).text == "Nine"


def test_https_goes_through_a_tunnel_that_hides_it_from_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees an address and nothing else."""
    certificates = made_certificates(tmp_path)
    with RawServer() as server, TlsDoor(server.port, certificates) as door, TunnelProxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://alice:secret@127.0.0.1:{proxy.port}")
        trusting = HTTPClientTransport(ssl.create_default_context(cafile=certificates.authority))
        with httpx2.Client(transport=trusting) as client:
            assert client.get(f"https://127.0.0.1:{door.port}").text == "Nine"
        assert [call.method for call in proxy.calls()] == ["CONNECT"]
        assert "proxy-authorization" in proxy.calls()[0].headers
        assert "proxy-authorization" not in server.calls()[0].headers


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1080", "https://127.0.0.1:1"])
def test_proxy_of_another_kind_is_named(
    address: str, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence would send the key past it."""
    monkeypatch.setenv("all_proxy", address)
    with pytest.raises(httpx2.UnsupportedProtocol):
        client.get("http://models.test")
