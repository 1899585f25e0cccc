"""A model behind its budget: not asked when what it may cost is spent, and each call is charged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ragbot.core.deadline import Deadline
from ragbot.core.domain import Prompt, Usage
from ragbot.core.errors import BudgetSpent
from ragbot.core.ports import Budget, Embedder, EmbeddingResult, Generation, Generator


class BudgetedGenerator:
    """Raises BudgetSpent, and asks nobody, when the budget has too little for one more call or the prompt is
    to be answered without a model. `most_usd` is what a call may cost. What was cut or left in the middle is
    charged too."""

    def __init__(self, generator: Generator, budget: Budget, most_usd: float) -> None:
        self.name = generator.name
        self._generator = generator
        self._purse = budget
        self._most_usd = most_usd

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        if prompt.without_model or not self._purse.reserve(self._most_usd):
            raise BudgetSpent("What models may cost is spent.")
        try:
            yield from self._generator.generate(prompt, deadline, generation)
        finally:
            if generation.model == self.name:
                self._purse.charge(self.name, generation.usage)
            self._purse.release(self._most_usd)

    def ping(self) -> None:
        self._generator.ping()


class BudgetedEmbedder:
    """Charges each call. It is asked also when the budget is empty: a thousand questions cost a cent, and
    without vectors the book's own sentences are found less well. With `can_wait` a charge is written down
    some seconds later."""

    def __init__(
        self,
        embedder: Embedder,
        budget: Budget,
        cost_usd: Callable[[int], float | None],
        *,
        can_wait: bool,
    ) -> None:
        self._can_wait = can_wait
        self.name = embedder.name
        self._embedder = embedder
        self._purse = budget
        self._cost_usd = cost_usd

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        embedded = self._embedder.embed(texts, deadline)
        usage = Usage(embedding_tokens=embedded.tokens, cost_usd=self._cost_usd(embedded.tokens))
        self._purse.charge(self.name, usage, can_wait=self._can_wait)
        return embedded
