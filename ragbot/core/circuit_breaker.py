"""A provider's failures to whether it is asked: closed, open, or tried by one question at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ragbot.core.cooldown import is_running
from ragbot.core.errors import CircuitOpen
from ragbot.core.owner_tokens import lives, new_token
from ragbot.core.ports import SharedState

# So many failures in a row, of all workers together, open a circuit.
FAILURES_TO_OPEN = 3

# A pause grows from one failed trial to the next. It is longer than the trial took, so that most of the
# time nobody waits for a provider that is down; and a provider that hangs for 12 s and comes back just
# after a trial began is asked again within 12 + 16 s.
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 16.0
PAUSE_BY_TRIAL = 1.25

# How long a process trusts what it knows of a circuit that others may have changed.
KNOWN_S = 0.5
# A circuit that nobody has asked about for so long is forgotten: it is closed.
FORGOTTEN_S = 600.0
# An open circuit that nobody has tried for so long does not keep others of its provider waiting.
ABANDONED_S = 60.0


@dataclass(frozen=True, slots=True)
class CircuitState:
    """One model's failures in a row; `tried_at` is when it was last asked, seconds since the epoch."""

    failures: int = 0
    open: bool = False
    tried_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ProviderState:
    """The circuits of one provider. There is at most one trial at a time, `trial_by` somebody's token."""

    circuits: Mapping[str, CircuitState]
    pause_s: float = 0.0
    next_trial_at: float = 0.0
    trial_by: str = ""
    trial_ends_at: float = 0.0

    def is_open(self, name: str) -> bool:
        """Whether the model is not to be asked, but for a trial."""
        return self.circuits.get(name, CircuitState()).open

    def is_clean(self, name: str) -> bool:
        """Whether there is nothing to forgive."""
        return name not in self.circuits

    def may_try(self, name: str, now: float, lease_s: float) -> bool:
        """Whether a trial of an open circuit may begin now.

        The one that was tried longest ago goes first, so that a model that stays down never keeps another
        from coming back. Whoever was killed while he tried keeps nobody waiting. A time much further ahead
        than any pause was written by a clock that was wrong; clocks of hosts differ a little.
        """
        under_way = bool(self.trial_by) and is_running(self.trial_ends_at, now=now, longest_s=lease_s)
        under_way = under_way and lives(self.trial_by)
        paused = is_running(self.next_trial_at, now=now, longest_s=LONGEST_PAUSE_S)
        own = self.circuits.get(name, CircuitState())
        others = (c for n, c in self.circuits.items() if n != name and c.open)
        first = all(own.tried_at <= c.tried_at or now - c.tried_at > ABANDONED_S for c in others)
        return own.open and first and not under_way and not paused


def with_trial_begun(
    provider: ProviderState, name: str, *, token: str, now: float, lease_s: float
) -> ProviderState:
    """With a trial for whoever has the token, if one may begin."""
    if not provider.may_try(name, now, lease_s):
        return provider
    circuits = {**provider.circuits, name: replace(provider.circuits[name], tried_at=now)}
    return replace(provider, circuits=circuits, trial_by=token, trial_ends_at=now + lease_s)


def succeeded(provider: ProviderState, name: str, *, token: str, now: float) -> ProviderState:
    """With the circuit closed; what else is open may be tried at once."""
    circuits = {n: circuit for n, circuit in provider.circuits.items() if n != name}
    over = token == provider.trial_by
    return ProviderState(
        circuits,
        next_trial_at=now if circuits else 0.0,
        trial_by="" if over else provider.trial_by,
        trial_ends_at=0.0 if over else provider.trial_ends_at,
    )


def failed(provider: ProviderState, name: str, *, token: str, now: float, took_s: float) -> ProviderState:
    """With one failure more, and with a pause if it was a trial's or opened the circuit."""
    before = provider.circuits.get(name, CircuitState())
    was_trial = bool(token) and token == provider.trial_by
    opens = before.failures + 1 >= FAILURES_TO_OPEN
    tried_at = now if was_trial or not before.open else before.tried_at
    circuits = {
        **provider.circuits,
        name: CircuitState(before.failures + 1, open=before.open or was_trial or opens, tried_at=tried_at),
    }
    if not was_trial and (before.open or not opens):
        # Asked before the circuit was opened, or one of the few failures that are forgiven.
        return replace(provider, circuits=circuits)
    pause_s = max(FIRST_PAUSE_S, provider.pause_s * 2 if was_trial else 0.0, took_s * PAUSE_BY_TRIAL)
    pause_s = min(pause_s, LONGEST_PAUSE_S)
    paused = replace(provider, circuits=circuits, pause_s=pause_s, next_trial_at=now + pause_s)
    return replace(paused, trial_by="", trial_ends_at=0.0) if was_trial else paused


