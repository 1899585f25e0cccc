"""Hold the services of an app for its views and commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import structlog
from flask import Flask, current_app

from ragbot.answering.answerer import Answerer
from ragbot.answering.book_contents import CachedContents
from ragbot.answering.example_questions import ExampleQuestions
from ragbot.answering.stop_requests import StopRequests
from ragbot.answering.turns import Turns
from ragbot.config import Settings
from ragbot.core.deadline import Deadline
from ragbot.core.errors import RagbotError
from ragbot.core.findings import Finding
from ragbot.core.ports import AnswerScorer, Cache
from ragbot.health.readiness import Readiness
from ragbot.index.published_books import PublishedBooks
from ragbot.index.retriever import Retriever
from ragbot.ingestion.jobs import IngestJobRunner
from ragbot.ingestion.pipeline import IngestionPipeline
from ragbot.insights.book_map import BookMap
from ragbot.observability.insight_metrics import InsightMetrics
from ragbot.observability.maintenance_metrics import MaintenanceMetrics
from ragbot.observability.metrics import Metrics
from ragbot.observability.tracing import Tracing
from ragbot.server.periodic_tasks import PeriodicTasks
from ragbot.storage.conversations import ConversationStore
from ragbot.storage.daily_budget import DailyBudget
from ragbot.storage.editions import EditionStore
from ragbot.storage.expired_rows import ExpiredRows
from ragbot.storage.keyvalue.rate_counters import FailoverRateCounters
from ragbot.storage.question_insights import QuestionInsights
from ragbot.storage.question_selection import Selection

log = structlog.get_logger(__name__)

EXTENSION = "ragbot"


@dataclass(frozen=True, slots=True)
class Services:
    """Hold the services that views and commands may use."""

    settings: Settings
    answerer: Answerer
    scorer: AnswerScorer | None
    turns: Turns
    stop_requests: StopRequests
    conversations: ConversationStore
    editions: EditionStore
    contents: CachedContents
    examples: ExampleQuestions
    ingestion: IngestionPipeline
    ingest_jobs: IngestJobRunner
    published: PublishedBooks
    retriever: Retriever
    readiness: Readiness
    metrics: Metrics
    tracing: Tracing
    cache: Cache
    counters: FailoverRateCounters
    expired_rows: ExpiredRows
    periodic_tasks: PeriodicTasks
    group_questions: Callable[[], int | None]
    insights: QuestionInsights
    insight_metrics: InsightMetrics
    map_questions: Callable[[Selection], BookMap]
    maintenance: MaintenanceMetrics
    budget: DailyBudget
    probe_provider: Callable[[], Iterable[Finding]]


def current_services() -> Services:
    """Return the services of the current app."""
    return cast(Services, current_app.extensions[EXTENSION])


def warm(app: Flask) -> None:
    """Load what the first question would wait for: the index, the vocabulary, the local models.

    Also delete the uploads that a killed server has left.
    """
    services: Services = app.extensions[EXTENSION]
    services.ingest_jobs.sweep()
    # So that a worker without requests appears in the metrics, too.
    services.metrics.sample()
    try:
        edition = services.published.current()
        services.retriever.retrieve(
            "warm up", edition=edition, limit=1, deadline=Deadline(services.settings.query_deadline_s)
        )
        if services.scorer is not None:
            services.scorer.scores("warm up", ["warm up"])
    except RagbotError as error:
        log.warning("warm_up_failed", code=error.code)
    # Log at the start what is wrong from the start.
    services.readiness.report()
