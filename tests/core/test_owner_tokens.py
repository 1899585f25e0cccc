"""Test that the death of a process is detected by its token."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from ragbot.core.circuit_breaker import CircuitBreaker, with_trial_begun
from ragbot.core.errors import CircuitOpen
from ragbot.core.owner_tokens import is_owner_alive, new_token
from ragbot.storage.keyvalue.shared_state import InProcessSharedState

MODEL = "some-model"
LEASE_S = 35.0


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def token_of_no_process() -> str:
    """Return a token with a process id that is larger than Linux gives to any process."""
    return f"abc/{2**22 + 1}/{socket.gethostname()}"


def opened(clock: Clock) -> CircuitBreaker:
    circuits = CircuitBreaker("models", InProcessSharedState(clock=clock), lease_s=LEASE_S, clock=clock)
    for _ in range(3):
        circuits.enter(MODEL).failed()
    clock.seconds += 5
    return circuits


def begin_trial(circuits: CircuitBreaker, token: str, clock: Clock) -> None:
    begun = partial(with_trial_begun, name=MODEL, token=token, now=clock(), lease_s=LEASE_S)
    assert circuits.update(begun).trial_by == token


def test_next_question_tries_when_whoever_tried_was_killed() -> None:
    """For the 35 s that a trial may take, nobody would have found out that the provider is well."""
    clock = Clock()
    circuits = opened(clock)
    begin_trial(circuits, token_of_no_process(), clock)

    visit = circuits.enter(MODEL)

    assert visit.is_trial


@pytest.mark.parametrize("token", [None, "abc/1/another-host", "of-an-older-version"])
def test_trial_of_whoever_may_live_is_waited_for(token: str | None) -> None:
    """At most one question at a time asks a provider that is down."""
    clock = Clock()
    circuits = opened(clock)
    # Without one, this very process lives.
    begin_trial(circuits, token or new_token(), clock)

    with pytest.raises(CircuitOpen):
        circuits.enter(MODEL)


def test_dead_and_living_are_told_apart() -> None:
    """Of another host nothing is known, so it lives."""
    assert is_owner_alive(new_token())
    assert not is_owner_alive(token_of_no_process())
    assert is_owner_alive("abc/999999999/another-host")
