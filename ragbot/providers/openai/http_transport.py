"""Carry the SDK's requests over `http.client`, with kept connections, for less CPU than httpx's transport.

A model's stream comes in many small chunks (RFC 9112, 7.1). All that arrived in one read of the socket is
given on in one piece.
"""

from __future__ import annotations

import http.client
import select
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from ragbot.providers.openai.interruptible_http import InterruptibleSocket

# A server may close a connection that is unused for longer.
KEPT_S = 5.0
MOST_KEPT = 100
READ_BYTES = 65536
LONGEST_CHUNK_HEADER = 4096

Origin = tuple[str, str, int]


class HTTPClientTransport(httpx2.BaseTransport):
    """Send requests and read responses. Safe to use from several threads.

    Proxies are taken from the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), as httpx does. `context` is
    that of TLS; without one, those certificates are trusted that httpx trusts.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._given_context = context
        self._lock = threading.Lock()
        self._kept: dict[Origin, list[_Connection]] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and return its response, whose body is still to be read.

        Raises httpx2.TransportError.
        """
        url, limits = request.url, request.extensions.get("timeout", {})
        origin = (url.scheme, url.raw_host.decode("ascii"), url.port or _DEFAULT_PORTS[url.scheme])
        connection, received = self._take(origin), None
        if connection is not None:
            try:
                received = connection.exchange(request, limits)
            except httpx2.TransportError as error:
                if not isinstance(error.__cause__, (ConnectionResetError, BrokenPipeError)):
                    raise
                # Its server has closed it just now, since it was unused.
        if connection is None or received is None:
            connection = self._connected(origin, limits.get("connect"))
            received = connection.exchange(request, limits)
        headers = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in received.getheaders()]
        return httpx2.Response(
            received.status,
            headers=headers,
            stream=_Body(received, connection, give_back=lambda: self._give_back(origin, connection)),
            extensions={"reason_phrase": received.reason.encode("latin-1", "replace")},
        )

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            kept, self._kept = self._kept, {}
        for connections in kept.values():
            for connection in connections:
                connection.close()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._given_context or httpx2.create_ssl_context()

    def _connected(self, origin: Origin, timeout_s: float | None) -> _Connection:
        context = self._context if origin[0] == "https" else None
        with _as_httpx_errors(httpx2.ConnectTimeout, httpx2.ConnectError):
            return _Connection(origin, _proxy_of(origin), context, timeout_s)

    def _take(self, origin: Origin) -> _Connection | None:
        """Return a kept connection that is still open, the last used one first."""
        while True:
            with self._lock:
                kept = self._kept.get(origin)
                if not kept:
                    return None
                connection = kept.pop()
            if connection.is_usable():
                return connection
            connection.close()

    def _give_back(self, origin: Origin, connection: _Connection) -> None:
        with self._lock:
            kept = self._kept.setdefault(origin, [])
            if len(kept) < MOST_KEPT:
                kept.append(connection)
                return
        connection.close()


_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Proxy:
    host: str
    port: int
    headers: Mapping[str, str]


def _proxy_of(origin: Origin) -> _Proxy | None:
    """Return the environment's proxy for an address.

    Raises httpx2.UnsupportedProtocol where that is no HTTP proxy.
    """
    scheme, host, port = origin
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or proxy_bypass(f"{host}:{port}"):
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme != "http" or not parts.hostname:
        raise httpx2.UnsupportedProtocol("The proxy of the environment is no HTTP proxy.")
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Proxy-Authorization"] = f"Basic {b64encode(login).decode()}"
    return _Proxy(parts.hostname, parts.port or 80, headers)


