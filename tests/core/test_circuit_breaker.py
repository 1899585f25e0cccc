"""Test the circuit breaker: failures in a row open it for all workers; one question at a time tries again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ragbot.core.circuit_breaker import (
    ABANDONED_S,
    FAILURES_TO_OPEN,
    FIRST_PAUSE_S,
    KNOWN_S,
    LONGEST_PAUSE_S,
    REFUSALS_TO_TELL,
    Attempt,
    CircuitBreaker,
)
from ragbot.core.errors import CircuitOpen
from ragbot.storage.keyvalue.shared_state import FailoverSharedState

LEASE_S = 35.0


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_worker(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[[], CircuitBreaker]:
    """Make workers that share their states and know of every change at once."""
    monkeypatch.setattr("ragbot.core.circuit_breaker.KNOWN_S", 0.0)
    states = FailoverSharedState([])
    return lambda: CircuitBreaker("models", states, lease_s=LEASE_S, clock=clock)


@pytest.fixture
def worker(make_worker: Callable[[], CircuitBreaker]) -> CircuitBreaker:
    return make_worker()


def fail(worker: CircuitBreaker, name: str = "gpt-4o", times: int = FAILURES_TO_OPEN) -> None:
    for _ in range(times):
        worker.enter(name).failed()


def refused(worker: CircuitBreaker, name: str = "gpt-4o") -> bool:
    try:
        worker.enter(name).gave_up()
    except CircuitOpen:
        return True
    return False


def trial(worker: CircuitBreaker, name: str = "gpt-4o") -> Attempt:
    visit = worker.enter(name)
    assert visit.is_trial
    return visit


def test_failures_of_all_workers_in_a_row_open_the_circuit_for_all(
    make_worker: Callable[[], CircuitBreaker],
) -> None:
    """Each worker for itself would have to learn it anew."""
    one, two = make_worker(), make_worker()

    fail(one, times=FAILURES_TO_OPEN - 1)
    before = refused(two)
    fail(two, times=1)

    assert not before
    assert refused(one)
    assert refused(two)


def test_success_between_failures_keeps_the_circuit_closed(worker: CircuitBreaker) -> None:
    """A provider that fails now and then is better than none."""
    for _ in range(5):
        fail(worker, times=FAILURES_TO_OPEN - 1)
        worker.enter("gpt-4o").succeeded()

    assert not refused(worker)


def test_after_the_pause_one_question_at_a_time_tries(
    make_worker: Callable[[], CircuitBreaker], clock: Clock
) -> None:
    """An outage costs one call, not one a reader."""
    one, two = make_worker(), make_worker()
    fail(one)
    clock.now += FIRST_PAUSE_S

    trial(one)

    assert refused(two)
    assert refused(one)


def test_trial_that_succeeds_closes_the_circuit(worker: CircuitBreaker, clock: Clock) -> None:
    """Nobody has to restart anything."""
    fail(worker)
    clock.now += FIRST_PAUSE_S

    trial(worker).succeeded()

    assert not worker.enter("gpt-4o").is_trial


def test_pause_grows_from_trial_to_trial_up_to_its_longest(worker: CircuitBreaker, clock: Clock) -> None:
    """A long outage is asked about seldom, and noticed to be over within half a minute."""
    fail(worker)
    pauses = []
    for _ in range(6):
        begun = clock.now
        while refused(worker):
            clock.now += 0.5
        pauses.append(clock.now - begun)
        # (The question that ended the loop told nothing.)
        trial(worker).failed()

    assert pauses == [2, 4, 8, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_pause_is_longer_than_the_trial_took(
    worker: CircuitBreaker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a provider that hangs would have somebody waiting for it most of the time."""
    fail(worker)
    clock.now += FIRST_PAUSE_S
    visit = trial(worker)
    monkeypatch.setattr(visit, "_began", visit._began - 12)

    visit.failed()
    clock.now += 14.9
    still_closed_to_all = refused(worker)
    clock.now += 0.2

    assert still_closed_to_all
    assert not refused(worker)


def test_trial_that_told_nothing_lets_the_next_question_try(worker: CircuitBreaker, clock: Clock) -> None:
    """Its reader left."""
    fail(worker)
    clock.now += FIRST_PAUSE_S

    trial(worker).gave_up()

    trial(worker)


