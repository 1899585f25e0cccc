"""Test that one holder at a time has a lease."""

from __future__ import annotations

import pytest

from ragbot.core.lease import Lease
from ragbot.storage.keyvalue.shared_state import InProcessSharedState
from tests.storage.keyvalue.stores import Clock

LEASE_S = 60.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(clock: Clock) -> tuple[Lease, Lease]:
    """Return the leases of two processes for one name."""
    states = InProcessSharedState(clock=clock)
    return Lease(states, "oars", LEASE_S), Lease(states, "oars", LEASE_S)


def test_second_holder_waits_for_the_release(leases: tuple[Lease, Lease]) -> None:
    """What it guards would be done twice."""
    first, second = leases

    claims = [first.claim(), second.claim()]
    second.release()
    claims.append(second.claim())
    first.release()
    claims.append(second.claim())

    assert claims == [True, False, False, True]


def test_claim_that_is_renewed_lasts(leases: tuple[Lease, Lease], clock: Clock) -> None:
    """Work may take longer than a lease; a crash may not."""
    first, second = leases
    first.claim()

    clock.now += LEASE_S * 0.9
    is_renewed = first.claim()
    clock.now += LEASE_S * 0.9
    others = [second.claim()]
    clock.now += LEASE_S * 0.2
    others.append(second.claim())

    assert is_renewed
    assert others == [False, True]
    assert not first.claim()
