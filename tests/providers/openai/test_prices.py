"""What calls cost by the list prices."""

from __future__ import annotations

import pytest

from ragbot.providers.openai.prices import list_costs


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("gpt-4o", 12.5),
        ("gpt-4o-2024-11-20", 12.5),
        ("gpt-4o-2024-05-13", 20.0),
        ("text-embedding-3-small", 0.02),
        ("another-model", None),
    ],
)
def test_snapshot_costs_what_its_model_costs_or_its_own_price(model: str, dollars: float | None) -> None:
    """A budget must not be spent at half of what the provider charges."""
    assert list_costs(model, 1_000_000, 1_000_000) == (None if dollars is None else pytest.approx(dollars))
