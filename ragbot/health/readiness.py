"""Findings to a verdict: whether a question could be answered, and from which book."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from ragbot.core.domain import EditionFacts
from ragbot.health.runner import CheckResult, HealthCheck, HealthChecks, State

log = structlog.get_logger(__name__)

MIGRATE = "run flask db upgrade"
CANNOT_WRITE = "cannot write"
CLOCK_JUMPED = "clock jumped"
INGEST_AGAIN = "ingest again"


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """`down` only where no question could be answered at all; `book` is the last one known."""

    status: State
    components: dict[str, CheckResult]
    book: EditionFacts | None


class Readiness:
    """Asks the database for itself, and the other parts by their probes. Safe between threads.

    `published` asks the database for the edition; `served` is the one that this process answers from
    now, asked of nobody. `embedder` names the configured one. What changes is logged once.
    """

    def __init__(
        self,
        *,
        is_migrated: Callable[[], bool],
        cannot_write: Callable[[], bool],
        published: Callable[[], EditionFacts | None],
        served: Callable[[], EditionFacts | None],
        clock_is_believed: Callable[[], bool],
        embedder: str | None,
        probes: Mapping[str, HealthCheck],
    ) -> None:
        self._is_migrated = is_migrated
        self._cannot_write = cannot_write
        self._published = published
        self._served = served
        self._clock_is_believed = clock_is_believed
        self._embedder = embedder
        self._book: EditionFacts | None = None
        self._probes = HealthChecks({"database": HealthCheck(self._ask_database), **probes})
        self._lock = threading.Lock()
        self._told: dict[str, tuple[State, str]] = {}

    def report(self) -> ReadinessReport:
        """How it is now, after at most 0.6 s."""
        found = self._probes.findings()
        book = self._book or self._served()
        components = {**found, "embeddings": self._embeddings(book, found["embeddings"])}
        self._log(components)
        return ReadinessReport(self._status(components, book), components, book)

    def _status(self, components: Mapping[str, CheckResult], book: EditionFacts | None) -> State:
        without_database = components["database"].status == "down"
        # With the database away, a process still answers from an edition that it had before.
        nothing_to_search = (self._served() if without_database else book) is None
        if nothing_to_search or components["vector_store"].status == "down":
            return "down"
        return "ok" if all(finding.status == "ok" for finding in components.values()) else "degraded"

    def _ask_database(self) -> CheckResult | None:
        if not self._is_migrated():
            return CheckResult("down", MIGRATE)
        self._book = self._published()
        if self._cannot_write():
            return CheckResult("degraded", CANNOT_WRITE)
        return None if self._clock_is_believed() else CheckResult("degraded", CLOCK_JUMPED)

    def _log(self, components: Mapping[str, CheckResult]) -> None:
        """Say once what has changed, for whoever reads the log and does not ask."""
        for name, finding in components.items():
            now = finding.status, finding.detail if finding.status != "ok" else ""
            with self._lock:
                before, self._told[name] = self._told.get(name, ("ok", "")), now
            if now == before:
                continue
            level = log.info if finding.status == "ok" else log.warning
            level("component_changed", component=name, status=finding.status, detail=finding.detail)

    def _embeddings(self, book: EditionFacts | None, asked: CheckResult) -> CheckResult:
        if self._embedder is None:
            return CheckResult("ok", "none")
        if book is not None and book.embedder != self._embedder:
            return CheckResult("degraded", INGEST_AGAIN)
        return asked if asked.status != "ok" else CheckResult("ok", self._embedder)
