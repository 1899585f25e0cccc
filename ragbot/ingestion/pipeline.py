"""Turn a folder into a published edition: load, chunk, weigh, embed, store, index, check, publish."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.read_options import ReadOptions
from ragbot.core.domain import (
    DEFAULT_BOOK,
    Book,
    Chunk,
    EditionFacts,
    IndexPoint,
    SkippedFile,
)
from ragbot.core.errors import BookError, RagbotError, SearchUnavailable
from ragbot.core.memory import give_back_memory
from ragbot.core.ports import Embedder, PassageStore, Progress
from ragbot.core.text import text_length
from ragbot.index.indexer import IndexedChunks, book_language, index_chunks, point_of
from ragbot.ingestion.book_summary import BookSummary, summarise_book
from ragbot.ingestion.chunk_contexts import ChunkContextWriter
from ragbot.ingestion.index_samples import IndexSamples
from ragbot.storage.edition_rows import EditionDraft, sha_of
from ragbot.storage.editions import EditionStore

log = structlog.get_logger(__name__)

# Texts in one call to the embedder, and calls at the same time.
EMBEDDING_BATCH = 64
EMBEDDING_CALLS = 4

# A book that shrinks to less than this is more often the wrong folder than a new edition.
LEAST_PART_OF_PUBLISHED = 0.5


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Report on an ingested book. `new`, `unchanged` and `removed` compare with the published edition.

    `shortened` names the chunks that are too long for the embedder, which got their beginnings.
    """

    edition: str
    title: str
    pages: int
    sections: int
    chunks: int
    new: int
    unchanged: int
    removed: int
    embedded: int
    skipped: tuple[SkippedFile, ...]
    published: bool
    seconds: float
    book: BookSummary
    shortened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BookCheck:
    """Report on a book that was read, and not published."""

    title: str
    pages: int
    sections: int
    chunks: int
    skipped: tuple[SkippedFile, ...]
    book: BookSummary
    read: Book


