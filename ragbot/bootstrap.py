"""Settings to services: each choice made once. The only file that knows every part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import QueuePool

from ragbot.answering.answer_cache import CachedAnswerer, CachePolicy
from ragbot.answering.answerer import ANSWER_VERSION, Answerer, AnswerLimits
from ragbot.answering.book_contents import CachedContents
from ragbot.answering.prompt import PROMPT_VERSION
from ragbot.answering.single_flight import SingleFlight
from ragbot.answering.turns import Turns
from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import readable_words, tidy_markdown
from ragbot.config import PROJECT_ROOT, Settings
from ragbot.config.resources import spare_waiting_threads
from ragbot.core.circuit_breaker import CircuitBreaker
from ragbot.core.clock_jumps import ClockJumpDetector
from ragbot.core.errors import ConfigurationError
from ragbot.core.ports import Cache, Embedder, Generator, PassageStore, SharedState
from ragbot.health.checks import health_checks
from ragbot.health.readiness import Readiness
from ragbot.index.analysis import Analyzer
from ragbot.index.failover import FailoverStore
from ragbot.index.published_edition import PublishedEdition
from ragbot.index.retriever import Retriever
from ragbot.ingestion.jobs import IngestJobRunner
from ragbot.ingestion.pipeline import IngestionPipeline, points_of
from ragbot.observability.answer_metrics import AnswerMetrics, SpendingMetrics
from ragbot.observability.logging import ErrorReporter
from ragbot.observability.maintenance_metrics import MaintenanceMetrics
from ragbot.observability.metrics import Metrics
from ragbot.observability.tracing import NoTracing, Tracing
from ragbot.providers.budgeted import BudgetedEmbedder, BudgetedGenerator
from ragbot.providers.circuit_breaking import CircuitBreakingEmbedder, CircuitBreakingGenerator
from ragbot.providers.embedding_cache import CachingEmbedder
from ragbot.providers.extractive.generator import ExtractiveGenerator
from ragbot.providers.extractive.reading import PassageReader
from ragbot.providers.fallback import FallbackGenerator
from ragbot.providers.openai.prices import CostOf, Price, costs_by
from ragbot.providers.timed import TimedEmbedder
from ragbot.server.periodic_tasks import PeriodicTasks
from ragbot.services import Services
from ragbot.storage.conversations import ConversationStore
from ragbot.storage.daily_budget import DailyBudget
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.editions import EditionStore
from ragbot.storage.ingest_jobs import IngestJobStore
from ragbot.storage.keyvalue.cache import CacheStore, DatabaseCache, FailoverCache, NoCache
from ragbot.storage.keyvalue.rate_counters import (
    DatabaseRateCounters,
    FailoverRateCounters,
    MemoryRateCounters,
    RateCounters,
)
from ragbot.storage.keyvalue.shared_state import DatabaseSharedState, FailoverSharedState, SharedStateStore
from ragbot.storage.maintenance_log import MaintenanceLog
from ragbot.storage.migrations import SchemaCheck
from ragbot.version import __version__

if TYPE_CHECKING:
    from ragbot.providers.openai.client import OpenAIClient

log = structlog.get_logger(__name__)

# A turn that is pending this long after its deadline was left by a crash.
TURN_GRACE_S = 60
# A server that is alive ends a statement by itself, and is given so much longer to say so.
DATABASE_GRACE_S = 2
# What a prompt has besides passages and talk: the rules, the question, a long selection.
RULES_TOKENS = 4000
# Whoever tries a provider is taken for dead when his time and so much more is over.
TRIAL_GRACE_S = 5
# Whoever asks a model for others too shows a sign of life with each word.
FLIGHT_GRACE_S = 3


def build_services(
    settings: Settings,
    engine: Engine,
    *,
    generator: Generator | None = None,
    embedder: Embedder | None = None,
    store: PassageStore | None = None,
) -> Services:
    """An app's parts; what is handed in takes the place of what the settings would choose. Opens nothing.

    Raises ConfigurationError for a budget that could not be held.
    """
    metrics = Metrics()
    most_connections = settings.db_pool_size + settings.db_max_overflow
    metrics.on_sample(partial(_sample_pool, metrics, engine, most_connections))
    database = Database(
        engine,
        waited=partial(metrics.observe, "db_pool_wait_seconds"),
        timeout_s=settings.db_statement_timeout_s + DATABASE_GRACE_S,
    )
    editions = EditionStore(database)
    conversations = ConversationStore(
        database, settings.session_timeout_hours, turn_limit_s=settings.query_deadline_s + TURN_GRACE_S
    )
    cache = _cache(settings, database, metrics)
    states = _states(settings, database, metrics)
    provider = _Provider(settings, states, _budget(settings, database, metrics), _openai_client(settings))
    embedder = embedder or _embedder(settings, provider)
    asked = _asked_embedder(settings, embedder, provider, cache, metrics) if embedder else None
    store = store or _store(settings, editions, states, metrics)
    reader = passage_reader()
    generator = generator or _generator(settings, provider, asked, reader)
    published = PublishedEdition(editions.published, store, settings.edition_poll_s)
    retriever = Retriever(
        published,
        editions.edition,
        editions.vocabulary,
        store,
        asked,
        understands=_understands(settings),
    )
    answerer = Answerer(
        retriever,
        generator,
        _limits(settings),
        provider.embedding_cost,
        reader=reader,
        book=CachedContents(editions),
    )
    cached = CachedAnswerer(
        answerer,
        retriever.edition_known,
        cache,
        SingleFlight(states, cache, lease_s=settings.openai_first_word_timeout_s + FLIGHT_GRACE_S),
        _keeping(settings, generator, embedder),
        unreadable=partial(metrics.count, "cache_failures_total", store="unreadable"),
    )
    metrics.on_scrape(partial(_look_up_circuits, metrics, provider))
    clock = ClockJumpDetector(lambda by_s: log.warning("clock_jumped", by_s=round(by_s)))
    readiness = Readiness(
        is_migrated=SchemaCheck(database, PROJECT_ROOT / "migrations").is_current,
        cannot_write=database.cannot_write,
        published=editions.published,
        served=published.served,
        clock_is_believed=clock.is_believed,
        embedder=embedder.name if embedder else None,
        probes=health_checks(
            store,
            cache,
            generator,
            chunks=lambda: facts.chunks if (facts := published.served()) else 0,
            models=provider.models.open_names,
            embeddings=provider.embeddings.open_names,
        ),
    )
    return Services(
        settings=settings,
        answerer=answerer,
        turns=Turns(
            conversations,
            cached,
            deadline_s=settings.query_deadline_s,
            most_at_once=settings.max_streams,
            questions_by_model=settings.openai_questions_per_session,
            observe=AnswerMetrics(metrics).ended,
        ),
        conversations=conversations,
        editions=editions,
        ingestion=IngestionPipeline(
            editions,
            store,
            _book_embedder(settings, embedder, provider) if embedder else None,
            max_file_bytes=round(settings.max_file_mb * 1_000_000),
        ),
        ingest_jobs=IngestJobRunner(settings, IngestJobStore(database)),
        published=published,
        retriever=retriever,
        readiness=readiness,
        metrics=metrics,
        tracing=_tracing(settings),
        cache=cache,
        counters=_counters(settings, database, metrics),
        periodic_tasks=PeriodicTasks(
            states, [conversations.prune], looks=[readiness.report], clock_is_believed=clock.is_believed
        ),
        maintenance=MaintenanceMetrics(metrics, MaintenanceLog(database)),
    )


class _Provider:
    """What stands between the service and OpenAI: one client, its circuits, its prices, the budget."""

    def __init__(
        self, settings: Settings, states: SharedState, budget: DailyBudget, client: OpenAIClient | None
    ) -> None:
        self.client = client
        self.budget = budget
        self.cost_usd = _costs(settings)
        # A trial can take as long as a model may be silent, or a question as a whole.
        self.models = CircuitBreaker("models", states, lease_s=settings.query_deadline_s + TRIAL_GRACE_S)
        self.embeddings = CircuitBreaker(
            "embeddings", states, lease_s=settings.openai_embedding_timeout_s + TRIAL_GRACE_S
        )
        # Under these names their circuits are known.
        self.names = (*settings.models, f"openai/{settings.openai_embedding_model}") if client else ()
        self._embedding_model = settings.openai_embedding_model

    def embedding_cost(self, tokens: int) -> float | None:
        """What a call for vectors cost."""
        return self.cost_usd(self._embedding_model, tokens, 0) if tokens else 0.0


def _cache(settings: Settings, database: Database, metrics: Metrics) -> Cache:
    stores: list[CacheStore] = [DatabaseCache(database)]
    if settings.redis_url:
        from ragbot.storage.keyvalue.redis import RedisCache

        stores.insert(0, RedisCache(settings.redis_url))
    cache = FailoverCache(stores, failed=lambda store: metrics.count("cache_failures_total", store=store))
    return cache if settings.cache_ttl_hours else NoCache(cache)


def _states(settings: Settings, database: Database, metrics: Metrics) -> SharedState:
    stores: list[SharedStateStore] = [DatabaseSharedState(database)]
    if settings.redis_url:
        from ragbot.storage.keyvalue.redis import RedisSharedState

        stores.insert(0, RedisSharedState(settings.redis_url))
    return FailoverSharedState(
        stores, failed=lambda store: metrics.count("state_store_failures_total", store=store)
    )


def _counters(settings: Settings, database: Database, metrics: Metrics) -> FailoverRateCounters:
    """What counts calls for the quotas."""
    in_database = DatabaseRateCounters(database)
    stores: list[RateCounters]
    match settings.chosen_rate_limit_storage:
        case "memory":
            stores = [MemoryRateCounters()]
        case "database":
            stores = [in_database]
        case "redis":
            from ragbot.storage.keyvalue.redis import RedisRateCounters

            assert settings.redis_url
            # Without Redis the quotas still hold, from the moment at which it went.
            stores = [RedisRateCounters(settings.redis_url), in_database]
    return FailoverRateCounters(stores, failed=lambda _store: metrics.count("quota_store_failures_total"))


def _costs(settings: Settings) -> CostOf:
    return costs_by({name: Price(*price) for name, price in settings.model_prices.items()})


def _budget(settings: Settings, database: Database, metrics: Metrics) -> DailyBudget:
    costs = _costs(settings)
    if settings.openai_daily_budget_usd is not None and settings.openai_api_key is not None:
        paid_for = [*settings.models]
        if settings.chosen_embedder == "openai":
            paid_for.append(settings.openai_embedding_model)
        unknown = [name for name in paid_for if costs(name, 1, 1) is None]
        if unknown:
            raise ConfigurationError(
                f"OPENAI_DAILY_BUDGET_USD cannot be held for {', '.join(unknown)}, whose price is not known; "
                "add it to MODEL_PRICES."
            )
    models = {*settings.models, f"openai/{settings.openai_embedding_model}"}
    charged = SpendingMetrics(metrics, models=models).charged
    budget = DailyBudget(database, settings.openai_daily_budget_usd, charged=charged)
    if budget.limit_usd is not None:
        metrics.on_scrape(partial(_look_up_budget, metrics, budget))
    return budget


def _look_up_budget(metrics: Metrics, budget: DailyBudget) -> None:
    metrics.set("budget_limit_usd", budget.limit_usd or 0.0)
    metrics.set("budget_left_usd", budget.left_usd() or 0.0)


def _look_up_circuits(metrics: Metrics, provider: _Provider) -> None:
    open_names = provider.models.open_names() | provider.embeddings.open_names()
    for name in provider.names:
        metrics.set("circuit_open", float(name in open_names), circuit=name)


def _keeping(settings: Settings, generator: Generator, embedder: Embedder | None) -> CachePolicy:
    return CachePolicy(
        kept_s=settings.cache_ttl_hours * 3600,
        fingerprint=_fingerprint(settings, generator, embedder),
        shared=not isinstance(generator, ExtractiveGenerator),
    )


def _fingerprint(settings: Settings, generator: Generator, embedder: Embedder | None) -> str:
    """All that an answer depends on beside its question and its edition."""
    parts = (
        __version__,
        PROMPT_VERSION,
        ANSWER_VERSION,
        generator.name,
        *settings.models,
        settings.openai_base_url,
        embedder.name if embedder else "",
        settings.context_tokens,
        settings.answer_tokens,
    )
    return "|".join(map(str, parts))


@dataclass(frozen=True, slots=True)
class IsolatedServices:
    """Parts that serve nobody, with the database that they stand on."""

    services: Services
    database: Database


@contextmanager
def isolated_services(settings: Settings, url: str, folder: Path) -> Iterator[IsolatedServices]:
    """Parts over another database, with their index in a folder; they ask no other server and no model."""
    alone = {"index_dir": folder, "embedder": "none"}
    servers = dict.fromkeys(("qdrant_url", "redis_url", "openai_api_key"))
    engine = create_engine(url, hide_parameters=True)
    make_sqlite_safe(engine, settings.db_lock_timeout_s)
    try:
        services = build_services(settings.model_copy(update={**alone, **servers}), engine)
        yield IsolatedServices(services, Database(engine))
    finally:
        engine.dispose()


def build_error_report(settings: Settings) -> ErrorReporter | None:
    """Who is told of errors besides the log; None where nobody is named, or the package is not installed."""
    if settings.sentry_dsn is None:
        return None
    try:
        from ragbot.observability.sentry import SentryReporter
    except ImportError as error:
        log.warning("reports_off", missing=error.name, remedy="pip install -r requirements-sentry.txt")
        return None
    return SentryReporter(settings.sentry_dsn.get_secret_value(), settings.environment)


def _sample_pool(metrics: Metrics, engine: Engine, most_connections: int) -> None:
    pool = engine.pool
    if isinstance(pool, QueuePool):
        metrics.set("db_pool_connections", pool.checkedout(), state="in_use")
        metrics.set("db_pool_connections", pool.size(), state="size")
        metrics.set("db_pool_connections", max(0, pool.overflow()), state="overflow")
        metrics.set("db_pool_connections", most_connections, state="limit")


def _tracing(settings: Settings) -> Tracing:
    if settings.otel_exporter_otlp_endpoint is None:
        return NoTracing()
    try:
        # An extra, of seven packages, that takes 0.3 s.
        from ragbot.observability.opentelemetry import OpenTelemetryTracing
    except ImportError as error:
        log.warning("traces_off", missing=error.name, remedy="pip install -r requirements-otel.txt")
        return NoTracing()
    return OpenTelemetryTracing(settings.otel_exporter_otlp_endpoint, settings.environment)


def _openai_client(settings: Settings) -> OpenAIClient | None:
    if settings.openai_api_key is None:
        return None
    from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient

    return OpenAIClient(
        OpenAIAccess(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            connect_timeout_s=settings.openai_connect_timeout_s,
            max_retries=settings.openai_max_retries,
        )
    )


def _embedder(settings: Settings, provider: _Provider) -> Embedder | None:
    if settings.chosen_embedder == "openai" and provider.client is not None:
        from ragbot.providers.openai.embedder import OpenAIEmbedder

        return OpenAIEmbedder(
            provider.client, settings.openai_embedding_model, settings.openai_embedding_timeout_s
        )
    if settings.chosen_embedder == "local":
        # Its libraries take 60 MB that a service with another embedder does not pay.
        return _local_embedder(settings, for_questions=True)
    return None


def _local_embedder(settings: Settings, *, for_questions: bool) -> Embedder:
    if settings.local_embedder == "multilingual":
        from ragbot.providers.multilingual_embedder import MultilingualEmbedder

        spare_waiting_threads(settings.local_embedder_threads)
        return MultilingualEmbedder(settings.local_embedder_threads, for_questions=for_questions)
    from ragbot.providers.local_embedder import LocalEmbedder

    return LocalEmbedder(settings.local_embedder_threads)


def _asked_embedder(
    settings: Settings, embedder: Embedder, provider: _Provider, cache: Cache, metrics: Metrics
) -> Embedder:
    """The embedder for questions: timed and remembered; one that is paid for is guarded and metered too."""
    timed = TimedEmbedder(embedder, partial(metrics.observe, "embedding_generation_duration_seconds"))
    if embedder.name not in provider.names:
        return CachingEmbedder(timed)
    guarded = CircuitBreakingEmbedder(
        BudgetedEmbedder(timed, provider.budget, provider.embedding_cost, can_wait=True), provider.embeddings
    )
    return CachingEmbedder(
        guarded,
        cache=cache,
        kept_s=settings.cache_ttl_hours * 3600,
        provider=settings.openai_base_url or "",
        unreadable=partial(metrics.count, "cache_failures_total", store="unreadable"),
    )


def _book_embedder(settings: Settings, embedder: Embedder, provider: _Provider) -> Embedder:
    """The embedder for a book, whose price is written down with each batch: its process ends soon."""
    if embedder.name not in provider.names:
        is_chosen = settings.chosen_embedder == "local" and settings.local_embedder == "multilingual"
        own = _local_embedder(settings, for_questions=False) if is_chosen else embedder
        # One that was handed in is for both.
        return own if own.name == embedder.name else embedder
    return BudgetedEmbedder(embedder, provider.budget, provider.embedding_cost, can_wait=False)


def _understands(settings: Settings) -> Callable[[str], bool]:
    """Whether a vector of a text means anything."""
    if settings.chosen_embedder != "local" or settings.local_embedder == "multilingual":
        return lambda _text: True
    from ragbot.providers.local_embedder import LocalEmbedder

    return LocalEmbedder.understands


def _similarity(settings: Settings) -> Callable[[float], float]:
    """What a cosine of the local model's vectors counts for."""
    if settings.chosen_embedder != "local" or settings.local_embedder != "multilingual":
        return lambda cosine: cosine
    from ragbot.providers.multilingual_embedder import similarity

    return similarity


