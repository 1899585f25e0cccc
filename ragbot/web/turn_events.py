"""Draw the first event of a turn, and its whole answer."""

from __future__ import annotations

from ragbot.answering.turns import RunningTurn
from ragbot.core.answers import Answer, Event, Finished
from ragbot.core.errors import RagbotError


def first_event(running: RunningTurn) -> Event:
    """Draw the first event before the status line is sent, so that an early failure gets its own status."""
    try:
        return next(running.events)
    except BaseException:
        running.events.close()
        raise


def whole_answer(running: RunningTurn, first: Event) -> Answer:
    """Draw the rest of a turn and return its answer."""
    last = first
    try:
        for event in running.events:
            last = event
    finally:
        running.events.close()
    if not isinstance(last, Finished):
        raise RagbotError("An answer ended without its last event.")
    return last.answer
