"""Test the contract of passage stores, and what each store promises besides."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import shutil
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO

import pytest
from qdrant_client import QdrantClient, models

from harness.loopback import Call, Connection, LoopbackServer
from ragbot.answering.question_set import load_rows
from ragbot.config import PROJECT_ROOT
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, IndexPoint, Passage, SearchRequest, SparseVector
from ragbot.core.errors import Cancelled, DeadlineExceeded, SearchUnavailable
from ragbot.core.ports import PassageStore
from ragbot.index import point_payload as payload
from ragbot.index.kept_indexes import MANIFEST, PREFIX, RESERVE_BYTES
from ragbot.index.qdrant_embedded import FOLDER_PREFIX, OTHERS_OPEN, QdrantEmbeddedStore
from ragbot.index.qdrant_server import CollectionShape, QdrantServerStore, open_client
from ragbot.index.rank_fusion import RRF_K, fused_ranks
from tests.conftest import SHIPPED_BOOK, THREE_CHAPTERS
from tests.fakes.editions import MadeEdition, Shelf, made_edition
from tests.fakes.memory_store import MemoryStore
from tests.fakes.parts import WordCountEmbedder
from tests.fakes.qdrant_server import QdrantServer

EMBEDDER = WordCountEmbedder()
QUESTION = "How many months does Bob ripen the cheddar?"

StoreMaker = Callable[[Shelf], PassageStore]
# Questions, each with the score of every chunk that the reference finds.
Expected = list[tuple[SearchRequest, dict[str, float]]]


@pytest.fixture(scope="module")
def first() -> MadeEdition:
    """Return the three-chapter book with vectors."""
    return made_edition(THREE_CHAPTERS, "first", EMBEDDER)


@pytest.fixture
def second(tmp_path: Path) -> MadeEdition:
    """Return a book of one page on another matter, without vectors."""
    (tmp_path / "bees.md").write_text("# Bees\n\nA queen bee lays two thousand eggs a day.\n")
    return made_edition(tmp_path / "bees.md", "second")


@pytest.fixture
def server() -> Iterator[QdrantServer]:
    """Yield a Qdrant server that refuses what Qdrant's own description of its interface forbids."""
    with QdrantServer(validate=True) as server:
        yield server


@pytest.fixture
def opened() -> Iterator[list[QdrantClient]]:
    """Clients that are closed at the end of the test."""
    clients: list[QdrantClient] = []
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def on_server(server: QdrantServer, opened: list[QdrantClient]) -> StoreMaker:
    """Make stores on the test's server, each with a client of its own that waits for a busy machine."""

    def make(shelf: Shelf) -> QdrantServerStore:
        def client() -> QdrantClient:
            opened.append(open_client(server.url, None, 60))
            return opened[-1]

        return QdrantServerStore(client, "book", shelf.load_points, search_timeout_s=60)

    return make


@pytest.fixture
def on_real_server(opened: list[QdrantClient]) -> Iterator[StoreMaker]:
    """Make stores on the server that TEST_QDRANT_URL names; what they make there is gone afterwards."""
    url = os.environ["TEST_QDRANT_URL"]
    prefix = f"test-{uuid.uuid4().hex}"

    def make(shelf: Shelf, shape: CollectionShape | None = None) -> QdrantServerStore:
        def client() -> QdrantClient:
            opened.append(open_client(url, os.environ.get("TEST_QDRANT_API_KEY"), 10))
            return opened[-1]

        shape = shape or CollectionShape()
        return QdrantServerStore(client, prefix, shelf.load_points, shape=shape, search_timeout_s=60)

    yield make
    client = open_client(url, os.environ.get("TEST_QDRANT_API_KEY"), 60)
    for collection in client.get_collections().collections:
        if collection.name.startswith(prefix):
            client.delete_collection(collection.name)
    client.close()


@pytest.fixture(params=["memory", "embedded", "server", pytest.param("real", marks=pytest.mark.real_qdrant)])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> StoreMaker:
    """Make stores of each kind in turn."""
    if request.param == "real":
        return request.getfixturevalue("on_real_server")
    if request.param == "memory":
        return lambda shelf: MemoryStore(shelf.load_points)
    if request.param == "embedded":
        return lambda shelf: QdrantEmbeddedStore(tmp_path / "index", shelf.load_points)
    return request.getfixturevalue("on_server")


def soon() -> Deadline:
    return Deadline(120)


def paths(passages: Iterable[Passage]) -> list[str]:
    return [passage.chunk.path for passage in passages]


def breaking_off(points: Iterable[IndexPoint], after: int) -> Iterator[IndexPoint]:
    """Yield the points as a database gives them that fails in the middle."""
    for number, point in enumerate(points):
        if number == after:
            raise ConnectionError("the database went away")
        yield point


