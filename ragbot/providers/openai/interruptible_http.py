"""Limit the whole time of an HTTP call, and let another thread interrupt it.

HTTP clients limit only the time between two bytes, so a server that sends a byte now and then is never cut. A
blocked read is interrupted by shutting its socket down: closing it does not wake the reader.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from concurrent.futures import Future, wait
from typing import Any

from ragbot.core.sockets import shut_down

BUFFER_BYTES = 65536
# A server's address has a third of the time that is left, or more where fewer follow: some have sixteen.
MOST_SHARES = 3
# How soon a reader who leaves ends the look-up of a name.
LOOK_EVERY_S = 0.1


class InterruptibleConnection:
    """Represent the connection of one call, while it is opened too. Safe to use from several threads."""

    def __init__(self, limit_s: float) -> None:
        self._lock = threading.Lock()
        self._socket: InterruptibleSocket | None = None
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
            if self._socket is not None and self._socket.wire is self:
                self._socket.shut_down()

    @property
    def is_shut_down(self) -> bool:
        """Return whether the call was ended."""
        return self._hung_up

    def carries(self, connected: InterruptibleSocket) -> None:
        """Take over a socket for this call, until the next call writes to it."""
        connected.wire = self
        with self._lock:
            self._socket = connected
            if self._hung_up:
                connected.shut_down()


def connected_socket(
    address: tuple[str, int], wire: InterruptibleConnection, limit_s: float
) -> socket.socket:
    """Return a socket to the first of a server's addresses that answers; all of them share the time.

    It is left with the rest of the time as its limit. Raises TimeoutError, or OSError if none answers or the
    wire is shut down.
    """
    ends_at = time.monotonic() + limit_s
    failure: OSError = TimeoutError("The time to connect ran out.")
    known = _looked_up(address, wire, limit_s)
    for place, (family, kind, protocol, _, target) in enumerate(known):
        left_s = ends_at - time.monotonic()
        if left_s <= 0 or wire.is_shut_down:
            break
        connecting = socket.socket(family, kind, protocol)
        try:
            wire.carries(InterruptibleSocket(connecting))
            connecting.settimeout(left_s / min(len(known) - place, MOST_SHARES))
            connecting.connect(target)
            connecting.settimeout(max(ends_at - time.monotonic(), 0.001))
            return connecting
        except OSError as error:
            connecting.close()
            failure = error
        except BaseException:
            connecting.close()
            raise
    raise failure


def _looked_up(address: tuple[str, int], wire: InterruptibleConnection, limit_s: float) -> list[Any]:
    """Return what `getaddrinfo` does, within so many seconds or until the wire is shut down.

    The system has a limit of ten seconds and more, which cannot be set: while no name server answers, the
    look-up goes on in a thread that nobody waits for. Raises OSError, which TimeoutError is.
    """
    found: Future[list[Any]] = Future()

    def look_up() -> None:
        try:
            found.set_result(socket.getaddrinfo(*address, type=socket.SOCK_STREAM))
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=look_up, daemon=True, name="name-lookup").start()
    ends_at = time.monotonic() + limit_s
    while not wire.is_shut_down and (left_s := ends_at - time.monotonic()) > 0:
        if wait([found], min(left_s, LOOK_EVERY_S)).done:
            return found.result()
    raise TimeoutError("The provider's name was not found in time.")


class InterruptibleSocket:
    """Offer of a connected socket what `http.client` uses, within the limits of the call that uses it now."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.wire: InterruptibleConnection | None = None

    def begin_call(self, wire: InterruptibleConnection) -> None:
        """Give the socket to a call. Raises TimeoutError if its time is over."""
        wire.carries(self)
        self._limit(wire)

    def sendall(self, data: Any) -> None:
        """Send all of the data."""
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader whose reads obey the limits."""
        return io.BufferedReader(_Reads(self), BUFFER_BYTES)

    def read_into(self, buffer: Any) -> int:
        """Read what is there, or wait for some. Raises TimeoutError when the call's time is over."""
        if self.wire is not None:
            self._limit(self.wire)
        return self._socket.recv_into(buffer)

    def _limit(self, wire: InterruptibleConnection) -> None:
        left_s = wire.left_s()
        if left_s <= 0:
            raise TimeoutError("The time for this call ran out.")
        self._socket.settimeout(left_s)

    def fileno(self) -> int:
        """Return the socket's file descriptor."""
        return self._socket.fileno()

    def shut_down(self) -> None:
        """Make present and later reads fail at once."""
        shut_down(self._socket)

    def close(self) -> None:
        """Do nothing: `http.client` closes a connection before it has read the response that ends with it."""

    def hang_up(self) -> None:
        """Close the socket."""
        self._socket.close()


class _Reads(io.RawIOBase):
    def __init__(self, connected: InterruptibleSocket) -> None:
        self._connected = connected

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._connected.read_into(buffer)
