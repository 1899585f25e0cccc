"""Test timers: in order, once, never after they were stopped, and from one thread."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest

from ragbot.core import timers as alarm
from ragbot.core.timers import TimerThread

LONG_S = 600
SHORT_S = 0.02
PATIENCE_S = 60


@pytest.fixture
def called() -> queue.SimpleQueue[Any]:
    return queue.SimpleQueue()


def test_alarms_are_called_in_the_order_of_their_times_by_one_thread(called: queue.SimpleQueue[Any]) -> None:
    """Also one that is set later and is due before."""
    clock = TimerThread()
    threads = threading.active_count()
    clock.after(LONG_S, lambda: called.put("never"))
    clock.after(3 * SHORT_S, lambda: called.put("second"))
    clock.after(SHORT_S, lambda: called.put("first"))

    assert [called.get(timeout=PATIENCE_S) for _ in range(2)] == ["first", "second"]
    assert threading.active_count() == threads + 1
    assert called.empty()


def test_stopped_alarm_is_not_called(called: queue.SimpleQueue[Any]) -> None:
    """Twice is as good as once."""
    clock = TimerThread()
    stopped = clock.after(SHORT_S, lambda: called.put("stopped"))
    clock.after(2 * SHORT_S, lambda: called.put("other"))
    stopped.stop()
    stopped.stop()

    assert called.get(timeout=PATIENCE_S) == "other"
    assert called.empty()


def test_alarm_that_fails_keeps_no_other_from_being_called(
    called: queue.SimpleQueue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told of as any thread's failure is."""
    monkeypatch.setattr(threading, "excepthook", lambda told: called.put(told.exc_type))
    clock = TimerThread()
    clock.after(0, lambda: [].pop())
    clock.after(SHORT_S, lambda: called.put("other"))

    assert [called.get(timeout=PATIENCE_S) for _ in range(2)] == [IndexError, "other"]


def test_stopped_alarms_are_swept_away_and_the_others_stay(
    called: queue.SimpleQueue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would hold on to each question's connection until its deadline."""
    monkeypatch.setattr(alarm, "STOPPED_AT_MOST", 10)
    clock = TimerThread()
    clock.after(LONG_S, lambda: None)
    for _ in range(105):
        clock.after(LONG_S, lambda: None).stop()
    clock.after(SHORT_S, lambda: called.put("other"))

    assert called.get(timeout=PATIENCE_S) == "other"
    assert len(clock._timers) <= 12