def test_trial_of_a_worker_that_died_is_taken_over(worker: CircuitBreaker, clock: Clock) -> None:
    """After as long as a trial can take."""
    fail(worker)
    clock.now += FIRST_PAUSE_S
    trial(worker)
    clock.now += LEASE_S + 0.1

    trial(worker)


def test_models_of_one_provider_are_tried_in_turn(worker: CircuitBreaker, clock: Clock) -> None:
    """One that stays down must not keep the other from coming back, nor both be tried at once."""
    for name in ("gpt-4o", "gpt-4o-mini"):
        fail(worker, name)
    clock.now += FIRST_PAUSE_S

    tried = []
    for _ in range(4):
        for name in ("gpt-4o", "gpt-4o-mini"):
            if not refused_or_failed(worker, name):
                continue
            tried.append(name)
        clock.now += LONGEST_PAUSE_S

    assert tried == ["gpt-4o", "gpt-4o-mini"] * 2


def refused_or_failed(worker: CircuitBreaker, name: str) -> bool:
    """Return whether the model was tried; the trial fails."""
    try:
        visit = worker.enter(name)
    except CircuitOpen:
        return False
    visit.failed()
    return True


def test_when_one_model_is_back_the_other_is_tried_at_once(worker: CircuitBreaker, clock: Clock) -> None:
    """What one of them tells of the provider holds for both."""
    for name in ("gpt-4o", "gpt-4o-mini"):
        fail(worker, name)
    clock.now += FIRST_PAUSE_S

    trial(worker, "gpt-4o").succeeded()

    trial(worker, "gpt-4o-mini")


def test_late_failure_of_a_question_asked_before_makes_no_pause_longer(
    worker: CircuitBreaker, clock: Clock
) -> None:
    """Twenty questions that hang together are one outage."""
    early = [worker.enter("gpt-4o") for _ in range(20)]
    fail(worker)
    for visit in early:
        visit.failed()
    clock.now += FIRST_PAUSE_S

    trial(worker)


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
def test_clock_that_jumps_locks_nobody_out(worker: CircuitBreaker, clock: Clock, jump_s: float) -> None:
    """A pause written in another time is none."""
    fail(worker)

    clock.now += jump_s

    trial(worker)


def test_requests_that_are_refused_in_a_row_are_told_and_open_nothing(worker: CircuitBreaker) -> None:
    """They may be the questions' fault; when all are refused, the health check must not be green."""
    for _ in range(REFUSALS_TO_TELL):
        before = worker.troubles()
        worker.enter("gpt-4o").refused("status 400, unsupported_value")
    told = worker.troubles()
    worker.enter("gpt-4o").succeeded()

    assert (before, worker.open_names()) == ({}, set())
    assert told == {"gpt-4o": "refuses each request: status 400, unsupported_value"}
    assert worker.troubles() == {}


def test_open_circuit_knows_why(worker: CircuitBreaker) -> None:
    """The operator reads it in the health check."""
    for _ in range(FAILURES_TO_OPEN):
        worker.enter("gpt-4o").failed("status 401, invalid_api_key")

    assert worker.troubles() == {"gpt-4o": "status 401, invalid_api_key"}


def test_state_that_cannot_be_read_is_a_closed_circuit(clock: Clock) -> None:
    """Another version may have written it."""
    states = FailoverSharedState([])
    states.change("circuit:models", lambda _: {"circuits": {"gpt-4o": {"shape": "new"}}}, 600)

    visit = CircuitBreaker("models", states, lease_s=LEASE_S, clock=clock).enter("gpt-4o")

    assert not visit.is_trial


def test_what_others_did_is_known_soon(clock: Clock) -> None:
    """A worker asks the store twice a second at most."""
    states = FailoverSharedState([])
    one, two = (CircuitBreaker("models", states, lease_s=LEASE_S, clock=clock) for _ in range(2))
    two.enter("gpt-4o").gave_up()
    fail(one)

    at_once = refused(two)
    two._known_at -= KNOWN_S

    assert not at_once
    assert refused(two)


def test_model_that_nobody_wants_any_more_is_not_told_as_left_alone(
    worker: CircuitBreaker, clock: Clock
) -> None:
    """The first model is well again, and an alert about the second one would wake somebody for nothing."""
    fail(worker, "gpt-4o-mini")
    told_then = worker.open_names()

    clock.now += ABANDONED_S + 1

    assert (told_then, worker.open_names()) == ({"gpt-4o-mini"}, set())
    assert trial(worker, "gpt-4o-mini")
