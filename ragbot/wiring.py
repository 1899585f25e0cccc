"""Settings to services: each choice made once. The only file that knows every part."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from ragbot.answer_metrics import AnswerMetrics
from ragbot.answering.answerer import Answerer, AnswerLimits
from ragbot.answering.turns import Turns
from ragbot.books.prose import prose_blocks
from ragbot.config import PROJECT_ROOT, Settings
from ragbot.core.ports import Embedder, Generator, PassageStore
from ragbot.index.analysis import Analyzer
from ragbot.index.published import PublishedEdition
from ragbot.index.retriever import Retriever
from ragbot.ingest import Ingestion, points_of
from ragbot.ingest_jobs import BookJobs
from ragbot.metrics import Metrics
from ragbot.probing import Finding, Probe
from ragbot.providers.extractive import ExtractiveGenerator
from ragbot.providers.fallback import FallbackGenerator
from ragbot.providers.openai_client import OpenAIAccess, OpenAIClient
from ragbot.providers.openai_embedder import OpenAIEmbedder
from ragbot.providers.openai_generator import OpenAIGenerator
from ragbot.providers.prices import cost_usd
from ragbot.providers.remembering import RememberingEmbedder
from ragbot.providers.timing import TimedEmbedder
from ragbot.readiness import Readiness
from ragbot.records.catalogue import Catalogue
from ragbot.records.ingest_jobs import IngestJobs
from ragbot.records.quota_storage import (
    Counters,
    DatabaseCounters,
    FirstThatCounts,
    MemoryCounters,
    RedisCounters,
    on_quota_store_failure,
)
from ragbot.records.schema import Schema
from ragbot.records.transactions import Database
from ragbot.records.transcript import Transcript
from ragbot.services import Services

# Passages whose blocks are remembered: cutting one costs 2 ms, and a book has some thousands.
BLOCKS_REMEMBERED = 4096
# A turn that is pending this long after its deadline was left by a crash.
TURN_GRACE_S = 60
# A provider counts how often it is asked, and each probe of each replica would ask it.
LLM_FINDING_KEPT_S = 30


def build_services(
    settings: Settings,
    engine: Engine,
    *,
    generator: Generator | None = None,
    embedder: Embedder | None = None,
    store: PassageStore | None = None,
) -> Services:
    """An app's parts; what is handed in takes the place of what the settings would choose. Opens nothing."""
    metrics = Metrics()
    metrics.sampled_by(partial(_sample_pool, metrics, engine))
    on_quota_store_failure.append(lambda _store: metrics.count("quota_store_failures_total"))
    database = Database(engine)
    catalogue = Catalogue(database)
    transcript = Transcript(
        database, settings.session_timeout_hours, turn_limit_s=settings.query_deadline_s + TURN_GRACE_S
    )
    client = _openai_client(settings)
    embedder = embedder or _embedder(settings, client)
    store = store or _store(settings, catalogue)
    embedding_took = partial(metrics.observe, "embedding_generation_duration_seconds")
    asked = RememberingEmbedder(TimedEmbedder(embedder, embedding_took)) if embedder else None
    generator = generator or _generator(settings, client, asked)
    published = PublishedEdition(catalogue.published, store, settings.edition_poll_s)
    retriever = Retriever(published, catalogue.edition, catalogue.vocabulary, store, asked)
    answerer = Answerer(retriever, generator, _limits(settings), _embedding_cost(settings))
    return Services(
        settings=settings,
        answerer=answerer,
        turns=Turns(
            transcript,
            answerer,
            deadline_s=settings.query_deadline_s,
            most_at_once=settings.max_streams,
            observe=_answer_metrics(settings, metrics, embedder).ended,
        ),
        transcript=transcript,
        catalogue=catalogue,
        ingestion=Ingestion(
            catalogue, store, embedder, max_file_bytes=round(settings.max_file_mb * 1_000_000)
        ),
        book_jobs=BookJobs(settings, IngestJobs(database)),
        published=published,
        retriever=retriever,
        readiness=Readiness(
            is_migrated=Schema(database, PROJECT_ROOT / "migrations").is_current,
            published=catalogue.published,
            served=published.served,
            embedder=embedder.name if embedder else None,
            others={
                "vector_store": Probe(store.ping),
                "cache": Probe(lambda: Finding("ok", "none")),
                "llm": _llm_probe(generator),
            },
        ),
        metrics=metrics,
    )


