"""Stop calling a provider that keeps failing, in all workers together, and find out when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from ragbot.core.cooldown import is_running
from ragbot.core.errors import CircuitOpen
from ragbot.core.owner_tokens import is_owner_alive, new_token
from ragbot.core.ports import SharedState

# So many failures in a row, of all workers together, open a circuit.
FAILURES_TO_OPEN = 3

# So many requests refused in a row are hardly their questions' fault; the health check tells it.
REFUSALS_TO_TELL = 3

# A pause grows from one failed trial to the next. It is longer than the trial took, so that most of the
# time no reader waits for a provider that is down; and a provider that hangs for 12 s and comes back just
# after a trial began is called again within 12 + 16 s.
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 16.0
PAUSE_BY_TRIAL = 1.25

# How long a process trusts its copy of a circuit that other processes may have changed.
KNOWN_S = 0.5
# A circuit that has not been used for so long is deleted, which closes it.
FORGOTTEN_S = 600.0
# An open circuit that has not been tried for so long does not hold up the others of its provider.
ABANDONED_S = 60.0


@dataclass(frozen=True, slots=True)
class CircuitState:
    """Hold the failures in a row of one model; `tried_at` is its last call, in seconds since the epoch.

    `refusals` are requests in a row that it has refused without failing, and `why` is the provider's own
    identifiers for the last failure or refusal.
    """

    failures: int = 0
    open: bool = False
    tried_at: float = 0.0
    refusals: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class ProviderState:
    """Hold the circuits of one provider, by model, and the one trial that may be under way.

    `trial_by` is the token of its owner, or empty. Times are seconds since the epoch.
    """

    circuits: Mapping[str, CircuitState]
    pause_s: float = 0.0
    next_trial_at: float = 0.0
    trial_by: str = ""
    trial_ends_at: float = 0.0

    def is_open(self, name: str) -> bool:
        """Return whether the model may not be called, except for a trial."""
        return self.circuits.get(name, CircuitState()).open

    def is_clean(self, name: str) -> bool:
        """Return whether no failure of the model is counted."""
        return name not in self.circuits

    def may_try(self, name: str, now: float, lease_s: float) -> bool:
        """Return whether a trial of an open circuit may begin now.

        The circuit that was tried longest ago goes first, so that a model that stays down does not keep
        another one closed to callers. A trial whose process has died does not count.
        """
        under_way = bool(self.trial_by) and is_running(self.trial_ends_at, now=now, longest_s=lease_s)
        under_way = under_way and is_owner_alive(self.trial_by)
        paused = is_running(self.next_trial_at, now=now, longest_s=LONGEST_PAUSE_S)
        own = self.circuits.get(name, CircuitState())
        others = (c for n, c in self.circuits.items() if n != name and c.open)
        first = all(own.tried_at <= c.tried_at or now - c.tried_at > ABANDONED_S for c in others)
        return own.open and first and not under_way and not paused


def with_trial_begun(
    provider: ProviderState, name: str, *, token: str, now: float, lease_s: float
) -> ProviderState:
    """Return the state with a trial for the owner of the token, if a trial may begin; else as it is."""
    if not provider.may_try(name, now, lease_s):
        return provider
    circuits = {**provider.circuits, name: replace(provider.circuits[name], tried_at=now)}
    return replace(provider, circuits=circuits, trial_by=token, trial_ends_at=now + lease_s)


def succeeded(provider: ProviderState, name: str, *, token: str, now: float) -> ProviderState:
    """Return the state with the circuit closed; other open circuits may be tried at once."""
    circuits = {n: circuit for n, circuit in provider.circuits.items() if n != name}
    over = token == provider.trial_by
    return ProviderState(
        circuits,
        next_trial_at=now if circuits else 0.0,
        trial_by="" if over else provider.trial_by,
        trial_ends_at=0.0 if over else provider.trial_ends_at,
    )


def refused(provider: ProviderState, name: str, *, token: str, now: float, why: str) -> ProviderState:
    """Return the state with one refused request more. It may be the question's, so no circuit opens."""
    before = provider.circuits.get(name, CircuitState())
    counted = replace(before, refusals=before.refusals + 1, why=why)
    provider = replace(provider, circuits={**provider.circuits, name: counted})
    return given_up(provider, token=token, now=now)


def failed(
    provider: ProviderState, name: str, *, token: str, now: float, took_s: float, why: str = ""
) -> ProviderState:
    """Return the state with one failure more, and a pause if a trial failed or the circuit opens now."""
    before = provider.circuits.get(name, CircuitState())
    was_trial = bool(token) and token == provider.trial_by
    opens = before.failures + 1 >= FAILURES_TO_OPEN
    tried_at = now if was_trial or not before.open else before.tried_at
    circuits = {
        **provider.circuits,
        name: CircuitState(
            before.failures + 1,
            open=before.open or was_trial or opens,
            tried_at=tried_at,
            refusals=before.refusals,
            why=why,
        ),
    }
    if not was_trial and (before.open or not opens):
        # Called before the circuit was opened, or one of the few failures that are allowed.
        return replace(provider, circuits=circuits)
    pause_s = max(FIRST_PAUSE_S, provider.pause_s * 2 if was_trial else 0.0, took_s * PAUSE_BY_TRIAL)
    pause_s = min(pause_s, LONGEST_PAUSE_S)
    paused = replace(provider, circuits=circuits, pause_s=pause_s, next_trial_at=now + pause_s)
    return replace(paused, trial_by="", trial_ends_at=0.0) if was_trial else paused


