"""Test editions in the database, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import itertools
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.core.domain import Book, Chunk, EditionFacts
from ragbot.core.errors import DatabaseUnavailable, EditionInUse, EditionNotFound
from ragbot.index.indexer import index_chunks
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.edition_queries import delete_unshared_vectors
from ragbot.storage.edition_rows import EditionDraft, sha_of
from ragbot.storage.editions import EditionStore
from tests.conftest import THREE_CHAPTERS
from tests.fakes.parts import WordCountEmbedder

EMBEDDER = WordCountEmbedder()
TABLES = ("editions", "publications", "pages", "sections", "chunks", "vectors")


@pytest.fixture
def editions(database: Database) -> EditionStore:
    return EditionStore(database)


@pytest.fixture(scope="module")
def book() -> Book:
    return load_book(THREE_CHAPTERS)


def draft_of(book: Book, name: str | None = "first", *, embedder: str | None = None) -> EditionDraft:
    chunks = chunk_book(book)
    indexed = index_chunks(chunks)
    return EditionDraft(
        book=book,
        name=name,
        site_url="https://book.test/",
        language=indexed.language,
        average_terms=indexed.average_terms,
        embedder=embedder,
        dimension=EMBEDDER.places if embedder else None,
        vocabulary=indexed.words,
        chunks=chunks,
        sparse=indexed.sparse,
    )


def rewritten(book: Book, old: str, new: str) -> Book:
    """Return the book with some words of the same length in place of others."""
    assert len(old) == len(new)
    return replace(
        book, pages=tuple(replace(page, source=page.source.replace(old, new)) for page in book.pages)
    )


def keep_vectors_of(editions: EditionStore, chunks: list[Chunk] | tuple[Chunk, ...]) -> None:
    texts = [chunk.search_text for chunk in chunks]
    by_sha = dict(zip(map(sha_of, texts), EMBEDDER.embed(texts).vectors, strict=True))
    editions.store_vectors(EMBEDDER.name, by_sha)


def rows(engine: Engine) -> dict[str, int]:
    """Return how many rows each table of editions has."""
    with engine.connect() as connection:
        return {table: connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in TABLES}


# --- what is written is what is read -----------------------------------------------------------


def test_edition_is_read_as_it_was_written(editions: EditionStore, book: Book) -> None:
    """The index is built from these rows alone, so a lost letter is a wrong quote."""
    draft = draft_of(book, embedder=EMBEDDER.name)
    keep_vectors_of(editions, draft.chunks)

    facts = editions.add_edition(draft)

    stored = list(editions.stored_chunks(facts))
    assert [one.chunk for one in stored] == list(draft.chunks)
    assert [one.sparse.indices for one in stored] == [list(sparse.indices) for sparse in draft.sparse]
    for one, sparse in zip(stored, draft.sparse, strict=True):
        assert one.sparse.values == pytest.approx(sparse.values)
        assert one.dense == pytest.approx(EMBEDDER.embed([one.chunk.search_text]).vectors[0])
    assert editions.vocabulary(facts) == dict(draft.vocabulary)
    assert editions.chunk_ids(facts) == {chunk.id for chunk in draft.chunks}
    assert (facts.chunks, facts.sections) == (len(draft.chunks), 8)


def test_chunks_are_read_one_page_at_a_time(editions: EditionStore, tmp_path: Path) -> None:
    """The sources of a book of 50,000 chunks take 70 MB, while its index is built."""
    for page in range(40):
        sections = (f"## Part {number}\n\n{'Lanterns need oil. ' * 60}\n" for number in range(40))
        (tmp_path / f"page-{page:02}.md").write_text("\n".join([f"# Page {page}\n", *sections]))
    book = load_book(tmp_path)
    facts = editions.add_edition(draft_of(book))
    chunks = sum(1 for _ in editions.stored_chunks(facts))

    tracemalloc.start()
    read = sum(1 for _ in editions.stored_chunks(facts))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert read == chunks >= 1600
    assert peak < sum(len(page.source) for page in book.pages) / 2


def test_parts_of_a_table_are_read_with_its_head(editions: EditionStore, tmp_path: Path) -> None:
    """The head is no part of their text."""
    rows = "".join(f"| R{n} | {'word ' * 30}|\n" for n in range(30))
    (tmp_path / "roles.md").write_text(f"# Roles\n\n| Role | Use |\n|---|---|\n{rows}")
    draft = draft_of(load_book(tmp_path))

    facts = editions.add_edition(draft)

    stored = [one.chunk for one in editions.stored_chunks(facts)]
    assert stored == list(draft.chunks)
    assert [chunk.table_head for chunk in stored[1:]] == ["| Role | Use |"] * (len(stored) - 1)


def test_parts_of_a_listing_are_read_with_its_fence(editions: EditionStore, tmp_path: Path) -> None:
    """It tells that they are code."""
    code = "".join(f"# Step {n}\nrun({'word ' * 30})\n\n" for n in range(30))
    (tmp_path / "steps.md").write_text(f"# Steps\n\nFirst.\n\n## Run\n\n```py\n{code}```\n")
    draft = draft_of(load_book(tmp_path))

    facts = editions.add_edition(draft)

    stored = [one.chunk for one in editions.stored_chunks(facts)]
    assert stored == list(draft.chunks)
    assert [chunk.code_fence for chunk in stored].count("```py") > 1


def test_pages_are_read_in_the_order_of_the_book_with_their_anchors(
    editions: EditionStore, book: Book
) -> None:
    """Links of an evaluation are checked against them."""
    facts = editions.add_edition(draft_of(book))

    pages = editions.pages(facts)

    assert [page.path for page in pages] == ["01-bread.md", "02-cheese.md", "03-tea.md"]
    assert [page.source for page in pages] == [page.source for page in book.pages]
    assert {"sourdough", "tools"} <= pages[0].anchors


def test_outline_names_the_pages_and_what_they_stand_under(editions: EditionStore, book: Book) -> None:
    """A table of contents is made of it, without reading the book."""
    under = replace(book, pages=tuple(replace(page, parts=("Kitchen",)) for page in book.pages))
    facts = editions.add_edition(draft_of(under))

    outline = editions.outline(facts)

    assert [(page.path, page.title, page.address, page.parts) for page in outline] == [
        ("01-bread.md", "Bread", "01-bread.md", ("Kitchen",)),
        ("02-cheese.md", "Cheese", "02-cheese.md", ("Kitchen",)),
        ("03-tea.md", "Tea", "03-tea.md", ("Kitchen",)),
    ]


def test_first_chunks_are_those_of_each_page_in_the_order_asked_for(
    editions: EditionStore, book: Book
) -> None:
    """A summary begins with how pages begin; a page that is gone is passed over."""
    draft = draft_of(book)
    facts = editions.add_edition(draft)

    found = editions.first_chunks(facts, ["03-tea.md", "gone.md", "01-bread.md"], each=1)

    assert found == [
        next(chunk for chunk in draft.chunks if chunk.path == path) for path in ("03-tea.md", "01-bread.md")
    ]


def test_page_source_is_that_of_its_edition(editions: EditionStore, book: Book) -> None:
    """Where a page has changed, a fragment for the old one would find nothing on it."""
    first = editions.add_edition(draft_of(book))
    second = editions.add_edition(draft_of(rewritten(book, "cheddar", "gruyere"), "second"))

    assert editions.page_source(first, "02-cheese.md") == book.pages[1].source
    assert "gruyere" in editions.page_source(second, "02-cheese.md")
    assert editions.page_source(first, "gone.md") == ""


def test_letters_of_every_script_come_back(editions: EditionStore, tmp_path: Path) -> None:
    """A book in Urdu, with an emoji and a line end of Unicode, is a book as well."""
    source = "# ہیومنائیڈ\n\nروبوٹ 🤖 naïve ﬁn\u0301 \u2028 end\n"
    (tmp_path / "book.md").write_bytes(source.encode())
    facts = editions.add_edition(draft_of(load_book(tmp_path / "book.md")))

    assert [page.source for page in editions.pages(facts)] == [source]
    assert all(one.chunk.text in source for one in editions.stored_chunks(facts))


def test_edition_without_embedder_has_no_vectors_though_some_are_kept(
    editions: EditionStore, book: Book
) -> None:
    """Vectors of an earlier edition must not slip into one that was made without."""
    draft = draft_of(book)
    keep_vectors_of(editions, draft.chunks)

    facts = editions.add_edition(draft)

    assert [one.dense for one in editions.stored_chunks(facts)] == [None] * 3


def test_no_connection_is_held_between_two_pages(database_url: str, book: Book) -> None:
    """An index is built while readers are answered, and may wait for a server at each batch."""
    engine = create_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0.2)
    make_sqlite_safe(engine, 5)
    editions = EditionStore(Database(engine))
    facts = editions.add_edition(draft_of(book))

    chunks = editions.stored_chunks(facts)
    next(chunks)
    others = editions.editions()

    assert len(others) == 1
    assert len(list(chunks)) == 2
    engine.dispose()


# --- names and contents ------------------------------------------------------------------------


def test_same_content_under_the_same_name_is_the_same_edition(editions: EditionStore, book: Book) -> None:
    """Twice is the same as once."""
    first = editions.add_edition(draft_of(book))

    assert editions.add_edition(draft_of(book)) == first
    assert len(editions.editions()) == 1


def test_nameless_edition_is_called_after_its_content(editions: EditionStore, book: Book) -> None:
    """Two machines call the same book by the same name."""
    one = editions.add_edition(draft_of(book, None))
    again = editions.add_edition(draft_of(book, None))
    other = editions.add_edition(draft_of(rewritten(book, "Alice", "Carol"), None))

    assert one == again
    assert one.name != other.name
    assert len(one.name) == 12


def test_new_content_takes_over_the_name_and_the_old_edition_keeps_its_rows(
    editions: EditionStore, book: Book
) -> None:
    """`--edition latest` is used again and again, and the way back stays open."""
    old = editions.add_edition(draft_of(book))

    new = editions.add_edition(draft_of(rewritten(book, "Alice", "Carol")))

    renamed = next(row.facts for row in editions.editions() if row.facts.key == old.key)
    assert editions.edition("first") == new
    assert renamed.name.startswith("first~")
    assert "Alice" in "".join(one.chunk.text for one in editions.stored_chunks(renamed))
    assert "Carol" in "".join(one.chunk.text for one in editions.stored_chunks(new))


@pytest.mark.parametrize("change", ["site_url", "embedder", "source"])
def test_whatever_readers_would_notice_makes_another_edition(
    editions: EditionStore, book: Book, change: str
) -> None:
    """A new address or other vectors under an old key would leave every index as it was."""
    first = editions.add_edition(draft_of(book))
    changed = {
        "site_url": replace(draft_of(book), site_url="https://elsewhere.test/"),
        "embedder": draft_of(book, embedder=EMBEDDER.name),
        "source": draft_of(rewritten(book, "nine", "four")),
    }[change]

    assert editions.add_edition(changed).key != first.key


def test_longest_name_can_be_taken_over(editions: EditionStore, book: Book) -> None:
    """The old edition's new name has room for its mark, on PostgreSQL too, where length is law."""
    name = "n" * 100
    editions.add_edition(draft_of(book, name))

    editions.add_edition(draft_of(rewritten(book, "Alice", "Carol"), name))

    assert {len(row.facts.name) <= 100 for row in editions.editions()} == {True}


