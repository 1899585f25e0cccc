"""End connections: one that another thread is waiting on, and one whose peer still sends."""

from __future__ import annotations

import socket
import time
from contextlib import suppress


def shut_down(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """Shut a connection down, or one direction of it; a thread that reads from it sees its end at once.

    Closing it would not wake that thread. Does nothing if the connection has ended already.
    """
    with suppress(OSError):
        # (An SSL socket's own shutdown would take its state from under the thread that reads.)
        socket.socket.shutdown(connection, how)


def discard_rest(connection: socket.socket, *, most_bytes: int, within_s: float) -> None:
    """End what is sent, and read what still comes until the peer closes, or too much or too long.

    A connection that is closed with unread bytes is reset, and the peer may lose the answer (RFC 9112, 9.6).
    (gunicorn's `close_graceful` closes it as well, which its worker does later and counts.)
    """
    shut_down(connection, socket.SHUT_WR)
    end = time.monotonic() + within_s
    left = most_bytes
    with suppress(OSError):
        while left > 0 and (wait := end - time.monotonic()) > 0:
            connection.settimeout(wait)
            piece = connection.recv(65536)
            if not piece:
                return
            left -= len(piece)
