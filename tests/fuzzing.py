"""Set how many examples property tests try: the same ones each time, or new ones with FUZZ_FACTOR."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))


def fuzz(examples: int) -> settings:
    """So many examples; with FUZZ_FACTOR=80 eighty times as many, at random."""
    return settings(
        max_examples=examples * FACTOR,
        deadline=None,
        database=None,
        derandomize=FACTOR == 1,
        suppress_health_check=list(HealthCheck),
    )
