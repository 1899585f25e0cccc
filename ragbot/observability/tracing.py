"""A question's measured stages to places on a time line, and the port to whoever sends traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# These follow each other from the turn's beginning; the others are placed by what else is known.
_ONE_AFTER_ANOTHER = ("cache", "embed", "search")


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the way of a question. Seconds since its turn began."""

    name: str
    begins_s: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class TracedTurn:
    """What is told of a request when it has ended.

    `line` is its line in the log, of which the tracer picks what may go out. `turn_at` is when its turn
    began, by `time.time_ns`; without a turn there are no stages.
    """

    line: Mapping[str, Any]
    failed: bool
    turn_at: int = 0
    stages: Sequence[Stage] = ()


class Trace(Protocol):
    """A request that is being traced."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits, for the line in the log."""

    def end(self, told: TracedTurn) -> None:
        """Hand its spans to whoever sends them. Returns at once."""


class Tracing(Protocol):
    """Begins traces."""

    def begin(self, traceparent: str | None) -> Trace | None:
        """A trace, which goes on with the caller's if there is one; None where nothing is traced."""


class NoTracing:
    """Traces nothing."""

    def begin(self, _traceparent: str | None) -> Trace | None:
        """Nothing."""
        return None


def placed(stages_ms: Mapping[str, float], total_ms: float) -> list[Stage]:
    """Where a turn's measured stages lie in it.

    Their lengths were measured, their places follow from their order: cache, embedding and search one after
    another from the beginning; generation up to the answer's end; then the writing. The first token's time
    counts from the beginning.
    """
    return [Stage(name, begins / 1000, ends / 1000) for name, begins, ends in _placed_ms(stages_ms, total_ms)]


def _placed_ms(stages_ms: Mapping[str, float], total_ms: float) -> Iterator[tuple[str, float, float]]:
    now = 0.0
    for name, taken in stages_ms.items():
        if name in _ONE_AFTER_ANOTHER:
            yield name, now, now + taken
            now += taken
        elif name == "generate":
            yield name, max(0.0, total_ms - taken), total_ms
        elif name == "persist":
            yield name, total_ms, total_ms + taken
        else:
            yield name, 0.0, taken
