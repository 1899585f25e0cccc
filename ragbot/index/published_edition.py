"""Track the published edition: poll the database, and switch to a new edition when it can be searched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from ragbot.core.domain import EditionFacts
from ragbot.core.errors import DatabaseUnavailable, NoBook, RagbotError
from ragbot.core.ports import PassageStore
from ragbot.core.single_flight import Flight, SingleFlight

log = structlog.get_logger(__name__)


class PublishedEdition:
    """Hold the published edition of a process. Safe between threads.

    `load` reads it from the database. The index of a newly published edition is built in the background, and
    readers get the previous one meanwhile; without a previous one, all wait for one build. While the database
    is unavailable, the last known edition is used.
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
        # The key of the edition that is to be served next.
        self._wanted: str | None = None
        self._builds: SingleFlight[EditionFacts] = SingleFlight()

    def current(self) -> EditionFacts:
        """Return the edition to search now.

        Raises NoBook before the first one is published, or SearchUnavailable.
        """
        now = self._now()
        with self._lock:
            served, due = self._served, now - self._looked_at >= self._poll_s
            if served is not None and not due:
                return served
            self._looked_at = now
        if served is None:
            return self._builds.do("", self._build_newest)
        newest = self._newest(served)
        if self._poll_s == 0:
            self._store.prepare(newest)
            return self._serve(newest)
        if newest.key == served.key:
            return self._confirmed(newest)
        self._build_in_background(newest)
        return served

    def watch(self) -> None:
        """Start to poll in a thread that ends with the process.

        Without it, the first question after a quiet hour would be answered from the previous edition.
        """
        if self._poll_s:
            threading.Thread(target=self._watch, daemon=True, name="edition-watch").start()

    def look(self) -> None:
        """Switch to a newer edition. Does nothing before the first question."""
        if self.served() is None:
            return
        try:
            self.current()
        except RagbotError as error:
            log.warning("edition_poll_failed", code=error.code)

    def served(self) -> EditionFacts | None:
        """Return the edition that this process searches now; None before its first search."""
        with self._lock:
            return self._served

    def known(self) -> EditionFacts:
        """Return the published edition, whether or not it can be searched. Raises NoBook."""
        return self._newest(None)

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._poll_s)
            self.look()

    def _newest(self, served: EditionFacts | None) -> EditionFacts:
        try:
            newest = self._load()
        except DatabaseUnavailable:
            if served is None:
                raise
            return served
        if newest is None:
            raise NoBook("No book has been published yet; run `flask book ingest PATH`.")
        return newest

    def _build_newest(self) -> EditionFacts:
        if (served := self.served()) is not None:
            # Another caller's build ended just now.
            return served
        newest = self._newest(None)
        self._store.prepare(newest)
        return self._serve(newest)

    def _serve(self, edition: EditionFacts) -> EditionFacts:
        with self._lock:
            self._served = edition
        return edition

    def _confirmed(self, edition: EditionFacts) -> EditionFacts:
        """Keep the edition, unless another thread switched to a later one during the query."""
        with self._lock:
            if self._served is not None and self._served.key != edition.key:
                return self._served
            self._served, self._wanted = edition, None
        return edition

    def _build_in_background(self, edition: EditionFacts) -> None:
        with self._lock:
            self._wanted = edition.key
        flight, leads = self._builds.join(edition.key)
        if leads:
            threading.Thread(
                target=self._build, args=(edition, flight), daemon=True, name="edition-build"
            ).start()

    def _build(self, edition: EditionFacts, flight: Flight[EditionFacts]) -> None:
        try:
            self._store.prepare(edition)
            with self._lock:
                # Otherwise another edition was published during the build.
                is_wanted = self._wanted == edition.key
                if is_wanted:
                    self._served, self._wanted = edition, None
            if is_wanted:
                log.info("edition_switched", edition=edition.name)
        except RagbotError as error:
            log.error("edition_switch_failed", edition=edition.name, code=error.code)
        finally:
            self._builds.land(edition.key, flight)
