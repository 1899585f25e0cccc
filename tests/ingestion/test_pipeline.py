"""Test ingestion: published in one step, beside what readers have, and repeatable after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from flask_openapi import OpenAPI
from structlog.testing import capture_logs

from ragbot.books.read_options import ReadOptions
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, IndexPoint, Passage, SearchRequest
from ragbot.core.errors import (
    BookError,
    EditionInUse,
    EditionNotFound,
    ProviderUnavailable,
    SearchUnavailable,
)
from ragbot.core.ports import EmbeddingResult
from ragbot.index.qdrant_server import QdrantServerStore, open_client
from ragbot.ingestion.pipeline import IngestionPipeline, points_of
from ragbot.storage.editions import EditionStore
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.memory_store import MemoryStore
from tests.fakes.parts import WordCountEmbedder
from tests.fakes.qdrant_server import QdrantServer
from tests.ingestion.app_state import CHEDDAR, answer, names, published


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Return the three-chapter book, to be rewritten."""
    return Path(shutil.copytree(THREE_CHAPTERS, tmp_path / "book"))


@pytest.fixture
def one_text_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the three chunks is embedded and committed by itself, in turn."""
    monkeypatch.setattr("ragbot.ingestion.pipeline.EMBEDDING_BATCH", 1)
    monkeypatch.setattr("ragbot.ingestion.pipeline.EMBEDDING_CALLS", 1)


class BreakingEmbedder(WordCountEmbedder):
    """Embeds so many texts and then raises."""

    def __init__(self, *, after: int, error: BaseException) -> None:
        super().__init__()
        self.after = after
        self.error: BaseException | None = error

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        if self.error and len(self.texts) >= self.after:
            raise self.error
        return super().embed(texts, deadline)


def rewrite(book: Path, chapter: str, old: str, new: str) -> None:
    text = (book / chapter).read_text()
    assert old in text
    (book / chapter).write_text(text.replace(old, new))


# --- a new edition -----------------------------------------------------------------------------


def test_new_edition_answers_and_the_old_one_stays_beside_it(make_app: AppMaker, book: Path) -> None:
    """A reader of an old printing asks for it by its name."""
    app = make_app()
    ingestion = services_of(app).ingestion
    ingestion.ingest_book(book, edition="first")
    rewrite(book, "02-cheese.md", "nine months", "four months")

    report = ingestion.ingest_book(book, edition="second")

    assert (report.edition, published(app), names(app)) == ("second", "second", ["second", "first"])
    assert "four months" in str(answer(app)["answer"])
    assert "nine months" in str(answer(app, book_version="first")["answer"])
    assert answer(app, book_version="first")["book_version"] == "first"


def test_edition_that_is_not_there_is_not_answered_from(make_app: AppMaker, book: Path) -> None:
    """A wrong name must not quietly become the published edition."""
    app = make_app()
    services_of(app).ingestion.ingest_book(book, edition="first")

    reply = app.test_client().post("/query", json={"query": CHEDDAR, "book_version": "second"})

    assert (reply.status_code, reply.json["code"]) == (404, "edition_not_found")


def test_same_book_twice_is_the_same_edition_and_embeds_nothing(make_app: AppMaker, book: Path) -> None:
    """It is run at each deployment, and each embedding is paid for."""
    embedder = WordCountEmbedder()
    app = make_app(embedder=embedder)
    ingestion = services_of(app).ingestion
    first = ingestion.ingest_book(book)
    embedder.texts.clear()

    again = ingestion.ingest_book(book)

    assert again.edition == first.edition
    assert (again.new, again.unchanged, again.removed, again.embedded) == (0, 3, 0, 0)
    assert embedder.texts == []
    assert names(app) == [first.edition]


def test_book_on_language_processing_is_taken_in_and_answers(make_app: AppMaker, book: Path) -> None:
    """A word that is an ending alone has no form but its own."""
    app = make_app()
    (book / "04-tokens.md").write_text("# Tokens\n\nThe tokenizer splits *don't* into `do` and `n't`.\n")

    services_of(app).ingestion.ingest_book(book)

    assert "splits" in str(answer(app, "Why does the tokenizer make n't of don't?")["answer"])


def test_notebook_that_printed_bytes_is_taken_in(make_app: AppMaker, tmp_path: Path) -> None:
    """PostgreSQL refuses NUL characters, and SQLite cuts a text at one."""
    cells = [
        {"cell_type": "markdown", "source": "# Cheddar\n\nThe cheddar is ripened for nine months."},
        {
            "cell_type": "code",
            "source": "raw()",
            "outputs": [{"output_type": "stream", "text": "\0months\ud83d"}],
        },
    ]
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "_toc.yml").write_text("format: jb-book\nroot: cheddar\n")
    (tmp_path / "book" / "cheddar.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    app = make_app()

    services_of(app).ingestion.ingest_book(tmp_path / "book")

    assert "nine months" in str(answer(app)["answer"])
    (section,) = services_of(app).editions.sections(services_of(app).published.current())
    assert "months?" in section.text


def test_changed_chapter_is_all_that_is_embedded(make_app: AppMaker, book: Path) -> None:
    """A corrected letter must not cost the price of a book."""
    embedder = WordCountEmbedder()
    ingestion = services_of(make_app(embedder=embedder)).ingestion
    ingestion.ingest_book(book)
    embedder.texts.clear()
    rewrite(book, "02-cheese.md", "nine months", "four months")

    report = ingestion.ingest_book(book)

    assert (report.new, report.unchanged, report.removed, report.embedded) == (1, 2, 1, 1)
    assert len(embedder.texts) == 1
    assert "four months" in embedder.texts[0]


def test_book_of_an_older_version_gets_the_vectors_of_its_sentences(make_app: AppMaker, book: Path) -> None:
    """They are made once, by the next ingestion; the edition stays the same."""

    class Sentences(WordCountEmbedder):
        """Give sentences with the same vectors."""

        gives_sentences = True

        def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
            vectors = super().embed(texts, deadline).vectors
            return EmbeddingResult(vectors, sentences=tuple(text.encode() for text in texts))

    older = services_of(make_app(embedder=WordCountEmbedder())).ingestion.ingest_book(book)
    services = services_of(make_app(embedder=Sentences()))

    again, third = services.ingestion.ingest_book(book), services.ingestion.ingest_book(book)

    assert (again.edition, third.edition) == (older.edition, older.edition)
    assert (again.embedded, third.embedded) == (3, 0)
    edition = services.editions.edition(third.edition)
    texts = [stored.chunk.search_text for stored in services.editions.stored_chunks(edition)]
    name = WordCountEmbedder.name
    assert services.editions.sentence_vectors(name, texts) == {text: text.encode() for text in texts}


def test_chunk_that_is_too_long_for_the_embedder_is_named(make_app: AppMaker, book: Path) -> None:
    """The author can cut it; the rest of the book is not held up."""

    class ShortSightedEmbedder(WordCountEmbedder):
        def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
            long = tuple(place for place, text in enumerate(texts) if "nine months" in text)
            return replace(super().embed(texts, deadline), shortened=long)

    report = services_of(make_app(embedder=ShortSightedEmbedder())).ingestion.ingest_book(book)

    assert report.published
    (place,) = report.shortened
    assert place.startswith("02-cheese.md: ")


def test_removed_chapter_is_not_found_any_more(make_app: AppMaker, book: Path) -> None:
    """What an author takes back must not be quoted."""
    app = make_app()
    services_of(app).ingestion.ingest_book(book)
    (book / "02-cheese.md").unlink()

    report = services_of(app).ingestion.ingest_book(book)

    reply = answer(app)
    assert (report.pages, report.removed) == (2, 1)
    assert reply["status"] == "refused"
    assert [source["path"] for source in reply["sources"] if "cheese" in source["path"]] == []


def test_new_content_under_the_same_name_takes_its_place(make_app: AppMaker, book: Path) -> None:
    """Some operators call every edition `latest`; the one before stays for the way back."""
    app = make_app()
    ingestion = services_of(app).ingestion
    ingestion.ingest_book(book, edition="latest")
    rewrite(book, "02-cheese.md", "nine months", "four months")

    ingestion.ingest_book(book, edition="latest")

    before = names(app)[1]
    assert names(app)[0] == published(app) == "latest"
    assert before.startswith("latest~")
    assert "four months" in str(answer(app)["answer"])
    assert "nine months" in str(answer(app, book_version=before)["answer"])


def test_edition_on_a_qdrant_server_is_behind_the_alias(make_app: AppMaker, book: Path) -> None:
    """The same way leads to either kind of index."""
    with QdrantServer(validate=True) as server:
        client = open_client(server.url, None, 5)
        shelves: list[EditionStore] = []
        store = QdrantServerStore(lambda: client, "book", lambda facts: points_of(shelves[0], facts))
        app = make_app(store=store, embedder=WordCountEmbedder())
        shelves.append(services_of(app).editions)

        services_of(app).ingestion.ingest_book(book)

        (alias,) = server.local.get_aliases().aliases
        assert server.local.count(alias.collection_name).count == 3
        assert "nine months" in str(answer(app)["answer"])
        client.close()


# --- what cannot be taken in -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "nothing at"),
        (lambda folder: folder.mkdir(), "holds no pages"),
        (lambda folder: write(folder, b"PNG\x00\x00"), "could be read"),
        (lambda folder: write(folder, b"---\ntitle: Empty\n---\n"), "no text"),
    ],
    ids=["nothing there", "empty folder", "nothing readable", "no text"],
)
def test_folder_without_a_book_is_refused_and_readers_keep_theirs(
    make_app: AppMaker, book: Path, tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    """A mistyped path must not publish nothing."""
    app = make_app()
    services_of(app).ingestion.ingest_book(book, edition="first")
    make(tmp_path / "other")

    with pytest.raises(BookError, match=said):
        services_of(app).ingestion.ingest_book(tmp_path / "other", edition="second")

    assert names(app) == ["first"]
    assert "nine months" in str(answer(app)["answer"])


def write(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "page.md").write_bytes(content)


def test_file_that_cannot_be_read_is_skipped_and_named(make_app: AppMaker, book: Path) -> None:
    """One bad file must not keep a book from its readers."""
    (book / "04-broken.md").write_bytes(b"# Broken\n\n\x00\x01\n")

    report = services_of(make_app()).ingestion.ingest_book(book)

    assert report.pages == 3
    assert [file.path for file in report.skipped] == ["04-broken.md"]


def test_with_strict_a_skipped_file_is_an_error_and_nothing_is_kept(make_app: AppMaker, book: Path) -> None:
    """In a pipeline nobody reads the report."""
    app = make_app()
    (book / "04-broken.md").write_bytes(b"# Broken\n\n\x00\x01\n")

    with pytest.raises(BookError, match="04-broken"):
        services_of(app).ingestion.ingest_book(book, strict=True)

    assert names(app) == []


@pytest.mark.parametrize("text", ["# How to\n\nWhat is this, and why?\n", "# !!!\n\n--> ??? <--\n"])
def test_page_without_a_word_of_matter_does_not_keep_a_book_out(
    make_app: AppMaker, book: Path, text: str
) -> None:
    """It cannot be found by its own words, and that was once taken for a broken index."""
    app = make_app()
    (book / "00-first.md").write_text(text)

    services_of(app).ingestion.ingest_book(book)

    assert "nine months" in str(answer(app)["answer"])


def test_many_pages_that_are_alike_do_not_keep_a_book_out(make_app: AppMaker, tmp_path: Path) -> None:
    """Every chapter ends with the same exercise, and which of them is found first is chance."""
    words = [f"{a}{b}ing" for a in ("walk", "read", "bak", "stir", "fold", "knead") for b in "bcdfgm"]
    book = tmp_path / "book"
    book.mkdir()
    for number, name in enumerate(("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")):
        for part in ("red", "green", "blue"):
            text = f"# {name} {part}\n\n{' '.join(words * 2)}.\n"
            (book / f"{number}-{part}.md").write_text(text)

    report = services_of(make_app()).ingestion.ingest_book(book)

    assert (report.pages, report.published) == (24, True)


class LeakyStore(MemoryStore):
    """Loses the last point of each edition but the first one that it is given."""

    def build(self, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
        whole = list(points)
        super().build(edition, whole if edition.name == "first" else whole[:-1])


def test_index_that_is_not_whole_is_not_published(make_app: AppMaker, book: Path) -> None:
    """A hole in an index is seen by nobody until a reader misses it."""
    app = make_app(store=LeakyStore(lambda _: []))
    services_of(app).ingestion.ingest_book(book, edition="first")
    rewrite(book, "02-cheese.md", "nine months", "four months")

    with pytest.raises(SearchUnavailable, match="2 of 3"):
        services_of(app).ingestion.ingest_book(book, edition="second")

    assert published(app) == "first"
    assert "nine months" in str(answer(app)["answer"])


class UnpublishableStore(MemoryStore):
    """Cannot mark any edition but the first."""

    def publish(self, key: str) -> None:
        if self.published is not None:
            raise SearchUnavailable("The alias cannot be moved now.")
        super().publish(key)


def test_edition_whose_index_cannot_be_published_is_not_published(make_app: AppMaker, book: Path) -> None:
    """The command says that it failed, so readers must have what they had."""
    app = make_app(store=UnpublishableStore(lambda _: []))
    services_of(app).ingestion.ingest_book(book, edition="first")
    rewrite(book, "02-cheese.md", "nine months", "four months")

    with pytest.raises(SearchUnavailable):
        services_of(app).ingestion.ingest_book(book, edition="second")

    assert published(app) == "first"


# --- killed in the middle ----------------------------------------------------------------------


@pytest.mark.usefixtures("one_text_a_call")
@pytest.mark.parametrize("error", [ProviderUnavailable("The provider is down."), KeyboardInterrupt()])
def test_run_that_breaks_off_is_gone_on_with(make_app: AppMaker, book: Path, error: BaseException) -> None:
    """What was embedded was paid for; and readers notice nothing."""
    app = make_app()
    services_of(app).ingestion.ingest_book(book, edition="first")
    embedder = BreakingEmbedder(after=2, error=error)
    other = make_app(embedder=embedder)
    rewrite(book, "02-cheese.md", "nine months", "four months")

    with pytest.raises(type(error)):
        services_of(other).ingestion.ingest_book(book, edition="second")
    names_after, answer_after = names(app), answer(app)
    embedder.error = None
    report = services_of(other).ingestion.ingest_book(book, edition="second")

    assert names_after == ["first"]
    assert "nine months" in str(answer_after["answer"])
    assert report.embedded == 1
    assert len(embedder.texts) == len(set(embedder.texts)) == 3
    assert "four months" in str(answer(other)["answer"])


class InterferingEmbedder(WordCountEmbedder):
    """Does something else while it embeds."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().embed(texts, deadline)


