"""Test timers in a process that forks."""

from __future__ import annotations

import os
import queue
import threading
from typing import Any

import pytest

from ragbot.core.timers import TimerThread

SHORT_S = 0.02

PATIENCE_S = 60


@pytest.fixture
def called() -> queue.SimpleQueue[Any]:
    return queue.SimpleQueue()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_child_has_an_alarm_clock_of_its_own(called: queue.SimpleQueue[Any]) -> None:
    """A thread does not come along in a fork, and the parent's alarms are not the child's."""
    clock = TimerThread()
    clock.after(3 * SHORT_S, lambda: called.put("parent's"))
    child = os.fork()
    if child == 0:
        rang = threading.Event()
        clock.after(SHORT_S, rang.set)
        os._exit(0 if rang.wait(PATIENCE_S) and len(clock._timers) == 0 else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert called.get(timeout=PATIENCE_S) == "parent's"