class _Connection:
    """Hold an open connection, through a proxy or not."""

    def __init__(
        self, origin: Origin, proxy: _Proxy | None, context: ssl.SSLContext | None, timeout_s: float | None
    ) -> None:
        _, host, port = origin
        connect_to = (proxy.host, proxy.port) if proxy else (host, port)
        self._under = http.client.HTTPConnection(*connect_to, timeout=timeout_s)
        self._under.auto_open = 0
        if proxy is not None and context is not None:
            self._under.set_tunnel(host, port, dict(proxy.headers))
        self._under.connect()
        connected = self._under.sock
        try:
            if context is not None:
                connected = context.wrap_socket(connected, server_hostname=host)
        except BaseException:
            connected.close()
            raise
        # (`http.client` writes and reads by the methods that it has.)
        self._socket = self._under.sock = InterruptibleSocket(connected)
        # A proxy without a tunnel reads the requests: their whole address, and its own headers.
        self._proxy = proxy if context is None else None
        self._unused_since = time.monotonic()

    def is_usable(self) -> bool:
        """Return whether the connection is kept not for too long, and nothing came from its server since."""
        if time.monotonic() - self._unused_since > KEPT_S:
            return False
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    def exchange(
        self, request: httpx2.Request, limits: Mapping[str, float | None]
    ) -> http.client.HTTPResponse:
        """Send a request, and return the response once its headers are here.

        `limits` are httpx's time limits of the call. Raises httpx2.TransportError, and closes the connection.
        """
        try:
            with _as_httpx_errors(httpx2.WriteTimeout, httpx2.WriteError):
                self._send(request, limits)
            with _as_httpx_errors(httpx2.ReadTimeout, httpx2.ReadError):
                return self._under.getresponse()
        except BaseException:
            self.close()
            raise

    def _send(self, request: httpx2.Request, limits: Mapping[str, float | None]) -> None:
        target = str(request.url) if self._proxy else request.url.raw_path.decode("ascii")
        self._socket.begin_call(write_timeout_s=limits.get("write"), read_timeout_s=limits.get("read"))
        self._under.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.raw:
            self._under.putheader(name.decode("ascii"), value)
        for header, text in self._proxy.headers.items() if self._proxy else ():
            self._under.putheader(header, text)
        self._under.endheaders(request.read())

    def rest(self) -> None:
        """Note that nobody uses the connection from now on."""
        self._unused_since = time.monotonic()

    def close(self) -> None:
        self._under.close()
        self._socket.hang_up()


class _Body(httpx2.SyncByteStream):
    """Read a response's body. A connection whose body was read to its end is used again."""

    def __init__(
        self, received: http.client.HTTPResponse, connection: _Connection, give_back: Callable[[], None]
    ) -> None:
        self._received = received
        self._connection: _Connection | None = connection
        self._give_back = give_back

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx_errors(httpx2.ReadTimeout, httpx2.ReadError):
            yield from _chunks(self._received) if self._received.chunked else _plain(self._received)
            self._end()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._received.close()
            connection.close()

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        will_close = self._received.will_close
        self._received.close()
        if will_close:
            connection.close()
        else:
            connection.rest()
            self._give_back()


def _plain(received: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield a body that has a length, or ends with its connection."""
    while data := received.read1(READ_BYTES):
        yield data
    if received.length:
        raise http.client.IncompleteRead(b"", received.length)


def _chunks(received: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield a chunked body, all chunks of one read together. Raises IncompleteRead or HTTPException."""
    decoder = ChunkDecoder()
    while not decoder.is_done:
        data = received.fp.read1(READ_BYTES)
        if not data:
            raise http.client.IncompleteRead(b"")
        if body := decoder.feed(data):
            yield body


class ChunkDecoder:
    """Take the chunked transfer coding off a body (RFC 9112, 7.1). Trailers are read over."""

    def __init__(self) -> None:
        self._held = b""
        # Bytes of the chunk that are still to come; -1: the line with its size is next.
        self._left = -1
        self._is_trailer = False
        self.is_done = False

    def feed(self, data: bytes) -> bytes:
        """Return what of the body came. Raises http.client.HTTPException for what is no chunked body."""
        held = self._held + data if self._held else data
        at, parts = 0, []
        while not self.is_done:
            if self._left > 0:
                part = held[at : at + self._left]
                if not part:
                    break
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                continue
            end = held.find(b"\n", at)
            if end < 0:
                break
            self._line(held[at:end].strip())
            at = end + 1
        self._held = held[at:]
        if len(self._held) > LONGEST_CHUNK_HEADER:
            raise http.client.LineTooLong("chunk size")
        if self.is_done and self._held:
            raise http.client.HTTPException("more came behind the end of the body")
        return b"".join(parts)

    def _line(self, line: bytes) -> None:
        if self._is_trailer:
            self.is_done = not line
        elif self._left == 0:
            # The line end behind a chunk.
            if line:
                raise http.client.HTTPException("a chunk was longer than its size")
            self._left = -1
        else:
            size = line.partition(b";")[0].strip()
            if not size or size.strip(b"0123456789abcdefABCDEF"):
                raise http.client.HTTPException("a chunk without a size")
            self._left = int(size, 16)
            self._is_trailer = not self._left


@contextmanager
def _as_httpx_errors(
    too_late: type[httpx2.TimeoutException], failed: type[httpx2.NetworkError]
) -> Iterator[None]:
    """Raise socket's and `http.client`'s errors as those of httpx, which the SDK knows."""
    try:
        yield
    except TimeoutError as error:
        raise too_late(str(error)) from error
    except http.client.HTTPException as error:
        raise httpx2.RemoteProtocolError(f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise failed(str(error)) from error
