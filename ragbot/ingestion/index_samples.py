"""Check a new index: search for some of its chunks by their own words, before readers may search it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, IndexPoint, SearchRequest, SparseVector
from ragbot.core.errors import SearchUnavailable
from ragbot.core.ports import PassageStore
from ragbot.core.text import folded

# Chunks whose own words are searched for in the new index before readers may search it.
SAMPLES = 5
SAMPLE_HITS = 10
SEARCH_S = 30


class IndexSamples:
    """Pick `SAMPLES` points, spread evenly, of the `count` that pass through, and search for them later."""

    def __init__(self, count: int) -> None:
        self.points: list[IndexPoint] = []
        self._every = max(1, count // SAMPLES)

    def taken_from(self, points: Iterable[IndexPoint]) -> Iterator[IndexPoint]:
        """Yield the points, and keep the samples."""
        self.points.clear()
        passed = 0
        for point in points:
            # A chunk of stop words or punctuation alone cannot be found by any word.
            if point.sparse.indices:
                if passed % self._every == 0 and len(self.points) < SAMPLES:
                    self.points.append(point)
                passed += 1
            yield point

    def check(self, store: PassageStore, facts: EditionFacts) -> None:
        """Search for the samples by their own words. Raises SearchUnavailable if one is not found."""
        for point in self.points:
            found = store.search(facts, _own_words(point), Deadline(SEARCH_S))
            texts = {passage.chunk.search_text for passage in found}
            # On a page of many similar chunks, others may rank before the one that is searched for.
            if point.chunk.search_text not in texts and len(found) < SAMPLE_HITS:
                raise SearchUnavailable("The new index does not find a chunk by its own words.")


def _own_words(point: IndexPoint) -> SearchRequest:
    """Build a search within the chunk's own page, by its heaviest terms alone: long queries are slow."""
    scope = folded(point.chunk.path).strip("/")
    return SearchRequest(_heaviest(point.sparse), point.dense, SAMPLE_HITS, scope)


def _heaviest(sparse: SparseVector) -> SparseVector:
    pairs = sorted(zip(sparse.values, sparse.indices, strict=True), reverse=True)[:20]
    ordered = sorted((index, value) for value, index in pairs)
    return SparseVector([index for index, _ in ordered], [value for _, value in ordered])
