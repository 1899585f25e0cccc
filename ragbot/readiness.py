"""Findings to a verdict: whether a question could be answered, and from which book."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ragbot.core.domain import EditionFacts
from ragbot.probing import Finding, Probe, Probes, State

MIGRATE = "run flask db upgrade"
CANNOT_WRITE = "cannot write"
INGEST_AGAIN = "ingest again"


@dataclass(frozen=True, slots=True)
class Report:
    """`down` only where no question could be answered at all; `book` is the last one known."""

    status: State
    components: dict[str, Finding]
    book: EditionFacts | None


class Readiness:
    """Asks the database for itself, and the other parts by their probes. Safe between threads.

    `published` asks the database for the edition; `served` is the one that this process answers from
    now, asked of nobody. `embedder` names the configured one.
    """

    def __init__(
        self,
        *,
        is_migrated: Callable[[], bool],
        cannot_write: Callable[[], bool],
        published: Callable[[], EditionFacts | None],
        served: Callable[[], EditionFacts | None],
        embedder: str | None,
        others: Mapping[str, Probe],
    ) -> None:
        self._is_migrated = is_migrated
        self._cannot_write = cannot_write
        self._published = published
        self._served = served
        self._embedder = embedder
        self._book: EditionFacts | None = None
        self._probes = Probes({"database": Probe(self._ask_database), **others})

    def report(self) -> Report:
        """How it is now, after at most 0.6 s."""
        found = self._probes.findings()
        book = self._book or self._served()
        components = {**found, "embeddings": self._embeddings(book)}
        return Report(self._status(components, book), components, book)

    def _status(self, components: Mapping[str, Finding], book: EditionFacts | None) -> State:
        without_database = components["database"].status == "down"
        # With the database away, a process still answers from an edition that it had before.
        nothing_to_search = (self._served() if without_database else book) is None
        if nothing_to_search or components["vector_store"].status == "down":
            return "down"
        return "ok" if all(finding.status == "ok" for finding in components.values()) else "degraded"

    def _ask_database(self) -> Finding | None:
        if not self._is_migrated():
            return Finding("down", MIGRATE)
        self._book = self._published()
        return Finding("degraded", CANNOT_WRITE) if self._cannot_write() else None

    def _embeddings(self, book: EditionFacts | None) -> Finding:
        if self._embedder is None:
            return Finding("ok", "none")
        if book is not None and book.embedder != self._embedder:
            return Finding("degraded", INGEST_AGAIN)
        return Finding("ok", self._embedder)
