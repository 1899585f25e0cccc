"""End a socket that another thread is waiting on."""

from __future__ import annotations

import socket
from contextlib import suppress


def shut_down(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """Shut a connection down, or one direction of it; a thread that reads from it sees its end at once.

    Closing it would not wake that thread. Does nothing if the connection has ended already.
    """
    with suppress(OSError):
        # (An SSL socket's own shutdown would take its state from under the thread that reads.)
        socket.socket.shutdown(connection, how)
