"""Parse server-sent events from bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as the reader gets it."""

    id: int
    name: str
    data: Any


def events_in(stream: bytes) -> list[Sent]:
    """Return all events, in order; comments are left out. Raises for what is no event."""
    blocks = [block for block in stream.decode().split("\n\n") if block and not block.startswith(":")]
    return [_event_of(block) for block in blocks]


def _event_of(block: str) -> Sent:
    fields = dict(line.split(": ", 1) for line in block.split("\n"))
    assert fields.keys() == {"id", "event", "data"}
    return Sent(int(fields["id"]), fields["event"], json.loads(fields["data"]))