def test_edition_that_is_removed_meanwhile_takes_no_vector_of_the_new_one_with_it(
    make_app: AppMaker, book: Path, tmp_path: Path
) -> None:
    """The new edition once had points without a vector, and nobody could see it."""
    embedder = InterferingEmbedder()
    app = make_app(embedder=embedder)
    services = services_of(app)
    services.ingestion.ingest_book(book, edition="old")
    services.ingestion.ingest_book(
        THREE_CHAPTERS / "03-tea.md", edition="tea", options=ReadOptions(force=True)
    )
    rewrite(book, "02-cheese.md", "nine months", "four months")
    embedder.meanwhile = lambda: services.ingestion.remove("old")

    services.ingestion.ingest_book(book, edition="new")

    stored = list(services.editions.stored_chunks(services.editions.edition("new")))
    assert names(app) == ["new", "tea"]
    assert [one.chunk.title for one in stored if one.dense is None] == []


# --- the way back, and removal -----------------------------------------------------------------


def test_way_back_is_one_step(make_app: AppMaker, book: Path) -> None:
    """A bad edition is noticed by readers, in minutes; nothing is embedded or read for the way back."""
    embedder = WordCountEmbedder()
    app = make_app(embedder=embedder)
    ingestion = services_of(app).ingestion
    ingestion.ingest_book(book, edition="first")
    rewrite(book, "02-cheese.md", "nine months", "four months")
    ingestion.ingest_book(book, edition="second")
    embedder.texts.clear()

    ingestion.publish("first")

    assert embedder.texts == []
    assert "nine months" in str(answer(app)["answer"])


