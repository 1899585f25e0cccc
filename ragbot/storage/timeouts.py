"""Limit waits on the client's side of a PostgreSQL connection, for a server that does not reply.

`statement_timeout` is enforced by the server itself, and the kernel gives up only what the other end does
not acknowledge: a stopped server, or a pooler that hangs, would hold a thread for ever.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, finalize

from sqlalchemy import Engine, event

from ragbot.core.sockets import shut_down
from ragbot.core.timers import TIMERS

# A healthy server answers `SELECT 1` in a millisecond or, far away, in a hundred.
PING_S = 2.0
# A connection that was used just now is taken as it is: an answer takes a dozen, one after the other.
PING_AFTER_S = 0.25


# A second handle of each connection's socket, which is closed when the connection is deleted.
_wires: WeakKeyDictionary[Any, socket.socket] = WeakKeyDictionary()


@contextmanager
def cut_off_after(seconds: float, connection: Any) -> Iterator[None]:
    """Shut a psycopg2 connection down if the block takes longer; a thread that waits on it fails at once."""
    timer = TIMERS.after(seconds, partial(shut_down, _wire_of(connection)))
    try:
        yield
    finally:
        timer.stop()


def _wire_of(connection: Any) -> socket.socket:
    wire = _wires.get(connection)
    if wire is None:
        wire = _wires[connection] = socket.socket(fileno=os.dup(connection.fileno()))
        finalize(connection, wire.close)
    return wire


def limit_pings(engine: Engine) -> None:
    """Check connections that come out of the pool after `PING_AFTER_S`, each for at most `PING_S`."""
    ping = engine.dialect.do_ping
    unused_since: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def limited(connection: Any) -> bool:
        if time.monotonic() - unused_since.get(connection, float("-inf")) < PING_AFTER_S:
            return True
        with cut_off_after(PING_S, connection):
            return ping(connection)

    @event.listens_for(engine, "checkin")
    def _on_checkin(connection: Any, _record: Any) -> None:
        if connection is not None:
            unused_since[connection] = time.monotonic()

    engine.dialect.do_ping = limited  # type: ignore[assignment, method-assign]
