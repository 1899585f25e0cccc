"""Limit the whole time of an HTTP call, and let another thread interrupt it.

HTTP clients limit only the time between two bytes, so a server that sends a byte now and then is never cut. A
blocked read is interrupted by shutting its socket down: closing it does not wake the reader.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any

import httpcore2
import httpx2

from ragbot.core.sockets import shut_down

SocketOptions = Iterable[Any]


class InterruptibleConnection:
    """Represent the connection of one call, from its first byte sent. Safe to use from several threads."""

    def __init__(self, limit_s: float) -> None:
        self._lock = threading.Lock()
        self._stream: _Stream | None = None
        self._hung_up = False
        self.limit(limit_s)

    def limit(self, seconds: float) -> None:
        """Set the time limit of the call's reads, in seconds from now."""
        self._ends_at = time.monotonic() + seconds

    def left_s(self) -> float:
        """Return the seconds until the call's limit; negative if it has passed."""
        return self._ends_at - time.monotonic()

    def shut_down(self) -> None:
        """End the call: present and later reads from the connection fail at once."""
        with self._lock:
            self._hung_up = True
            if self._stream is not None and self._stream.wire is self:
                self._stream.shut()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Use this connection for the requests that this thread sends within the block."""
        before = _in_use.set(self)
        try:
            yield
        finally:
            _in_use.reset(before)

    def carries(self, stream: _Stream) -> None:
        """Take over a stream for this call, until the next call writes to it."""
        stream.wire = self
        with self._lock:
            self._stream = stream
            if self._hung_up:
                stream.shut()


_in_use: ContextVar[InterruptibleConnection | None] = ContextVar("wire_in_use", default=None)


def make_interruptible(client: httpx2.Client) -> None:
    """Make the client's connections, to its proxies too, obey the `InterruptibleConnection` of their call.

    The client has no setting for it, so the network backend of its pools is replaced.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = _Backend(pool._network_backend)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, under: httpcore2.NetworkBackend) -> None:
        self._under = under

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore2.NetworkStream:
        stream = self._under.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream)

    def sleep(self, seconds: float) -> None:
        self._under.sleep(seconds)


class _Stream(httpcore2.NetworkStream):
    """Wrap a network stream. Each request begins with a write, which assigns the stream to its call."""

    def __init__(self, under: httpcore2.NetworkStream) -> None:
        self._under = under
        self.wire: InterruptibleConnection | None = None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.wire = None
        if wire := _in_use.get():
            wire.carries(self)
        self._under.write(buffer, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self.wire is None:
            return self._under.read(max_bytes, timeout)
        left_s = self.wire.left_s()
        if left_s <= 0:
            raise httpcore2.ReadTimeout("The time for this call ran out.")
        return self._under.read(max_bytes, left_s if timeout is None else min(timeout, left_s))

    def close(self) -> None:
        self._under.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._under.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._under.get_extra_info(info)

    def shut(self) -> None:
        connected = self._under.get_extra_info("socket")
        if connected is not None:
            shut_down(connected)