def build_counters(settings: Settings, engine: Engine) -> FirstThatCounts:
    """What counts calls for the quotas. Opens nothing."""
    in_database = DatabaseCounters(Database(engine))
    stores: list[Counters]
    match settings.chosen_rate_limit_storage:
        case "memory":
            stores = [MemoryCounters()]
        case "database":
            stores = [in_database]
        case "redis":
            assert settings.redis_url
            # Without Redis the quotas still hold, from the moment at which it went.
            stores = [RedisCounters(settings.redis_url), in_database]
    return FirstThatCounts(stores)


def _llm_probe(generator: Generator) -> Probe:
    if isinstance(generator, ExtractiveGenerator):
        return Probe(lambda: Finding("ok", "extractive"))
    return Probe(generator.ping, kept_s=LLM_FINDING_KEPT_S)


def _answer_metrics(settings: Settings, metrics: Metrics, embedder: Embedder | None) -> AnswerMetrics:
    configured = settings.openai_llm_model, settings.openai_llm_fallback_model, "extractive"
    return AnswerMetrics(
        metrics, models=set(filter(None, configured)), embedding_model=embedder.name if embedder else "none"
    )


def _sample_pool(metrics: Metrics, engine: Engine) -> None:
    pool = engine.pool
    if isinstance(pool, QueuePool):
        metrics.set("db_pool_connections", pool.checkedout(), state="in_use")
        metrics.set("db_pool_connections", pool.size(), state="size")
        metrics.set("db_pool_connections", max(0, pool.overflow()), state="overflow")


def _openai_client(settings: Settings) -> OpenAIClient | None:
    if settings.openai_api_key is None:
        return None
    return OpenAIClient(
        OpenAIAccess(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            connect_timeout_s=settings.openai_connect_timeout_s,
            max_retries=settings.openai_max_retries,
        )
    )


def _embedder(settings: Settings, client: OpenAIClient | None) -> Embedder | None:
    if settings.chosen_embedder == "openai" and client is not None:
        return OpenAIEmbedder(client, settings.openai_embedding_model, settings.openai_embedding_timeout_s)
    if settings.chosen_embedder == "local":
        # Its libraries take 60 MB that a service with another embedder does not pay.
        from ragbot.providers.local_embedder import LocalEmbedder

        return LocalEmbedder(settings.local_embedder_threads)
    return None


def _generator(settings: Settings, client: OpenAIClient | None, embedder: Embedder | None) -> Generator:
    extractive = ExtractiveGenerator(
        terms=_terms,
        blocks=lru_cache(maxsize=BLOCKS_REMEMBERED)(prose_blocks),
        embedder=embedder if settings.chosen_embedder == "local" else None,
    )
    if client is None:
        return extractive
    models = dict.fromkeys(filter(None, (settings.openai_llm_model, settings.openai_llm_fallback_model)))
    patience_s = settings.openai_first_word_timeout_s
    return FallbackGenerator([*(OpenAIGenerator(client, name, patience_s) for name in models), extractive])


def _store(settings: Settings, catalogue: Catalogue) -> PassageStore:
    load = partial(points_of, catalogue)
    if settings.qdrant_url is None:
        from ragbot.index.embedded_store import EmbeddedStore

        return EmbeddedStore(settings.index_dir, load)
    # The server's client and the embedded engine are large; a process needs one of them.
    from ragbot.index.server_store import ServerStore, open_client

    key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
    client = partial(open_client, settings.qdrant_url, key, settings.qdrant_timeout_s)
    return ServerStore(client, settings.qdrant_collection, load)


def _limits(settings: Settings) -> AnswerLimits:
    return AnswerLimits(settings.context_tokens, settings.history_tokens, settings.answer_tokens)


def _embedding_cost(settings: Settings) -> Callable[[int], float | None]:
    def cost(tokens: int) -> float | None:
        return cost_usd(settings.openai_embedding_model, tokens) if tokens else 0.0

    return cost


_analyzers: dict[str, Analyzer] = {}


def _terms(language: str, text: str) -> list[str]:
    return _analyzers.setdefault(language, Analyzer(language)).terms(text)
