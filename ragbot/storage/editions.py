"""Editions: the rows that an index is built from, which of them is published, and what they share."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ragbot.core.domain import Book, Chunk, EditionFacts, SparseVector, Vector
from ragbot.core.errors import EditionInUse, EditionNotFound
from ragbot.storage.database import Database
from ragbot.storage.keyed_rows import insert_missing
from ragbot.storage.models import ChunkRow, ChunkVectorRow, EditionRow, PageRow, PublicationRow, SectionRow

editions = EditionRow.__table__
publications = PublicationRow.__table__
pages = PageRow.__table__
sections = SectionRow.__table__
chunks = ChunkRow.__table__
vectors: Any = ChunkVectorRow.__table__

T = TypeVar("T")

# A heading of this many words that ends in a question mark is a question that a reader may ask.
FEWEST_WORDS, MOST_WORDS = 3, 12
_LABEL = re.compile(r"^(?:\d+(?:\.\d+)*\.?|Q\d+:)\s+")

# Rows of one INSERT or IN list: far below SQLite's limit of 32,766 bound values.
BATCH = 500


@dataclass(frozen=True, slots=True)
class EditionDraft:
    """All that a new edition consists of, ready to be written."""

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


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk with its vectors, as an index needs it. `parts` are those of its page."""

    chunk: Chunk
    parts: tuple[str, ...]
    sparse: SparseVector
    dense: Vector | None


@dataclass(frozen=True, slots=True)
class PageFacts:
    """A page with the anchors of its sections."""

    path: str
    address: str
    source: str
    anchors: frozenset[str]


@dataclass(frozen=True, slots=True)
class EditionSummary:
    """An edition in a list."""

    facts: EditionFacts
    pages: int
    created_at: datetime
    published: bool


