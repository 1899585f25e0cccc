"""Send requests to a model's server over `http.client`, with kept connections and a limit on the whole time.

A model's stream comes in many small chunks (RFC 9112, 7.1). All that arrived in one read of the socket is
given on in one piece.
"""

from __future__ import annotations

import http.client
import re
import select
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from ragbot.providers.openai.interruptible_http import (
    InterruptibleConnection,
    InterruptibleSocket,
    connected_socket,
)
from ragbot.providers.openai.response_body import body_of

# A server may close a connection that is unused for longer.
KEPT_S = 5.0
MOST_KEPT = 100
# What a server says with a refusal is read up to this size.
LONGEST_REFUSAL = 1_000_000
MOST_REDIRECTS = 5
# RFC 9110, 15.4.8 and 15.4.9: the request is repeated as it was.
_REDIRECTS = (307, 308)
# What a URL may hold (RFC 3986, 2), and `%` of what is encoded already.
_AS_IT_IS = "%/?:@!$&'()*+,;=-._~[]"
_NO_HEADER = re.compile(r"[\r\n\0]")


class CallFailed(Exception):
    """Report that a server could not be reached, or broke off."""


class CallTimedOut(CallFailed):
    """Report that a server took too long."""


class ResponseRefused(Exception):
    """Carry a response whose status is not of success."""

    def __init__(self, status: int, body: bytes, retry_after: str | None) -> None:
        super().__init__(f"The provider answered with the status {status}.")
        self.status = status
        self.body = body
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Address:
    """Describe where requests go. `target` is path and query as they are sent."""

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Return the parts of a URL. Raises ValueError for one that is not of HTTP."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or _NO_HEADER.search(url):
            raise ValueError("The provider's address is no HTTP address.")
        path = parts.path or "/"
        target = quote(f"{path}?{parts.query}" if parts.query else path, safe=_AS_IT_IS)
        host = parts.hostname.encode("idna").decode("ascii")
        return cls(parts.scheme, host, parts.port or _DEFAULT_PORTS[parts.scheme], target)

    @property
    def origin(self) -> Origin:
        """Return the server, without the target."""
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        """Return the server as the Host header names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


Origin = tuple[str, str, int]
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Request:
    """Hold a request. `body` None sends none. `private` headers go to no other server than the first."""

    method: str
    address: Address
    headers: Mapping[str, str]
    private: Mapping[str, str]
    body: bytes | None = None

    def head(self, *, through: _Proxy | None) -> bytes:
        """Return the request's line and headers. Raises ValueError for a header that would break them."""
        address = self.address
        host = address.host_header
        target = f"{address.scheme}://{host}{address.target}" if through else address.target
        headers = {"Host": host, **self.headers, **self.private, **(through.headers if through else {})}
        if self.body is not None:
            headers["Content-Length"] = str(len(self.body))
        if _NO_HEADER.search("".join(headers.values())):
            raise ValueError("A header holds a line end.")
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
        return "\r\n".join((*lines, "", "")).encode("latin-1")


class HTTPClient:
    """Send requests and read responses. Safe to use from several threads.

    Proxies are taken from the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). `context` is that of TLS;
    without one, those certificates are trusted that httpx trusts.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._given_context = context
        self._lock = threading.Lock()
        self._kept: dict[Origin, list[_Connection]] = {}

    def send(self, request: Request, wire: InterruptibleConnection, *, connect_timeout_s: float) -> Response:
        """Send a request and return its response, whose body is still to be read, and which is to be closed.

        `wire` limits the time and can end the call from another thread. Raises ResponseRefused for a status
        that is not of success, CallTimedOut or CallFailed.
        """
        for _ in range(MOST_REDIRECTS):
            response = self._sent(request, wire, connect_timeout_s)
            status = response.status
            if 200 <= status < 300:
                return response
            with response:
                location = response.header("location")
                if status not in _REDIRECTS or not location:
                    raise ResponseRefused(
                        status, response.read(LONGEST_REFUSAL), response.header("retry-after")
                    )
            request = _redirected(request, location)
        raise CallFailed("The provider's server redirects without an end.")

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            kept, self._kept = self._kept, {}
        for connections in kept.values():
            for connection in connections:
                connection.close()

    def _sent(self, request: Request, wire: InterruptibleConnection, connect_timeout_s: float) -> Response:
        origin = request.address.origin
        connection, received = self._take(origin), None
        if connection is not None:
            try:
                received = connection.exchange(request, wire)
            except CallFailed as error:
                if not isinstance(error.__cause__, (ConnectionResetError, BrokenPipeError)):
                    raise
                # Its server has closed it just now, since it was unused.
        if connection is None or received is None:
            connection = self._connected(origin, wire, min(connect_timeout_s, wire.left_s()))
            received = connection.exchange(request, wire)
        return Response(received, connection, self)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        if self._given_context is not None:
            return self._given_context
        # (Its import takes 0.1 s, which a server without TLS saves.)
        import httpx2

        return httpx2.create_ssl_context()

    def _connected(self, origin: Origin, wire: InterruptibleConnection, limit_s: float) -> _Connection:
        context = self._context if origin[0] == "https" else None
        with _as_call_errors():
            proxy = _proxy_of(origin)
            return _Connection(origin, proxy, _opened(origin, proxy, context, wire, limit_s))

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

    def give_back(self, connection: _Connection) -> None:
        """Keep a connection whose response was read to its end."""
        with self._lock:
            kept = self._kept.setdefault(connection.origin, [])
            if len(kept) < MOST_KEPT:
                kept.append(connection)
                return
        connection.close()


def _redirected(request: Request, location: str) -> Request:
    """Return the request for another address; the key goes to the same server alone, or to it by TLS."""
    before = request.address
    try:
        after = Address.of(urljoin(f"{before.scheme}://{before.host_header}{before.target}", location))
    except ValueError as error:
        raise CallFailed("The provider's server redirects to no HTTP address.") from error
    is_upgrade = (before.scheme, after.scheme, before.host) == ("http", "https", after.host)
    private = request.private if is_upgrade or after.origin == before.origin else {}
    return replace(request, address=after, private=private)


@dataclass(frozen=True, slots=True)
class _Proxy:
    host: str
    port: int
    headers: Mapping[str, str]


def _proxy_of(origin: Origin) -> _Proxy | None:
    """Return the environment's proxy for an address. Raises CallFailed where that is no HTTP proxy."""
    scheme, host, port = origin
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or proxy_bypass(f"{host}:{port}"):
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme != "http" or not parts.hostname:
        raise CallFailed("The proxy of the environment is no HTTP proxy.")
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Proxy-Authorization"] = f"Basic {b64encode(login).decode()}"
    return _Proxy(parts.hostname, parts.port or 80, headers)


