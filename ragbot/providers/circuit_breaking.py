"""A model behind its circuit: not asked while it is down, and what becomes of each call is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ragbot.core.circuit_breaker import Attempt, CircuitBreaker
from ragbot.core.deadline import Deadline
from ragbot.core.domain import Prompt
from ragbot.core.errors import DeadlineExceeded, ProviderError, RequestRejected, TooLate
from ragbot.core.ports import Embedder, EmbeddingResult, Generation, Generator


class CircuitBreakingGenerator:
    """Raises CircuitOpen, and asks nobody, while the circuit is open.

    A trial's first word closes the circuit; in the ordinary way an answer has to come to its end to count.
    """

    def __init__(self, generator: Generator, circuits: CircuitBreaker) -> None:
        self.name = generator.name
        self._generator = generator
        self._circuits = circuits

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        deadline.check()
        visit = self._circuits.enter(self.name)
        # What is asked to find out is asked once.
        generation.single_try = generation.single_try or visit.is_trial
        pieces = self._generator.generate(prompt, deadline, generation)
        with _told(visit):
            first = next(pieces, None)
            if visit.is_trial:
                visit.succeeded()
            if first is not None:
                yield first
                yield from pieces

    def ping(self) -> None:
        self._generator.ping()


class CircuitBreakingEmbedder:
    """Raises CircuitOpen, and asks nobody, while the circuit is open. A book's texts, which come without a
    deadline, are embedded whatever the circuit says."""

    def __init__(self, embedder: Embedder, circuits: CircuitBreaker) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._circuits = circuits

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        if deadline is None or not texts:
            return self._embedder.embed(texts, deadline)
        deadline.check()
        with _told(self._circuits.enter(self.name)):
            return self._embedder.embed(texts, deadline)


@contextmanager
def _told(visit: Attempt) -> Iterator[None]:
    """Tell the circuit how the block ended. Only what the provider did counts against it."""
    try:
        yield
    except (RequestRejected, TooLate):
        visit.gave_up()
        raise
    except (ProviderError, DeadlineExceeded):
        visit.failed()
        raise
    except BaseException:
        visit.gave_up()
        raise
    visit.succeeded()
