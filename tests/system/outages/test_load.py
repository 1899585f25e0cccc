"""Test more questions at once than there are slots: some are answered, the rest refused, no process dies."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.fault_scenarios import crowd
from harness.reader import Reader
from harness.stack import Ground

pytestmark = pytest.mark.sqlite_is_enough


def test_crowd_is_served_or_refused_and_nobody_is_forgotten(ground: Ground) -> None:
    """How fast is for the bench to tell, on a machine that is its own."""
    outcome = crowd(ground, questions=30, slots=8)

    assert outcome.faults == []
    assert outcome.figures["served"] + outcome.figures["refused"] == 30
    assert outcome.figures["degraded"] == {}


def test_places_of_all_workers_are_used_by_a_crowd(ground: Ground) -> None:
    """The fastest worker accepted most of a crowd and refused it, while others were free: 16 of 24."""
    outcome = crowd(ground, questions=80, slots=24, workers=4)

    assert outcome.faults == []
    assert outcome.figures["served"] >= 22
    assert outcome.figures["served"] + outcome.figures["refused"] == 80


def test_worker_that_hangs_is_not_waited_for(ground: Ground) -> None:
    """It tells that it has room, and never accepts: the other takes what comes."""
    ground.upstream.steer(answer_tokens=5, first_delay_s=1.0)
    with ground.server(workers=2, MAX_STREAMS="2") as server, ThreadPoolExecutor(6) as pool:
        hanging = server.worker_pids()[0]
        os.kill(hanging, signal.SIGSTOP)
        try:

            def ask(number: int) -> int:
                with Reader(server.port) as reader:
                    return reader.ask({"query": f"When does Alice feed the starter, number {number}?"}).status

            statuses = list(pool.map(ask, range(6)))
        finally:
            os.kill(hanging, signal.SIGCONT)

    assert statuses.count(200) >= 2
    assert set(statuses) == {200, 503}


def test_connection_whose_body_nobody_reads_ends_as_it_was_told_to(ground: Ground) -> None:
    """Behind a proxy the next request on it is another reader's."""
    with ground.server(workers=1) as server, Reader(server.port) as reader:
        refused = reader.send("POST", "/query", b"x" * 70_000)
        after_it = reader.send("GET", "/health")

    assert (refused.status, refused.code) == (413, "body_too_large")
    assert after_it.status == 200
    assert after_it.connected_at > refused.connected_at
