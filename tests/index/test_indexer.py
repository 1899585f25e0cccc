"""Test what is indexed of chunks."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from ragbot.core.domain import Chunk
from ragbot.index.bm25 import TermCounts, passage_vector, term_id
from ragbot.index.indexer import index_chunks, point_of

CHEESE = Chunk(
    id="00000000-0000-5000-8000-000000000001",
    path="docs/dairy/02-cheese.md",
    heading_path=("Dairy", "Cheese"),
    title="Hard Cheese",
    address="dairy/cheese",
    anchor="cheese",
    start=0,
    end=40,
    text="Bob ripens the cheddar for nine months.",
    search_text="Dairy > Cheese\n\nBob ripens the cheddar for nine months.",
    tokens=9,
)
GERMAN = replace(
    CHEESE,
    text="Der Käse reift in dem Keller, und die Milch wird nicht warm.",
    search_text="Käse\n\nDer Käse reift in dem Keller, und die Milch wird nicht warm.",
)


def test_chunk_is_indexed_with_its_headings() -> None:
    """A section seldom repeats its own title."""
    (vector,) = index_chunks([CHEESE]).sparse

    assert zlib.crc32(b"dairi") in vector.indices


def test_terms_are_those_of_the_books_language() -> None:
    """A stemmer of another language leaves forms apart."""
    indexed = index_chunks([GERMAN, GERMAN])

    assert indexed.language == "german"
    assert zlib.crc32(b"reift") in indexed.sparse[0].indices


def test_average_length_is_that_of_all_chunks() -> None:
    """A passage is long or short beside the others of its book."""
    longer = replace(CHEESE, search_text="cheddar cellar milk rennet salt")

    indexed = index_chunks([CHEESE, longer])

    # dairi chees bob ripen cheddar nine month, and the five.
    assert indexed.average_terms == pytest.approx(6)
    assert indexed.sparse[1] == passage_vector(
        TermCounts.of(map(term_id, ["cheddar", "cellar", "milk", "rennet", "salt"])), 6
    )


def test_vectors_may_be_asked_for_again() -> None:
    """They are made when they are asked for: once for the edition's hash, once for its rows."""
    others = [replace(CHEESE, search_text=f"cheddar cellar milk {word}") for word in ("salt", "rennet")]

    sparse = index_chunks([CHEESE, *others]).sparse

    assert len(sparse) == 3
    assert list(sparse) == list(sparse) == [sparse[0], sparse[1], sparse[-1]]
    assert list(sparse[1:]) == [sparse[1], sparse[2]]


def test_words_are_counted_by_chunks_as_they_are_written() -> None:
    """Misspelt questions are corrected to these."""
    indexed = index_chunks([CHEESE, replace(CHEESE, search_text="Cheddar, cheddar and months")])

    assert (indexed.words["cheddar"], indexed.words["ripens"], indexed.words["months"]) == (2, 1, 2)
    assert "the" not in indexed.words


def test_book_without_chunks_is_indexed() -> None:
    """It is refused elsewhere, with a sentence."""
    assert list(index_chunks([]).sparse) == []


def test_point_is_found_by_its_parts_title_and_folders() -> None:
    """A reader may name a chapter by any of them."""
    point = point_of(CHEESE, ("Part  One",), passage_vector(TermCounts.of([]), 1), None)

    assert point.scopes == (
        "dairy",
        "dairy/cheese",
        "docs",
        "docs/dairy",
        "docs/dairy/02-cheese.md",
        "hard cheese",
        "part one",
    )


def test_page_at_the_root_has_no_empty_scope() -> None:
    """An empty filter would find it alone."""
    point = point_of(replace(CHEESE, address=""), (), passage_vector(TermCounts.of([]), 1), None)

    assert "" not in point.scopes
