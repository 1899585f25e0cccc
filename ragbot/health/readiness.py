"""Decide from the health checks whether a question could be answered, and from which edition."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from ragbot.core.domain import EditionFacts
from ragbot.health.runner import CheckResult, HealthCheck, HealthChecks, State

log = structlog.get_logger(__name__)

# A machine under load, as at a start, takes more than 0.6 s for the database's check: its last result counts
# meanwhile. A database that hangs is told so much later.
DATABASE_GRACE_S = 3.0

MIGRATE = "run flask db upgrade"
CANNOT_WRITE = "cannot write"
CLOCK_JUMPED = "clock jumped"
INGEST_AGAIN = "ingest again"


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """Report the state of the service: `down` only where no question could be answered at all.

    `book` is the last edition known.
    """

    status: State
    components: dict[str, CheckResult]
    book: EditionFacts | None


class Readiness:
    """Check the database and, by `checks`, the other parts. Thread-safe.

    `published` reads the published edition from the database; `served` returns the edition that this process
    answers from, without a call. `embedder` names the configured one. Changes are logged once.
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
        checks: Mapping[str, HealthCheck],
    ) -> None:
        self._is_migrated = is_migrated
        self._cannot_write = cannot_write
        self._published = published
        self._served = served
        self._clock_is_believed = clock_is_believed
        self._embedder = embedder
        self._book: EditionFacts | None = None
        self._checks = HealthChecks(
            {"database": HealthCheck(self._check_database, grace_s=DATABASE_GRACE_S), **checks}
        )
        self._lock = threading.Lock()
        self._logged: dict[str, tuple[State, str]] = {}

    def report(self) -> ReadinessReport:
        """Check the parts and report, within 0.6 s."""
        results = self._checks.results()
        book = self._book or self._served()
        components = {**results, "embeddings": self._embeddings(book, results["embeddings"])}
        self._log_changes(components)
        return ReadinessReport(self._status(components, book), components, book)

    def _status(self, components: Mapping[str, CheckResult], book: EditionFacts | None) -> State:
        without_database = components["database"].status == "down"
        # Without the database, a process still answers from an edition that it has loaded before.
        nothing_to_search = (self._served() if without_database else book) is None
        if nothing_to_search or components["vector_store"].status == "down":
            return "down"
        return "ok" if all(result.status == "ok" for result in components.values()) else "degraded"

    def _check_database(self) -> CheckResult | None:
        if not self._is_migrated():
            return CheckResult("down", MIGRATE)
        self._book = self._published()
        if self._cannot_write():
            return CheckResult("degraded", CANNOT_WRITE)
        return None if self._clock_is_believed() else CheckResult("degraded", CLOCK_JUMPED)

    def _log_changes(self, components: Mapping[str, CheckResult]) -> None:
        for name, result in components.items():
            now = result.status, result.detail if result.status != "ok" else ""
            with self._lock:
                before, self._logged[name] = self._logged.get(name, ("ok", "")), now
            if now == before:
                continue
            level = log.info if result.status == "ok" else log.warning
            level("component_status_changed", component=name, status=result.status, detail=result.detail)

    def _embeddings(self, book: EditionFacts | None, checked: CheckResult) -> CheckResult:
        if self._embedder is None:
            return CheckResult("ok", "none")
        if book is not None and book.embedder != self._embedder:
            return CheckResult("degraded", INGEST_AGAIN)
        return checked if checked.status != "ok" else CheckResult("ok", self._embedder)