def test_removed_edition_is_gone_and_the_published_one_is_not_removed(make_app: AppMaker, book: Path) -> None:
    """Readers would be without a book."""
    app = make_app()
    ingestion = services_of(app).ingestion
    ingestion.ingest_book(book, edition="first")
    rewrite(book, "02-cheese.md", "nine months", "four months")
    ingestion.ingest_book(book, edition="second")

    with pytest.raises(EditionInUse):
        ingestion.remove("second")
    ingestion.remove("first")

    assert names(app) == ["second"]
    with pytest.raises(EditionNotFound):
        ingestion.publish("first")
    reply = app.test_client().post("/query", json={"query": CHEDDAR, "book_version": "first"})
    assert reply.status_code == 404


def test_edition_is_not_removed_while_its_index_cannot_be(make_app: AppMaker, book: Path) -> None:
    """Its collection would stay on the server for ever, for nobody knows its name any more."""
    store = MemoryStore(lambda _: [])
    app = make_app(store=store)
    ingestion = services_of(app).ingestion
    ingestion.ingest_book(book, edition="first")
    rewrite(book, "02-cheese.md", "nine months", "four months")
    ingestion.ingest_book(book, edition="second")
    store.down = True

    with pytest.raises(SearchUnavailable):
        ingestion.remove("first")

    assert names(app) == ["second", "first"]


