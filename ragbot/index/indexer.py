"""Turn chunks into points of the index: weighted terms, and the names that a chapter filter matches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

from ragbot.core.domain import Chunk, IndexPoint, SparseVector, Vector
from ragbot.core.languages import language_of
from ragbot.core.text import folded
from ragbot.index.analysis import Analyzer
from ragbot.index.bm25 import TermCounts, passage_vector, term_id


@dataclass(frozen=True, slots=True)
class IndexedChunks:
    """Hold what is computed from all chunks of a book together; `sparse` gives one vector a chunk, in order.

    `words` maps each word to its number of chunks; `average_terms` is the mean number of terms of a chunk.
    """

    language: str
    average_terms: float
    sparse: Sequence[SparseVector]
    words: dict[str, int]


# A book's language shows in so many of its chunks, spread evenly.
LANGUAGE_CHUNKS = 500


def book_language(chunks: Sequence[Chunk]) -> str:
    """Return the language that most of a book's prose is written in."""
    return language_of(chunk.text for chunk in chunks[:: len(chunks) // LANGUAGE_CHUNKS + 1])


def index_chunks(chunks: Sequence[Chunk]) -> IndexedChunks:
    """Detect the book's language, and weigh the terms of every chunk."""
    language = book_language(chunks)
    analyzer = Analyzer(language)
    words: Counter[str] = Counter()
    ids: dict[str, int] = {}
    counts: list[TermCounts] = []
    for chunk in chunks:
        in_chunk = analyzer.words(chunk.search_text)
        different = set(in_chunk)
        words.update(different)
        ids |= {word: term_id(analyzer.stem(word)) for word in different if word not in ids}
        counts.append(TermCounts.of(map(ids.__getitem__, in_chunk)))
    average = sum(row.length for row in counts) / max(len(counts), 1)
    return IndexedChunks(language, average, _PassageVectors(counts, average), dict(words))


class _PassageVectors(Sequence[SparseVector]):
    """Weigh the terms of a chunk when its vector is asked for: all weights of a large book fill memory."""

    def __init__(self, counts: Sequence[TermCounts], average_terms: float) -> None:
        self._counts = counts
        self._average_terms = average_terms

    def __len__(self) -> int:
        return len(self._counts)

    @overload
    def __getitem__(self, place: int) -> SparseVector: ...
    @overload
    def __getitem__(self, place: slice) -> _PassageVectors: ...
    def __getitem__(self, place: int | slice) -> SparseVector | _PassageVectors:
        if isinstance(place, slice):
            return _PassageVectors(self._counts[place], self._average_terms)
        return passage_vector(self._counts[place], self._average_terms)


def point_of(chunk: Chunk, parts: Sequence[str], sparse: SparseVector, dense: Vector | None) -> IndexPoint:
    """Return a chunk as a point of the index, with its scopes for the chapter filter."""
    return IndexPoint(chunk, sparse, dense, tuple(sorted(set(_scopes(chunk, parts)))))


def _scopes(chunk: Chunk, parts: Sequence[str]) -> Iterable[str]:
    yield from (folded(name) for name in (*parts, chunk.title) if name)
    for place in (chunk.path, chunk.address):
        steps = folded(place).strip("/").split("/")
        yield from ("/".join(steps[: length + 1]) for length in range(len(steps)) if steps[0])
