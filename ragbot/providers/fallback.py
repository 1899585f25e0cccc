"""A chain of generators as one: the next one answers when the one before it fails before its first word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog

from ragbot.core.deadline import Deadline
from ragbot.core.domain import Prompt
from ragbot.core.errors import ProviderError, ProviderUnavailable
from ragbot.core.ports import Generation, Generator

log = structlog.get_logger(__name__)


class FallbackGenerator:
    """Asks its generators in order. After a first word there is no way back: the error is the caller's."""

    def __init__(self, chain: Sequence[Generator]) -> None:
        self.name = chain[0].name
        self._chain = tuple(chain)

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        failure: ProviderError | None = None
        for place, generator in enumerate(self._chain):
            pieces = generator.generate(prompt, deadline, generation)
            try:
                first = next(pieces, None)
            except ProviderError as error:
                log.warning("model_passed_over", model=generator.name, code=error.code, reason=str(error))
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