class TestEveryStore:
    """The contract of `core.ports.PassageStore`."""

    @pytest.fixture
    def shelf(self, first: MadeEdition, second: MadeEdition) -> Shelf:
        return Shelf([first, second])

    @pytest.fixture
    def store(self, make_store: StoreMaker, shelf: Shelf, first: MadeEdition) -> PassageStore:
        store = make_store(shelf)
        store.build(first.facts, first.points)
        return store

    def test_built_edition_is_held_and_counted(self, store: PassageStore, first: MadeEdition) -> None:
        """IngestionPipeline compares the count before it publishes."""
        assert store.holds(first.facts)
        assert store.count(first.facts) == first.facts.chunks == 3

    def test_edition_is_not_held_before_it_is_built(self, store: PassageStore, second: MadeEdition) -> None:
        """A worker must know that it has to build first."""
        assert not store.holds(second.facts)

    def test_best_passage_comes_first_with_its_chunk_as_it_was(
        self, store: PassageStore, first: MadeEdition
    ) -> None:
        """What is quoted to the reader comes from the index, letter for letter."""
        found = store.search(first.facts, first.asked(QUESTION, embedder=EMBEDDER), soon())

        assert found[0].chunk == first.chunk_with("Bob ripens the cheddar")
        assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)

    def test_first_of_both_searches_has_both_shares_of_the_score(
        self, store: PassageStore, first: MadeEdition
    ) -> None:
        """Reciprocal rank fusion with one constant, so that two stores rank alike."""
        hybrid = store.search(first.facts, first.asked(QUESTION, embedder=EMBEDDER), soon())
        sparse = store.search(first.facts, first.asked(QUESTION), soon())

        assert hybrid[0].score == pytest.approx(2 / RRF_K)
        assert sparse[0].score == pytest.approx(1 / RRF_K)

    def test_equals_have_one_order_however_often_and_in_which_order_they_were_built(
        self, make_store: StoreMaker, tmp_path: Path
    ) -> None:
        """The same question must have the same answer each time, in every worker."""
        pages = tmp_path / "equals"
        pages.mkdir()
        for number in range(40):
            (pages / f"{number:02}.md").write_text(f"# Page{number}\n\nCheddar ripens in cellar{number}.\n")
        (pages / "best.md").write_text("# Best\n\nCheddar, cheddar, cheddar.\n")
        made = made_edition(pages, "equals")
        backwards = replace(made, points=made.points[::-1])
        request = made.asked("cheddar", limit=12)

        found = []
        for edition in (made, backwards):
            store = make_store(Shelf([edition]))
            store.build(edition.facts, edition.points)
            found += [store.search(edition.facts, request, soon()) for _ in range(10)]
            store.remove(edition.facts.key)

        assert paths(found[0])[0] == "best.md"
        assert len({passage.score for passage in found[0][1:]}) == 1
        assert [paths(one) for one in found] == [paths(found[0])] * 20

    def test_no_more_passages_than_asked_for(self, store: PassageStore, first: MadeEdition) -> None:
        """The limit is the reader's `top_k`."""
        found = store.search(first.facts, first.asked(QUESTION, embedder=EMBEDDER, limit=2), soon())

        assert len(found) == 2

    def test_without_a_vector_the_words_alone_count(self, store: PassageStore, first: MadeEdition) -> None:
        """It is how the service answers while the embedder is down."""
        assert paths(store.search(first.facts, first.asked("yeast"), soon())) == ["01-bread.md"]

    def test_vector_finds_what_no_word_finds(self, store: PassageStore, first: MadeEdition) -> None:
        """A paraphrase shares no word with the passage."""
        tea = first.chunk_with("Green tea")
        vector = EMBEDDER.embed([tea.search_text]).vectors[0]

        found = store.search(first.facts, SearchRequest(SparseVector([], []), vector, 1), soon())

        assert [passage.chunk for passage in found] == [tea]

    @pytest.mark.parametrize("request_", [SparseVector([], []), SparseVector([7], [1.0])])
    def test_nothing_found_is_an_empty_list(
        self, store: PassageStore, first: MadeEdition, request_: SparseVector
    ) -> None:
        """A question of stop words alone, or of words that the book lacks, is not an error."""
        assert store.search(first.facts, SearchRequest(request_, None, 5), soon()) == []

    @pytest.mark.parametrize("scope", ["cheese", "02-cheese.md"])
    def test_scope_keeps_to_a_chapter_by_title_or_path(
        self, store: PassageStore, first: MadeEdition, scope: str
    ) -> None:
        """Otherwise a vector brings passages of every chapter."""
        request = first.asked("How long is tea brewed?", embedder=EMBEDDER, scope=scope)

        assert paths(store.search(first.facts, request, soon())) == ["02-cheese.md"]

    def test_scope_that_nothing_carries_finds_nothing(self, store: PassageStore, first: MadeEdition) -> None:
        """A chapter that is not in the book must not quietly become the whole book."""
        request = first.asked(QUESTION, embedder=EMBEDDER, scope="geology")

        assert store.search(first.facts, request, soon()) == []

    def test_built_twice_is_as_built_once(self, store: PassageStore, first: MadeEdition) -> None:
        """A killed ingestion is simply run again."""
        request = first.asked(QUESTION, embedder=EMBEDDER)
        before = store.search(first.facts, request, soon())

        store.build(first.facts, first.points)

        assert store.count(first.facts) == first.facts.chunks
        assert store.search(first.facts, request, soon()) == before

    def test_editions_stand_beside_each_other(
        self, store: PassageStore, first: MadeEdition, second: MadeEdition
    ) -> None:
        """A new edition is built while readers are answered from the old one; it may have no vectors."""
        store.build(second.facts, second.points)

        assert paths(store.search(first.facts, first.asked("cheddar"), soon())) == ["02-cheese.md"]
        assert paths(store.search(second.facts, second.asked("queen bee"), soon())) == ["bees.md"]
        assert store.search(second.facts, second.asked("cheddar"), soon()) == []

    def test_build_that_breaks_off_leaves_nothing_that_readers_see(
        self, make_store: StoreMaker, shelf: Shelf, first: MadeEdition
    ) -> None:
        """A half-built index answers wrongly and nobody notices."""
        store = make_store(shelf)

        with pytest.raises(ConnectionError):
            store.build(first.facts, breaking_off(first.points, after=2))

        assert not store.holds(first.facts)
        store.build(first.facts, first.points)
        assert store.holds(first.facts)
        assert store.count(first.facts) == first.facts.chunks

    def test_prepare_builds_from_the_database_once(
        self, make_store: StoreMaker, shelf: Shelf, first: MadeEdition
    ) -> None:
        """A lost index comes back by itself, and one that is there is not built again."""
        store = make_store(shelf)

        store.prepare(first.facts)
        store.prepare(first.facts)

        assert shelf.asked_for == ["first"]
        assert paths(store.search(first.facts, first.asked("cheddar"), soon())) == ["02-cheese.md"]

    def test_published_edition_can_be_searched(self, store: PassageStore, first: MadeEdition) -> None:
        """Publishing is a sign for others; it takes nothing away, and twice is the same as once."""
        store.publish(replace(first.facts, key="first"))
        store.publish(replace(first.facts, key="first"))

        assert paths(store.search(first.facts, first.asked("cheddar"), soon())) == ["02-cheese.md"]

    def test_removed_edition_is_gone_and_the_other_stays(
        self, store: PassageStore, first: MadeEdition, second: MadeEdition
    ) -> None:
        """What an operator removes must not be found any more."""
        store.build(second.facts, second.points)

        store.remove("first")
        store.remove("first")

        assert not store.holds(first.facts)
        assert store.holds(second.facts)

    def test_question_that_is_over_is_not_searched_for(self, store: PassageStore, first: MadeEdition) -> None:
        """The time of a reader who has left, or whose time is up, is somebody else's."""
        cancelled = soon()
        cancelled.cancel()

        with pytest.raises(DeadlineExceeded):
            store.search(first.facts, first.asked(QUESTION), Deadline(0))
        with pytest.raises(Cancelled):
            store.search(first.facts, first.asked(QUESTION), cancelled)

    def test_threads_search_while_another_edition_is_built_and_removed(
        self, store: PassageStore, first: MadeEdition, second: MadeEdition
    ) -> None:
        """It is what happens in a worker whenever a book is published."""
        request = first.asked(QUESTION, embedder=EMBEDDER)
        expected = store.search(first.facts, request, soon())
        done = threading.Event()

        def search_on() -> list[list[Passage]]:
            found = []
            while not done.is_set():
                found.append(store.search(first.facts, request, soon()))
            return found

        with ThreadPoolExecutor(4) as readers:
            searches = [readers.submit(search_on) for _ in range(4)]
            try:
                for _ in range(5):
                    store.build(second.facts, second.points)
                    store.remove("second")
            finally:
                done.set()

        assert all(found == expected for search in searches for found in search.result())

    def test_ping_returns_where_the_index_can_be_asked(self, store: PassageStore) -> None:
        """The health page asks it every few seconds."""
        store.ping()


