"""Store editions of the book, and which of them is published."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ragbot.core.domain import DEFAULT_BOOK, Chunk, EditionFacts, Vector
from ragbot.core.errors import EditionInUse
from ragbot.storage.database import Database
from ragbot.storage.edition_queries import (
    EDITION_FACTS,
    delete_unshared_vectors,
    hand_on_first_publication,
    row_named,
    select_of_edition,
    select_published,
    select_published_of_each,
    select_sections,
)
from ragbot.storage.edition_rows import (
    EditionDraft,
    StoredChunk,
    batches,
    chunk_of,
    chunks,
    edition_facts,
    editions,
    hash_content,
    insert_edition,
    insert_pages,
    packed_vector,
    pages,
    publications,
    sections,
    sha_of,
    stored_chunk,
    vector_length,
    vectors,
)
from ragbot.storage.keyed_rows import insert_missing, insert_or_complete


@dataclass(frozen=True, slots=True)
class PageRecord:
    """Hold a page's entry in the table of contents. `parts` are the groups above it, outermost first."""

    path: str
    title: str
    address: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Hold a page with its source, and the offset and anchor of each of its sections."""

    path: str
    address: str
    source: str
    sections: tuple[tuple[int, str], ...] = ()

    @property
    def anchors(self) -> frozenset[str]:
        """Return the anchors of the sections."""
        return frozenset(anchor for _, anchor in self.sections)


@dataclass(frozen=True, slots=True)
class SectionText:
    """Hold a section with its headings, outermost first, and its part of the page's source."""

    path: str
    heading_path: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class EditionSummary:
    """Describe an edition in the list of all."""

    facts: EditionFacts
    pages: int
    created_at: datetime
    published: bool


