"""Know which books a service has, and the published edition of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from ragbot.core.deadline import Deadline
from ragbot.core.domain import DEFAULT_BOOK, EditionFacts
from ragbot.core.errors import BookNotFound, DatabaseUnavailable
from ragbot.core.ports import PassageStore
from ragbot.index.published_edition import PublishedEdition


class PublishedBooks:
    """Hold the published edition of each book of a process. Safe between threads.

    `load` reads them from the database, by their slugs; it is called at most once in `poll_s` seconds. Each
    method that takes a book takes its slug. An edition's index is opened when its book is first asked.
    """

    def __init__(
        self,
        load: Callable[[], Mapping[str, EditionFacts]],
        store: PassageStore,
        poll_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._store = store
        self._poll_s = poll_s
        self._now = now
        self._lock = threading.Lock()
        self._books: dict[str, PublishedEdition] = {}
        self._known: Mapping[str, EditionFacts] | None = None
        self._looked_at = float("-inf")

    def choose(self, book: str | None, page_url: str | None) -> str:
        """Return the book that a question is for: the named one, that of the reader's page, or the default.

        That of a page is the one with the longest site address that the page's begins with. The default is
        the book `default`; without one, the book that was published first. Raises BookNotFound, or
        DatabaseUnavailable for a book that is not known while the database cannot be asked for it.
        """
        try:
            books = self._listed()
        except DatabaseUnavailable:
            books = self._known or {}
            if book is not None and book not in books and book != DEFAULT_BOOK:
                raise
        if book is not None:
            if book not in books and book != DEFAULT_BOOK:
                raise BookNotFound(f"There is no book called {book!r}.")
            return book
        if page_url and len(books) > 1 and (found := _book_of_page(page_url, books)):
            return found
        return _default_of(books)

    def look_up(self) -> EditionFacts | None:
        """Read the published editions now; return that of the default book. Raises DatabaseUnavailable."""
        listed = self._read()
        return listed.get(_default_of(listed))

    def books(self) -> Sequence[EditionFacts]:
        """Return the published edition of each book. Raises DatabaseUnavailable."""
        return tuple(self._listed().values())

    def current(self, book: str | None = None, deadline: Deadline | None = None) -> EditionFacts:
        """Return the edition to search now, as `PublishedEdition.current` does."""
        return self._of(book).current(deadline)

    def searchable(self, wait_s: float, book: str | None = None) -> EditionFacts | None:
        """Return the edition that this process can search, as `PublishedEdition.searchable` does."""
        return self._of(book).searchable(wait_s)

    def served(self, book: str | None = None) -> EditionFacts | None:
        """Return the edition that this process searches now; None before its first search."""
        return self._of(book).served()

    def known(self, book: str | None = None) -> EditionFacts:
        """Return the published edition, whether or not it can be searched. Raises NoBook."""
        return self._of(book).known()

    def trouble(self) -> str:
        """Return why the newest edition of a book cannot be searched; empty if each can."""
        with self._lock:
            books = list(self._books.values())
        return next(filter(None, (book.trouble() for book in books)), "")

    def watch(self) -> None:
        """Start to look for newer editions in a thread that ends with the process.

        Without it, the first question after a quiet hour would be answered from the previous edition.
        """
        if self._poll_s:
            threading.Thread(target=self._watch, daemon=True, name="edition-watch").start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._poll_s)
            with self._lock:
                books = list(self._books.values())
            for book in books:
                book.look()

    def _of(self, book: str | None) -> PublishedEdition:
        slug = book if book is not None else self.choose(None, None)
        with self._lock:
            if slug not in self._books:
                self._books[slug] = PublishedEdition(
                    lambda: self._listed().get(slug), self._store, self._poll_s, now=self._now
                )
            return self._books[slug]

    def _listed(self) -> Mapping[str, EditionFacts]:
        """Return the published editions; one caller at a time asks the database, the others do not wait."""
        now = self._now()
        with self._lock:
            if self._known is not None:
                if now - self._looked_at < self._poll_s:
                    return self._known
                self._looked_at = now
        return self._read()

    def _read(self) -> Mapping[str, EditionFacts]:
        now = self._now()
        listed = self._load()
        with self._lock:
            self._known, self._looked_at = listed, now
        return listed


def _default_of(books: Mapping[str, EditionFacts]) -> str:
    return DEFAULT_BOOK if DEFAULT_BOOK in books else next(iter(books), DEFAULT_BOOK)


def _book_of_page(page_url: str, books: Mapping[str, EditionFacts]) -> str | None:
    page = _place(page_url)
    sites = {slug: _place(facts.site_url) for slug, facts in books.items() if facts.site_url}
    within = [slug for slug, site in sites.items() if page == site or page.startswith(f"{site}/")]
    return max(within, key=lambda slug: len(sites[slug]), default=None)


def _place(url: str) -> str:
    """Return the host and path of an address, without the slash at the end."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.netloc.casefold()}{parts.path}".rstrip("/")
