"""Every pluggable edge on one page. A docstring here is the contract that each adapter's tests check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

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
class Embedded:
    """Vectors in the order of the texts, and the tokens that the provider charged for."""

    vectors: list[Vector]
    tokens: int = 0


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    name: str
    """Names the model and its size; vectors of two names are never compared."""

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> Embedded:
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
