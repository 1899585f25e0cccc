"""Test which edition readers get: switched in the background, and known while the database is unavailable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.core.errors import DatabaseUnavailable, DeadlineExceeded, NoBook, SearchUnavailable
from ragbot.index.published_edition import PublishedEdition
from tests.conftest import THREE_CHAPTERS
from tests.fakes.editions import MadeEdition, Shelf, made_edition
from tests.fakes.memory_store import MemoryStore

POLL_S = 10.0


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Publications:
    """Stands in for the database's word on which edition is published."""

    def __init__(self) -> None:
        self.newest: EditionFacts | None = None
        self.down = False
        self.asked = 0
        self.answering = threading.Event()
        self.answering.set()

    def load(self) -> EditionFacts | None:
        newest, answering = self.newest, self.answering
        self.asked += 1
        assert answering.wait(5)
        if self.down:
            raise DatabaseUnavailable("The test's database is switched off.")
        return newest


class SlowStore(MemoryStore):
    """A memory store that builds an edition only when the test lets it."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf.load_points)
        self.waiting_for: dict[str, threading.Event] = {}
        self.begun: list[str] = []

    def hold_back(self, key: str) -> threading.Event:
        """Let the edition's build wait for the event."""
        return self.waiting_for.setdefault(key, threading.Event())

    def prepare(self, edition: EditionFacts) -> None:
        if not self.holds(edition):
            self.begun.append(edition.key)
            assert edition.key not in self.waiting_for or self.waiting_for[edition.key].wait(5)
        super().prepare(edition)


@pytest.fixture(scope="module")
def editions() -> dict[str, MadeEdition]:
    return {key: made_edition(THREE_CHAPTERS, key) for key in ("first", "second", "third")}


@pytest.fixture
def store(editions: dict[str, MadeEdition]) -> SlowStore:
    return SlowStore(Shelf(editions.values()))


@pytest.fixture
def publications(editions: dict[str, MadeEdition]) -> Publications:
    """Return a database that says `first`."""
    publications = Publications()
    publications.newest = editions["first"].facts
    return publications


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def published(publications: Publications, store: SlowStore, clock: Clock) -> PublishedEdition:
    return PublishedEdition(publications.load, store, POLL_S, now=clock)


def publish(made: MadeEdition, publications: Publications, clock: Clock) -> None:
    """Another process publishes an edition, and the interval passes."""
    publications.newest = made.facts
    clock.seconds += POLL_S


def soon(holds: Callable[[], bool]) -> bool:
    """Return whether something comes to hold within five seconds."""
    until = time.monotonic() + 60
    while not holds() and time.monotonic() < until:
        time.sleep(0.001)
    return holds()


def wait_for_swaps() -> None:
    for thread in threading.enumerate():
        if thread.name == "edition-build":
            thread.join(60)


def test_first_reader_waits_until_the_book_can_be_searched(
    published: PublishedEdition, store: SlowStore, editions: dict[str, MadeEdition]
) -> None:
    """There is nothing before it that could answer meanwhile."""
    current = published.current()

    assert current == editions["first"].facts
    assert store.holds(current)


def test_first_readers_at_once_wait_for_one_build(
    published: PublishedEdition, publications: Publications, store: SlowStore
) -> None:
    """The start of a busy service must not ask the database and build the index once for each of them."""
    built = store.hold_back("first")

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(published.current) for _ in range(4)]
        assert soon(lambda: store.begun == ["first"])
        built.set()

        assert [reader.result(5).key for reader in readers] == ["first"] * 4
    assert (store.begun, publications.asked) == (["first"], 1)


def test_no_book_is_said_until_one_is_published_and_no_longer(
    published: PublishedEdition, publications: Publications, editions: dict[str, MadeEdition]
) -> None:
    """The service starts before its first book, and nobody restarts it afterwards."""
    publications.newest = None
    with pytest.raises(NoBook, match="flask book ingest"):
        published.current()

    publications.newest = editions["first"].facts

    assert published.current().key == "first"