class IngestionPipeline:
    """Ingest, index, publish and remove editions. A run that is killed at any point may be repeated."""

    def __init__(
        self,
        editions: EditionStore,
        store: PassageStore,
        embedder: Embedder | None,
        *,
        max_file_bytes: int,
        keep_editions: int = 0,
        contexts: ChunkContextWriter | None = None,
    ) -> None:
        self._contexts = contexts
        self._editions = editions
        self._store = store
        self._embedder = embedder
        self._max_file_bytes = max_file_bytes
        self._keep_editions = keep_editions

    def ingest_book(
        self,
        path: Path,
        *,
        slug: str = DEFAULT_BOOK,
        edition: str | None = None,
        site_url: str = "",
        title: str = "",
        strict: bool = False,
        options: ReadOptions | None = None,
        progress: Progress = lambda _stage, _done, _total: None,
    ) -> IngestReport:
        """Ingest a book and publish it as an edition; the edition before it stays and can be published again.

        `slug` names the book of a service that has several. Without a name the edition is named by its
        content; without a title the book's own is used, else that of its first page. With `strict` a skipped
        file is an error and nothing is published. A book with less than half of the published one's text
        needs `options.force`. Raises BookError, ProviderError, SearchUnavailable or DatabaseUnavailable; then
        the published edition stays.
        """
        started = time.monotonic()
        options = options or ReadOptions()
        book, chunks = self._read(path, title, options, strict=strict, progress=progress)
        before = self._editions.published(slug)
        if before is not None and not options.force:
            self._refuse_much_less(book, before)
        if self._contexts is not None:
            chunks = self._contexts.with_contexts(book, chunks, progress)
        progress("weigh", 0, 0)
        indexed = index_chunks(chunks)
        known = self._editions.chunk_ids(before) if before else set()
        made = self._embed_missing(chunks, progress)
        draft = _draft(book, chunks, indexed, slug, edition, site_url, self._embedder, made.dimension)
        facts = self._editions.add_edition(draft)
        # Removing another edition meanwhile may have deleted vectors. From now on this edition holds them.
        embedded = made.count + self._embed_missing(chunks, progress).count
        report = _report(book, facts, {chunk.id for chunk in chunks}, known, embedded=embedded)
        # The index is built from the rows: a large book need not be in memory twice.
        del book, chunks, indexed, draft
        give_back_memory()
        progress("index", 0, 0)
        self.build_index(facts)
        self.publish(facts.name, slug)
        return replace(report, shortened=made.shortened, seconds=time.monotonic() - started)

    def check_book(
        self,
        path: Path,
        *,
        site_url: str = "",
        options: ReadOptions | None = None,
        progress: Progress = lambda _stage, _done, _total: None,
    ) -> BookCheck:
        """Read and cut a book as `ingest_book` does, and report; nothing is stored. Raises BookError."""
        book, chunks = self._read(path, "", options or ReadOptions(), strict=False, progress=progress)
        language = book_language(chunks)
        return BookCheck(
            title=book.title,
            pages=len(book.pages),
            sections=sum(len(page.sections) for page in book.pages),
            chunks=len(chunks),
            skipped=book.skipped,
            book=summarise_book(book, language=language, site_url=site_url),
            read=book,
        )

    def _read(
        self, path: Path, title: str, options: ReadOptions, *, strict: bool, progress: Progress
    ) -> tuple[Book, list[Chunk]]:
        progress("read", 0, 0)
        book = self._load(path, title, options, strict=strict, progress=progress)
        chunks = chunk_book(book)
        if not chunks:
            raise BookError("The book has no text: every page is empty.")
        return book, chunks

    def _refuse_much_less(self, book: Book, before: EditionFacts) -> None:
        """Raise BookError if the book has less than half of the published edition's text."""
        known = sum(text_length(page.source) for page in self._editions.pages(before))
        length = sum(text_length(page.source) for page in book.pages)
        if length < LEAST_PART_OF_PUBLISHED * known:
            raise BookError(
                f"This book ({book.title}, {len(book.pages)} pages) has {length:,} characters of text, less "
                f"than half of the published edition {before.name} ({before.title}, {known:,}). "
                "If it is the right one, publish it with --force (force=true)."
            )

    def _load(
        self, path: Path, title: str, options: ReadOptions, *, strict: bool, progress: Progress
    ) -> Book:
        # A server reads no book: the readers of all formats take a tenth of its start.
        from ragbot.books.loader import load_book

        files = itertools.count(1)
        book = load_book(
            path,
            max_file_bytes=self._max_file_bytes,
            progress=lambda _path: progress("read", next(files), 0),
            options=options,
        )
        if strict and book.skipped:
            first = book.skipped[0]
            raise BookError(f"{len(book.skipped)} file(s) cannot be read; {first.path}: {first.reason}")
        return replace(book, title=title or book.title or book.pages[0].title)

    def build_index(self, facts: EditionFacts) -> None:
        """Build an edition's index from its rows and check it; embeds nothing. Raises SearchUnavailable."""
        samples = IndexSamples(facts.chunks)
        self._store.build(facts, samples.taken_from(points_of(self._editions, facts)))
        if (count := self._store.count(facts)) != facts.chunks:
            raise SearchUnavailable(f"The new index holds {count} of {facts.chunks} chunks.")
        samples.check(self._store, facts)

    def rebuild_index(self, facts: EditionFacts) -> None:
        """Delete an edition's index and build it again from its rows. Raises SearchUnavailable."""
        self._store.remove(facts.key)
        self.build_index(facts)
        if (published := self._editions.published(facts.book)) and published.key == facts.key:
            self._store.publish(facts)

    def publish(self, name: str, book: str = DEFAULT_BOOK) -> EditionFacts:
        """Make a stored edition the one that a book's readers get, and delete the oldest others.

        Raises EditionNotFound or SearchUnavailable.
        """
        # The database decides, and comes last: if the store fails, readers keep the edition that they have.
        self._make_searchable(self._editions.edition(name, book))
        published = self._editions.publish(name, book)
        self._remove_oldest(book)
        return published

    def index_published(self) -> list[EditionFacts]:
        """Build the indexes of the published editions that have none; return these editions, one a book.

        What is published stays so. Raises SearchUnavailable.
        """
        published = list(self._editions.published_of_each().values())
        for facts in published:
            self._make_searchable(facts)
        return published

    def _make_searchable(self, facts: EditionFacts) -> None:
        if not self._store.holds(facts):
            self.build_index(facts)
        self._store.publish(facts)

    def _remove_oldest(self, book: str) -> None:
        if not self._keep_editions:
            return
        others = [row.facts.name for row in self._editions.editions(book) if not row.published]
        for name in others[self._keep_editions - 1 :]:
            try:
                self.remove(name, book)
                log.info("edition_removed", book=book, edition=name)
            except RagbotError as error:
                # The book is published all the same, and the next publication tries again.
                log.warning("edition_not_removed", book=book, edition=name, code=error.code)

    def remove(self, name: str, book: str = DEFAULT_BOOK) -> None:
        """Delete an edition that is not published.

        Raises EditionNotFound, EditionInUse or SearchUnavailable.
        """
        # Before the rows are deleted: without them an index that stays behind would never be found.
        self._store.ping()
        self._store.remove(self._editions.remove(name, book).key)

    def _embed_missing(self, chunks: Sequence[Chunk], progress: Progress) -> _Embedded:
        """Embed the chunks without a stored vector. Each batch is committed: a killed run continues there."""
        embedder = self._embedder
        if embedder is None:
            return _Embedded(0, None, ())
        by_sha = {sha_of(chunk.search_text): chunk for chunk in chunks}
        shortened: list[str] = []
        gives_sentences = getattr(embedder, "gives_sentences", False)
        missing = sorted(self._editions.missing_vectors(embedder.name, by_sha, sentences=gives_sentences))
        batches = [missing[i : i + EMBEDDING_BATCH] for i in range(0, len(missing), EMBEDDING_BATCH)]

        # Who waits for the lock that SQLite has for writers sleeps; here the next one is woken at once.
        one_writes = threading.Lock()

        def embed(shas: list[str]) -> int:
            embedded = embedder.embed([by_sha[sha].search_text for sha in shas])
            shortened.extend(_place(by_sha[shas[number]]) for number in embedded.shortened)
            with one_writes:
                self._editions.store_vectors(
                    embedder.name,
                    dict(zip(shas, embedded.vectors, strict=True)),
                    dict(zip(shas, embedded.sentences, strict=True)) if embedded.sentences else None,
                )
            return len(shas)

        done = 0
        if missing:
            progress("embed", done, len(missing))
        with ThreadPoolExecutor(EMBEDDING_CALLS) as calls:
            try:
                for count in calls.map(embed, batches):
                    done += count
                    progress("embed", done, len(missing))
            except BaseException:
                calls.shutdown(wait=False, cancel_futures=True)
                raise
        return _Embedded(done, self._editions.dimension(embedder.name), tuple(sorted(shortened)))


