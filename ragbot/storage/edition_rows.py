"""Convert editions to rows of the database and back."""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Row, insert

from ragbot.core.code_fences import code_fence
from ragbot.core.domain import DEFAULT_BOOK, Book, Chunk, EditionFacts, InnerSection, SparseVector, Vector
from ragbot.core.tables import table_head
from ragbot.storage.models import ChunkRow, ChunkVectorRow, EditionRow, PageRow, PublicationRow, SectionRow

editions = EditionRow.__table__
publications = PublicationRow.__table__
pages = PageRow.__table__
sections = SectionRow.__table__
chunks = ChunkRow.__table__
vectors: Any = ChunkVectorRow.__table__

T = TypeVar("T")

# Rows of one INSERT or IN list: far below SQLite's limit of 32,766 bound values.
BATCH = 500


@dataclass(frozen=True, slots=True)
class EditionDraft:
    """Hold everything that a new edition consists of, ready to be written; `slug` names its book."""

    book: Book
    name: str | None
    site_url: str
    language: str
    average_terms: float
    embedder: str | None
    dimension: int | None
    vocabulary: Mapping[str, int]
    chunks: Sequence[Chunk]
    sparse: Sequence[SparseVector]
    slug: str = DEFAULT_BOOK


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """Hold a chunk with its vectors, for an index. `parts` are those of its page."""

    chunk: Chunk
    parts: tuple[str, ...]
    sparse: SparseVector
    dense: Vector | None


def sha_of(text: str) -> str:
    """Return the hash under which a search text's vector is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def edition_facts(row: Row[Any]) -> EditionFacts:
    """Return the facts of an edition's row."""
    return EditionFacts(
        key=row.key,
        name=row.name,
        title=row.title,
        site_url=row.site_url,
        language=row.language,
        average_terms=row.average_terms,
        embedder=row.embedder,
        dimension=row.dimension,
        sections=row.sections,
        chunks=row.chunks,
        published_at=getattr(row, "published_at", None),
        book=row.book,
    )


def hash_content(draft: EditionDraft) -> str:
    """Return a hash of everything in the edition that a reader or a search can notice."""
    digest = hashlib.sha256()
    head = [draft.book.title, draft.site_url, draft.language, draft.embedder, draft.dimension]
    digest.update(json.dumps(head).encode())
    for page in draft.book.pages:
        digest.update(json.dumps([page.path, page.address, page.title, page.parts, page.source]).encode())
    for chunk, sparse in zip(draft.chunks, draft.sparse, strict=True):
        digest.update(json.dumps([chunk.id, chunk.anchor, chunk.start, chunk.search_text]).encode())
        digest.update(_packed_sparse(sparse))
    return digest.hexdigest()


def insert_edition(connection: Connection, draft: EditionDraft, name: str, content_sha: str) -> int:
    """Insert the edition's own row and return its id."""
    inserted = connection.execute(
        insert(editions).values(
            key=uuid.uuid4().hex,
            book=draft.slug,
            name=name,
            content_sha=content_sha,
            title=draft.book.title,
            site_url=draft.site_url,
            language=draft.language,
            average_terms=draft.average_terms,
            embedder=draft.embedder,
            dimension=draft.dimension,
            vocabulary=zlib.compress(json.dumps(dict(draft.vocabulary)).encode()),
            pages=len(draft.book.pages),
            sections=sum(len(page.sections) for page in draft.book.pages),
            chunks=len(draft.chunks),
            created_at=datetime.now(UTC),
        )
    )
    return _new_id(inserted)


def insert_pages(connection: Connection, draft: EditionDraft, edition_id: int) -> None:
    """Insert the pages of an edition, with their sections and chunks."""
    positions: dict[str, list[int]] = {}
    for position, chunk in enumerate(draft.chunks):
        positions.setdefault(chunk.path, []).append(position)
    for position, page in enumerate(draft.book.pages):
        inserted = connection.execute(
            insert(pages).values(
                edition_id=edition_id,
                position=position,
                path=page.path,
                title=page.title,
                parts=list(page.parts),
                address=page.address,
                source=page.source,
            )
        )
        page_id = _new_id(inserted)
        section_rows = [
            {
                "page_id": page_id,
                "position": number,
                "heading_path": list(section.heading_path),
                "anchor": section.anchor,
                "start": section.start,
                "end": section.end,
            }
            for number, section in enumerate(page.sections)
        ]
        chunk_rows = [
            {**_chunk_values(draft.chunks[number], draft.sparse[number], number), "page_id": page_id}
            for number in positions.get(page.path, [])
        ]
        for table, rows in ((sections, section_rows), (chunks, chunk_rows)):
            for batch in batches(rows):
                connection.execute(insert(table), batch)


def _new_id(inserted: CursorResult[Any]) -> int:
    key = inserted.inserted_primary_key
    assert key is not None
    return int(key[0])


def _chunk_values(chunk: Chunk, sparse: SparseVector, position: int) -> dict[str, Any]:
    return {
        "position": position,
        "chunk_id": chunk.id,
        "heading_path": list(chunk.heading_path),
        "anchor": chunk.anchor,
        "start": chunk.start,
        "end": chunk.end,
        "tokens": chunk.tokens,
        "search_text": chunk.search_text,
        "search_sha": sha_of(chunk.search_text),
        "sparse": _packed_sparse(sparse),
    }


def stored_chunk(page: Row[Any], row: Row[Any], inner: Sequence[Row[Any]]) -> StoredChunk:
    """Return a chunk from the row of its page, its own (with a `vector` or None) and the page's sections."""
    dense = unpacked_vector(row.vector) if row.vector else None
    return StoredChunk(chunk_of(page, row, inner), tuple(page.parts), _unpacked_sparse(row.sparse), dense)


def chunk_of(page: Row[Any], row: Row[Any], inner: Sequence[Row[Any]]) -> Chunk:
    """Return a chunk from its row, its page's, and those of the page's sections in order."""
    return Chunk(
        id=row.chunk_id,
        path=page.path,
        heading_path=tuple(row.heading_path),
        title=page.title,
        address=page.address,
        anchor=row.anchor,
        start=row.start,
        end=row.end,
        text=page.source[row.start : row.end],
        search_text=row.search_text,
        tokens=row.tokens,
        sections=tuple(
            InnerSection(section.start - row.start, section.anchor, tuple(section.heading_path))
            for section in inner
            if row.start <= section.start < row.end
        ),
        table_head=table_head(page.source, row.start),
        code_fence=code_fence(page.source, (section.start for section in inner), row.start),
    )


def packed_vector(vector: Vector) -> bytes:
    """Return a vector as little-endian 32-bit floats."""
    return _packed("f", vector)


def unpacked_vector(packed: bytes) -> Vector:
    """Return the vector that `packed_vector` was given."""
    return list(_unpacked("f", packed))


def vector_length(packed: bytes) -> int:
    """Return the number of floats in a packed vector."""
    return len(packed) // 4


def _packed_sparse(sparse: SparseVector) -> bytes:
    return _packed("I", sparse.indices) + _packed("f", sparse.values)


def _unpacked_sparse(packed: bytes) -> SparseVector:
    half = len(packed) // 2
    return SparseVector(list(_unpacked("I", packed[:half])), list(_unpacked("f", packed[half:])))


def _packed(kind: str, numbers: Iterable[Any]) -> bytes:
    values: array[Any] = array(kind, numbers)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _unpacked(kind: str, packed: bytes) -> array[Any]:
    values: array[Any] = array(kind)
    values.frombytes(packed)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the rows in batches for one statement each."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
