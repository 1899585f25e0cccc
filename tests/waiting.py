"""Wait for what becomes true by itself, with the patience that a machine under load needs."""

from __future__ import annotations

import time
from collections.abc import Callable


def soon(holds: Callable[[], bool], within_s: float = 60) -> bool:
    """Return whether something comes to hold in time."""
    until = time.monotonic() + within_s
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()