def test_same_book_taken_in_twice_at_once_is_one_edition(editions: EditionStore, book: Book) -> None:
    """Two containers that start together both run the ingestion."""
    draft = draft_of(book)
    together = threading.Barrier(4)

    def add(_: int) -> EditionFacts:
        together.wait(60)
        return editions.add_edition(draft)

    with ThreadPoolExecutor(4) as threads:
        added = list(threads.map(add, range(4)))

    assert len(set(added)) == 1
    assert len(editions.editions()) == 1


def test_edition_that_is_not_there_is_said_so(editions: EditionStore) -> None:
    """The operator mistypes a name."""
    for call in (editions.edition, editions.publish, editions.remove):
        with pytest.raises(EditionNotFound, match="'nothing'"):
            call("nothing")


# --- which one is published --------------------------------------------------------------------


def test_nothing_is_published_at_first(editions: EditionStore, book: Book) -> None:
    """An edition that is recorded is not yet for readers."""
    editions.add_edition(draft_of(book))

    assert editions.published() is None
    assert [row.published for row in editions.editions()] == [False]


def test_last_publication_counts_also_on_the_way_back(editions: EditionStore, book: Book) -> None:
    """Going back is publishing again, not a special case."""
    editions.add_edition(draft_of(book, "first"))
    editions.add_edition(draft_of(book, "second"))

    published = [editions.publish(name).name for name in ("first", "second", "first")]

    assert published == ["first", "second", "first"]
    assert editions.published().name == "first"
    assert [(row.facts.name, row.published) for row in editions.editions()] == [
        ("second", False),
        ("first", True),
    ]


