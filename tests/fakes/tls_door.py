"""Terminate TLS at a loopback port, in front of a server without TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Self

from tests.fakes.certificates import Certificates

# What a client of PostgreSQL says first where it wants TLS (protocol 3: "SSLRequest"), and the consent.
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
CONSENT = b"S"


class TlsDoor:
    """`with TlsDoor(port, certificates) as door:` listens on `door.port` until the block ends.

    With `asked_for` TLS begins when it was asked for as PostgreSQL's clients do; who does not is sent away.
    """

    def __init__(self, behind: int, certificates: Certificates, *, asked_for: bool = False) -> None:
        self._behind = behind
        self._asked_for = asked_for
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.certificate, certificates.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._serving: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would wake nobody who waits in `accept` or `recv`.
        for one in (self._listener, *self._open):
            _shut(one)
        self._accepting.join(60)
        self._listener.close()
        for serving in self._serving:
            serving.join(60)

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            serving = threading.Thread(target=self._serve, args=(plain,), daemon=True)
            serving.start()
            self._serving.append(serving)

    def _serve(self, plain: socket.socket) -> None:
        if self._asked_for:
            if plain.recv(len(SSL_REQUEST), socket.MSG_WAITALL) != SSL_REQUEST:
                plain.close()
                return
            plain.sendall(CONSENT)
        try:
            outside = self._context.wrap_socket(plain, server_side=True)
        except (OSError, ssl.SSLError):
            # A client that does not trust the certificate goes away.
            plain.close()
            return
        inside = socket.create_connection(("127.0.0.1", self._behind))
        self._open |= {outside, inside}
        back = threading.Thread(target=_copy, args=(inside, outside), daemon=True)
        back.start()
        _copy(outside, inside)
        back.join()
        for one in (outside, inside):
            one.close()
            self._open.discard(one)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while received := source.recv(65536):
            target.sendall(received)
    except OSError:
        pass
    _shut(source)
    _shut(target)


def _shut(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The other side was quicker.
        return
