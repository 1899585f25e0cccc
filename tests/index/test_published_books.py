"""Test which book a question is for, and that a service asks the database for all books at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragbot.core.domain import DEFAULT_BOOK, EditionFacts
from ragbot.core.errors import BookNotFound, DatabaseUnavailable, NoBook
from ragbot.index.published_books import PublishedBooks
from tests.conftest import THREE_CHAPTERS
from tests.fakes.editions import Shelf, made_edition
from tests.fakes.memory_store import MemoryStore

POLL_S = 10.0


class Database:
    """Stands in for the table of publications."""

    def __init__(self, *editions: EditionFacts) -> None:
        self.editions = {facts.book: facts for facts in editions}
        self.is_down = False
        self.asked = 0

    def load(self) -> dict[str, EditionFacts]:
        self.asked += 1
        if self.is_down:
            raise DatabaseUnavailable("The test's database is switched off.")
        return dict(self.editions)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


MADE = made_edition(THREE_CHAPTERS, "first")


def facts(book: str, site_url: str = "") -> EditionFacts:
    return replace(MADE.facts, key=f"key of {book}", book=book, site_url=site_url)


def books_of(database: Database, clock: Clock | None = None) -> PublishedBooks:
    shelf = Shelf()
    for edition in database.editions.values():
        shelf.put(replace(MADE, facts=edition))
    return PublishedBooks(database.load, MemoryStore(shelf.load_points), POLL_S, now=clock or Clock())


@pytest.mark.parametrize(
    ("page", "book"),
    [
        ("https://book.example/chapter/one", "en"),
        ("https://book.example/de/kapitel/eins", "de"),
        ("https://BOOK.example/de", "de"),
        ("http://book.example/de/?q=1#here", "de"),
        # Another word that begins alike.
        ("https://book.example/developers", "en"),
        ("https://elsewhere.example/de/", "en"),
        ("not an address", "en"),
        (None, "en"),
    ],
)
def test_book_of_a_page_is_the_one_with_the_longest_address(page: str | None, book: str) -> None:
    """A site in two languages is two books, one below the other."""
    database = Database(facts("en", "https://book.example/"), facts("de", "https://book.example/de/"))

    assert books_of(database).choose(None, page) == book


def test_named_book_wins_over_the_page_and_an_unknown_one_is_refused() -> None:
    """A misspelt slug must not be answered from another book."""
    books = books_of(Database(facts("en", "https://book.example/"), facts("de")))

    assert books.choose("de", "https://book.example/one") == "de"
    with pytest.raises(BookNotFound, match="'fr'"):
        books.choose("fr", None)


def test_default_book_is_the_one_of_that_name_else_the_first() -> None:
    """A service that begins with one book goes on as it was when others join it."""
    assert books_of(Database(facts("de"), facts(DEFAULT_BOOK))).choose(None, None) == DEFAULT_BOOK
    assert books_of(Database(facts("de"), facts("en"))).choose(None, None) == "de"
    assert books_of(Database()).choose(None, None) == DEFAULT_BOOK


def test_without_a_book_each_call_says_so() -> None:
    """The service starts before its first book."""
    with pytest.raises(NoBook):
        books_of(Database()).current()


def test_database_is_asked_once_an_interval_for_all_books() -> None:
    """Thirty books must not cost thirty queries a second."""
    database, clock = Database(*(facts(f"book-{number}") for number in range(30))), Clock()
    books = books_of(database, clock)
    for number in range(30):
        books.current(f"book-{number}")
        books.choose(None, "https://book.example/")
    within = database.asked

    clock.seconds += POLL_S
    for number in range(30):
        books.current(f"book-{number}")

    assert (within, database.asked) == (1, 2)


def test_known_books_are_chosen_while_the_database_is_away() -> None:
    """Their indexes can be searched without it."""
    database, clock = Database(facts("en"), facts("de")), Clock()
    books = books_of(database, clock)
    books.current("de")

    database.is_down = True
    clock.seconds += POLL_S

    assert books.choose("de", None) == "de"
    assert books.current("de").book == "de"


def test_book_is_not_said_to_be_missing_while_the_database_is_away() -> None:
    """Who is told that it does not exist does not try again."""
    database, clock = Database(facts("en")), Clock()
    database.is_down = True
    books = books_of(database, clock)

    with pytest.raises(DatabaseUnavailable):
        books.choose("en", None)
    database.is_down = False
    assert books.choose("en", None) == "en"
    database.is_down = True
    clock.seconds += POLL_S
    with pytest.raises(DatabaseUnavailable):
        books.choose("de", None)
    assert books.choose(None, None) == "en"


def test_each_book_is_served_by_its_own_edition() -> None:
    """Readers of one book must never get the words of another."""
    books = books_of(Database(facts("en"), facts("de")))

    assert (books.current("en").key, books.current("de").key) == ("key of en", "key of de")
    assert (books.served("en").key, books.served("de").key) == ("key of en", "key of de")
