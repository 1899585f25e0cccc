"""Build the app's services from the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Engine, create_engine

from ragbot.answering.answer_cache import CachedAnswerer, CachePolicy
from ragbot.answering.answerer import ANSWER_VERSION, Answerer, AnswerLimits
from ragbot.answering.book_contents import CachedContents
from ragbot.answering.cross_worker_single_flight import CrossWorkerSingleFlight
from ragbot.answering.example_questions import ExampleQuestions
from ragbot.answering.prompt import PROMPT_VERSION
from ragbot.answering.query_rewriting import QueryRewriter
from ragbot.answering.stop_requests import StopRequests
from ragbot.answering.turns import Turns
from ragbot.bootstrap.extractive import passage_reader, understood_texts
from ragbot.bootstrap.index import build_passage_store
from ragbot.bootstrap.insights import build_book_map, build_grouping
from ragbot.bootstrap.observability import build_tracing, measure_pool
from ragbot.bootstrap.providers import Providers, build_providers, probe_provider
from ragbot.bootstrap.storage import UNREADABLE, Storage, build_storage
from ragbot.config import PROJECT_ROOT, Settings
from ragbot.core.clock_jumps import ClockJumpDetector
from ragbot.core.ports import Embedder, Generator, PassageStore, SharedState
from ragbot.health.checks import health_checks
from ragbot.health.readiness import Readiness
from ragbot.index.published_books import PublishedBooks
from ragbot.index.retriever import Retriever
from ragbot.ingestion.chunk_contexts import ChunkContextWriter
from ragbot.ingestion.jobs import IngestJobRunner
from ragbot.ingestion.pipeline import IngestionPipeline
from ragbot.observability.answer_metrics import AnswerMetrics
from ragbot.observability.insight_metrics import InsightMetrics
from ragbot.observability.maintenance_metrics import MaintenanceMetrics
from ragbot.observability.metrics import Metrics
from ragbot.providers.extractive.common_words import is_english_word
from ragbot.providers.extractive.generator import ExtractiveGenerator
from ragbot.providers.extractive.reading import PassageReader
from ragbot.server.periodic_tasks import PeriodicTasks
from ragbot.services import Services
from ragbot.storage.chunk_contexts import ChunkContextStore
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.editions import EditionStore
from ragbot.storage.ingest_jobs import IngestJobStore
from ragbot.storage.keyvalue.shared_state import InProcessSharedState
from ragbot.storage.maintenance_log import MaintenanceLog
from ragbot.storage.migrations import SchemaCheck
from ragbot.storage.question_insights import QuestionInsights
from ragbot.version import __version__

log = structlog.get_logger(__name__)

# The caller that computes an answer for others renews its lease with each word.
FLIGHT_GRACE_S = 3


def build_services(
    settings: Settings,
    engine: Engine,
    *,
    generator: Generator | None = None,
    embedder: Embedder | None = None,
    store: PassageStore | None = None,
) -> Services:
    """Build an app's services, of what is passed in and the settings' choice. Raises ConfigurationError."""
    metrics, reader = _metrics(settings, engine), passage_reader()
    storage = build_storage(settings, engine, metrics)
    providers = build_providers(
        settings, storage, metrics, generator=generator, embedder=embedder, reader=reader
    )
    store = store or build_passage_store(settings, storage, metrics)
    published = PublishedBooks(storage.editions.published_of_each, store, settings.edition_poll_s)
    contents, insights = CachedContents(storage.editions), _insights(storage)
    retriever = _retriever(settings, published, storage.editions, providers, store)
    answerer = _answerer(settings, retriever, contents, providers, reader)
    clock, grouping = _clock(), build_grouping(settings, storage, providers)
    readiness = _readiness(storage, providers, store, published, clock)
    return Services(
        settings=settings,
        answerer=answerer,
        scorer=providers.scorer,
        turns=_turns(settings, answerer, retriever, storage, providers, metrics),
        stop_requests=StopRequests(storage.shared_state),
        conversations=storage.conversations,
        editions=storage.editions,
        contents=contents,
        examples=ExampleQuestions(storage.editions, contents, answerer),
        ingestion=_ingestion(settings, storage, providers, store),
        ingest_jobs=IngestJobRunner(settings, IngestJobStore(storage.database)),
        published=published,
        retriever=retriever,
        readiness=readiness,
        metrics=metrics,
        tracing=build_tracing(settings),
        cache=storage.cache,
        counters=storage.rate_counters,
        expired_rows=storage.expired_rows,
        periodic_tasks=_periodic_tasks(settings, storage, readiness, clock, grouping.run_daily),
        group_questions=grouping.run,
        insights=insights,
        insight_metrics=InsightMetrics(metrics, insights),
        map_questions=build_book_map(insights, storage, published),
        maintenance=MaintenanceMetrics(metrics, MaintenanceLog(storage.database)),
        budget=providers.paid.budget,
        probe_provider=partial(probe_provider, settings, providers.paid),
    )


def _insights(storage: Storage) -> QuestionInsights:
    return QuestionInsights(storage.database, storage.editions.once_published)


def _clock() -> ClockJumpDetector:
    return ClockJumpDetector(lambda by_s: log.warning("clock_jumped", by_s=round(by_s)))


def _metrics(settings: Settings, engine: Engine) -> Metrics:
    metrics = Metrics()
    measure_pool(settings, engine, metrics)
    return metrics


def _retriever(
    settings: Settings,
    published: PublishedBooks,
    editions: EditionStore,
    providers: Providers,
    store: PassageStore,
) -> Retriever:
    return Retriever(
        published,
        editions.edition,
        editions.vocabulary,
        store,
        providers.query_embedder,
        understands=understood_texts(settings),
        is_english_word=is_english_word,
    )


def _answerer(
    settings: Settings,
    retriever: Retriever,
    contents: CachedContents,
    providers: Providers,
    reader: PassageReader,
) -> Answerer:
    return Answerer(
        retriever,
        providers.generator,
        AnswerLimits(settings.context_tokens, settings.history_tokens, settings.answer_tokens),
        providers.paid.embedding_cost,
        reader=reader,
        rewriter=QueryRewriter(providers.question_generator) if providers.question_generator else None,
        book=contents,
        own_words=providers.own_words,
        sentences=providers.sentences,
    )


def _ingestion(
    settings: Settings, storage: Storage, providers: Providers, store: PassageStore
) -> IngestionPipeline:
    contexts = None
    if (model := providers.context_generator) is not None:
        cost = partial(providers.paid.cost_usd, model.name)
        contexts = ChunkContextWriter(model, ChunkContextStore(storage.database), cost)
    return IngestionPipeline(
        storage.editions,
        store,
        providers.book_embedder,
        max_file_bytes=round(settings.max_file_mb * 1_000_000),
        keep_editions=settings.keep_editions,
        contexts=contexts,
    )


def _periodic_tasks(
    settings: Settings,
    storage: Storage,
    readiness: Readiness,
    clock: ClockJumpDetector,
    group_daily: Callable[[], None],
) -> PeriodicTasks:
    tasks: list[Callable[[], object]] = [storage.conversations.prune, storage.expired_rows.delete_expired]
    if settings.insights_days and settings.insights_words:
        tasks.append(group_daily)
    return PeriodicTasks(
        storage.shared_state,
        tasks,
        checks=[readiness.report],
        clock_is_believed=clock.is_believed,
    )


def _readiness(
    storage: Storage,
    providers: Providers,
    store: PassageStore,
    published: PublishedBooks,
    clock: ClockJumpDetector,
) -> Readiness:
    return Readiness(
        is_migrated=SchemaCheck(storage.database, PROJECT_ROOT / "migrations").is_current,
        cannot_write=storage.database.cannot_write,
        published=published.look_up,
        served=published.served,
        clock_is_believed=clock.is_believed,
        embedder=providers.embedder.name if providers.embedder else None,
        checks=health_checks(
            store,
            storage.cache,
            providers.generator,
            published=published,
            models=providers.paid.models.troubles,
            embeddings=providers.paid.embeddings.troubles,
        ),
    )


def _turns(
    settings: Settings,
    answerer: Answerer,
    retriever: Retriever,
    storage: Storage,
    providers: Providers,
    metrics: Metrics,
) -> Turns:
    lease_s = settings.openai_first_word_timeout_s + FLIGHT_GRACE_S
    cached = CachedAnswerer(
        answerer,
        retriever.edition_known,
        storage.cache,
        CrossWorkerSingleFlight(_shared_by_workers(settings, storage), storage.cache, lease_s=lease_s),
        _cache_policy(settings, providers),
        unreadable=partial(metrics.count, "cache_failures_total", store=UNREADABLE),
    )
    return Turns(
        storage.conversations,
        cached,
        deadline_s=settings.query_deadline_s,
        most_at_once=settings.max_streams,
        questions_by_model=settings.openai_questions_per_session,
        observe=AnswerMetrics(metrics).ended,
    )


def _shared_by_workers(settings: Settings, storage: Storage) -> SharedState:
    """Return where workers see each other's claims. A sole process needs no table for that."""
    is_sole = settings.chosen_web_concurrency == 1 and settings.database_url.startswith("sqlite")
    return InProcessSharedState() if is_sole and not settings.redis_url else storage.shared_state


