"""Tell the worker that writes an answer that its reader, who is not connected any more, has stopped it."""

from __future__ import annotations

from ragbot.core.ports import SharedState

# Longer than an answer may take.
KEPT_S = 900.0


class StopRequests:
    """Share requests to stop a turn among all workers. Safe between threads; never raises."""

    def __init__(self, states: SharedState) -> None:
        self._states = states

    def add(self, message_id: str) -> None:
        """Ask for the end of a turn."""
        self._states.change(_name(message_id), lambda _state: {"stop": True}, KEPT_S)

    def has(self, message_id: str) -> bool:
        """Return whether the end of a turn was asked for."""
        return self._states.peek(_name(message_id)) is not None


def _name(message_id: str) -> str:
    return f"stop:{message_id}"