def given_up(provider: ProviderState, *, token: str, now: float) -> ProviderState:
    """Return the state without the token's trial, which showed nothing: the next call may try."""
    if not token or token != provider.trial_by:
        return provider
    return replace(provider, trial_by="", trial_ends_at=0.0, next_trial_at=now)


class CircuitBreaker:
    """Guard the calls to one provider with a circuit for each model. Safe between threads.

    All workers share the circuits; while the store of shared states is unavailable, each process has its
    own. `lease_s` is the longest that a trial can take: after it, a trial on another host counts as dead. On
    the same host a dead process is noticed at once.
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
        """Begin a call to the model. The caller reports on the attempt how it went. Raises CircuitOpen."""
        now = self._clock()
        known = self._current()
        if not known.is_open(name):
            return Attempt(self, name, token="", began=time.monotonic())
        if known.may_try(name, now, self._lease_s):
            token = new_token()
            known = self.update(
                partial(with_trial_begun, name=name, token=token, now=now, lease_s=self._lease_s)
            )
            if known.trial_by == token:
                return Attempt(self, name, token=token, began=time.monotonic())
            if not known.is_open(name):
                return Attempt(self, name, token="", began=time.monotonic())
        raise CircuitOpen(f"{name} failed several times in a row and is not called for some seconds.")

    def open_names(self) -> set[str]:
        """Return the models whose circuits are open, for metrics and health checks.

        Leaves out a model that has not been called for a minute: another one answers in its place.
        """
        circuits, now = self._current().circuits, self._clock()
        return {name for name, c in circuits.items() if c.open and now - c.tried_at <= ABANDONED_S}

    def troubles(self) -> dict[str, str]:
        """Return why each model is not called, or refuses one request after the other, for health checks."""
        circuits = self._current().circuits
        refusing = {
            name: f"refuses each request: {circuit.why}"
            for name, circuit in circuits.items()
            if circuit.refusals >= REFUSALS_TO_TELL and not circuit.open
        }
        return refusing | {name: circuits[name].why for name in self.open_names() if name in circuits}

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return self._clock()

    def is_clean(self, name: str) -> bool:
        """Return whether a success would change nothing, as far as this process knows."""
        with self._lock:
            return self._known.is_clean(name)

    def update(self, change: Callable[[ProviderState], ProviderState]) -> ProviderState:
        """Change the shared state in one step, and return it."""

        def change_state(state: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
            after = change(_read(state))
            return _written(after) if after.circuits else None

        return self._remember(self._states.change(self._name, change_state, FORGOTTEN_S))

    def _current(self) -> ProviderState:
        with self._lock:
            if time.monotonic() - self._known_at < KNOWN_S:
                return self._known
        return self._remember(self._states.peek(self._name))

    def _remember(self, state: Mapping[str, Any] | None) -> ProviderState:
        provider = _read(state)
        with self._lock:
            self._known, self._known_at = provider, time.monotonic()
        return provider


class Attempt:
    """Report the outcome of one call to the circuit breaker. Only the first report counts."""

    def __init__(self, circuits: CircuitBreaker, name: str, *, token: str, began: float) -> None:
        self._circuits = circuits
        self._name = name
        self._token = token
        self._began = began
        self._reported = False

    @property
    def is_trial(self) -> bool:
        """Return whether this call finds out if the provider is back, while all others are refused."""
        return bool(self._token)

    def succeeded(self) -> None:
        """Report that the model answered."""
        if self._is_first_report() and (self._token or not self._circuits.is_clean(self._name)):
            now = self._circuits.now()
            self._circuits.update(partial(succeeded, name=self._name, token=self._token, now=now))

    def failed(self, why: str = "") -> None:
        """Report a failure of the provider, with its own identifiers for the reason."""
        if self._is_first_report():
            now, took_s = self._circuits.now(), time.monotonic() - self._began
            self._circuits.update(
                partial(failed, name=self._name, token=self._token, now=now, took_s=took_s, why=why)
            )

    def refused(self, why: str = "") -> None:
        """Report that the provider is there and refused this request."""
        if self._is_first_report():
            now = self._circuits.now()
            self._circuits.update(partial(refused, name=self._name, token=self._token, now=now, why=why))

    def gave_up(self) -> None:
        """Report that the call showed nothing: the reader left, or the request itself was at fault."""
        if self._is_first_report() and self._token:
            self._circuits.update(partial(given_up, token=self._token, now=self._circuits.now()))

    def _is_first_report(self) -> bool:
        reported, self._reported = self._reported, True
        return not reported


def _read(state: Mapping[str, Any] | None) -> ProviderState:
    """Return the state as it was written; one that cannot be read has all circuits closed."""
    try:
        given = dict(state or {})
        circuits = {name: CircuitState(**circuit) for name, circuit in given.pop("circuits", {}).items()}
        return ProviderState(circuits, **given)
    except (AttributeError, TypeError, ValueError):
        return ProviderState({})


def _written(provider: ProviderState) -> dict[str, Any]:
    return {
        "circuits": {name: asdict(c) for name, c in provider.circuits.items()},
        "pause_s": provider.pause_s,
        "next_trial_at": provider.next_trial_at,
        "trial_by": provider.trial_by,
        "trial_ends_at": provider.trial_ends_at,
    }