def test_published_edition_is_known_without_an_index(
    published: PublishedEdition, store: SlowStore, publications: Publications
) -> None:
    """The command that builds a lost index anew must not need one."""
    assert published.known().key == "first"
    assert store.begun == []

    publications.newest = None
    with pytest.raises(NoBook):
        published.known()


def test_readers_get_the_old_edition_until_the_new_one_can_be_searched(
    published: PublishedEdition,
    publications: Publications,
    store: SlowStore,
    clock: Clock,
    editions: dict[str, MadeEdition],
) -> None:
    """A publication must cost no reader a second."""
    published.current()
    built = store.hold_back("second")

    publish(editions["second"], publications, clock)
    while_building = published.current()
    built.set()
    wait_for_swaps()

    assert while_building.key == "first"
    assert published.current().key == "second"


def test_first_reader_waits_no_longer_than_the_deadline(
    published: PublishedEdition, store: SlowStore, editions: dict[str, MadeEdition]
) -> None:
    """The build goes on, and the next reader finds it."""
    built = store.hold_back("first")

    with pytest.raises(DeadlineExceeded):
        published.current(Deadline(0.05))
    not_yet = published.searchable(0.05)
    built.set()

    assert not_yet is None
    assert published.current() == editions["first"].facts
    assert published.searchable(0.05) == editions["first"].facts
    assert store.begun == ["first"]


def test_reason_why_a_newer_edition_is_not_served_is_known(
    published: PublishedEdition,
    publications: Publications,
    store: SlowStore,
    clock: Clock,
    editions: dict[str, MadeEdition],
) -> None:
    """The operator must hear that readers get the book of yesterday, until they do not."""
    published.current()
    store.down = True
    publish(editions["second"], publications, clock)
    published.current()
    wait_for_swaps()
    in_trouble = published.trouble()

    store.down = False
    clock.seconds += POLL_S
    published.current()
    wait_for_swaps()

    assert "switched off" in in_trouble
    assert published.trouble() == ""


def test_new_edition_is_built_once_however_many_ask(
    published: PublishedEdition,
    publications: Publications,
    store: SlowStore,
    clock: Clock,
    editions: dict[str, MadeEdition],
) -> None:
    """Each poll would begin the same work again."""
    published.current()
    built = store.hold_back("second")
    publish(editions["second"], publications, clock)

    for _ in range(5):
        published.current()
        clock.seconds += POLL_S
    built.set()
    wait_for_swaps()

    assert store.begun == ["first", "second"]


def test_database_is_asked_once_an_interval(
    published: PublishedEdition, publications: Publications, clock: Clock
) -> None:
    """A question must not cost a query that nearly always says the same."""
    for _ in range(10):
        published.current()
    clock.seconds += POLL_S - 0.1
    published.current()
    asked_within = publications.asked

    clock.seconds += 0.2
    published.current()

    assert (asked_within, publications.asked) == (1, 2)


def test_database_that_hangs_holds_up_one_reader_and_not_all(
    published: PublishedEdition, publications: Publications, clock: Clock
) -> None:
    """The others know which edition is published."""
    published.current()
    publications.answering.clear()
    clock.seconds += POLL_S

    with ThreadPoolExecutor(1) as threads:
        one = threads.submit(published.current)
        assert soon(lambda: publications.asked == 2)
        others = [published.current().key for _ in range(3)]
        publications.answering.set()

        assert others == ["first"] * 3
        assert one.result(5).key == "first"


def test_known_edition_goes_on_while_the_database_is_away(
    published: PublishedEdition, publications: Publications, clock: Clock, editions: dict[str, MadeEdition]
) -> None:
    """The index can be searched without it; and the news is heard when it is back."""
    published.current()
    publications.down = True

    publish(editions["second"], publications, clock)
    without_database = published.current().key
    publications.down = False
    clock.seconds += POLL_S
    published.current()
    wait_for_swaps()

    assert without_database == "first"
    assert published.current().key == "second"