def given_up(provider: ProviderState, *, token: str, now: float) -> ProviderState:
    """Without the trial of whoever has the token, which told nothing: the next question may try."""
    if not token or token != provider.trial_by:
        return provider
    return replace(provider, trial_by="", trial_ends_at=0.0, next_trial_at=now)


class CircuitBreaker:
    """The circuits of one provider, shared by all workers. Safe between threads.

    `lease_s` is the longest that a trial can take: after it, whoever tried on another host is taken for
    dead; on the same host it is seen at once. Where the shared states cannot be reached, each process has
    circuits of its own.
    """

    def __init__(
        self,
        provider: str,
        states: SharedState,
        *,
        lease_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = f"circuit:{provider}"
        self._states = states
        self._lease_s = lease_s
        self._clock = clock
        self._lock = threading.Lock()
        self._known = ProviderState({})
        self._known_at = float("-inf")

    def enter(self, name: str) -> Attempt:
        """Leave to ask the model; whoever has it says how it went. Raises CircuitOpen."""
        now = self._clock()
        known = self._looked()
        if not known.is_open(name):
            return Attempt(self, name, token="", began=time.monotonic())
        if known.may_try(name, now, self._lease_s):
            token = new_token()
            known = self.changed(
                partial(with_trial_begun, name=name, token=token, now=now, lease_s=self._lease_s)
            )
            if known.trial_by == token:
                return Attempt(self, name, token=token, began=time.monotonic())
            if not known.is_open(name):
                return Attempt(self, name, token="", began=time.monotonic())
        raise CircuitOpen(f"{name} failed several times in a row and is left alone for some seconds.")

    def open_names(self) -> set[str]:
        """Which models are left alone now, for those who watch.

        One that nobody has wanted for a while, since the model before it is well again, troubles nobody.
        """
        circuits, now = self._looked().circuits, self._clock()
        return {name for name, c in circuits.items() if c.open and now - c.tried_at <= ABANDONED_S}

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def is_clean(self, name: str) -> bool:
        """Whether a success would change nothing, as far as is known here."""
        with self._lock:
            return self._known.is_clean(name)

    def changed(self, change: Callable[[ProviderState], ProviderState]) -> ProviderState:
        """The state after a change that no other comes between."""

        def change_state(state: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
            after = change(_read(state))
            return _written(after) if after.circuits else None

        return self._learnt(self._states.change(self._name, change_state, FORGOTTEN_S))

    def _looked(self) -> ProviderState:
        with self._lock:
            if time.monotonic() - self._known_at < KNOWN_S:
                return self._known
        return self._learnt(self._states.peek(self._name))

    def _learnt(self, state: Mapping[str, Any] | None) -> ProviderState:
        provider = _read(state)
        with self._lock:
            self._known, self._known_at = provider, time.monotonic()
        return provider


class Attempt:
    """Leave to ask once. The first thing that is said of it counts."""

    def __init__(self, circuits: CircuitBreaker, name: str, *, token: str, began: float) -> None:
        self._circuits = circuits
        self._name = name
        self._token = token
        self._began = began
        self._told = False

    @property
    def is_trial(self) -> bool:
        """Whether it is the one question that finds out whether the provider is well again."""
        return bool(self._token)

    def succeeded(self) -> None:
        """The model answered."""
        if self._first_told() and (self._token or not self._circuits.is_clean(self._name)):
            now = self._circuits.now()
            self._circuits.changed(partial(succeeded, name=self._name, token=self._token, now=now))

    def failed(self) -> None:
        """The provider is to blame."""
        if self._first_told():
            now, took_s = self._circuits.now(), time.monotonic() - self._began
            self._circuits.changed(
                partial(failed, name=self._name, token=self._token, now=now, took_s=took_s)
            )

    def gave_up(self) -> None:
        """Nothing was learnt: the reader left, or the request itself was at fault."""
        if self._first_told() and self._token:
            self._circuits.changed(partial(given_up, token=self._token, now=self._circuits.now()))

    def _first_told(self) -> bool:
        told, self._told = self._told, True
        return not told


def _read(state: Mapping[str, Any] | None) -> ProviderState:
    """The state as it was written; what cannot be read is a provider of which nothing is known."""
    try:
        given = dict(state or {})
        circuits = {name: CircuitState(**circuit) for name, circuit in given.pop("circuits", {}).items()}
        return ProviderState(circuits, **given)
    except (AttributeError, TypeError, ValueError):
        return ProviderState({})


def _written(provider: ProviderState) -> dict[str, Any]:
    return {
        "circuits": {
            name: {"failures": c.failures, "open": c.open, "tried_at": c.tried_at}
            for name, c in provider.circuits.items()
        },
        "pause_s": provider.pause_s,
        "next_trial_at": provider.next_trial_at,
        "trial_by": provider.trial_by,
        "trial_ends_at": provider.trial_ends_at,
    }
