"""Track the published edition: poll the database, and switch to a new edition when it can be searched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import structlog

from ragbot.core.cooldown import Cooldown
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.core.errors import DatabaseUnavailable, DeadlineExceeded, NoBook, RagbotError
from ragbot.core.ports import PassageStore
from ragbot.core.single_flight import SingleFlight

log = structlog.get_logger(__name__)

# Between two tries to build the index of a newer edition.
RETRY_S = 10.0
FIRST = "the first edition"


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
        self._retry = Cooldown(RETRY_S, clock=now)
        self._trouble = ""

    def current(self, deadline: Deadline | None = None) -> EditionFacts:
        """Return the edition to search now; wait for the first one's index until the deadline.

        Raises NoBook before the first one is published, SearchUnavailable or DeadlineExceeded.
        """
        now = self._now()
        with self._lock:
            served, due = self._served, now - self._looked_at >= self._poll_s
            if served is not None and not due:
                return served
            self._looked_at = now
        if served is None:
            return self._first(deadline)
        newest = self._newest(served)
        if self._poll_s == 0:
            self._store.prepare(newest)
            return self._serve(newest)
        if newest.key == served.key:
            return self._confirmed(newest)
        self._build_in_background(newest)
        return served

    def searchable(self, wait_s: float) -> EditionFacts | None:
        """Return the edition that this process can search, or None if there is none within `wait_s` seconds.

        The build of the first one's index is begun if nobody has. Raises NoBook or SearchUnavailable.
        """
        if (served := self.served()) is not None:
            return served
        try:
            return self._first(Deadline(wait_s))
        except DeadlineExceeded:
            return None

    def trouble(self) -> str:
        """Return why the newest edition cannot be searched; empty if it can, or is being built."""
        with self._lock:
            return self._trouble

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

    def _first(self, deadline: Deadline | None) -> EditionFacts:
        """Wait for the first edition's build, which goes on when the deadline is over."""
        while (served := self.served()) is None:
            flight = self._builds.start(FIRST, self._build_newest, thread_name="edition-build")
            flight.wait(deadline)
            if flight.failure is not None:
                raise flight.failure
        return served

    def _build_newest(self) -> EditionFacts:
        if (served := self.served()) is not None:
            # Another caller's build ended just now.
            return served
        newest = self._newest(None)
        try:
            self._store.prepare(newest)
        except RagbotError as error:
            self._note_trouble(str(error))
            raise
        return self._serve(newest)

    def _serve(self, edition: EditionFacts) -> EditionFacts:
        with self._lock:
            self._served, self._trouble = edition, ""
        return edition

    def _note_trouble(self, trouble: str) -> None:
        with self._lock:
            self._trouble = trouble

    def _confirmed(self, edition: EditionFacts) -> EditionFacts:
        """Keep the edition, unless another thread switched to a later one during the query."""
        with self._lock:
            if self._served is not None and self._served.key != edition.key:
                return self._served
            self._served, self._wanted = edition, None
            self._trouble = ""
        return edition

    def _build_in_background(self, edition: EditionFacts) -> None:
        with self._lock:
            self._wanted = edition.key
        if self._retry.allows_call():
            self._builds.start(edition.key, partial(self._build, edition), thread_name="edition-build")

    def _build(self, edition: EditionFacts) -> EditionFacts:
        try:
            self._store.prepare(edition)
        except RagbotError as error:
            self._retry.start()
            self._note_trouble(str(error))
            log.error("edition_switch_failed", edition=edition.name, code=error.code, reason=str(error))
            raise
        self._retry.end()
        with self._lock:
            # Otherwise another edition was published during the build.
            is_wanted = self._wanted == edition.key
            if is_wanted:
                self._served, self._wanted, self._trouble = edition, None, ""
        if is_wanted:
            log.info("edition_switched", edition=edition.name)
        return edition
