"""Define the port of tracing, and place the measured stages of a question on a time line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# These follow each other from the beginning of the turn.
_SEQUENTIAL = ("cache", "embed", "search")


@dataclass(frozen=True, slots=True)
class Stage:
    """Hold when a stage of a question began and ended, in seconds since its turn began."""

    name: str
    begins_s: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class TracedTurn:
    """Hold what is traced of a request that has ended.

    `line` is its line in the log, of which the tracer sends selected fields. `turn_at` is when its turn
    began, by `time.time_ns`; without a turn there are no stages.
    """

    line: Mapping[str, Any]
    failed: bool
    turn_at: int = 0
    stages: Sequence[Stage] = ()


class Trace(Protocol):
    """Trace one request."""

    @property
    def trace_id(self) -> str:
        """Return the trace id, 32 hexadecimal digits."""

    def end(self, traced: TracedTurn) -> None:
        """Queue the spans for sending. Returns at once."""


class Tracing(Protocol):
    """Begin traces."""

    def begin(self, traceparent: str | None) -> Trace | None:
        """Begin a trace, or continue the caller's. Returns None where nothing is traced."""


class NoTracing:
    """Trace nothing."""

    def begin(self, _traceparent: str | None) -> Trace | None:
        """Return None."""
        return None


def place_stages(stages_ms: Mapping[str, float], total_ms: float) -> list[Stage]:
    """Compute when each measured stage of a turn began and ended.

    Their durations were measured; their places follow from their order: cache, embedding and search one after
    another from the beginning; generation up to the end of the answer; then storage. The time of the first
    token counts from the beginning.
    """
    return [Stage(name, begins / 1000, ends / 1000) for name, begins, ends in _place_ms(stages_ms, total_ms)]


def _place_ms(stages_ms: Mapping[str, float], total_ms: float) -> Iterator[tuple[str, float, float]]:
    now = 0.0
    for name, taken in stages_ms.items():
        if name in _SEQUENTIAL:
            yield name, now, now + taken
            now += taken
        elif name == "generate":
            yield name, max(0.0, total_ms - taken), total_ms
        elif name == "persist":
            yield name, total_ms, total_ms + taken
        else:
            yield name, 0.0, taken