def test_lost_index_is_rebuilt_without_asking_the_embedder(make_app: AppMaker, book: Path) -> None:
    """The database is the one truth, and an index is disposable."""
    embedder = WordCountEmbedder()
    ingestion = services_of(make_app(embedder=embedder)).ingestion
    ingestion.ingest_book(book, edition="first")
    embedder.texts.clear()
    after_a_restart = make_app(embedder=embedder)
    services = services_of(after_a_restart)

    services.ingestion.rebuild_index(services.published.known())

    assert embedder.texts == []
    assert "nine months" in str(answer(after_a_restart)["answer"])


# --- another embedder --------------------------------------------------------------------------


class OtherEmbedder(WordCountEmbedder):
    """Vectors of another length, which mean something else."""

    name = "test/other"
    places = 16


class WatchingStore(MemoryStore):
    """Remembers the length of the vector that each search came with."""

    def __init__(self, load_points: Callable[[EditionFacts], list[IndexPoint]]) -> None:
        super().__init__(load_points)
        self.vector_lengths: list[int | None] = []

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        self.vector_lengths.append(len(request.dense) if request.dense else None)
        return super().search(edition, request, deadline)


@pytest.fixture
def store(make_app: AppMaker) -> WatchingStore:
    """Return a store that builds from the test's own database."""
    editions = services_of(make_app()).editions
    return WatchingStore(lambda facts: points_of(editions, facts))


