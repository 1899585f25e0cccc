"""Compute what a call costs from the list prices of models."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """Hold the US dollars per million tokens, read (`input`) and written (`output`)."""

    input: float
    output: float = 0.0


# OpenAI's list prices; a model that is not here has no known cost.
PRICES: Mapping[str, Price] = {
    "gpt-4o": Price(2.50, 10.00),
    "gpt-4o-2024-05-13": Price(5.00, 15.00),
    "gpt-4o-mini": Price(0.15, 0.60),
    "gpt-4.1": Price(2.00, 8.00),
    "gpt-4.1-mini": Price(0.40, 1.60),
    "gpt-4.1-nano": Price(0.10, 0.40),
    "gpt-3.5-turbo": Price(0.50, 1.50),
    "text-embedding-3-small": Price(0.02),
    "text-embedding-3-large": Price(0.13),
    "text-embedding-ada-002": Price(0.10),
}


# The cost of a call in US dollars by model, tokens read and tokens written; None if the price is unknown.
CostOf = Callable[[str, int, int], float | None]

# The date in the name of a snapshot, which costs the same as the model if it has no price of its own.
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def costs_by(overrides: Mapping[str, Price]) -> CostOf:
    """Return a function that computes costs by the list prices and by `overrides`, which come first."""
    prices = {**PRICES, **overrides}

    def cost_usd(model: str, input_tokens: int, output_tokens: int) -> float | None:
        price = prices.get(model) or prices.get(_DATED.sub("", model))
        if price is None:
            return None
        return (input_tokens * price.input + output_tokens * price.output) / 1_000_000

    return cost_usd


list_costs = costs_by({})
