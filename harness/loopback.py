"""Serve HTTP/1.1 on 127.0.0.1 for fakes: count requests, notice clients that disconnect, stop at once."""

import itertools
import json
import socket
import socketserver
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ACCEPT_POLL_S = 0.01  # what a stop may wait for the accepting thread
STOP_LIMIT_S = 0.9  # a connection that does not end within this is a fault of the fake
LAST_CHUNK = b"0\r\n\r\n"


class ClientGone(Exception):
    """Report that the client closed its connection before the reply was complete."""


class Stopped(Exception):
    """Report that the server is being stopped in the middle of a reply."""


@dataclass(frozen=True)
class Call:
    """Hold a received request; `at` is monotonic time, `connection` counts TCP connections from 1.

    `path` is still percent-encoded; `body` is None if there was no JSON.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes = field(repr=False)
    body: Any
    at: float
    connection: int


class Connection:
    """Read requests from an accepted TCP connection, write replies, and notice when the client leaves."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = 0
        self.stopping = stopping
        self.keep_alive = True
        self.closed = False
        self._sock = sock
        self._reader = sock.makefile("rb")

    def read_call(self) -> Call | None:
        """Return the next request, or None if the client has closed the connection."""
        try:
            request_line = self._reader.readline(65_536)
            if not request_line.strip():
                return None
            method, target, _version = request_line.decode("latin-1").split()
            headers = self._read_headers()
            raw = self._read_body(headers)
        except (OSError, ValueError):
            return None
        self.keep_alive = headers.get("connection", "").lower() != "close"
        parts = urlsplit(target)
        return Call(
            method=method,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers=headers,
            raw=raw,
            body=parsed_json(raw),
            at=time.monotonic(),
            connection=self.number,
        )

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole reply with its length."""
        self.send(head(status, {"Content-Length": str(len(body)), **(headers or {})}) + body)

    def reply_json(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole JSON reply."""
        body = json.dumps(value).encode()
        self.reply(status, body, {"Content-Type": "application/json", **(headers or {})})

    def begin_chunks(self, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Send the head of a 200 reply of unknown length."""
        more = {"Content-Type": content_type, "Transfer-Encoding": "chunked", **(headers or {})}
        self.send(head(200, more))

    def chunk(self, piece: bytes) -> None:
        """Send one chunk of a reply that was begun with `begin_chunks`."""
        self.send(framed(piece))

    def end_chunks(self) -> None:
        """Send the last chunk, which completes the reply."""
        self.send(LAST_CHUNK)

    def send(self, piece: bytes) -> None:
        """Send bytes unchanged. Raises ClientGone if the client has left."""
        try:
            self._sock.sendall(piece)
        except OSError as error:
            raise (Stopped if self.stopping.is_set() else ClientGone) from error

    def pause(self, seconds: float | None) -> None:
        """Wait; None waits without limit. Raises ClientGone or Stopped as soon as either happens."""
        if seconds == 0:
            self._sock.setblocking(False)
        else:
            self._sock.settimeout(seconds)
        try:
            early = self._sock.recv(1, socket.MSG_PEEK)
        except (TimeoutError, BlockingIOError):
            return
        except OSError as error:
            raise (Stopped if self.stopping.is_set() else ClientGone) from error
        finally:
            if not self.closed:
                self._sock.settimeout(None)
        if not early:
            raise Stopped if self.stopping.is_set() else ClientGone
        self.stopping.wait(seconds)  # the client's next request is already here: just let time pass

    def close(self) -> None:
        """Close the connection normally."""
        self.closed = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._reader.close()
        self._sock.close()

    def reset(self) -> None:
        """Close with a RST, as a crashed peer or a firewall does."""
        self.closed = True
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._reader.close()
        self._sock.close()

    def wake(self) -> None:
        """Wake the connection's thread: closing the socket in another thread would not."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _read_headers(self) -> dict[str, str]:
        headers = {}
        while (line := self._reader.readline(65_536)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self._reader.read(int(headers.get("content-length", 0)))
        pieces = []
        while size := int(self._reader.readline().split(b";")[0], 16):
            pieces.append(self._reader.read(size))
            self._reader.readline()
        self._reader.readline()
        return b"".join(pieces)


class LoopbackServer:
    """Serve `respond` on a free port of 127.0.0.1, with a thread for each connection; a context manager.

    Leaving the block stops it within a second, leaves no thread and no open socket behind, and raises
    AssertionError if the fake itself failed on some request.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._listener: _Listener | None = None
        self._held: socket.socket | None = None
        self._changed = threading.Condition()
        self._calls: list[Call] = []
        self._faults: list[str] = []
        self._streams = 0
        self._disconnects = 0
        self._accepted = 0
        self._numbers = itertools.count(1)

    def respond(self, call: Call, connection: Connection) -> None:
        """Answer one call; each fake implements it."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """Return the address, without a path and without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """Return the number of TCP connections so far."""
        with self._changed:
            return self._accepted

    @property
    def open_streams(self) -> int:
        """Return the number of running streamed replies."""
        with self._changed:
            return self._streams

    @property
    def disconnects(self) -> int:
        """Return how many replies the client left before they were complete."""
        with self._changed:
            return self._disconnects

    def calls(self, path: str | None = None) -> list[Call]:
        """Return the requests so far, in order; with a path, only those to it."""
        with self._changed:
            return [call for call in self._calls if path is None or call.path == path]

    def wait_for_calls(self, path: str | None = None, count: int = 1, timeout: float = 60) -> bool:
        """Return True as soon as `count` requests have come, or False after `timeout` seconds."""
        return self._wait(lambda: len(self.calls(path)) >= count, timeout)

    def wait_for_disconnect(self, timeout: float = 60, count: int = 1) -> bool:
        """Return True as soon as a client has left `count` replies early; False when none did in time."""
        return self._wait(lambda: self._disconnects >= count, timeout)

    def wait_until_idle(self, timeout: float = 60) -> bool:
        """Return True as soon as no streamed reply is under way; False when one still is after `timeout`."""
        return self._wait(lambda: self._streams == 0, timeout)

    def forget(self) -> None:
        """Reset all counts and records."""
        with self._changed:
            self._calls.clear()
            self._disconnects = self._accepted = 0

    def start(self) -> None:
        self._listener = _Listener(self._held or bound_socket(self._port), self._converse)
        self._held = None
        self._port = self._listener.port
        self._listener.start()

    def stop(self) -> None:
        """Stop at once, even during replies. A second call does nothing."""
        if self._listener:
            self._listener.stop()
            self._listener = None
        if self._held:
            self._held.close()
            self._held = None

    def go_down(self) -> None:
        """Cut all connections and refuse new ones until `come_up`; the port stays reserved."""
        if self._listener:
            self.stop()
            self._held = bound_socket(self._port)  # bound, not listening: the kernel refuses

    def come_up(self) -> None:
        """Serve again on the same port."""
        if not self._listener:
            self.start()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()
        if self._faults and kind is None:
            raise AssertionError("the fake failed itself:\n" + "\n".join(self._faults))

    @contextmanager
    def _streaming(self) -> Iterator[None]:
        self._count(_streams=1)
        try:
            yield
        finally:
            self._count(_streams=-1)

    def _converse(self, connection: Connection) -> None:
        with self._changed:
            self._accepted += 1
            connection.number = next(self._numbers)
        while connection.keep_alive and not connection.closed and (call := connection.read_call()):
            with self._changed:
                self._calls.append(call)
                self._changed.notify_all()
            try:
                self.respond(call, connection)
            except ClientGone:
                self._count(_disconnects=1)
                return
            except Stopped:
                return
            except Exception:
                self._faults.append(traceback.format_exc())
                with suppress(ClientGone, Stopped):
                    connection.reply(500, b"the fake failed itself", {"Connection": "close"})
                return

    def _count(self, **steps: int) -> None:
        with self._changed:
            for name, step in steps.items():
                setattr(self, name, getattr(self, name) + step)
            self._changed.notify_all()

    def _wait(self, reached: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(reached, timeout)


class _Listener(socketserver.TCPServer):
    request_queue_size = 256

    def __init__(self, bound: socket.socket, converse: Callable[[Connection], None]) -> None:
        super().__init__(bound.getsockname(), socketserver.BaseRequestHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_activate()
        self.port = bound.getsockname()[1]
        self.stopping = threading.Event()
        self._converse = converse
        self._lock = threading.Lock()
        self._open: dict[Connection, threading.Thread] = {}
        self._thread = threading.Thread(target=self.serve_forever, args=[ACCEPT_POLL_S], daemon=True)

    def start(self) -> None:
        self._thread.start()

    def process_request(self, request: socket.socket, client_address: object) -> None:
        connection = Connection(request, self.stopping)
        thread = threading.Thread(target=self._serve, args=[connection], daemon=True)
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left:
            connection.wake()
        until = time.monotonic() + STOP_LIMIT_S
        for thread in left.values():
            thread.join(max(0, until - time.monotonic()))
        if any(thread.is_alive() for thread in left.values()):
            raise RuntimeError(
                "a connection of the fake did not end; does a callable given by the test block?"
            )

    def handle_error(self, request: object, client_address: object) -> None:
        traceback.print_exc(file=sys.stderr)

    def _serve(self, connection: Connection) -> None:
        try:
            self._converse(connection)
        finally:
            if not connection.closed:
                connection.close()
            with self._lock:
                del self._open[connection]


def framed(piece: bytes) -> bytes:
    """Return the piece as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def bound_socket(port: int) -> socket.socket:
    """Return a socket that is bound to 127.0.0.1; port 0 takes a free port."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return a reply's status line and headers as bytes."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def parsed_json(raw: bytes) -> object:
    """Return the JSON value, or None for an empty or broken body."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