@pytest.fixture
def app_with_other_embedder(make_app: AppMaker, store: WatchingStore, book: Path) -> OpenAPI:
    """Return an app whose embedder is not the one that the book was taken in with."""
    services_of(make_app(embedder=WordCountEmbedder())).ingestion.ingest_book(book, edition="first")
    return make_app(embedder=OtherEmbedder(), store=store)


def test_vectors_of_two_embedders_are_never_compared(
    app_with_other_embedder: OpenAPI, store: WatchingStore
) -> None:
    """It gives no error and no sense; the reader is answered by words alone, and told so."""
    with capture_logs() as lines:
        reply = answer(app_with_other_embedder)

    assert "nine months" in str(reply["answer"])
    assert reply["degraded"] == ["dense_search"]
    assert set(store.vector_lengths) == {None}
    (hint,) = [line for line in lines if line["event"] == "edition_has_other_embedder"]
    assert (hint["embedder"], hint["configured"]) == ("test/word-counts", "test/other")


def test_book_that_is_taken_in_again_has_the_new_vectors_alone(
    app_with_other_embedder: OpenAPI, book: Path
) -> None:
    """The old ones stay with the old edition, for the way back."""
    services = services_of(app_with_other_embedder)
    ingestion: IngestionPipeline = services.ingestion

    report = ingestion.ingest_book(book, edition="second")

    new = services.editions.edition("second")
    old = services.editions.edition("first")
    assert (report.embedded, new.embedder, new.dimension) == (3, "test/other", 16)
    assert {len(one.dense or []) for one in services.editions.stored_chunks(new)} == {16}
    assert {len(one.dense or []) for one in services.editions.stored_chunks(old)} == {64}
    assert answer(app_with_other_embedder)["degraded"] == []


