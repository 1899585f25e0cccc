"""Every pluggable edge on one page. A docstring here is the contract that each adapter's tests check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ragbot.core.deadline import Deadline
from ragbot.core.domain import (
    EditionFacts,
    IndexPoint,
    Passage,
    Prompt,
    SearchRequest,
    Usage,
    Vector,
)


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """Vectors in the order of the texts, and the tokens that the provider charged for."""

    vectors: list[Vector]
    tokens: int = 0


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    name: str
    """Names the model and its size; vectors of two names are never compared."""

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        """Embed texts in order.

        Returns one unit vector per text, all of one length; an empty list gives an empty list.
        Raises ProviderUnavailable after the last retry, ProviderRejected where no retry can help,
        DeadlineExceeded when the deadline passes first.
        """
        ...


@dataclass(slots=True)
class Generation:
    """What is learnt while an answer is generated: filled in by the generator, read by its caller."""

    model: str = ""
    usage: Usage = field(default_factory=Usage)
    fell_back: bool = False
    """A later model of the chain answered."""
    extractive: bool = False
    """No model answered: the words are the book's own sentences."""
    over_budget: bool = False
    """A model was not asked, for what it may cost is spent."""
    single_try: bool = False
    """Said by who asks: a failed call is not to be repeated."""


class Generator(Protocol):
    """Writes an answer from a prompt's passages."""

    name: str

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        """Yield pieces of the answer as they come, none of them empty.

        Marks such as `[2]` cite `prompt.passages` from 1. Where the passages do not answer the
        question the first piece begins with NOT_IN_BOOK. `generation` is complete when the iterator
        ends. Raises ProviderUnavailable or ProviderRejected before the first piece, AnswerCut after it,
        DeadlineExceeded or Cancelled at any time. Closing the iterator closes what it holds.
        """
        ...

    def ping(self) -> None:
        """Return if the generator could be asked now; raise ProviderError if not. Costs no tokens."""
        ...


class PassageStore(Protocol):
    """An index of editions. It is disposable: all that it holds is in the database too."""

    name: str

    def build(self, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
        """Make an edition searchable, from nothing, beside what is there; twice is the same as once.

        Readers see none of it before it is complete. Raises SearchUnavailable.
        """
        ...

    def holds(self, edition: EditionFacts) -> bool:
        """Whether the edition can be searched without being built first. Raises SearchUnavailable."""
        ...

    def prepare(self, edition: EditionFacts) -> None:
        """Build the edition from the database if the store does not hold it. Raises SearchUnavailable."""
        ...

    def publish(self, key: str) -> None:
        """Mark the built edition as the one that readers get, in one step. Raises SearchUnavailable."""
        ...

    def remove(self, key: str) -> None:
        """Forget an edition's index; nothing happens if there is none. Raises SearchUnavailable."""
        ...

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        """The best passages of an edition, best first, at most `request.limit`.

        Sparse and dense ranks are fused by reciprocal rank; with no dense vector the sparse rank alone
        counts. `scope` keeps passages that carry it among their scopes. Nothing found gives
        an empty list. Raises SearchUnavailable or DeadlineExceeded.
        """
        ...

    def count(self, edition: EditionFacts) -> int:
        """How many points the edition's index holds. Raises SearchUnavailable."""
        ...

    def ping(self) -> None:
        """Return if the index can be asked now, else raise SearchUnavailable."""
        ...


class Cache(Protocol):
    """Bytes under keys, for a while. What is in it can be made again, so it never raises: what it cannot
    give is a miss, what it cannot take is lost."""

    name: str

    def get(self, key: str) -> bytes | None:
        """What was put under the key, or None where there is nothing (any more)."""
        ...

    def put(self, key: str, value: bytes, kept_s: float) -> None:
        """Keep a value for some seconds; the last one wins."""
        ...

    def clear(self) -> int:
        """Forget everything and say how many entries that were. Raises CacheNotCleared."""
        ...

    def is_away(self) -> bool:
        """Whether it failed a moment ago and nothing stands in for it."""
        ...

    def ping(self) -> None:
        """Return if the cache could be asked now, else raise StoreUnavailable."""
        ...


State = Mapping[str, Any]


class SharedState(Protocol):
    """Small JSON objects that all workers agree on, by name. Never raises: where the workers' common store
    cannot be asked, each process has states of its own meanwhile."""

    def peek(self, name: str) -> State | None:
        """The state now, or None where there is none (any more)."""
        ...

    def change(
        self, name: str, change: Callable[[State | None], State | None], kept_s: float
    ) -> State | None:
        """Put what `change` makes of the state in its place, and return it; no other change comes between.

        None forgets it. It is kept for some seconds; one that is left as it was is kept for no longer than
        before. `change` is a pure function; it may be called again.
        """
        ...


class Budget(Protocol):
    """What models may cost, and what they did. Safe between threads; never raises."""

    def take(self, most_usd: float) -> bool:
        """Whether a call may be made that costs so much at most; what is taken is given back when it ends."""
        ...

    def release(self, most_usd: float) -> None:
        """The call that this was taken for has ended, and was charged."""
        ...

    def charge(self, model: str, usage: Usage, *, can_wait: bool = False) -> None:
        """Write down what a call cost; what can wait is written some seconds later, with the next charge."""
        ...