def test_published_twice_keeps_its_time(editions: EditionStore, engine: Engine, book: Book) -> None:
    """The health page tells since when readers have an edition."""
    editions.add_edition(draft_of(book))

    first, again = editions.publish("first"), editions.publish("first")

    assert first.published_at == again.published_at
    assert first.published_at.utcoffset().total_seconds() == 0
    assert rows(engine)["publications"] == 1


def test_vocabulary_is_read_by_who_asks_for_it_alone(
    editions: EditionStore, engine: Engine, book: Book
) -> None:
    """Each worker asks once a second which editions are published, and the vocabularies fill megabytes."""
    read: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: read.append(given[2]))
    facts = editions.add_edition(draft_of(book))
    editions.publish("first")
    editions.add_edition(draft_of(book))
    editions.edition("first")
    editions.editions()
    editions.published()
    editions.published_of_each()

    selects = [statement for statement in read if statement.startswith("SELECT")]

    assert len(selects) > 6
    assert [statement for statement in selects if "vocabulary" in statement] == []
    assert editions.vocabulary(facts)["cheddar"] > 0


# --- vectors -----------------------------------------------------------------------------------


def test_vector_is_missing_until_it_is_kept_for_its_own_embedder(editions: EditionStore) -> None:
    """A vector of another model in the same place makes every search wrong."""
    editions.store_vectors("one", {"a": [0.6, 0.8]})

    assert editions.missing_vectors("one", ["a", "b", "a"]) == {"b"}
    assert editions.missing_vectors("other", ["a"]) == {"a"}
    assert editions.missing_vectors("one", []) == set()


