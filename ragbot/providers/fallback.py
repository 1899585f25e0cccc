"""Fall back to the next generator when one fails before its first word."""

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
    """Call generators in order until one answers. After its first word, its error is raised to the caller.

    A failed call is not retried while there is another model: the next one answers sooner. Only the last
    model's call may be retried. Raises ProviderUnavailable if all fail.
    """

    def __init__(self, chain: Sequence[Generator]) -> None:
        """Store the chain. The last of several generators must be one that calls no model."""
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
                _log_failure(generator.name, error)
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
        """Check the first generator only; raise its error if it is unavailable."""
        self._chain[0].ping()


def _log_failure(model: str, error: ProviderError) -> None:
    # While a provider is down or the budget is spent, every question would log a warning.
    level = log.debug if isinstance(error, (BudgetSpent, CircuitOpen)) else log.warning
    why = {f"provider_{name}": value for name, value in asdict(error.reason).items() if value}
    level("model_call_failed", model=model, code=error.code, reason=str(error), **why)
