"""Chunks to points: terms, weights and the names under which a chapter filter finds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragbot.core.domain import Chunk, IndexPoint, SparseVector, Vector
from ragbot.core.languages import language_of
from ragbot.core.text import folded
from ragbot.index.analysis import Analyzer
from ragbot.index.bm25 import passage_vector
from ragbot.index.vocabulary import counted


@dataclass(frozen=True, slots=True)
class IndexedChunks:
    """What is learnt of a book's chunks as a whole: one sparse vector a chunk, in order."""

    language: str
    average_terms: float
    sparse: list[SparseVector]
    words: dict[str, int]


def index_chunks(chunks: Sequence[Chunk]) -> IndexedChunks:
    """Weigh every chunk against the whole."""
    language = language_of(chunk.text for chunk in chunks)
    analyzer = Analyzer(language)
    words = [analyzer.words(chunk.search_text) for chunk in chunks]
    terms = [[analyzer.stem(word) for word in row] for row in words]
    average = sum(map(len, terms)) / max(len(terms), 1)
    return IndexedChunks(
        language=language,
        average_terms=average,
        sparse=[passage_vector(row, average) for row in terms],
        words=dict(counted(words)),
    )


def point_of(chunk: Chunk, parts: Sequence[str], sparse: SparseVector, dense: Vector | None) -> IndexPoint:
    """A chunk as a point."""
    return IndexPoint(chunk, sparse, dense, tuple(sorted(set(_scopes(chunk, parts)))))


def _scopes(chunk: Chunk, parts: Sequence[str]) -> Iterable[str]:
    yield from (folded(name) for name in (*parts, chunk.title) if name)
    for place in (chunk.path, chunk.address):
        steps = folded(place).strip("/").split("/")
        yield from ("/".join(steps[: length + 1]) for length in range(len(steps)) if steps[0])