def test_vector_that_is_kept_stays_as_it_is(editions: EditionStore, book: Book) -> None:
    """Two runs that embed the same text at once must not fail each other."""
    draft = draft_of(book, embedder="one")
    shas = [sha_of(chunk.search_text) for chunk in draft.chunks]
    editions.store_vectors("one", {sha: [0.6, 0.8] for sha in shas})

    editions.store_vectors("one", {sha: [1.0, 0.0] for sha in shas})

    stored = editions.stored_chunks(editions.add_edition(draft))
    assert [one.dense for one in stored] == [pytest.approx([0.6, 0.8])] * 3


def test_vector_of_an_older_version_is_missing_until_it_has_its_sentences(editions: EditionStore) -> None:
    """The next ingestion computes them; until then the book is found by its words and its chunks' vectors."""
    texts = {sha_of(text): text for text in ("One. Two.", "Three.")}
    editions.store_vectors("one", {sha: [0.6, 0.8] for sha in texts})
    before = editions.missing_vectors("one", texts, sentences=True), editions.missing_vectors("one", texts)

    first, second = texts
    editions.store_vectors("one", {first: [0.6, 0.8]}, {first: b"two vectors"})

    assert before == ({first, second}, set())
    assert editions.missing_vectors("one", texts, sentences=True) == {second}
    assert editions.sentence_vectors("one", ["One. Two.", "Three.", "Four."]) == {"One. Two.": b"two vectors"}
    assert editions.sentence_vectors("other", ["One. Two."]) == {}


def test_dimension_is_that_of_the_embedders_vectors(editions: EditionStore) -> None:
    """The index must be shaped before its first point."""
    editions.store_vectors("one", {"a": [0.6, 0.8]})

    assert editions.dimension("one") == 2
    assert editions.dimension("other") is None


