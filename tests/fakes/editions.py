"""Turn a book's folder into an edition with points, and a question into a search, without a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.core.domain import Chunk, EditionFacts, IndexPoint, SearchRequest
from ragbot.core.ports import Embedder
from ragbot.index.analysis import Analyzer
from ragbot.index.bm25 import query_vector
from ragbot.index.indexer import index_chunks, point_of


@dataclass(frozen=True, slots=True)
class MadeEdition:
    """An edition's facts with all that its index is built from."""

    facts: EditionFacts
    points: list[IndexPoint]

    def asked(
        self, text: str, *, embedder: Embedder | None = None, limit: int = 5, scope: str | None = None
    ) -> SearchRequest:
        """The search that a question comes to: its terms, and its vector where there is an embedder."""
        terms = Analyzer(self.facts.language).terms(text)
        vector = embedder.embed([text]).vectors[0] if embedder else None
        return SearchRequest(query_vector(dict.fromkeys(terms, 1.0)), vector, limit, scope)

    def chunk_with(self, words: str) -> Chunk:
        """Return the first chunk that holds the words."""
        return next(point.chunk for point in self.points if words in point.chunk.text)


def made_edition(folder: Path, key: str, embedder: Embedder | None = None) -> MadeEdition:
    """Return the book at `folder` as an edition; `key` is its name too."""
    book = load_book(folder)
    chunks = chunk_book(book)
    indexed = index_chunks(chunks)
    vectors = embedder.embed([chunk.search_text for chunk in chunks]).vectors if embedder else None
    parts = {page.path: page.parts for page in book.pages}
    facts = EditionFacts(
        key=key,
        name=key,
        title=book.title,
        site_url="https://book.test/",
        language=indexed.language,
        average_terms=indexed.average_terms,
        embedder=embedder.name if embedder else None,
        dimension=len(vectors[0]) if vectors else None,
        sections=sum(len(page.sections) for page in book.pages),
        chunks=len(chunks),
    )
    points = [
        point_of(chunk, parts[chunk.path], indexed.sparse[n], vectors[n] if vectors else None)
        for n, chunk in enumerate(chunks)
    ]
    return MadeEdition(facts, points)


class Shelf:
    """Stands in for the database: gives the points of the editions that stand on it, and counts who asks."""

    def __init__(self, editions: Iterable[MadeEdition] = ()) -> None:
        self.asked_for: list[str] = []
        self._points: dict[str, list[IndexPoint]] = {}
        for edition in editions:
            self.put(edition)

    def put(self, edition: MadeEdition) -> None:
        self._points[edition.facts.key] = edition.points

    def load_points(self, facts: EditionFacts) -> list[IndexPoint]:
        self.asked_for.append(facts.key)
        return self._points[facts.key]