@dataclass(frozen=True, slots=True)
class _Embedded:
    """Count the embedded chunks, with the vectors' length and the places of shortened chunks."""

    count: int
    dimension: int | None
    shortened: tuple[str, ...]


def _place(chunk: Chunk) -> str:
    return f"{chunk.path}: {' > '.join(chunk.heading_path)}"


def points_of(editions: EditionStore, facts: EditionFacts) -> Iterator[IndexPoint]:
    """Yield an edition's points from its rows; all at once would fill the memory of a small host."""
    for stored in editions.stored_chunks(facts):
        yield point_of(stored.chunk, stored.parts, stored.sparse, stored.dense)


def _report(
    book: Book, facts: EditionFacts, ids: set[str], known: set[str], *, embedded: int
) -> IngestReport:
    return IngestReport(
        edition=facts.name,
        title=facts.title,
        pages=len(book.pages),
        sections=facts.sections,
        chunks=facts.chunks,
        new=len(ids - known),
        unchanged=len(ids & known),
        removed=len(known - ids),
        embedded=embedded,
        skipped=book.skipped,
        published=True,
        seconds=0.0,
        book=summarise_book(book, language=facts.language, site_url=facts.site_url),
    )


def _draft(
    book: Book,
    chunks: Sequence[Chunk],
    indexed: IndexedChunks,
    slug: str,
    name: str | None,
    site_url: str,
    embedder: Embedder | None,
    dimension: int | None,
) -> EditionDraft:
    return EditionDraft(
        book=book,
        slug=slug,
        name=name,
        site_url=site_url,
        language=indexed.language,
        average_terms=indexed.average_terms,
        embedder=embedder.name if embedder else None,
        dimension=dimension,
        vocabulary=indexed.words,
        chunks=chunks,
        sparse=indexed.sparse,
    )