def test_thousands_of_vectors_are_more_than_one_statement_takes(editions: EditionStore) -> None:
    """SQLite takes 32,766 bound values and PostgreSQL 65,535; a long book has more."""
    shas = [f"{number:064d}" for number in range(40_000)]

    assert len(editions.missing_vectors("one", shas)) == 40_000


# --- removal -----------------------------------------------------------------------------------


def test_removed_edition_leaves_no_row_behind(editions: EditionStore, engine: Engine, book: Book) -> None:
    """What an operator removes for a reason must be gone, its vectors too."""
    draft = draft_of(book, embedder=EMBEDDER.name)
    keep_vectors_of(editions, draft.chunks)
    editions.add_edition(draft)

    editions.remove("first")

    assert rows(engine) == dict.fromkeys(TABLES, 0)


def test_edition_that_was_published_once_can_be_removed(
    editions: EditionStore, engine: Engine, book: Book
) -> None:
    """Its publications are history that goes with it, but for the book's first one."""
    for name in ("first", "second", "third"):
        editions.add_edition(draft_of(book, name))
        published = editions.publish(name)

    editions.remove("first")
    editions.remove("second")

    assert editions.published() == published
    assert editions.once_published() == ["third"]
    assert rows(engine)["publications"] == 2


def test_book_that_was_published_first_stays_the_first(editions: EditionStore, book: Book) -> None:
    """Without a book called default it is the default one, however often it changes."""
    for slug, names in (("first", ["v1"]), ("second", ["v1"]), ("first", ["v2", "v3", "v4"])):
        for name in names:
            editions.add_edition(replace(draft_of(book, name), slug=slug))
            editions.publish(name, slug)

    for name in ("v1", "v3", "v2"):
        editions.remove(name, "first")

    assert list(editions.published_of_each()) == ["first", "second"]
    assert editions.published("first").name == "v4"


def test_published_edition_is_not_removed(editions: EditionStore, book: Book) -> None:
    """Readers would be without a book."""
    facts = editions.add_edition(draft_of(book))
    editions.publish("first")

    with pytest.raises(EditionInUse, match="publish another"):
        editions.remove("first")

    assert len(list(editions.stored_chunks(facts))) == 3


def test_vectors_that_another_edition_needs_stay(editions: EditionStore, book: Book) -> None:
    """Unchanged chapters share them, and a lost index is rebuilt without asking the embedder."""
    first = draft_of(book, "first", embedder=EMBEDDER.name)
    second = draft_of(rewritten(book, "Alice", "Carol"), "second", embedder=EMBEDDER.name)
    keep_vectors_of(editions, (*first.chunks, *second.chunks))
    editions.add_edition(first)
    kept = editions.add_edition(second)

    editions.remove("first")

    assert all(one.dense for one in editions.stored_chunks(kept))


def test_vectors_are_deleted_in_one_pass_over_the_chunks_of_others(engine: Engine) -> None:
    """On PostgreSQL it took minutes to hours where the other editions have 90,000 chunks together."""
    if engine.dialect.name != "postgresql":
        pytest.skip("another plan")
    statement = str(delete_unshared_vectors(1).compile(engine, compile_kwargs={"literal_binds": True}))

    with engine.connect() as connection:
        plan = "\n".join(connection.scalars(text(f"EXPLAIN {statement}")))

    assert "Anti Join" in plan
    assert "SubPlan" not in plan


def test_vectors_of_a_run_that_is_under_way_stay(editions: EditionStore, book: Book) -> None:
    """Removing an old edition once threw away what a killed ingestion had paid for."""
    editions.add_edition(draft_of(book, "old"))
    editions.store_vectors("one", {"f" * 64: [1.0]})

    editions.remove("old")

    assert editions.missing_vectors("one", ["f" * 64]) == set()


# --- trouble -----------------------------------------------------------------------------------


