"""Who holds something that workers share: a token that tells its process, and whether that still lives."""

from __future__ import annotations

import os
import secrets
import socket


def new_token() -> str:
    """A token of this process that no other is like."""
    return f"{secrets.token_hex(8)}/{os.getpid()}/{socket.gethostname()}"


def lives(token: str) -> bool:
    """False if the token's process was one of this host and is gone; of another host nothing is known."""
    _, _, process = token.partition("/")
    pid, _, host = process.partition("/")
    if host != socket.gethostname() or not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        # Another user's, so it is there.
        return True
    return True
