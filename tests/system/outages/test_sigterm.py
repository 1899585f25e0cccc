"""Test SIGTERM under load: running answers are completed, and new connections are refused."""

from __future__ import annotations

import pytest

from harness.fault_scenarios import clean_end
from harness.stack import Ground

pytestmark = pytest.mark.sqlite_is_enough


def test_running_answers_end_whole_and_newcomers_are_refused_at_once(ground: Ground) -> None:
    """A deployment replaces the process while twelve people read; who comes now may try another replica."""
    outcome = clean_end(ground, running=12)

    assert outcome.faults == []
    assert (outcome.figures["whole"], outcome.figures["kept_as_seen"]) == (12, 12)