def passage_reader() -> PassageReader:
    """What reads passages for the ranking and for answers without a model."""
    return PassageReader(
        terms=_terms,
        blocks=prose_blocks,
        words=lambda text, kind: readable_words(text, kind=kind),
    )


def _generator(
    settings: Settings, provider: _Provider, embedder: Embedder | None, reader: PassageReader
) -> Generator:
    extractive = ExtractiveGenerator(
        reader,
        tidy=tidy_markdown,
        embedder=embedder if settings.chosen_embedder == "local" else None,
        similarity=_similarity(settings),
        is_multilingual=settings.chosen_embedder == "openai" or settings.local_embedder == "multilingual",
    )
    client = provider.client
    if client is None:
        return extractive
    from ragbot.providers.openai.generator import OpenAIGenerator

    patience_s = settings.openai_first_word_timeout_s
    longest_prompt = settings.context_tokens + settings.history_tokens + RULES_TOKENS
    models = [
        BudgetedGenerator(
            CircuitBreakingGenerator(
                OpenAIGenerator(client, name, patience_s, provider.cost_usd), provider.models
            ),
            provider.budget,
            provider.cost_usd(name, longest_prompt, settings.answer_tokens) or 0.0,
        )
        for name in settings.models
    ]
    return FallbackGenerator([*models, extractive])


