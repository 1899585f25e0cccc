"""Time limits on this side of a connection to PostgreSQL, for a server that takes all and says nothing.

`statement_timeout` is kept by the server itself, and the kernel gives up only what the other end does not
acknowledge: a stopped server, or a pooler that hangs, would hold whoever asks for ever.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Engine

from ragbot.core.sockets import shut_down
from ragbot.core.timers import TIMERS

# A server that is well answers `SELECT 1` in a millisecond or, far away, in a hundred.
PING_S = 2.0


@contextmanager
def cut_off_after(seconds: float, connection: Any) -> Iterator[None]:
    """Within the block, have a connection of psycopg2 end after so long: what waits for it fails at once."""
    wire = socket.socket(fileno=os.dup(connection.fileno()))
    alarm = TIMERS.after(seconds, partial(shut_down, wire))
    try:
        yield
    finally:
        alarm.stop()
        wire.close()


def limit_pings(engine: Engine) -> None:
    """Let no connection that comes out of the pool be waited for longer than `PING_S`."""
    ping = engine.dialect.do_ping

    def limited(connection: Any) -> bool:
        with cut_off_after(PING_S, connection):
            return ping(connection)

    engine.dialect.do_ping = limited  # type: ignore[assignment, method-assign]
