"""Define the interfaces that adapters implement. Each docstring is the contract that their tests check."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ragbot.core.answers import Generation, Prompt, Usage
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, IndexPoint, Passage, SearchRequest, Vector


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """Hold vectors in the order of the texts, and the tokens that the provider charged for.

    `shortened` are the places of texts that are too long for the model: their beginnings were embedded.
    `sentences` has the vectors of each text's sentences, packed, from an embedder that gives them.
    """

    vectors: list[Vector]
    tokens: int = 0
    shortened: tuple[int, ...] = ()
    sentences: tuple[bytes, ...] = ()


class SentenceVectors(Protocol):
    """Say how similar the sentences of passages are to a question."""

    def similarities(
        self, vector: Vector, passages: Sequence[tuple[str, Sequence[str]]]
    ) -> list[list[float]]:
        """Return the cosine of the question's vector with each unit of each passage, -1 where unknown.

        A passage is its search text and the words of its units, in order. Raises DatabaseUnavailable.
        """
        ...

    def closest(self, vector: Vector, texts: Sequence[str]) -> list[tuple[float, float]]:
        """Return for each search text how close its sentences come to a question's vector.

        That is the highest cosine, and the mean of the three highest; nothing if the sentences of one of the
        texts are not known. Raises DatabaseUnavailable.
        """
        ...


class AnswerScorer(Protocol):
    """Say how well texts answer a question."""

    def scores(self, question: str, texts: Sequence[str], deadline: Deadline | None = None) -> list[float]:
        """Return for each text how likely it answers the question, as log-odds.

        Raises ProviderUnavailable if it cannot, DeadlineExceeded when the deadline passes first.
        """
        ...


class Embedder(Protocol):
    """Turn texts into unit vectors.

    An embedder whose results have sentences, too, says so by an attribute `gives_sentences`.
    """

    name: str
    """Names the model and its size; vectors of two names are never compared."""

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        """Embed texts in order.

        Returns one unit vector per text, all of one length; an empty list gives an empty list.
        Raises ProviderUnavailable after the last retry, ProviderRejected if no retry can help,
        DeadlineExceeded when the deadline passes first.
        """
        ...


# Is called with the stage of long work, and how many of how many are done.
Progress = Callable[[str, int, int], None]

# The parts of an answer; closing it closes the connection behind it.
Pieces = abc.Generator[str, None, None]


class Generator(Protocol):
    """Write an answer from a prompt's passages."""

    name: str

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Pieces:
        """Yield parts of the answer as they arrive, none of them empty.

        For a `whole` prompt a part may be empty: the answer is on its way, and comes in one piece.

        Marks such as `[2]` cite `prompt.passages` from 1. If the passages do not answer the question,
        the first part begins with NOT_IN_BOOK. `generation` is complete when the iterator
        ends. Raises ProviderUnavailable or ProviderRejected before the first part, AnswerCut after it,
        DeadlineExceeded or Cancelled at any time. Closing the iterator closes its connection.
        """
        ...

    def ping(self) -> None:
        """Return if the generator can be called now; raise ProviderError if not. Costs no tokens."""
        ...


class PassageStore(Protocol):
    """Index and search editions. It is disposable: everything in it is in the database too."""

    name: str

    def build(self, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
        """Build the index of an edition from nothing, beside the others; a second call changes nothing.

        Readers see none of it before it is complete. Raises SearchUnavailable.
        """
        ...

    def holds(self, edition: EditionFacts) -> bool:
        """Return whether the edition can be searched without being built first. Raises SearchUnavailable."""
        ...

    def prepare(self, edition: EditionFacts) -> None:
        """Build the edition from the database if the store does not have it. Raises SearchUnavailable."""
        ...

    def publish(self, edition: EditionFacts) -> None:
        """Serve the built edition to its book's readers, in one step. Raises SearchUnavailable."""
        ...

    def remove(self, key: str) -> None:
        """Delete an edition's index; does nothing if there is none. Raises SearchUnavailable."""
        ...

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        """Return the best passages of an edition, best first, at most `request.limit`.

        Sparse and dense ranks are fused by reciprocal rank; without a dense vector the sparse rank alone
        counts. With `scope`, only passages that have it among their scopes are returned. Nothing found gives
        an empty list. Raises SearchUnavailable or DeadlineExceeded.
        """
        ...

    def count(self, edition: EditionFacts) -> int:
        """Return the number of points in the edition's index. Raises SearchUnavailable."""
        ...

    def ping(self) -> None:
        """Return if the index can be searched now, else raise SearchUnavailable."""
        ...


class Cache(Protocol):
    """Cache bytes under keys for some time.

    Its entries can be made again, so `get` and `put` never raise: a failed read is a miss, a failed write is
    lost.
    """

    name: str

    def get(self, key: str) -> bytes | None:
        """Return the value of the key, or None if there is none or it has expired."""
        ...

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store a value for some seconds; the last one wins."""
        ...

    def clear(self) -> int:
        """Delete everything and return the number of entries. Raises CacheNotCleared."""
        ...

    def is_unavailable(self) -> bool:
        """Return whether it failed a moment ago and no other store replaces it."""
        ...

    def ping(self) -> None:
        """Return if the cache can be read now, else raise StoreUnavailable."""
        ...


State = Mapping[str, Any]


class SharedState(Protocol):
    """Share small JSON objects among all workers, by name.

    Never raises: while the common store is unavailable, each process has states of its own.
    """

    def peek(self, name: str) -> State | None:
        """Return the state now, or None if there is none or it has expired."""
        ...

    def change(self, name: str, change: Callable[[State | None], State | None], ttl_s: float) -> State | None:
        """Replace the state by the result of `change`, atomically, and return it.

        None deletes it. The new state expires after `ttl_s`; an unchanged one keeps its expiry. `change` must
        be a pure function; it may be called more than once.
        """
        ...


class Budget(Protocol):
    """Limit and record the cost of model calls. Safe between threads; never raises."""

    def reserve(self, most_usd: float) -> bool:
        """Reserve the highest cost of a call and return True, or return False if too little is left.

        The caller releases the reservation when the call ends.
        """
        ...

    def release(self, most_usd: float) -> None:
        """Give a reservation back: its call has ended and was charged."""
        ...

    def charge(self, model: str, usage: Usage, *, can_wait: bool = False) -> None:
        """Record the cost of a call. With `can_wait` it may be written some seconds later."""
        ...