class EditionStore:
    """Store editions by name, each change in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def published(self, book: str = DEFAULT_BOOK) -> EditionFacts | None:
        """Return the published edition of a book, or None before the first."""
        with self._database.reading() as connection:
            row = connection.execute(select_published(book)).first()
        return edition_facts(row) if row else None

    def published_of_each(self) -> dict[str, EditionFacts]:
        """Return the published edition of each book by its slug, the longest published book in front."""
        with self._database.reading() as connection:
            rows = connection.execute(select_published_of_each()).all()
        return {row.book: edition_facts(row) for row in rows}

    def edition(self, name: str, book: str = DEFAULT_BOOK) -> EditionFacts:
        """Return an edition by its name. Raises EditionNotFound."""
        with self._database.reading() as connection:
            return edition_facts(row_named(connection, name, book))

    def editions(self, book: str | None = None) -> list[EditionSummary]:
        """Return the editions of a book, or of all, newest first."""
        query = select(*EDITION_FACTS).order_by(editions.c.id.desc())
        with self._database.reading() as connection:
            published = {row.id: row for row in connection.execute(select_published_of_each())}
            rows = connection.execute(query.where(editions.c.book == book) if book else query).all()
        return [
            EditionSummary(
                facts=edition_facts(published.get(row.id, row)),
                pages=row.pages,
                created_at=row.created_at,
                published=row.id in published,
            )
            for row in rows
        ]

    def keys(self) -> set[str]:
        """Return the keys of all editions."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(editions.c.key)))

    def ping(self) -> None:
        """Return if the tables can be read now; raise DatabaseUnavailable if not, or if they are missing."""
        with self._database.reading() as connection:
            connection.execute(select(editions.c.id).limit(1)).first()

    def vocabulary(self, facts: EditionFacts) -> dict[str, int]:
        """Return each word of the edition with the number of chunks that contain it."""
        with self._database.reading() as connection:
            packed = connection.scalar(select(editions.c.vocabulary).where(editions.c.key == facts.key))
        return json.loads(zlib.decompress(packed)) if packed else {}

    def chunk_ids(self, facts: EditionFacts) -> set[str]:
        """Return the ids of an edition's chunks."""
        with self._database.reading(no_time_limit=True) as connection:
            query = select(chunks.c.chunk_id).join(pages, pages.c.id == chunks.c.page_id)
            return set(connection.scalars(select_of_edition(facts, query)))

    def pages(self, facts: EditionFacts) -> list[PageFacts]:
        """Return an edition's pages in the order of the book."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select_of_edition(facts, select(pages)).order_by(pages.c.position)
            ).all()
            query = select(sections.c.page_id, sections.c.start, sections.c.anchor)
            query = query.join(pages, pages.c.id == sections.c.page_id)
            anchored = connection.execute(select_of_edition(facts, query)).all()
        anchors: dict[int, list[tuple[int, str]]] = {}
        for page_id, start, anchor in anchored:
            anchors.setdefault(page_id, []).append((start, anchor))
        return [
            PageFacts(row.path, row.address, row.source, tuple(sorted(anchors.get(row.id, ()))))
            for row in rows
        ]

    def outline(self, facts: EditionFacts) -> list[PageRecord]:
        """Return an edition's pages in the order of the book, without their sources."""
        query = select_of_edition(facts, select(pages.c.path, pages.c.title, pages.c.address, pages.c.parts))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(pages.c.position)).all()
        return [PageRecord(row.path, row.title, row.address, tuple(row.parts)) for row in rows]

    def first_chunks(self, facts: EditionFacts, paths: Sequence[str], *, each: int) -> list[Chunk]:
        """Return the first `each` chunks of each of these pages, page after page in the order given."""
        found: list[Chunk] = []
        for path in paths:
            page_query = select_of_edition(facts, select(pages)).where(pages.c.path == path)
            with self._database.reading() as connection:
                page = connection.execute(page_query).first()
                if page is None:
                    continue
                rows = connection.execute(
                    select(chunks).where(chunks.c.page_id == page.id).order_by(chunks.c.position).limit(each)
                ).all()
                inner = connection.execute(select_sections(page.id)).all()
            found += [chunk_of(page, row, inner) for row in rows]
        return found

    def page_source(self, facts: EditionFacts, path: str) -> str:
        """Return the source of one page of an edition; empty where there is no such page."""
        query = select_of_edition(facts, select(pages.c.source)).where(pages.c.path == path)
        with self._database.reading() as connection:
            return connection.execute(query).scalar() or ""

    def sections(self, facts: EditionFacts) -> list[SectionText]:
        """Return an edition's sections in the order of the book, each with its own text."""
        text = func.substr(pages.c.source, sections.c.start + 1, sections.c.end - sections.c.start)
        query = select(pages.c.path, sections.c.heading_path, text.label("text"))
        query = select_of_edition(facts, query.join(pages, pages.c.id == sections.c.page_id))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(pages.c.position, sections.c.position)).all()
        return [SectionText(row.path, tuple(row.heading_path), row.text) for row in rows]

    def once_published(self, book: str = DEFAULT_BOOK) -> list[str]:
        """Return the names of a book's editions that are or were published, newest first."""
        query = (
            select(editions.c.name)
            .where(editions.c.book == book, editions.c.id.in_(select(publications.c.edition_id)))
            .order_by(editions.c.id.desc())
        )
        with self._database.reading() as connection:
            return list(connection.scalars(query))

    def missing_vectors(self, embedder: str, shas: Iterable[str], *, sentences: bool = False) -> set[str]:
        """Return those hashes of search texts for which no vector of the embedder is stored.

        With `sentences` a row without the vectors of sentences counts as missing, too.
        """
        wanted = list(dict.fromkeys(shas))
        stored: set[str] = set()
        with self._database.reading(no_time_limit=True) as connection:
            for batch in batches(wanted):
                query = select(vectors.c.search_sha).where(
                    vectors.c.embedder == embedder, vectors.c.search_sha.in_(batch)
                )
                if sentences:
                    query = query.where(vectors.c.sentences.is_not(None))
                stored.update(connection.scalars(query))
        return set(wanted) - stored

    def store_vectors(
        self, embedder: str, by_sha: Mapping[str, Vector], sentences: Mapping[str, bytes] | None = None
    ) -> None:
        """Store and commit a batch of vectors; one that is stored already stays as it is.

        With the vectors of `sentences`, by the same hashes, rows that an older version wrote get them.
        """
        if not by_sha:
            return
        rows = [
            {
                "embedder": embedder,
                "search_sha": sha,
                "vector": packed_vector(vector),
                **({"sentences": sentences[sha]} if sentences else {}),
            }
            # In one order everywhere, so that two ingestions never wait for each other.
            for sha, vector in sorted(by_sha.items())
        ]
        with self._database.writing(no_time_limit=True) as connection:
            for batch in batches(rows):
                if sentences:
                    insert_or_complete(connection, vectors, batch, "sentences")
                else:
                    insert_missing(connection, vectors, batch)

    def sentence_vectors(self, embedder: str, texts: Sequence[str]) -> dict[str, bytes]:
        """Return the packed vectors of the sentences of those search texts that have some."""
        by_sha = {sha_of(text): text for text in texts}
        query = select(vectors.c.search_sha, vectors.c.sentences).where(
            vectors.c.embedder == embedder, vectors.c.search_sha.in_(by_sha), vectors.c.sentences.is_not(None)
        )
        with self._database.reading() as connection:
            return {by_sha[row.search_sha]: row.sentences for row in connection.execute(query)}

    def dimension(self, embedder: str) -> int | None:
        """Return the length of an embedder's stored vectors, or None if there is none."""
        with self._database.reading() as connection:
            packed = connection.scalar(
                select(vectors.c.vector).where(vectors.c.embedder == embedder).limit(1)
            )
        return vector_length(packed) if packed else None

    def add_edition(self, draft: EditionDraft) -> EditionFacts:
        """Write a whole edition in one transaction and return it.

        If the name has the same content already, returns that edition. Another edition of that name keeps
        its rows and is renamed.
        """
        content_sha = hash_content(draft)
        name = draft.name or content_sha[:12]
        try:
            return self._add_edition(draft, name, content_sha)
        except IntegrityError:
            # Another process wrote an edition of this name at the same moment; now it can be read.
            return self._add_edition(draft, name, content_sha)

    def _add_edition(self, draft: EditionDraft, name: str, content_sha: str) -> EditionFacts:
        named = (editions.c.name == name) & (editions.c.book == draft.slug)
        with self._database.writing(no_time_limit=True) as connection:
            row = connection.execute(select(*EDITION_FACTS).where(named)).first()
            if row and row.content_sha == content_sha:
                return edition_facts(row)
            if row:
                connection.execute(
                    update(editions)
                    .where(editions.c.id == row.id)
                    .values(name=f"{name[:80]}~{row.content_sha[:12]}-{row.id}")
                )
            edition_id = insert_edition(connection, draft, name, content_sha)
            insert_pages(connection, draft, edition_id)
            return edition_facts(row_named(connection, name, draft.slug))

    def publish(self, name: str, book: str = DEFAULT_BOOK) -> EditionFacts:
        """Publish an edition. Raises EditionNotFound."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            row = row_named(connection, name, book)
            current = connection.execute(select_published(book)).first()
            if current is None or current.id != row.id:
                connection.execute(insert(publications).values(edition_id=row.id, published_at=now))
            return edition_facts(connection.execute(select_published(book)).one())

    def remove(self, name: str, book: str = DEFAULT_BOOK) -> EditionFacts:
        """Delete an edition, its rows and the vectors that no other edition uses.

        Raises EditionNotFound, or EditionInUse for the published one.
        """
        with self._database.writing(no_time_limit=True) as connection:
            row = row_named(connection, name, book)
            current = connection.execute(select_published(book)).first()
            if current and current.id == row.id:
                raise EditionInUse(f"Edition {name} is published; publish another one first.")
            if current:
                connection.execute(hand_on_first_publication(book, removed_id=row.id, heir_id=current.id))
            connection.execute(delete_unshared_vectors(row.id))
            connection.execute(delete(editions).where(editions.c.id == row.id))
        return edition_facts(row)

    def stored_chunks(self, facts: EditionFacts) -> Iterator[StoredChunk]:
        """Yield an edition's chunks in the order of the book, each with its vectors.

        Reads page by page and holds no connection in between. `dense` is None for all if the edition has no
        embedder.
        """
        with self._database.reading(no_time_limit=True) as connection:
            query = select_of_edition(facts, select(pages.c.id)).order_by(pages.c.position)
            page_ids = list(connection.scalars(query))
        for page_id in page_ids:
            query = (
                select(chunks, vectors.c.vector)
                .outerjoin(
                    vectors,
                    (vectors.c.search_sha == chunks.c.search_sha)
                    & (vectors.c.embedder == (facts.embedder or "")),
                )
                .where(chunks.c.page_id == page_id)
                .order_by(chunks.c.position)
            )
            with self._database.reading(no_time_limit=True) as connection:
                page = connection.execute(select(pages).where(pages.c.id == page_id)).first()
                rows = connection.execute(query).all()
                inner = connection.execute(select_sections(page_id)).all()
            # (Its edition may be removed meanwhile.)
            if page is not None:
                yield from (stored_chunk(page, row, inner) for row in rows)
