"""Test that a chunk comes back from a point as it was stored."""

from __future__ import annotations

from dataclasses import replace

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.core.domain import IndexPoint, SparseVector
from ragbot.index.point_payload import chunk_of, payload_of
from tests.conftest import THREE_CHAPTERS


def test_chunk_is_read_as_it_was_stored() -> None:
    """Answers quote it without asking the database."""
    chunk, *_ = chunk_book(load_book(THREE_CHAPTERS))

    for kept in (chunk, replace(chunk, table_head="| Role | Use |"), replace(chunk, code_fence="```py")):
        assert chunk_of(payload_of(IndexPoint(kept, SparseVector([], []), None, ("a",)))) == kept


def test_point_of_an_older_version_has_a_chunk() -> None:
    """A collection outlives the code that made it."""
    chunk = replace(chunk_book(load_book(THREE_CHAPTERS))[0], sections=(), table_head="")
    payload = payload_of(IndexPoint(chunk, SparseVector([], []), None, ()))
    del payload["sections"]

    assert chunk_of(payload) == chunk
