"""Proxy TCP connections to a local server, and refuse, cut or hang them as a broken network does."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal, Self

Mood = Literal["pass", "refuse", "hang"]


class Pipe:
    """Forward bytes between `pipe.port` and a local port or Unix socket: `with Pipe(port) as pipe:`.

    `pass` hands on. `refuse` closes what is open and every new connection at once. `hang` takes connections
    and lets nothing through, also of those that are open, as a network does whose packets get lost.
    """

    def __init__(self, to: int | str) -> None:
        self._to = to
        self._mood: Mood = "pass"
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0

    def be(self, mood: Mood) -> None:
        """Set the behaviour from now on."""
        with self._changed:
            self._mood = mood
            self._changed.notify_all()
        if mood == "refuse":
            self.cut()

    def cut(self) -> None:
        """Close every connection that is open now, as a host does with idle ones."""
        with self._changed:
            open_now, self._open = self._open, set()
        for one in open_now:
            _closed(one)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        _closed(self._listener)
        self.be("refuse")

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self._mood == "refuse":
                _closed(client)
                continue
            try:
                server = self._connected()
            except OSError:
                _closed(client)
                continue
            with self._changed:
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._hand_on, args=(source, sink), daemon=True).start()

    def _connected(self) -> socket.socket:
        if isinstance(self._to, int):
            server = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            server.settimeout(None)
            return server
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._to)
        return server

    def _hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                with self._changed:
                    self._changed.wait_for(lambda: self._mood != "hang")
                sink.sendall(piece)
        _closed(source)
        _closed(sink)


def _closed(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
