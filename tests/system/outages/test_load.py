"""Test more questions at once than there are slots: some are answered, the rest refused, no process dies."""

from __future__ import annotations

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


def test_connection_whose_body_nobody_reads_ends_as_it_was_told_to(ground: Ground) -> None:
    """Behind a proxy the next request on it is another reader's."""
    with ground.server(workers=1) as server, Reader(server.port) as reader:
        refused = reader.send("POST", "/query", b"x" * 70_000)
        after_it = reader.send("GET", "/health")

    assert (refused.status, refused.code) == (413, "body_too_large")
    assert after_it.status == 200
    assert after_it.connected_at > refused.connected_at
