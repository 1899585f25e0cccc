"""More questions at once than there are places: some are answered, the rest refused, the process lives."""

from __future__ import annotations

from bench.faults import crowd
from bench.stage import Ground


def test_crowd_is_served_or_refused_and_nobody_is_forgotten(ground: Ground) -> None:
    """How fast is for the bench to tell, on a machine that is its own."""
    outcome = crowd(ground, questions=30, slots=8)

    assert outcome.faults == []
    assert outcome.figures["served"] + outcome.figures["refused"] == 30
    assert outcome.figures["degraded"] == {}
