"""Let one process at a time do something, by a claim in the states that all workers share."""

from __future__ import annotations

import secrets
from itertools import count

from ragbot.core.ports import SharedState, State


class Lease:
    """Claim a name for one holder. After a crash, others wait until the lease has run out."""

    def __init__(self, states: SharedState, name: str, lease_s: float) -> None:
        self._states = states
        self._name = name
        self._lease_s = lease_s
        self._token = secrets.token_hex(8)
        # A state that does not change keeps its expiry.
        self._renewals = count(1)

    def claim(self) -> bool:
        """Claim the lease, or renew it; return whether it is ours."""
        renewed: State = {"by": self._token, "renewal": next(self._renewals)}

        def claimed(state: State | None) -> State:
            return renewed if state is None or self._is_ours(state) else state

        return self._is_ours(self._states.change(self._name, claimed, self._lease_s))

    def release(self) -> None:
        """Let others claim it, if it is ours."""

        def released(state: State | None) -> State | None:
            return None if self._is_ours(state) else state

        self._states.change(self._name, released, self._lease_s)

    def _is_ours(self, state: State | None) -> bool:
        return state is not None and state.get("by") == self._token
