"""Test one deadline for a question, and waits that end with it."""

from __future__ import annotations

import threading

import pytest

from ragbot.core.deadline import Deadline
from ragbot.core.errors import Cancelled, DeadlineExceeded


class Clock:
    """Time that is handed in."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_time_left_runs_down_to_nought() -> None:
    """And not below: it is used as a time limit."""
    clock = Clock()
    deadline = Deadline(30, now=clock)

    clock.seconds += 20
    assert deadline.left_s() == 10
    clock.seconds += 20
    assert deadline.left_s() == 0


def test_check_passes_until_the_time_is_up() -> None:
    """It stands before each step that costs something."""
    clock = Clock()
    deadline = Deadline(30, now=clock)
    deadline.check()

    clock.seconds += 30

    with pytest.raises(DeadlineExceeded):
        deadline.check()


def test_cancelled_question_is_told_from_a_late_one() -> None:
    """The row says whether the reader left or we were slow."""
    deadline = Deadline(0)

    deadline.cancel()

    assert deadline.cancelled
    with pytest.raises(Cancelled):
        deadline.check()


def test_cancelling_interrupts_every_wait() -> None:
    """There may be two: a model's, and a pause before another try."""
    deadline, interrupted = Deadline(20), []

    with (
        deadline.interrupting(lambda: interrupted.append("one")),
        deadline.interrupting(lambda: interrupted.append("other")),
    ):
        deadline.cancel()

    assert sorted(interrupted) == ["one", "other"]


def test_wait_that_begins_after_cancelling_is_interrupted_at_once() -> None:
    """The reader may leave between two steps."""
    deadline, interrupted = Deadline(20), threading.Event()
    deadline.cancel()

    with deadline.interrupting(interrupted.set):
        assert interrupted.is_set()


def test_wait_is_interrupted_when_the_time_is_up() -> None:
    """From another thread: the one that waits cannot."""
    interrupted = threading.Event()

    with Deadline(0.02).interrupting(interrupted.set):
        assert interrupted.wait(5)


def test_wait_that_is_over_is_not_interrupted() -> None:
    """What it waited on may be in other hands by then."""
    deadline, interrupted = Deadline(20), threading.Event()
    with deadline.interrupting(interrupted.set):
        pass

    deadline.cancel()

    assert not interrupted.is_set()