def _store(settings: Settings, editions: EditionStore, states: SharedState, metrics: Metrics) -> PassageStore:
    load = partial(points_of, editions)

    def embedded() -> PassageStore:
        from ragbot.index.qdrant_embedded import QdrantEmbeddedStore

        return QdrantEmbeddedStore(settings.index_dir, load)

    if settings.qdrant_url is None:
        return embedded()
    # The server's client and the embedded engine are large; a process that stands without the second one
    # does not load it.
    from ragbot.index.qdrant_server import CollectionShape, QdrantServerStore, open_client

    key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
    client = partial(open_client, settings.qdrant_url, key, settings.qdrant_timeout_s)
    server = QdrantServerStore(
        client,
        settings.qdrant_collection,
        load,
        shape=CollectionShape(
            shards=settings.qdrant_shards,
            replication=settings.qdrant_replication,
            quantization=settings.qdrant_quantization,
            on_disk=settings.qdrant_on_disk,
        ),
        search_timeout_s=settings.qdrant_timeout_s,
        known_keys=editions.keys,
    )
    if not settings.stand_in_chunks:
        return server
    circuits = CircuitBreaker("index", states, lease_s=settings.qdrant_timeout_s + TRIAL_GRACE_S)
    metrics.on_scrape(
        lambda: metrics.set("circuit_open", float(bool(circuits.open_names())), circuit=server.name)
    )
    return FailoverStore(server, embedded(), circuits, most_chunks=settings.stand_in_chunks)


def _limits(settings: Settings) -> AnswerLimits:
    return AnswerLimits(settings.context_tokens, settings.history_tokens, settings.answer_tokens)


_analyzers: dict[str, Analyzer] = {}


def _terms(language: str, text: str) -> list[str]:
    return _analyzers.setdefault(language, Analyzer(language)).terms(text)