def _opened(
    origin: Origin,
    proxy: _Proxy | None,
    context: ssl.SSLContext | None,
    wire: InterruptibleConnection,
    limit_s: float,
) -> socket.socket:
    """Connect to a server, through a proxy or not, within so many seconds or until the wire is shut down."""
    _, host, port = origin
    ends_at = time.monotonic() + limit_s
    opened = http.client.HTTPConnection(*((proxy.host, proxy.port) if proxy else (host, port)))
    # (Its own gives each address of the server all the time.)
    opened._create_connection = lambda address, *_: connected_socket(address, wire, limit_s)  # type: ignore[attr-defined]
    if proxy is not None and context is not None:
        opened.set_tunnel(host, port, dict(proxy.headers))
    connected = None
    try:
        opened.connect()
        connected = opened.sock
        if context is not None:
            connected = context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
            wire.carries(InterruptibleSocket(connected))
            connected.settimeout(max(ends_at - time.monotonic(), 0.001))
            connected.do_handshake()
    except BaseException:
        opened.close()
        if connected is not None:
            connected.close()
        raise
    return connected


class _Connection:
    """Hold an open connection, through a proxy or not."""

    def __init__(self, origin: Origin, proxy: _Proxy | None, connected: socket.socket) -> None:
        self.origin = origin
        self._socket = InterruptibleSocket(connected)
        # A proxy without a tunnel reads the requests: their whole address, and its own headers.
        self._proxy = proxy if origin[0] == "http" else None
        self._unused_since = time.monotonic()

    def is_usable(self) -> bool:
        """Return whether the connection is kept not for too long, and nothing came from its server since."""
        if time.monotonic() - self._unused_since > KEPT_S:
            return False
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    def exchange(self, request: Request, wire: InterruptibleConnection) -> http.client.HTTPResponse:
        """Send a request, and return the response once its headers are here.

        Raises CallFailed or CallTimedOut, and closes the connection.
        """
        try:
            with _as_call_errors():
                self._socket.begin_call(wire)
                self._socket.sendall(request.head(through=self._proxy) + (request.body or b""))
                received = http.client.HTTPResponse(self._socket, method=request.method)  # type: ignore[arg-type]
                received.begin()
                return received
        except BaseException:
            self.close()
            raise

    def rest(self) -> None:
        """Note that nobody uses the connection from now on."""
        self._unused_since = time.monotonic()

    def close(self) -> None:
        self._socket.hang_up()


class Response:
    """Read a response. A connection whose body was read to its end is used again; else it is closed."""

    def __init__(
        self, received: http.client.HTTPResponse, connection: _Connection, client: HTTPClient
    ) -> None:
        self.status = received.status
        self._received = received
        self._connection: _Connection | None = connection
        self._client = client

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def header(self, name: str) -> str | None:
        """Return a header's text, or None."""
        return self._received.getheader(name)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body as it comes, decompressed. Raises CallFailed or CallTimedOut."""
        encoding = (self.header("content-encoding") or "identity").lower()
        with _as_call_errors():
            yield from body_of(self._received, encoding)
            self._end()

    def read(self, most_bytes: int) -> bytes:
        """Return the body, cut at so many bytes. Raises as iterating does."""
        body = bytearray()
        for piece in self:
            body += piece
            if len(body) >= most_bytes:
                break
        return bytes(body[:most_bytes])

    def close(self) -> None:
        """Close the connection if its body was not read to the end."""
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
            self._client.give_back(connection)


@contextmanager
def _as_call_errors() -> Iterator[None]:
    """Raise socket's and `http.client`'s errors as CallTimedOut and CallFailed."""
    try:
        yield
    except TimeoutError as error:
        raise CallTimedOut(str(error)) from error
    except (http.client.HTTPException, OSError) as error:
        raise CallFailed(f"{type(error).__name__}: {error}") from error
