"""Which edition readers get now: asked of the database at intervals, swapped in when it can be searched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from ragbot.core.domain import EditionFacts
from ragbot.core.errors import DatabaseUnavailable, NoBook, RagbotError
from ragbot.core.ports import PassageStore

log = structlog.get_logger(__name__)


class PublishedEdition:
    """Knows the published edition for a process; safe between threads.

    `load` asks the database. A newly published edition is built in the background while readers go on
    getting the one before it; only where there is none before it do they wait. With the database away,
    the edition that is known goes on.
    """

    def __init__(
        self,
        load: Callable[[], EditionFacts | None],
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
        self._served: EditionFacts | None = None
        self._looked_at = float("-inf")
        self._coming: str | None = None

    def current(self) -> EditionFacts:
        """The edition to search now. Raises NoBook before the first is published, or SearchUnavailable."""
        now = self._now()
        with self._lock:
            served, due = self._served, now - self._looked_at >= self._poll_s
            if served is not None and not due:
                return served
            self._looked_at = now
        newest = self._newest(served)
        if served is None or self._poll_s == 0:
            self._store.prepare(newest)
            return self._serve(newest)
        if newest.key == served.key:
            return self._confirmed(newest)
        self._prepare_in_background(newest)
        return served

    def watch(self) -> None:
        """Look at intervals from now on, in a thread of its own that ends with the process.

        Else the first question after a quiet hour would be answered from the edition before.
        """
        if self._poll_s:
            threading.Thread(target=self._watch, daemon=True, name="edition-watch").start()

    def look(self) -> None:
        """Swap a newer edition in, where one is served already."""
        if self.served() is None:
            return
        try:
            self.current()
        except RagbotError as error:
            log.warning("edition_not_looked_at", code=error.code)

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._poll_s)
            self.look()

    def served(self) -> EditionFacts | None:
        """The edition that this process answers from now; None before its first search. Asks nobody."""
        with self._lock:
            return self._served

    def known(self) -> EditionFacts:
        """The published edition, whether or not it can be searched. Raises NoBook."""
        return self._newest(None)

    def _newest(self, served: EditionFacts | None) -> EditionFacts:
        try:
            newest = self._load()
        except DatabaseUnavailable:
            if served is None:
                raise
            return served
        if newest is None:
            raise NoBook("No book has been published yet; the operator must run `flask book ingest`.")
        return newest

    def _serve(self, edition: EditionFacts) -> EditionFacts:
        with self._lock:
            self._served = edition
        return edition

    def _confirmed(self, edition: EditionFacts) -> EditionFacts:
        """Nothing has changed, unless another thread swapped a later one in while the database was asked."""
        with self._lock:
            if self._served is not None and self._served.key != edition.key:
                return self._served
            self._served, self._coming = edition, None
        return edition

    def _prepare_in_background(self, edition: EditionFacts) -> None:
        with self._lock:
            if self._coming == edition.key:
                return
            self._coming = edition.key
        threading.Thread(target=self._swap_in, args=(edition,), daemon=True, name="edition-swap").start()

    def _swap_in(self, edition: EditionFacts) -> None:
        try:
            self._store.prepare(edition)
            with self._lock:
                if self._coming != edition.key:
                    # Another one was published while this one was built.
                    return
                self._served = edition
            log.info("edition_swapped_in", edition=edition.name)
        except RagbotError as error:
            log.error("edition_not_swapped_in", edition=edition.name, code=error.code)
        finally:
            with self._lock:
                if self._coming == edition.key:
                    self._coming = None
