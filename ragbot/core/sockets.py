"""A connection that somebody waits on, ended from another thread."""

from __future__ import annotations

import socket
from contextlib import suppress


def shut_down(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """Shut a connection down, or one direction of it: whoever reads from it finds its end at once.

    Closing it would wake nobody. One that has ended already stays so.
    """
    with suppress(OSError):
        # (An SSL socket's own shutdown would take its state from under the thread that reads.)
        socket.socket.shutdown(connection, how)