def test_edition_that_cannot_be_written_whole_is_not_written(
    editions: EditionStore, engine: Engine, book: Book
) -> None:
    """Half an edition under a whole one's name would be served by the next run."""
    draft = draft_of(book)
    one_too_few = replace(draft, sparse=draft.sparse[:-1])

    with pytest.raises(ValueError, match="shorter"):
        editions.add_edition(one_too_few)

    assert rows(engine) == dict.fromkeys(TABLES, 0)


def test_ping_returns_where_the_tables_are(editions: EditionStore) -> None:
    """The health page asks it."""
    editions.ping()


def test_database_without_tables_is_our_own_error_that_says_what_to_do(empty_database_url: str) -> None:
    """The operator forgot `flask db upgrade`; on PostgreSQL it is another class of exception."""
    engine = create_engine(empty_database_url)
    editions = EditionStore(Database(engine))

    for call in (editions.ping, editions.published, editions.editions):
        with pytest.raises(DatabaseUnavailable, match="flask db upgrade"):
            call()

    engine.dispose()


def test_database_that_refuses_connections_is_our_own_error() -> None:
    """Every reader gets a 503 that says when to come back."""
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        engine = create_engine(f"postgresql+psycopg2://u:secret@127.0.0.1:{port}/db")

        with pytest.raises(DatabaseUnavailable) as raised:
            EditionStore(Database(engine)).ping()

    assert "secret" not in str(raised.value)


def test_file_that_is_no_database_is_our_own_error(tmp_path: Path) -> None:
    """DATABASE_URL points to the wrong file."""
    (tmp_path / "notes.db").write_text("Dear diary, " * 200)
    engine = create_engine(f"sqlite:///{tmp_path / 'notes.db'}")
    make_sqlite_safe(engine, 1)

    with pytest.raises(DatabaseUnavailable):
        EditionStore(Database(engine)).ping()

    engine.dispose()


def test_empty_pool_is_our_own_error(database_url: str) -> None:
    """A burst must be told to come back, not shown a stack trace."""
    engine = create_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    make_sqlite_safe(engine, 1)

    with engine.connect(), pytest.raises(DatabaseUnavailable):
        EditionStore(Database(engine)).ping()

    engine.dispose()


@pytest.fixture
def sqlite_file(migrated_database: Path, tmp_path: Path) -> Iterator[Engine]:
    """Yield an SQLite database whose lock is waited for 0.2 s."""
    engine = create_engine(f"sqlite:///{tmp_path / 'ragbot.db'}")
    (tmp_path / "ragbot.db").write_bytes(migrated_database.read_bytes())
    make_sqlite_safe(engine, 0.2)
    yield engine
    engine.dispose()


def test_sqlite_lock_that_is_held_too_long_is_our_own_error(sqlite_file: Engine, book: Book) -> None:
    """Another process that writes for minutes must not make readers wait for minutes."""
    editions = EditionStore(Database(sqlite_file))
    started = time.monotonic()

    with Database(sqlite_file).writing(), pytest.raises(DatabaseUnavailable):
        editions.add_edition(draft_of(book))

    assert time.monotonic() - started < 3


def test_sqlite_is_read_while_it_is_written(sqlite_file: Engine, book: Book) -> None:
    """A book is taken in while readers are answered."""
    editions = EditionStore(Database(sqlite_file))
    editions.add_edition(draft_of(book))

    with Database(sqlite_file).writing():
        assert editions.edition("first").chunks == 3


def test_sqlite_keeps_every_commit_and_its_foreign_keys(sqlite_file: Engine) -> None:
    """NORMAL loses commits over a power cut, and without the keys nothing is deleted with its owner."""
    names = ("journal_mode", "synchronous", "foreign_keys")
    with sqlite_file.connect() as connection:
        settings = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_editions_are_listed_newest_first_with_their_figures(editions: EditionStore, book: Book) -> None:
    """`flask book list` shows nothing else."""
    names = ["one", "two", "three"]
    for name in names:
        editions.add_edition(draft_of(book, name))

    listed = editions.editions()

    assert [row.facts.name for row in listed] == names[::-1]
    assert {row.pages for row in listed} == {3}
    assert all(a.created_at >= b.created_at for a, b in itertools.pairwise(listed))
    assert {row.created_at.utcoffset().total_seconds() for row in listed} == {0}