CALLS: dict[str, Callable[[PassageStore, MadeEdition], object]] = {
    "build": lambda store, made: store.build(made.facts, made.points),
    "holds": lambda store, made: store.holds(made.facts),
    "prepare": lambda store, made: store.prepare(made.facts),
    "publish": lambda store, made: store.publish(made.facts),
    "remove": lambda store, made: store.remove(made.facts.key),
    "search": lambda store, made: store.search(made.facts, made.asked(QUESTION), soon()),
    "count": lambda store, made: store.count(made.facts),
    "ping": lambda store, _: store.ping(),
}


def outcomes(store: PassageStore, made: MadeEdition) -> dict[str, type[BaseException] | None]:
    """Return what class of error each call of the port ends with, or None."""
    raised: dict[str, type[BaseException] | None] = {}
    for name, call in CALLS.items():
        try:
            call(store, made)
            raised[name] = None
        except Exception as error:
            raised[name] = type(error)
    return raised


class TestServerStore:
    """What the store on a Qdrant server promises besides."""

    @pytest.fixture
    def shelf(self, first: MadeEdition) -> Shelf:
        return Shelf([first])

    @pytest.fixture
    def store(self, on_server: StoreMaker, shelf: Shelf, first: MadeEdition) -> PassageStore:
        store = on_server(shelf)
        store.build(first.facts, first.points)
        return store

    def test_nothing_is_opened_before_the_first_call(
        self, on_server: StoreMaker, shelf: Shelf, opened: list[QdrantClient]
    ) -> None:
        """A client that is opened before gunicorn forks is shared by its workers and breaks."""
        store = on_server(shelf)

        assert opened == []
        store.ping()
        assert len(opened) == 1

    def test_server_that_is_down_is_our_own_error(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """The reader gets a 503 that says when to come back, and never a client's exception."""
        server.down = True

        assert outcomes(store, first) == dict.fromkeys(CALLS, SearchUnavailable)

    @pytest.mark.parametrize(
        ("status", "retry_after"), [(401, None), (429, 3.0), (429, None), (500, None), (503, None)]
    )
    def test_failing_server_is_our_own_error(
        self,
        server: QdrantServer,
        store: PassageStore,
        first: MadeEdition,
        status: int,
        retry_after: float | None,
    ) -> None:
        """A 429 is another class of exception in the client and once came through as it was."""
        server.fail(status, retry_after=retry_after)

        assert outcomes(store, first) == dict.fromkeys(CALLS, SearchUnavailable)

    def test_server_that_hangs_up_is_our_own_error(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """A server that is restarted cuts its connections."""
        server.hang(0.01)

        with pytest.raises(SearchUnavailable):
            CALLS["search"](store, first)

    def test_page_of_a_proxy_is_our_own_error(self, first: MadeEdition, opened: list[QdrantClient]) -> None:
        """A wrong address often leads to a web server that says 200 to everything."""

        class SomeWebSite(LoopbackServer):
            def respond(self, call: Call, connection: Connection) -> None:
                connection.reply(200, b"<!doctype html><h1>Welcome</h1>", {"Content-Type": "text/html"})

        with SomeWebSite() as site:
            opened.append(open_client(site.url, None, 1))
            store = QdrantServerStore(lambda: opened[0], "book", lambda _: [])

            assert outcomes(store, first) == dict.fromkeys(CALLS, SearchUnavailable)

    def test_hanging_server_is_given_up_within_the_time_limit(
        self, server: QdrantServer, opened: list[QdrantClient], shelf: Shelf, first: MadeEdition
    ) -> None:
        """A reader waits no longer for a server that is silent, which is a second here."""
        opened.append(open_client(server.url, None, 1))
        store = QdrantServerStore(lambda: opened[0], "book", shelf.load_points, search_timeout_s=1)
        store.build(first.facts, first.points)
        server.hang(on="/points/query/batch")
        started = time.monotonic()

        with pytest.raises(SearchUnavailable):
            CALLS["search"](store, first)

        assert time.monotonic() - started < 30

    @pytest.mark.parametrize(("setting", "seconds"), [(0.2, 1), (2.5, 3), (5.0, 5)])
    def test_time_limits_are_whole_seconds_rounded_up(
        self, server: QdrantServer, setting: float, seconds: int
    ) -> None:
        """The client knows no fractions, and a limit of nought would be none."""
        client = open_client(server.url, None, setting)

        assert client._client._rest_args["timeout"] == seconds
        client.close()

    def test_server_that_comes_back_is_asked_again(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """Nobody restarts the workers after Qdrant was restarted."""
        server.down = True
        with pytest.raises(SearchUnavailable):
            store.ping()

        server.down = False

        assert paths(store.search(first.facts, first.asked("cheddar"), soon())) == ["02-cheese.md"]

    def test_key_is_sent_in_clear_without_a_warning(self, opened: list[QdrantClient]) -> None:
        """Within a private network it is the operator's choice; and a warning on each start is noise."""
        with QdrantServer(api_key="right") as guarded, warnings.catch_warnings():
            warnings.simplefilter("error")
            opened.extend(open_client(guarded.url, key, 1) for key in ("right", "wrong"))

            QdrantServerStore(lambda: opened[0], "book", lambda _: []).ping()

            with pytest.raises(SearchUnavailable):
                QdrantServerStore(lambda: opened[1], "book", lambda _: []).ping()

    def test_alias_moves_in_one_step(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """Between two steps whoever reads by the alias would find nothing."""
        later = replace(first.facts, key="later")
        store.build(later, first.points)
        store.publish(replace(first.facts, key="first"))
        server.forget()

        store.publish(replace(first.facts, key="later"))

        assert len(server.calls("/collections/aliases")) == 1
        aliases = {a.alias_name: a.collection_name for a in server.local.get_aliases().aliases}
        assert aliases == {"book": "book_later"}

    def test_aliases_of_others_stay_where_they_are(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """A Qdrant server is often shared."""
        other = models.CreateAlias(collection_name="book_first", alias_name="theirs")
        server.local.update_collection_aliases([models.CreateAliasOperation(create_alias=other)])

        store.publish(replace(first.facts, key="first"))

        assert {a.alias_name for a in server.local.get_aliases().aliases} == {"book", "theirs"}

    def test_half_built_collection_is_not_held_and_is_made_whole(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """A killed build leaves one behind."""
        lost = models.PointIdsList(points=[first.points[0].chunk.id])
        server.local.delete("book_first", lost)

        assert not store.holds(first.facts)
        store.prepare(first.facts)

        assert store.count(first.facts) == first.facts.chunks
        assert paths(store.search(first.facts, first.asked("yeast"), soon())) == ["01-bread.md"]

    def test_collection_that_was_made_and_not_filled_is_filled(
        self, server: QdrantServer, on_server: StoreMaker, shelf: Shelf, first: MadeEdition
    ) -> None:
        """A build may be killed before its first point."""
        server.fail(500, on="/points")
        store = on_server(shelf)
        with pytest.raises(SearchUnavailable):
            store.build(first.facts, first.points)
        server.fail(None)

        store.prepare(first.facts)

        assert store.count(first.facts) == first.facts.chunks

    def test_workers_that_miss_the_same_collection_do_not_spoil_each_others_work(
        self, on_server: StoreMaker, shelf: Shelf, first: MadeEdition
    ) -> None:
        """After a lost index every worker sees at the same moment that it has to be built."""
        workers = [on_server(shelf) for _ in range(4)]
        together = threading.Barrier(len(workers))

        def prepare(store: PassageStore) -> int:
            together.wait(60)
            store.prepare(first.facts)
            return store.count(first.facts)

        with ThreadPoolExecutor(len(workers)) as threads:
            counts = list(threads.map(prepare, workers))

        assert counts == [first.facts.chunks] * len(workers)

    def test_collection_under_construction_is_not_deleted_by_another_builder(
        self, on_server: StoreMaker, shelf: Shelf, first: MadeEdition, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the other one then dies, a hole stays in what the first one goes on to fill."""
        monkeypatch.setattr("ragbot.index.qdrant_server.BATCH", 1)
        store, other = on_server(shelf), on_server(shelf)

        def while_another_tries_and_dies() -> Iterator[IndexPoint]:
            yield first.points[0]
            with pytest.raises(ConnectionError):
                other.build(first.facts, breaking_off(first.points, after=0))
            yield from first.points[1:]

        store.build(first.facts, while_another_tries_and_dies())

        assert store.count(first.facts) == first.facts.chunks

    def test_collection_is_made_as_the_settings_say(
        self, server: QdrantServer, opened: list[QdrantClient], shelf: Shelf, first: MadeEdition
    ) -> None:
        """A shape that did not reach the server would show only under load."""
        shape = CollectionShape(shards=2, replication=3, quantization="scalar", on_disk=True)
        opened.append(open_client(server.url, None, 1))
        QdrantServerStore(lambda: opened[0], "book", shelf.load_points, shape=shape).build(
            first.facts, first.points
        )

        made = next(call.body for call in server.calls("/collections/book_first") if call.method == "PUT")

        assert (made["shard_number"], made["replication_factor"], made["write_consistency_factor"]) == (
            2,
            3,
            2,
        )
        assert made["on_disk_payload"] is True
        assert made["sparse_vectors"]["sparse"]["index"]["on_disk"] is True
        dense = made["vectors"]["dense"]
        assert dense["on_disk"] is dense["hnsw_config"]["on_disk"] is True
        assert dense["quantization_config"]["scalar"] == {
            "type": "int8",
            "quantile": 0.99,
            "always_ram": True,
        }

    def test_book_of_common_size_is_kept_as_the_server_likes_it(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """Some thousand vectors need no compression, and a disk would only be slower."""
        made = next(call.body for call in server.calls("/collections/book_first") if call.method == "PUT")

        assert (made["shard_number"], made["replication_factor"], made["write_consistency_factor"]) == (
            1,
            1,
            1,
        )
        assert "on_disk" not in json.dumps(made)
        assert "quantization_config" not in made["vectors"]["dense"]

    def test_filter_has_its_index_before_the_first_point_and_every_write_is_waited_for(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """A strict server refuses to filter without one, and a write that is under way is not found."""
        written = [call for call in server.calls() if call.method == "PUT"]

        assert [call.path for call in written] == [
            "/collections/book_first",
            "/collections/book_first/index",
            "/collections/book_first/points",
        ]
        assert written[1].body["field_name"] == payload.SCOPES
        assert written[1].body["field_schema"] == "keyword"
        assert [call.query.get("wait") for call in written[1:]] == ["true", "true"]
        assert server.local.collection_exists("book_first")

    def test_small_copies_are_ranked_again_by_the_whole_vectors(
        self, server: QdrantServer, opened: list[QdrantClient], shelf: Shelf, first: MadeEdition
    ) -> None:
        """The small ones alone would confuse near neighbours."""
        opened.append(open_client(server.url, None, 1))
        shape = CollectionShape(quantization="scalar")
        store = QdrantServerStore(lambda: opened[0], "book", shelf.load_points, shape=shape)
        store.build(first.facts, first.points)

        store.search(first.facts, first.asked(QUESTION, embedder=EMBEDDER), soon())

        (asked,) = server.calls("/collections/book_first/points/query/batch")
        by_field = {search["using"]: search for search in asked.body["searches"]}
        assert by_field["dense"]["params"]["quantization"]["rescore"] is True
        assert by_field["sparse"].get("params") is None

    @pytest.mark.parametrize(
        ("setting_s", "left_s", "told_s"), [(5, 60, 5), (2.5, 60, 3), (5, 3.9, 3), (5, 1.9, 1), (5, 0.4, 1)]
    )
    def test_search_is_given_what_is_left_for_the_question(
        self,
        server: QdrantServer,
        opened: list[QdrantClient],
        shelf: Shelf,
        first: MadeEdition,
        setting_s: float,
        left_s: float,
        told_s: int,
    ) -> None:
        """A server that is slow at the end of a question must not hold it beyond its time."""
        opened.append(open_client(server.url, None, setting_s))
        store = QdrantServerStore(lambda: opened[0], "book", shelf.load_points, search_timeout_s=setting_s)
        store.build(first.facts, first.points)

        store.search(first.facts, first.asked(QUESTION), Deadline(left_s, now=lambda: 0.0))

        asked = server.calls("/collections/book_first/points/query/batch")
        read = [call for call in server.calls("/collections/book_first/points") if call.method == "POST"]
        assert [call.query["timeout"] for call in (*asked, *read)] == [str(told_s)] * 2

    def test_question_whose_time_ran_out_at_a_silent_server_is_told_so(
        self, server: QdrantServer, opened: list[QdrantClient], shelf: Shelf, first: MadeEdition
    ) -> None:
        """The search is not to blame where nothing was left for it."""
        opened.append(open_client(server.url, None, 60))
        store = QdrantServerStore(lambda: opened[0], "book", shelf.load_points, search_timeout_s=60)
        store.build(first.facts, first.points)
        server.hang(on="/points/query/batch")
        started = time.monotonic()

        with pytest.raises(DeadlineExceeded):
            store.search(first.facts, first.asked(QUESTION), Deadline(0.9))

        assert time.monotonic() - started < 30

    @pytest.mark.parametrize(
        ("status", "error"), [("green", None), ("yellow", None), ("red", SearchUnavailable)]
    )
    def test_edition_is_published_unless_its_collection_is_broken(
        self,
        server: QdrantServer,
        opened: list[QdrantClient],
        shelf: Shelf,
        first: MadeEdition,
        monkeypatch: pytest.MonkeyPatch,
        status: str,
        error: type[Exception] | None,
    ) -> None:
        """What is still being optimised is searched whole; what could not be written is not there."""
        opened.append(open_client(server.url, None, 5))
        store = QdrantServerStore(lambda: opened[0], "book", shelf.load_points, settled_within_s=0)
        store.build(first.facts, first.points)
        whole = server.local.get_collection

        def looked_at(name: str) -> models.CollectionInfo:
            return whole(name).model_copy(update={"status": models.CollectionStatus(status)})

        monkeypatch.setattr(server.local, "get_collection", looked_at)

        with pytest.raises(error) if error else nullcontext():
            store.publish(replace(first.facts, key="first"))

        assert [alias.alias_name for alias in server.local.get_aliases().aliases] == (
            [] if error else ["book"]
        )

    def test_collections_of_removed_editions_are_swept_and_nobody_elses(
        self, server: QdrantServer, opened: list[QdrantClient], shelf: Shelf, first: MadeEdition
    ) -> None:
        """A server that was down when an edition was removed keeps its vectors for ever."""
        keys = {name: uuid.uuid4().hex for name in ("kept", "removed", "new", "anothers")}
        known = {keys["kept"], keys["removed"]}
        opened.append(open_client(server.url, None, 5))

        def made(store_known: set[str], *names: str) -> QdrantServerStore:
            store = QdrantServerStore(
                lambda: opened[0], "book", shelf.load_points, known_keys=lambda: store_known
            )
            for name in names:
                store.build(replace(first.facts, key=keys[name]), first.points)
            return store

        made({keys["anothers"]}, "anothers")
        store = made(known, "kept", "removed")
        for other in ("book_notes", f"books_{uuid.uuid4().hex}"):
            server.local.create_collection(other, vectors_config={})
        known ^= {keys["removed"], keys["new"]}
        made(known, "new")

        store.publish(replace(first.facts, key=keys["new"]))

        there = {one.name for one in server.local.get_collections().collections}
        assert f"book_{keys['removed']}" not in there
        assert {f"book_{keys[name]}" for name in ("kept", "new", "anothers")} | {"book_notes"} <= there
        assert len(there) == 5

    def test_sweep_that_fails_does_not_take_the_publication_back(
        self, server: QdrantServer, store: PassageStore, first: MadeEdition
    ) -> None:
        """Readers have the new edition; tidying can wait for the next one."""
        server.fail(500, on="/collections")

        store.publish(replace(first.facts, key="first"))

        assert [alias.alias_name for alias in server.local.get_aliases().aliases] == ["book"]


@pytest.mark.real_qdrant
class TestRealServer:
    """What only a real server can show; the contract runs against it too."""

    @pytest.mark.parametrize(
        "shape",
        [
            CollectionShape(),
            CollectionShape(shards=2),
            CollectionShape(quantization="scalar"),
            CollectionShape(quantization="scalar", on_disk=True),
        ],
    )
    def test_every_shape_finds_the_same(
        self, on_real_server: Callable[..., QdrantServerStore], first: MadeEdition, shape: CollectionShape
    ) -> None:
        """Small copies and disks are for speed and memory alone."""
        store = on_real_server(Shelf([first]), shape)
        store.prepare(first.facts)
        store.publish(replace(first.facts, key="first"))

        found = store.search(first.facts, first.asked(QUESTION, embedder=EMBEDDER), soon())

        assert found[0].chunk == first.chunk_with("Bob ripens the cheddar")
        assert store.count(first.facts) == first.facts.chunks

    def test_scopes_have_their_index(
        self, on_real_server: Callable[..., QdrantServerStore], first: MadeEdition, opened: list[QdrantClient]
    ) -> None:
        """The stand-in only keeps a note of it."""
        store = on_real_server(Shelf([first]))
        store.prepare(first.facts)
        store.publish(replace(first.facts, key="first"))

        (alias,) = (a for a in opened[0].get_aliases().aliases if a.collection_name.endswith("_first"))

        schema = opened[0].get_collection(alias.collection_name).payload_schema
        assert schema[payload.SCOPES].data_type == models.PayloadSchemaType.KEYWORD

    def test_top_five_are_those_of_the_reference(
        self, on_real_server: Callable[..., QdrantServerStore], shipped: MadeEdition, reference: QdrantClient
    ) -> None:
        """What was measured with one engine holds for the server."""
        rows = load_rows(PROJECT_ROOT / "eval" / "physical-ai.jsonl")[::3]
        requests = [shipped.asked(row.question, embedder=EMBEDDER) for row in rows]
        store = on_real_server(Shelf([shipped]))
        store.prepare(shipped.facts)

        found = [store.search(shipped.facts, request, soon()) for request in requests]

        expected = [reference_scores(reference, request) for request in requests]
        agreeing = [agrees(one, scores) for one, scores in zip(found, expected, strict=True)]
        assert sum(agreeing) / len(agreeing) >= 0.95


def indexes(folder: Path) -> list[Path]:
    """Return the folders of indexes, kept ones and those that are being built."""
    return [one for one in folder.iterdir() if one.is_dir()]


class TestEmbeddedStore:
    """What the store within the process promises besides."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "index"

    @pytest.fixture
    def store(self, folder: Path, first: MadeEdition) -> QdrantEmbeddedStore:
        return QdrantEmbeddedStore(folder, Shelf([first]).load_points)

    def test_nothing_is_written_before_the_first_build(
        self, store: QdrantEmbeddedStore, folder: Path
    ) -> None:
        """`flask db upgrade` makes the app too, and must leave no folder behind."""
        store.ping()

        assert not folder.exists()

    def test_folder_goes_with_its_edition(
        self, store: QdrantEmbeddedStore, folder: Path, first: MadeEdition
    ) -> None:
        """An index of a big book on each publication would fill the disk in a week."""
        store.build(first.facts, first.points)
        assert len(indexes(folder)) == 1

        store.remove("first")

        assert indexes(folder) == []

    def test_index_is_built_once_a_machine(self, folder: Path, first: MadeEdition) -> None:
        """Each worker and each restart once built the same index for half a minute."""
        shelf = Shelf([first])
        QdrantEmbeddedStore(folder, shelf.load_points).prepare(first.facts)
        gc.collect()
        later = QdrantEmbeddedStore(folder, shelf.load_points)

        assert later.holds(first.facts)
        assert paths(later.search(first.facts, first.asked("yeast"), soon())) == ["01-bread.md"]
        assert shelf.asked_for == ["first"]

    def test_two_stores_at_once_build_one_index_and_both_search_it(
        self, folder: Path, first: MadeEdition
    ) -> None:
        """All workers of a server start at the same moment."""
        shelf = Shelf([first])
        stores = [QdrantEmbeddedStore(folder, shelf.load_points) for _ in range(4)]

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda store: store.prepare(first.facts), stores))

        assert [store.count(first.facts) for store in stores] == [3] * 4
        assert shelf.asked_for == ["first"]

    @pytest.mark.parametrize("harm", ["cut", "missing", "no manifest", "another boot", "nonsense"])
    def test_damaged_index_is_built_anew(self, folder: Path, first: MadeEdition, harm: str) -> None:
        """A host that lost its power leaves half of a file, on which every worker would die in a loop."""
        QdrantEmbeddedStore(folder, Shelf([first]).load_points).prepare(first.facts)
        gc.collect()
        (kept,) = indexes(folder)
        page = next(kept.rglob("page_0.dat"))
        manifest = kept / MANIFEST
        if harm == "cut":
            os.truncate(page, 100)
        elif harm == "missing":
            page.unlink()
        elif harm == "no manifest":
            manifest.unlink()
        elif harm == "another boot":
            manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"boot": "of yesterday"}))
        else:
            for file in kept.rglob("*.json"):
                if file != manifest:
                    file.write_text("x" * file.stat().st_size)
        store = QdrantEmbeddedStore(folder, Shelf([first]).load_points)

        assert paths(store.search(first.facts, first.asked("yeast"), soon())) == ["01-bread.md"]

    def test_index_that_is_deleted_while_it_is_open_answers_on(
        self, store: QdrantEmbeddedStore, folder: Path, first: MadeEdition
    ) -> None:
        """Temporary folders are swept by others; nothing rests on the folder."""
        store.prepare(first.facts)

        shutil.rmtree(folder)

        assert paths(store.search(first.facts, first.asked("yeast"), soon())) == ["01-bread.md"]

    def test_what_nobody_knows_or_opens_is_deleted_after_a_day(
        self, folder: Path, first: MadeEdition
    ) -> None:
        """The index of an old version of the engine would lie there for ever."""
        store = QdrantEmbeddedStore(
            folder, Shelf([first]).load_points, known_keys=lambda: {"first", "second", "third"}
        )
        for key in ("second", "unknown", "new-unknown"):
            store.build(replace(first.facts, key=key), first.points)
        for kept in indexes(folder):
            if "new-unknown" not in kept.name:
                os.utime(kept / MANIFEST, (0, 0))

        store.build(first.facts, first.points)

        left = sorted(kept.name.removeprefix(PREFIX).partition(".")[0] for kept in indexes(folder))
        assert left == ["first", "new-unknown", "second"]

    def test_folder_of_a_build_that_broke_off_goes_at_once(
        self, store: QdrantEmbeddedStore, folder: Path, first: MadeEdition
    ) -> None:
        """A database that comes and goes must not fill the disk."""
        with pytest.raises(ConnectionError):
            store.build(first.facts, breaking_off(first.points, after=1))
        gc.collect()

        assert indexes(folder) == []

    def test_full_disk_is_noticed_before_the_engine_writes_to_it(
        self, store: QdrantEmbeddedStore, folder: Path, first: MadeEdition, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The engine maps files: a write without space is a signal that kills the worker, in a loop."""
        full = os.statvfs_result((4096, 4096, 10**6, 0, RESERVE_BYTES // 4096 - 1, 0, 0, 0, 0, 255))
        monkeypatch.setattr("ragbot.index.kept_indexes.os.statvfs", lambda _folder: full)

        with pytest.raises(SearchUnavailable, match="No space for the index of edition first"):
            store.prepare(first.facts)

        assert indexes(folder) == []

    def test_question_does_not_wait_for_a_build_beyond_its_deadline(
        self, folder: Path, first: MadeEdition
    ) -> None:
        """Readers waited for 47 seconds of 30; the build goes on, and the next question finds it."""
        goes_on = threading.Event()

        def slow_points(_facts: EditionFacts) -> Iterator[IndexPoint]:
            assert goes_on.wait(60)
            yield from first.points

        store = QdrantEmbeddedStore(folder, slow_points)
        with pytest.raises(SearchUnavailable, match="is being built; try again"):
            store.search(first.facts, first.asked("yeast"), Deadline(0.2))
        goes_on.set()

        assert paths(store.search(first.facts, first.asked("yeast"), soon())) == ["01-bread.md"]

    def test_old_editions_never_push_out_the_prepared_one(
        self, store: QdrantEmbeddedStore, first: MadeEdition
    ) -> None:
        """Two readers of old links once made all others wait for 40 seconds."""
        store.prepare(first.facts)
        others = [replace(first.facts, key=key) for key in ("a", "b", "c", "d")]

        for edition in others:
            store.build(edition, first.points)

        assert list(store._shards) == ["first", "c", "d"]
        assert OTHERS_OPEN == 2

    def test_edition_that_is_no_longer_published_may_be_closed(
        self, store: QdrantEmbeddedStore, first: MadeEdition
    ) -> None:
        """Else each publication would cost a worker the memory of one more book."""
        for key in ("a", "b", "c", "d"):
            edition = replace(first.facts, key=key)
            store.build(edition, first.points)
            store.prepare(edition)

        assert list(store._shards) == ["b", "c", "d"]

    def test_edition_that_is_dropped_while_it_is_searched_answers_to_the_end(
        self, store: QdrantEmbeddedStore, first: MadeEdition
    ) -> None:
        """Its engine was once closed under a running search, and the reader got an error."""
        store.build(first.facts, first.points)

        class DroppingRequest:
            sparse, dense, limit = first.asked("yeast").sparse, None, 5

            @property
            def scope(self) -> None:
                store.remove("first")
                gc.collect()

        assert paths(store.search(first.facts, DroppingRequest(), soon())) == ["01-bread.md"]

    def test_folder_that_cannot_be_written_is_our_own_error(self, tmp_path: Path, first: MadeEdition) -> None:
        """A read-only file system is the commonest fault of a container."""
        (tmp_path / "file").write_text("not a folder")
        store = QdrantEmbeddedStore(tmp_path / "file" / "index", Shelf([first]).load_points)

        with pytest.raises(SearchUnavailable, match="cannot be written"):
            store.build(first.facts, first.points)

    @pytest.mark.parametrize("how", ["empty", "lock is a folder"])
    def test_folder_that_cannot_be_swept_is_left_alone(
        self, store: QdrantEmbeddedStore, folder: Path, first: MadeEdition, how: str
    ) -> None:
        """In a shared temporary folder another user's index lies next to ours, and opening it fails."""
        strange = folder / f"{FOLDER_PREFIX}of-somebody"
        (strange / "lock" if how == "lock is a folder" else strange).mkdir(parents=True)

        store.build(first.facts, first.points)

        assert strange.exists()
        assert store.holds(first.facts)

    def test_worker_that_starts_at_the_same_moment_does_not_take_our_new_folder_for_a_dead_ones(
        self, store: QdrantEmbeddedStore, folder: Path, first: MadeEdition, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was once deleted between its making and its locking, and came back without a lock."""
        other = QdrantEmbeddedStore(folder, Shelf([first]).load_points)
        lock = fcntl.flock

        def other_starts_just_before(file: IO[str], how: int) -> None:
            monkeypatch.undo()
            other.prepare(first.facts)
            lock(file, how)

        monkeypatch.setattr("ragbot.core.locked_folder.fcntl.flock", other_starts_just_before)

        store.prepare(first.facts)

        assert (store.count(first.facts), other.count(first.facts)) == (3, 3)


@pytest.fixture(scope="module")
def shipped() -> MadeEdition:
    """Return the book that comes with the project, with vectors of word counts."""
    return made_edition(SHIPPED_BOOK, "shipped", EMBEDDER)


@pytest.fixture(scope="module")
def reference(shipped: MadeEdition) -> Iterator[QdrantClient]:
    """Yield the shipped book in qdrant-client's own engine, in memory."""
    client = QdrantClient(":memory:")
    sparse = models.SparseVectorParams(modifier=models.Modifier.IDF)
    dense = models.VectorParams(size=EMBEDDER.places, distance=models.Distance.DOT)
    client.create_collection(
        "book", vectors_config={"dense": dense}, sparse_vectors_config={"sparse": sparse}
    )
    client.upsert("book", [reference_point(point) for point in shipped.points])
    yield client
    client.close()


@pytest.fixture(scope="module")
def expected(shipped: MadeEdition, reference: QdrantClient) -> Callable[..., Expected]:
    """Ask the reference every third of the shipped set's questions once, and once more with vectors."""

    @cache
    def ask_all(*, with_vectors: bool) -> Expected:
        embedder = EMBEDDER if with_vectors else None
        rows = load_rows(PROJECT_ROOT / "eval" / "physical-ai.jsonl")[::3]
        requests = [shipped.asked(row.question, embedder=embedder) for row in rows]
        return [(request, reference_scores(reference, request)) for request in requests]

    return ask_all


class TestAgreement:
    """The stores of the project against the reference: qdrant-client's own engine in memory.

    For every third question of the shipped set the five best passages are compared as sets of chunk ids. A
    chunk that only our store names still agrees where the reference gives it the same score, up to a
    millionth, as its own fifth: which of two equals comes fifth is nobody's promise.
    """

    @pytest.mark.parametrize(
        ("kind", "with_vectors"), [("embedded", True), ("embedded", False), ("server", True)]
    )
    def test_top_five_are_those_of_the_reference(
        self,
        shipped: MadeEdition,
        expected: Callable[..., Expected],
        tmp_path: Path,
        opened: list[QdrantClient],
        kind: str,
        with_vectors: bool,
    ) -> None:
        """The figures of one engine hold for the other; moving to a server changes no answer."""
        answers = expected(with_vectors=with_vectors)
        with QdrantServer() as server:
            opened.append(open_client(server.url, None, 20))
            shelf = Shelf([shipped])
            store: PassageStore = (
                QdrantEmbeddedStore(tmp_path, shelf.load_points)
                if kind == "embedded"
                else QdrantServerStore(lambda: opened[0], "book", shelf.load_points)
            )
            store.prepare(shipped.facts)

            agreeing = [
                agrees(store.search(shipped.facts, request, soon()), scores) for request, scores in answers
            ]

        assert len(agreeing) > 30
        assert sum(agreeing) / len(agreeing) >= 0.95


EVERY = 10_000


def reference_point(point: IndexPoint) -> models.PointStruct:
    sparse = models.SparseVector(indices=point.sparse.indices, values=point.sparse.values)
    return models.PointStruct(id=point.chunk.id, vector={"dense": point.dense or [], "sparse": sparse})


def reference_scores(reference: QdrantClient, request: SearchRequest) -> dict[str, float]:
    """Return the reference's score of each chunk that it finds at all."""
    sparse = models.SparseVector(indices=request.sparse.indices, values=request.sparse.values)
    found = [reference.query_points("book", query=sparse, using="sparse", limit=EVERY).points]
    if request.dense is not None:
        found.append(reference.query_points("book", query=request.dense, using="dense", limit=EVERY).points)
    return dict(fused_ranks([{str(hit.id): hit.score for hit in hits} for hits in found], EVERY))


def agrees(found: list[Passage], scores: dict[str, float]) -> bool:
    """Return whether the five best are the reference's five best, or equals of its fifth."""
    best = sorted(scores.values(), reverse=True)[:5]
    return len(found) == len(best) and all(scores.get(p.chunk.id, 0.0) >= best[-1] - 1e-6 for p in found)
