"""Test that one caller computes while the others wait, and what happens if it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from ragbot.core.deadline import Deadline
from ragbot.core.errors import Cancelled, DeadlineExceeded, ProviderUnavailable
from ragbot.core.single_flight import SingleFlight


class Computation:
    """Counts its calls, each of which waits until the test lets it end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.calls = 0
        self.outcomes: list[str | BaseException] = []

    def __call__(self) -> str:
        self.calls += 1
        outcome = self.outcomes.pop(0) if self.outcomes else "done"
        self.begun.release()
        assert self.may_end.wait(20)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def compute() -> Computation:
    return Computation()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def begun(
    threads: ThreadPoolExecutor, flights: SingleFlight[str], compute: Computation, *, waiting: int = 3
) -> tuple[Future[str], list[Future[str]]]:
    """Return a leader in the middle of its computation, and others that wait for it."""
    leader = threads.submit(flights.do, "key", compute)
    assert compute.begun.acquire(timeout=20)
    return leader, [threads.submit(flights.do, "key", compute) for _ in range(waiting)]


def test_callers_at_once_get_one_result(threads: ThreadPoolExecutor, compute: Computation) -> None:
    """It may cost money."""
    leader, others = begun(threads, SingleFlight(), compute)

    compute.may_end.set()

    assert [future.result(60) for future in (leader, *others)] == ["done"] * 4
    # (One that came after the end computes for itself.)
    assert compute.calls <= 4


def test_who_joins_does_not_lead() -> None:
    """Until the flight has landed; the next one after that does."""
    flights: SingleFlight[str] = SingleFlight()
    flight, leads = flights.join("key")
    same, leads_too = flights.join("key")
    _, leads_another = flights.join("other")
    flights.land("key", flight, "done")
    _, leads_again = flights.join("key")

    assert (same is flight, leads, leads_too, leads_another, leads_again) == (True, True, False, True, True)
    assert (flight.has_landed, flight.result) == (True, "done")


def test_failure_is_everybodys(threads: ThreadPoolExecutor) -> None:
    """Whoever waits would only fail later."""
    flights: SingleFlight[str] = SingleFlight()
    flight, _ = flights.join("key")
    waiting = [threads.submit(flights.do, "key", lambda: "computed again") for _ in range(3)]
    _soon(lambda: len(flight._changed._waiters) == 3)  # type: ignore[attr-defined]

    flights.land("key", flight, failure=ProviderUnavailable("down"))

    assert [type(future.exception(60)) for future in waiting] == [ProviderUnavailable] * 3


@pytest.mark.parametrize("end", [Cancelled("gone"), DeadlineExceeded("late")], ids=str)
def test_next_one_computes_when_the_leader_s_question_is_over(
    threads: ThreadPoolExecutor, compute: Computation, end: Exception
) -> None:
    """That is no trouble of the others."""
    compute.outcomes = [end]
    leader, others = begun(threads, SingleFlight(), compute)

    compute.may_end.set()

    assert leader.exception(60) is end
    assert [future.result(60) for future in others] == ["done"] * 3


def test_who_waits_can_leave_at_once(threads: ThreadPoolExecutor) -> None:
    """The leader may take long."""
    flights: SingleFlight[str] = SingleFlight()
    flight, _ = flights.join("key")
    deadline = Deadline(60)
    waiting = threads.submit(flights.do, "key", lambda: "computed", deadline)
    _soon(lambda: len(flight._changed._waiters) == 1)  # type: ignore[attr-defined]

    deadline.cancel()

    assert isinstance(waiting.exception(60), Cancelled)
    assert not flight.has_landed


def test_wait_ends_before_the_deadline_by_the_reserve() -> None:
    """There must be time left for something else."""
    flight, _ = SingleFlight[str]().join("key")
    deadline = Deadline(30)

    flight.wait(deadline, reserve_s=29.9)

    assert not flight.has_landed
    assert deadline.left_s() > 10


def test_wait_ends_with_the_deadline() -> None:
    """Whatever the leader does."""
    flight, _ = SingleFlight[str]().join("key")

    with pytest.raises(DeadlineExceeded):
        flight.wait(Deadline(0.05))


def _soon(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)