def sha_of(text: str) -> str:
    """The hash under which a search text's vector is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


class EditionStore:
    """Editions by name. Opens and commits its own transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def published(self) -> EditionFacts | None:
        """The edition that readers get, or None before the first."""
        with self._database.reading() as connection:
            row = connection.execute(_published()).first()
        return _facts(row) if row else None

    def edition(self, name: str) -> EditionFacts:
        """An edition by its name. Raises EditionNotFound."""
        with self._database.reading() as connection:
            return _facts(_row_named(connection, name))

    def editions(self) -> list[EditionSummary]:
        """All editions, newest first."""
        with self._database.reading() as connection:
            current = connection.execute(_published()).first()
            rows = connection.execute(select(editions).order_by(editions.c.id.desc())).all()
        return [
            EditionSummary(
                facts=_facts(current if current and current.id == row.id else row),
                pages=row.pages,
                created_at=row.created_at,
                published=bool(current and current.id == row.id),
            )
            for row in rows
        ]

    def keys(self) -> set[str]:
        """The keys of all editions."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(editions.c.key)))

    def ping(self) -> None:
        """Return if the tables can be asked now; raise DatabaseUnavailable if not, or if they are missing."""
        with self._database.reading() as connection:
            connection.execute(select(editions.c.id).limit(1)).first()

    def vocabulary(self, facts: EditionFacts) -> dict[str, int]:
        """Each word of the edition with the number of its chunks that hold it."""
        with self._database.reading() as connection:
            packed = connection.scalar(select(editions.c.vocabulary).where(editions.c.key == facts.key))
        return json.loads(zlib.decompress(packed)) if packed else {}

    def chunk_ids(self, facts: EditionFacts) -> set[str]:
        """The ids of an edition's chunks."""
        with self._database.reading(no_time_limit=True) as connection:
            query = (
                select(chunks.c.chunk_id)
                .join(pages, pages.c.id == chunks.c.page_id)
                .join(editions, editions.c.id == pages.c.edition_id)
                .where(editions.c.key == facts.key)
            )
            return set(connection.scalars(query))

    def pages(self, facts: EditionFacts) -> list[PageFacts]:
        """An edition's pages in the order of the book."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(pages)
                .join(editions, editions.c.id == pages.c.edition_id)
                .where(editions.c.key == facts.key)
                .order_by(pages.c.position)
            ).all()
            anchored = connection.execute(
                select(sections.c.page_id, sections.c.anchor)
                .join(pages, pages.c.id == sections.c.page_id)
                .join(editions, editions.c.id == pages.c.edition_id)
                .where(editions.c.key == facts.key)
            ).all()
        anchors: dict[int, set[str]] = {}
        for page_id, anchor in anchored:
            anchors.setdefault(page_id, set()).add(anchor)
        return [
            PageFacts(row.path, row.address, row.source, frozenset(anchors.get(row.id, ()))) for row in rows
        ]

    def asked_by_the_book(self, facts: EditionFacts, limit: int) -> list[str]:
        """Headings that are questions, spread over the edition: what a reader may ask to begin with."""
        with self._database.reading() as connection:
            paths = connection.scalars(
                select(sections.c.heading_path)
                .join(pages, pages.c.id == sections.c.page_id)
                .join(editions, editions.c.id == pages.c.edition_id)
                .where(editions.c.key == facts.key)
                .order_by(pages.c.position, sections.c.position)
            ).all()
        asked = dict.fromkeys(_LABEL.sub("", path[-1]) for path in paths if path and path[-1].endswith("?"))
        fit = [question for question in asked if FEWEST_WORDS <= len(question.split()) <= MOST_WORDS]
        return fit[:: max(1, len(fit) // limit)][:limit]

    def missing_vectors(self, embedder: str, shas: Iterable[str]) -> set[str]:
        """Those hashes of search texts for which the embedder's vector is not kept yet."""
        wanted = list(dict.fromkeys(shas))
        kept: set[str] = set()
        with self._database.reading(no_time_limit=True) as connection:
            for batch in _batches(wanted):
                query = select(vectors.c.search_sha).where(
                    vectors.c.embedder == embedder, vectors.c.search_sha.in_(batch)
                )
                kept.update(connection.scalars(query))
        return set(wanted) - kept

    def keep_vectors(self, embedder: str, by_sha: Mapping[str, Vector]) -> None:
        """Keep a batch of vectors, committed; one that is kept already stays as it is."""
        if not by_sha:
            return
        rows = [
            {"embedder": embedder, "search_sha": sha, "vector": _packed("f", vector)}
            for sha, vector in by_sha.items()
        ]
        with self._database.writing(no_time_limit=True) as connection:
            for batch in _batches(rows):
                insert_missing(connection, vectors, batch)

    def dimension(self, embedder: str) -> int | None:
        """The length of the vectors that an embedder makes, read off a kept one; None if there is none."""
        with self._database.reading() as connection:
            packed = connection.scalar(
                select(vectors.c.vector).where(vectors.c.embedder == embedder).limit(1)
            )
        return len(packed) // 4 if packed else None

    def add_edition(self, draft: EditionDraft) -> EditionFacts:
        """Write an edition whole, in one transaction, and return it.

        The same content under the same name is the edition that is there already. Another edition of
        that name keeps its rows and gets a name of its own.
        """
        content_sha = _content_sha(draft)
        name = draft.name or content_sha[:12]
        try:
            return self._add_edition(draft, name, content_sha)
        except IntegrityError:
            # Another process took the name at the same moment; now its edition can be seen.
            return self._add_edition(draft, name, content_sha)

    def _add_edition(self, draft: EditionDraft, name: str, content_sha: str) -> EditionFacts:
        with self._database.writing(no_time_limit=True) as connection:
            row = connection.execute(select(editions).where(editions.c.name == name)).first()
            if row and row.content_sha == content_sha:
                return _facts(row)
            if row:
                connection.execute(
                    update(editions)
                    .where(editions.c.id == row.id)
                    .values(name=f"{name[:80]}~{row.content_sha[:12]}-{row.id}")
                )
            edition_id = _insert_edition(connection, draft, name, content_sha)
            _insert_pages(connection, draft, edition_id)
            return _facts(_row_named(connection, name))

    def publish(self, name: str) -> EditionFacts:
        """Make an edition the one that readers get. Raises EditionNotFound."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            row = _row_named(connection, name)
            current = connection.execute(_published()).first()
            if current is None or current.id != row.id:
                connection.execute(insert(publications).values(edition_id=row.id, published_at=now))
            return _facts(connection.execute(_published()).one())

    def remove(self, name: str) -> EditionFacts:
        """Delete an edition, its rows and the vectors that no other needs.

        Raises EditionNotFound, or EditionInUse for the published one.
        """
        with self._database.writing(no_time_limit=True) as connection:
            row = _row_named(connection, name)
            current = connection.execute(_published()).first()
            if current and current.id == row.id:
                raise EditionInUse(f"EditionRow {name} is published; publish another one first.")
            # Others' vectors are left alone: they may belong to a book that is just being taken in.
            shas = select(chunks.c.search_sha).join(pages, pages.c.id == chunks.c.page_id)
            connection.execute(
                delete(vectors).where(
                    vectors.c.search_sha.in_(shas.where(pages.c.edition_id == row.id)),
                    vectors.c.search_sha.not_in(shas.where(pages.c.edition_id != row.id)),
                )
            )
            connection.execute(delete(editions).where(editions.c.id == row.id))
        return _facts(row)

    def stored_chunks(self, facts: EditionFacts) -> Iterator[StoredChunk]:
        """An edition's chunks in the order of the book, each with its vectors.

        PageRow by page, and no connection is held between two of them. `dense` is None for all where the
        edition has no embedder.
        """
        with self._database.reading(no_time_limit=True) as connection:
            page_rows = connection.execute(
                select(pages)
                .join(editions, editions.c.id == pages.c.edition_id)
                .where(editions.c.key == facts.key)
                .order_by(pages.c.position)
            ).all()
        for page in page_rows:
            query = (
                select(chunks, vectors.c.vector)
                .outerjoin(
                    vectors,
                    (vectors.c.search_sha == chunks.c.search_sha)
                    & (vectors.c.embedder == (facts.embedder or "")),
                )
                .where(chunks.c.page_id == page.id)
                .order_by(chunks.c.position)
            )
            with self._database.reading(no_time_limit=True) as connection:
                rows = connection.execute(query).all()
            yield from (_stored_chunk(page, row) for row in rows)


def _published() -> Select[Any]:
    return (
        select(editions, publications.c.published_at)
        .join(publications, publications.c.edition_id == editions.c.id)
        .order_by(publications.c.id.desc())
        .limit(1)
    )


def _row_named(connection: Connection, name: str) -> Row[Any]:
    row = connection.execute(select(editions).where(editions.c.name == name)).first()
    if row is None:
        raise EditionNotFound(f"There is no edition called {name!r}.")
    return row


def _facts(row: Row[Any]) -> EditionFacts:
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
    )


def _content_sha(draft: EditionDraft) -> str:
    digest = hashlib.sha256()
    head = [draft.book.title, draft.site_url, draft.language, draft.embedder, draft.dimension]
    digest.update(json.dumps(head).encode())
    for page in draft.book.pages:
        digest.update(json.dumps([page.path, page.address, page.title, page.parts, page.source]).encode())
    for chunk, sparse in zip(draft.chunks, draft.sparse, strict=True):
        digest.update(json.dumps([chunk.id, chunk.anchor, chunk.start, chunk.search_text]).encode())
        digest.update(_packed_sparse(sparse))
    return digest.hexdigest()


def _insert_edition(connection: Connection, draft: EditionDraft, name: str, content_sha: str) -> int:
    inserted = connection.execute(
        insert(editions).values(
            key=uuid.uuid4().hex,
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


def _insert_pages(connection: Connection, draft: EditionDraft, edition_id: int) -> None:
    by_path: dict[str, list[dict[str, Any]]] = {}
    for position, (chunk, sparse) in enumerate(zip(draft.chunks, draft.sparse, strict=True)):
        by_path.setdefault(chunk.path, []).append(_chunk_values(chunk, sparse, position))
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
        chunk_rows = [{**values, "page_id": page_id} for values in by_path.get(page.path, [])]
        for table, rows in ((sections, section_rows), (chunks, chunk_rows)):
            for batch in _batches(rows):
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


def _stored_chunk(page: Row[Any], row: Row[Any]) -> StoredChunk:
    chunk = Chunk(
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
    )
    dense = list(_unpacked("f", row.vector)) if row.vector else None
    return StoredChunk(chunk, tuple(page.parts), _unpacked_sparse(row.sparse), dense)


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


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
