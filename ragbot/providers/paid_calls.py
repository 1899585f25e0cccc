"""Guard calls to models that cost money with a circuit breaker and a budget, and time them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from ragbot.core.answers import Generation, Prompt, Usage
from ragbot.core.circuit_breaker import Attempt, CircuitBreaker
from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerRefused,
    BudgetSpent,
    ContentFiltered,
    ContextOverflow,
    DeadlineExceeded,
    ProviderError,
    RequestRejected,
    TooLate,
)
from ragbot.core.ports import Budget, Embedder, EmbeddingResult, Generator, Pieces

# For so long a whole answer shows that the model answers.
ANSWER_SHOWS_S = 60.0


class PaidGenerator:
    """Call a model while its circuit is closed and the budget lasts, and charge each call.

    `most_usd` is the highest cost of a call, which is reserved while it runs; with `can_wait` its charge may
    be written some seconds later. Raises CircuitOpen, or BudgetSpent if less than that is left or the prompt
    forbids models. An answer that was cut or stopped is charged too, and so are thoughts without an answer.
    """

    def __init__(
        self,
        generator: Generator,
        circuits: CircuitBreaker,
        budget: Budget,
        most_usd: float,
        *,
        can_wait: bool = False,
    ) -> None:
        self._can_wait = can_wait
        self.name = generator.name
        self._generator = generator
        self._circuits = circuits
        self._budget = budget
        self._most_usd = most_usd
        self._answered_at = float("-inf")

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Pieces:
        if prompt.without_model or not self._budget.reserve(self._most_usd):
            raise BudgetSpent("The budget for models is spent.")
        before, generation.unspoken = generation.unspoken, Usage(cost_usd=0.0)
        try:
            deadline.check()
            attempt = self._circuits.enter(self.name)
            # A trial call of an open circuit is not retried.
            prompt = replace(prompt, single_try=prompt.single_try or attempt.is_trial)
            pieces = self._generator.generate(prompt, deadline, generation)
            with _recorded(attempt):
                first = next(pieces, None)
                if attempt.is_trial:
                    # For a trial the first word is enough; other calls count when they have ended.
                    attempt.succeeded()
                if first is not None:
                    yield first
                    yield from pieces
                self._answered_at = time.monotonic()
        finally:
            self._charge(generation)
            generation.unspoken += before
            self._budget.release(self._most_usd)

    def _charge(self, generation: Generation) -> None:
        unspoken = generation.unspoken
        if generation.model == self.name:
            self._budget.charge(self.name, generation.usage + unspoken, can_wait=self._can_wait)
        elif unspoken.input_tokens or unspoken.output_tokens:
            self._budget.charge(self.name, unspoken, can_wait=self._can_wait)

    def ping(self) -> None:
        """Call the model only if it has not answered just now: an answer shows more than a ping."""
        if time.monotonic() - self._answered_at > ANSWER_SHOWS_S:
            self._generator.ping()


class PaidEmbedder:
    """Call an embedder while its circuit is closed, time each call and charge it.

    The embedder is called even if the budget is spent: a thousand questions cost a cent, and without vectors
    the search is worse. `cost_usd` returns the cost of a number of tokens; a charge may be written some
    seconds later. `took` is called with the seconds of each call, failed ones included. Calls
    without a deadline embed a book's texts and ignore the circuit breaker.
    """

    def __init__(
        self,
        embedder: Embedder,
        circuits: CircuitBreaker,
        budget: Budget,
        cost_usd: Callable[[int], float | None],
        *,
        took: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._circuits = circuits
        self._budget = budget
        self._cost_usd = cost_usd
        self._took = took

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        if deadline is None or not texts:
            return self._embed(texts, deadline)
        deadline.check()
        with _recorded(self._circuits.enter(self.name)):
            return self._embed(texts, deadline)

    def _embed(self, texts: Sequence[str], deadline: Deadline | None) -> EmbeddingResult:
        started = time.perf_counter()
        try:
            embedded = self._embedder.embed(texts, deadline)
        finally:
            self._took(time.perf_counter() - started)
        usage = Usage(embedding_tokens=embedded.tokens, cost_usd=self._cost_usd(embedded.tokens))
        self._budget.charge(self.name, usage, can_wait=True)
        return embedded


@contextmanager
def _recorded(attempt: Attempt) -> Iterator[None]:
    """Record how a call ended. Only what the provider did counts against it, not what a question provokes."""
    try:
        yield
    except (ContentFiltered, ContextOverflow, TooLate):
        attempt.gave_up()
        raise
    except (RequestRejected, AnswerRefused) as error:
        attempt.refused(str(error.reason))
        raise
    except ProviderError as error:
        attempt.failed(str(error.reason))
        raise
    except DeadlineExceeded:
        attempt.failed()
        raise
    except BaseException:
        attempt.gave_up()
        raise
    attempt.succeeded()
