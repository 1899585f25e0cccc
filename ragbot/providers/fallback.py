"""A chain of generators as one: the next one answers when the one before it fails before its first word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import structlog

from ragbot.core.deadline import Deadline
from ragbot.core.domain import Generation, Prompt
from ragbot.core.errors import BudgetSpent, CircuitOpen, ProviderError, ProviderUnavailable
from ragbot.core.ports import Generator, Pieces

log = structlog.get_logger(__name__)


class FallbackGenerator:
    """Asks its generators in order. After a first word there is no way back: the error is the caller's.

    A model that fails is not asked again while another one is left: the next model is as good as a second
    try and sooner there. The last model's call may be repeated.
    """

    def __init__(self, chain: Sequence[Generator]) -> None:
        """The last of several is the one that asks nobody."""
        self.name = chain[0].name
        self._chain = tuple(chain)

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Pieces:
        failure: ProviderError | None = None
        for place, generator in enumerate(self._chain):
            is_model_left = place + 2 < len(self._chain)
            pieces = generator.generate(replace(prompt, single_try=is_model_left), deadline, generation)
            try:
                first = next(pieces, None)
            except ProviderError as error:
                _tell(generator.name, error)
                generation.over_budget |= isinstance(error, BudgetSpent)
                failure = error
                continue
            generation.fell_back = place > 0
            if first is not None:
                yield first
                yield from pieces
            return
        raise ProviderUnavailable("No model answered.") from failure

    def ping(self) -> None:
        """Return if the first one could be asked now, whatever the others are."""
        self._chain[0].ping()


def _tell(model: str, error: ProviderError) -> None:
    # While a provider is down, or the budget is spent, each question would say so again.
    level = log.debug if isinstance(error, (BudgetSpent, CircuitOpen)) else log.warning
    why = {f"provider_{name}": value for name, value in asdict(error.reason).items() if value}
    level("model_passed_over", model=model, code=error.code, reason=str(error), **why)
