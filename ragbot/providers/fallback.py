"""Fall back to the next generator when one fails before its first word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace

import structlog

from ragbot.core.answers import Generation, Prompt, Usage
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    BudgetSpent,
    Cancelled,
    CircuitOpen,
    ContentFiltered,
    DeadlineExceeded,
    ProviderError,
    ProviderUnavailable,
    TooLate,
)
from ragbot.core.ports import Generator, Pieces

log = structlog.get_logger(__name__)

# Kept of the deadline for the last generator, where a model that has begun would take all of it.
RESERVE_S = 2.0


class FallbackGenerator:
    """Call generators in order until one answers. After its first word, its error is raised to the caller.

    Of a `whole` prompt nobody has seen a word before the end: the next generator answers for one that broke
    off, or that is not through shortly before the deadline. What was said until then is dropped, and charged.
    A failed call is not retried while there is another model: the next one answers sooner. Only the last
    model's call may be retried. Raises ProviderUnavailable if all fail.
    """

    def __init__(self, chain: Sequence[Generator]) -> None:
        """Store the chain. The last of several generators must be one that calls no model."""
        self.name = chain[0].name
        self._chain = tuple(chain)

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Pieces:
        if prompt.whole:
            yield from self._whole(prompt, deadline, generation)
            return
        failure: ProviderError | None = None
        for place, generator in enumerate(self._chain):
            pieces = generator.generate(self._tried_at(place, prompt), deadline, generation)
            try:
                first = next(pieces, None)
            except ProviderError as error:
                _record_failure(generator.name, error, generation)
                failure = error
                continue
            generation.fell_back = place > 0
            if first is not None:
                yield first
                yield from pieces
            return
        raise ProviderUnavailable("No model answered.") from failure

    def _whole(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Pieces:
        """Yield an empty part for each that arrives, as a sign of progress, and then the answer."""
        failure: ProviderError | None = None
        spent = Usage(cost_usd=0.0)
        for place, generator in enumerate(self._chain):
            is_last = place + 1 == len(self._chain)
            call = _WholeCall(generator, self._tried_at(place, prompt), deadline, generation)
            try:
                yield from call.parts(reserve_s=0.0 if is_last else RESERVE_S)
            except ProviderError as error:
                if isinstance(error, ContentFiltered) and call.said:
                    raise
                _record_failure(generator.name, error, generation)
                failure = error
                if generation.model:
                    spent += generation.usage
                    generation.model, generation.usage = "", Usage()
                continue
            generation.fell_back = place > 0
            if spent.output_tokens:
                generation.usage = spent + (generation.usage if generation.model else Usage(cost_usd=0.0))
            yield "".join(call.said)
            return
        raise ProviderUnavailable("No model answered.") from failure

    def _tried_at(self, place: int, prompt: Prompt) -> Prompt:
        """Return the prompt for a generator, which tries once if another model follows."""
        return replace(prompt, single_try=place + 2 < len(self._chain))

    def ping(self) -> None:
        """Check the first generator only; raise its error if it is unavailable."""
        self._chain[0].ping()


class _WholeCall:
    """Collect one generator's answer, within a part of the question's time."""

    def __init__(
        self, generator: Generator, prompt: Prompt, deadline: Deadline, generation: Generation
    ) -> None:
        self.said: list[str] = []
        self._generator = generator
        self._prompt = prompt
        self._deadline = deadline
        self._generation = generation

    def parts(self, *, reserve_s: float) -> Iterator[str]:
        """Yield an empty part for each that was collected. Raises TooLate when only the reserve is left."""
        own = Deadline(self._deadline.left_s() - reserve_s)
        try:
            with (
                self._deadline.interrupting(own.cancel),
                closing(self._generator.generate(self._prompt, own, self._generation)) as pieces,
            ):
                for piece in pieces:
                    self.said.append(piece)
                    yield ""
        except (Cancelled, DeadlineExceeded) as error:
            # The question itself may be over; else only this model's time is.
            self._deadline.check()
            raise TooLate("The model did not end its answer in time.") from error


def _record_failure(model: str, error: ProviderError, generation: Generation) -> None:
    generation.over_budget |= isinstance(error, BudgetSpent)
    # While a provider is down or the budget is spent, every question would log a warning.
    level = log.debug if isinstance(error, (BudgetSpent, CircuitOpen)) else log.warning
    why = {f"provider_{name}": value for name, value in asdict(error.reason).items() if value}
    level("model_call_failed", model=model, code=error.code, reason=str(error), **why)