def test_database_away_with_nothing_known_is_said_so(
    published: PublishedEdition, publications: Publications
) -> None:
    """It is not the same as a book that was never published."""
    publications.down = True

    with pytest.raises(DatabaseUnavailable):
        published.current()


def test_edition_that_cannot_be_built_is_tried_again(
    published: PublishedEdition,
    publications: Publications,
    store: SlowStore,
    clock: Clock,
    editions: dict[str, MadeEdition],
) -> None:
    """A Qdrant server that is restarted just then must not keep the old edition for ever."""
    published.current()
    store.down = True
    publish(editions["second"], publications, clock)
    published.current()
    wait_for_swaps()
    meanwhile = published.current().key

    store.down = False
    clock.seconds += POLL_S
    published.current()
    wait_for_swaps()

    assert meanwhile == "first"
    assert published.current().key == "second"


def test_first_edition_that_cannot_be_built_is_our_own_error(
    published: PublishedEdition, store: SlowStore
) -> None:
    """The reader gets a 503, and the next one another try."""
    store.down = True
    with pytest.raises(SearchUnavailable):
        published.current()

    store.down = False

    assert published.current().key == "first"


def test_edition_that_is_published_while_nobody_asks_is_there_for_the_next_reader(
    published: PublishedEdition, publications: Publications, editions: dict[str, MadeEdition], clock: Clock
) -> None:
    """On a quiet site the first question would be answered from the book of yesterday."""
    published.look()
    asked = publications.asked
    published.current()
    publish(editions["second"], publications, clock)
    published.look()
    wait_for_swaps()
    clock.seconds -= 1

    assert asked == 0
    assert published.current().key == "second"


def test_slow_build_does_not_push_out_an_edition_that_was_published_later(
    published: PublishedEdition,
    publications: Publications,
    store: SlowStore,
    clock: Clock,
    editions: dict[str, MadeEdition],
) -> None:
    """Readers once went back to the edition before for the length of an interval."""
    published.current()
    second_built = store.hold_back("second")
    publish(editions["second"], publications, clock)
    published.current()
    publish(editions["third"], publications, clock)
    published.current()
    assert soon(lambda: published.current().key == "third")

    second_built.set()
    wait_for_swaps()

    assert published.current().key == "third"


def test_way_back_that_is_taken_during_a_build_is_kept(
    published: PublishedEdition,
    publications: Publications,
    store: SlowStore,
    clock: Clock,
    editions: dict[str, MadeEdition],
) -> None:
    """An operator who takes a bad edition back at once must not see it come up after all."""
    published.current()
    built = store.hold_back("second")
    publish(editions["second"], publications, clock)
    published.current()

    publish(editions["first"], publications, clock)
    published.current()
    built.set()
    wait_for_swaps()

    assert published.current().key == "first"


def test_slow_look_at_the_database_does_not_bring_the_old_edition_back(
    published: PublishedEdition,
    publications: Publications,
    clock: Clock,
    editions: dict[str, MadeEdition],
) -> None:
    """A database that hung for one look answers it with what was so before."""
    published.current()
    publications.answering.clear()
    clock.seconds += POLL_S

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(published.current)
        assert soon(lambda: publications.asked == 2)
        let_go, publications.answering = publications.answering, threading.Event()
        publications.answering.set()
        publish(editions["second"], publications, clock)
        published.current()
        wait_for_swaps()
        let_go.set()
        slow.result(5)

    assert published.current().key == "second"


def test_without_an_interval_the_newest_edition_is_there_at_once(
    publications: Publications, store: SlowStore, editions: dict[str, MadeEdition]
) -> None:
    """Commands and tests ask once and cannot wait for a background."""
    published = PublishedEdition(publications.load, store, 0)
    published.current()

    publications.newest = editions["second"].facts

    assert published.current().key == "second"