class MuteEmbedder(WordCountEmbedder):
    """Has the name of the one that made the book's vectors, and must not be asked."""

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        raise AssertionError("The vectors are in the database.")


def test_lost_collection_is_built_again_without_a_call_to_the_embedder(make_app: AppMaker) -> None:
    """The database is the one truth; the index on the server is disposable."""
    with QdrantServer(validate=True) as server:
        settings = {"QDRANT_URL": server.url, "QDRANT_SHARDS": 1, "QDRANT_QUANTIZATION": "scalar"}
        first = make_app(settings, embedder=WordCountEmbedder())
        services_of(first).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        facts = services_of(first).editions.edition("first")
        name = f"ragbot_{facts.key}"
        before = server.local.retrieve(name, ids_in(server, name), with_vectors=True)
        server.local.delete_collection(name)

        result = (
            make_app(settings, embedder=MuteEmbedder()).test_cli_runner().invoke(args=["book", "reindex"])
        )

        after = server.local.retrieve(name, ids_in(server, name), with_vectors=True)
        aliases = {alias.alias_name: alias.collection_name for alias in server.local.get_aliases().aliases}

    assert (result.exit_code, result.stdout) == (0, "Rebuilt the index of first: 3 chunks.\n")
    assert after == before
    assert len(after) == 3
    assert aliases == {"ragbot": name}


def ids_in(server: QdrantServer, name: str) -> list[str]:
    records, _ = server.local.scroll(name, limit=100)
    return sorted(str(record.id) for record in records)


# --- the right book ----------------------------------------------------------------------------


def test_book_of_less_than_half_the_text_is_not_published(make_app: AppMaker, book: Path) -> None:
    """A wrong path once replaced a book of 76 pages by a README."""
    app = make_app()
    services = services_of(app)
    services.ingestion.ingest_book(book, edition="whole")
    (book / "01-bread.md").unlink()
    (book / "02-cheese.md").unlink()

    with pytest.raises(BookError, match=r"less than half of the published edition whole .*--force"):
        services.ingestion.ingest_book(book, edition="part")

    assert names(app) == ["whole"]
    services.ingestion.ingest_book(book, edition="part", options=ReadOptions(force=True))
    assert published(app) == "part"


def test_report_tells_what_was_read_and_where_links_lead(make_app: AppMaker, book: Path) -> None:
    """Four lines that show at once that it was the wrong folder, or the wrong address."""
    report = services_of(make_app()).ingestion.ingest_book(book, site_url="https://book.test/x")

    assert (report.book.layout, report.book.language) == ("a folder of Markdown", "english")
    assert report.book.link_rule == "to the files, as GitHub shows them"
    assert report.book.links == (
        "https://book.test/x/01-bread.md",
        "https://book.test/x/02-cheese.md#ripening",
    )
    assert report.book.warnings == ()


def test_check_reports_and_stores_nothing(make_app: AppMaker, book: Path) -> None:
    """It may be run on a server that readers use."""
    app = make_app()

    checked = services_of(app).ingestion.check_book(book)

    assert (checked.title, checked.pages, checked.sections, checked.chunks) == ("Bread", 3, 8, 3)
    assert "--site-url" in checked.book.warnings[0]
    assert names(app) == []
