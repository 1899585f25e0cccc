"""Name the process that holds a shared lock or trial by a token, and detect when it has died."""

from __future__ import annotations

import os
import secrets
import socket


def new_token() -> str:
    """Return a unique token of this process."""
    return f"{secrets.token_hex(8)}/{os.getpid()}/{socket.gethostname()}"


def is_owner_alive(token: str) -> bool:
    """Return False if the token's process ran on this host and has ended; True if it ran on another."""
    _, _, process = token.partition("/")
    pid, _, host = process.partition("/")
    if host != socket.gethostname() or not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        # The process exists and belongs to another user.
        return True
    return True