def _cache_policy(settings: Settings, providers: Providers) -> CachePolicy:
    return CachePolicy(
        ttl_s=settings.cache_ttl_hours * 3600,
        fingerprint=_fingerprint(settings, providers),
        shared=not isinstance(providers.generator, ExtractiveGenerator),
    )


def _fingerprint(settings: Settings, providers: Providers) -> str:
    """Join all that an answer depends on besides its question and its edition."""
    parts = (
        __version__,
        PROMPT_VERSION,
        ANSWER_VERSION,
        providers.generator.name,
        *settings.models,
        settings.chosen_question_model,
        settings.openai_base_url,
        providers.embedder.name if providers.embedder else "",
        settings.context_tokens,
        settings.answer_tokens,
    )
    return "|".join(map(str, parts))


@dataclass(frozen=True, slots=True)
class IsolatedServices:
    """Hold services that answer no reader, with their database."""

    services: Services
    database: Database


@contextmanager
def isolated_services(settings: Settings, url: str, folder: Path) -> Iterator[IsolatedServices]:
    """Build services over another database, with their index in `folder`. They call no other server."""
    alone = {"index_dir": folder, "embedder": "none", "rate_limit_storage": "memory"}
    servers = dict.fromkeys(("qdrant_url", "redis_url", "openai_api_key"))
    engine = create_engine(url, hide_parameters=True)
    make_sqlite_safe(engine, settings.db_lock_timeout_s)
    try:
        services = build_services(settings.model_copy(update={**alone, **servers}), engine)
        yield IsolatedServices(services, Database(engine))
    finally:
        engine.dispose()
