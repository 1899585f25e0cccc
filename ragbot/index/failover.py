"""Fail over from a Qdrant server to an embedded index while the server is unavailable or too slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from ragbot.core.circuit_breaker import CircuitBreaker
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, IndexPoint, Passage, SearchRequest
from ragbot.core.errors import CircuitOpen, IndexMissing, SearchUnavailable
from ragbot.core.ports import PassageStore

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class FailoverStore:
    """Search on the server, or in the embedded index if the server fails or has no index of the edition.

    All other calls go to the server. The embedded index is built from the database on first use, if the
    edition has at most `most_chunks`: each worker needs the memory for it. Both find the same passages.
    """

    def __init__(
        self, server: PassageStore, embedded: PassageStore, circuits: CircuitBreaker, *, most_chunks: int
    ) -> None:
        self.name = server.name
        self._server = server
        self._embedded = embedded
        self._circuits = circuits
        self._most_chunks = most_chunks

    def build(self, edition: EditionFacts, points: Iterable[IndexPoint]) -> None:
        self._server.build(edition, points)

    def holds(self, edition: EditionFacts) -> bool:
        return self._server.holds(edition)

    def prepare(self, edition: EditionFacts) -> None:
        self._asked(edition, lambda: self._server.prepare(edition), lambda: self._embedded.prepare(edition))

    def publish(self, edition: EditionFacts) -> None:
        self._server.publish(edition)

    def remove(self, key: str) -> None:
        self._server.remove(key)
        self._embedded.remove(key)

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        deadline.check()
        return self._asked(
            edition,
            lambda: self._server.search(edition, request, deadline),
            lambda: self._embedded.search(edition, request, deadline),
        )

    def count(self, edition: EditionFacts) -> int:
        return self._server.count(edition)

    def ping(self) -> None:
        self._server.ping()

    def _asked(
        self, edition: EditionFacts, of_server: Callable[[], Result], of_embedded: Callable[[], Result]
    ) -> Result:
        try:
            visit = self._circuits.enter(self.name)
        except CircuitOpen as error:
            failure = SearchUnavailable("The Qdrant server failed, and is not called for some seconds.")
            return self._stood_in(edition, of_embedded, failure, error)
        try:
            given = of_server()
        except IndexMissing as error:
            # The server is well: whoever asks for this edition must not take it from the readers of others.
            visit.succeeded()
            remedy = f"flask book reindex {edition.name} --book {edition.book}"
            log.warning("index_missing", book=edition.book, edition=edition.name, remedy=remedy)
            return self._stood_in(edition, of_embedded, error, error.__cause__)
        except SearchUnavailable as error:
            visit.failed()
            log.warning("qdrant_failed_over", cause=type(error.__cause__).__name__)
            return self._stood_in(edition, of_embedded, error, error.__cause__)
        except BaseException:
            visit.gave_up()
            raise
        visit.succeeded()
        return given

    def can_replace_server(self, chunks: int) -> bool:
        """Return whether the embedded index is allowed to hold so many chunks."""
        return chunks <= self._most_chunks

    def _stood_in(
        self,
        edition: EditionFacts,
        of_embedded: Callable[[], Result],
        failure: SearchUnavailable,
        cause: BaseException | None,
    ) -> Result:
        if not self.can_replace_server(edition.chunks):
            raise failure from cause
        return of_embedded()
