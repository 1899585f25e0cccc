"""Build what embeds and generates: OpenAI, the local embedder, the extractive generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ragbot.bootstrap.extractive import (
    build_answer_scorer,
    build_extractive_generator,
    build_local_embedder,
    build_sentence_vectors,
)
from ragbot.bootstrap.storage import Storage
from ragbot.config import Settings
from ragbot.core.circuit_breaker import CircuitBreaker
from ragbot.core.errors import ConfigurationError
from ragbot.core.findings import Finding
from ragbot.core.ports import AnswerScorer, Embedder, Generator, SentenceVectors, SharedState
from ragbot.observability.answer_metrics import SpendingMetrics
from ragbot.observability.metrics import Metrics
from ragbot.providers.embedding_cache import CachingEmbedder
from ragbot.providers.extractive.reading import PassageReader
from ragbot.providers.fallback import FallbackGenerator
from ragbot.providers.openai.dialect import THOUGHTS_TO_WORDS
from ragbot.providers.openai.prices import CostOf, Price, costs_by
from ragbot.providers.paid_calls import PaidEmbedder, PaidGenerator
from ragbot.storage.daily_budget import DailyBudget
from ragbot.storage.database import Database

if TYPE_CHECKING:
    from ragbot.providers.openai.client import OpenAIClient

# What a prompt has besides passages and history: the rules, the question, a long selection.
RULES_TOKENS = 4000
# A worker that tries a provider again is taken for dead this long after its time is over.
TRIAL_GRACE_S = 5


class PaidProvider:
    """Hold what all calls to OpenAI share: the client, circuit breakers, prices and the daily budget.

    Without an API key `client` is None and `names` is empty.
    """

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
        # Restating has less time than an answer: a model that is too slow for it still answers.
        self.questions = CircuitBreaker(
            "questions", states, lease_s=settings.query_deadline_s + TRIAL_GRACE_S
        )
        # The names of the circuits.
        self.names = (*settings.paid_models, f"openai/{settings.chosen_embedding_model}") if client else ()
        self._embedding_model = settings.chosen_embedding_model

    def embedding_cost(self, tokens: int) -> float | None:
        """Return the cost of a call for vectors in US dollars; None where the price is unknown."""
        return self.cost_usd(self._embedding_model, tokens, 0) if tokens else 0.0


@dataclass(frozen=True, slots=True)
class Providers:
    """Hold the chosen embedder, as it is and as questions and books call it, and the generators.

    `own_words` answers with the book's sentences where a model has made something up; None without a model.
    `scorer` and `sentences` choose passages and sentences of English books; None without the local embedder.
    """

    paid: PaidProvider
    embedder: Embedder | None
    query_embedder: Embedder | None
    book_embedder: Embedder | None
    generator: Generator
    own_words: Generator | None
    question_generator: Generator | None
    context_generator: Generator | None
    scorer: AnswerScorer | None
    sentences: SentenceVectors | None


def build_providers(
    settings: Settings,
    storage: Storage,
    metrics: Metrics,
    *,
    generator: Generator | None,
    embedder: Embedder | None,
    reader: PassageReader,
) -> Providers:
    """Build the generator and the embedders, or wrap those passed in.

    Raises ConfigurationError for a budget that cannot be enforced.
    """
    budget = _budget(settings, storage.database, metrics)
    paid = PaidProvider(
        settings, storage.shared_state, budget, _openai_client(settings, storage.shared_state)
    )
    metrics.on_scrape(partial(_measure_circuits, paid, metrics))
    embedder = embedder or _embedder(settings, paid)
    query_embedder = _query_embedder(settings, embedder, paid, storage, metrics) if embedder else None
    scorer = None if generator else build_answer_scorer(settings)
    sentences = build_sentence_vectors(settings, query_embedder, storage.editions)
    extractive = build_extractive_generator(settings, query_embedder, scorer, reader, sentences)
    return Providers(
        paid=paid,
        embedder=embedder,
        query_embedder=query_embedder,
        book_embedder=_book_embedder(settings, embedder, paid) if embedder else None,
        generator=generator or _generator(settings, paid, extractive),
        own_words=extractive if paid.client is not None and generator is None else None,
        question_generator=None
        if generator
        else _optional(settings, paid, settings.chosen_question_model, paid.questions),
        context_generator=None
        if generator
        else _optional(settings, paid, settings.context_model, paid.models),
        scorer=scorer,
        sentences=sentences,
    )


def probe_provider(settings: Settings, paid: PaidProvider) -> Iterator[Finding]:
    """Yield what the model's server answers, for `flask doctor`; without a key a single finding."""
    if paid.client is None:
        yield Finding("provider", True, "no OPENAI_API_KEY: answers are the book's own sentences")
        return
    from ragbot.providers.openai.probe import probe_provider as probe

    is_embedder = settings.chosen_embedder == "openai"
    yield from probe(
        paid.client,
        settings.models,
        settings.chosen_embedding_model if is_embedder else None,
        prompt_tokens=settings.context_tokens + settings.history_tokens,
    )


def _costs(settings: Settings) -> CostOf:
    return costs_by({name: Price(*price) for name, price in settings.model_prices.items()})


def _budget(settings: Settings, database: Database, metrics: Metrics) -> DailyBudget:
    _refuse_unknown_prices(settings)
    models = {*settings.paid_models, f"openai/{settings.chosen_embedding_model}"}
    charged = SpendingMetrics(metrics, models=models).charged
    budget = DailyBudget(database, settings.openai_daily_budget_usd, charged=charged)
    if budget.limit_usd is not None:
        metrics.on_scrape(partial(_measure_budget, budget, metrics))
    return budget


def _refuse_unknown_prices(settings: Settings) -> None:
    if settings.openai_daily_budget_usd is None or settings.openai_api_key is None:
        return
    costs = _costs(settings)
    paid_for = [*settings.paid_models]
    if settings.chosen_embedder == "openai":
        paid_for.append(settings.chosen_embedding_model)
    unknown = [name for name in paid_for if costs(name, 1, 1) is None]
    if unknown:
        raise ConfigurationError(
            f"OPENAI_DAILY_BUDGET_USD cannot be enforced for {', '.join(unknown)}, whose price is not known; "
            "add it to MODEL_PRICES."
        )


def _measure_circuits(paid: PaidProvider, metrics: Metrics) -> None:
    open_names = paid.models.open_names() | paid.embeddings.open_names()
    for name in paid.names:
        metrics.set("circuit_open", float(name in open_names), circuit=name)


def _measure_budget(budget: DailyBudget, metrics: Metrics) -> None:
    metrics.set("budget_limit_usd", budget.limit_usd or 0.0)
    metrics.set("budget_left_usd", budget.left_usd() or 0.0)


def _openai_client(settings: Settings, states: SharedState) -> OpenAIClient | None:
    if settings.openai_api_key is None:
        return None
    from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient

    return OpenAIClient(
        OpenAIAccess(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            connect_timeout_s=settings.openai_connect_timeout_s,
            max_retries=settings.openai_max_retries,
            organization=settings.openai_org_id,
            project=settings.openai_project_id,
        ),
        states,
    )


def _embedder(settings: Settings, paid: PaidProvider) -> Embedder | None:
    if settings.chosen_embedder == "openai" and paid.client is not None:
        from ragbot.providers.openai.embedder import OpenAIEmbedder

        return OpenAIEmbedder(
            paid.client, settings.chosen_embedding_model, settings.openai_embedding_timeout_s
        )
    if settings.chosen_embedder == "local":
        return build_local_embedder(settings, for_questions=True)
    return None


def _query_embedder(
    settings: Settings, embedder: Embedder, paid: PaidProvider, storage: Storage, metrics: Metrics
) -> Embedder:
    """Time and cache an embedder; put a circuit breaker and the budget around a paid one."""
    took = partial(metrics.observe, "embedding_generation_duration_seconds")
    if embedder.name not in paid.names:
        return CachingEmbedder(embedder, took=took)
    return CachingEmbedder(
        PaidEmbedder(embedder, paid.embeddings, paid.budget, paid.embedding_cost, took=took),
        cache=storage.batched_cache,
        ttl_s=settings.cache_ttl_hours * 3600,
        provider=settings.openai_base_url or "",
        unreadable=partial(metrics.count, "cache_failures_total", store="unreadable"),
    )


def _book_embedder(settings: Settings, embedder: Embedder, paid: PaidProvider) -> Embedder:
    if embedder.name not in paid.names:
        is_chosen = settings.chosen_embedder == "local" and settings.local_embedder == "multilingual"
        own = build_local_embedder(settings, for_questions=False) if is_chosen else embedder
        # One that was passed in is for both.
        return own if own.name == embedder.name else embedder
    return PaidEmbedder(embedder, paid.embeddings, paid.budget, paid.embedding_cost)


def _generator(settings: Settings, paid: PaidProvider, extractive: Generator) -> Generator:
    if paid.client is None:
        return extractive
    models = [_model(settings, paid, paid.client, name, paid.models) for name in settings.models]
    return FallbackGenerator([*models, extractive])


def _optional(
    settings: Settings, paid: PaidProvider, name: str | None, circuits: CircuitBreaker
) -> Generator | None:
    return _model(settings, paid, paid.client, name, circuits) if name and paid.client is not None else None


def _model(
    settings: Settings, paid: PaidProvider, client: OpenAIClient, name: str, circuits: CircuitBreaker
) -> Generator:
    from ragbot.providers.openai.generator import OpenAIGenerator

    longest_prompt = settings.context_tokens + settings.history_tokens + RULES_TOKENS
    model = OpenAIGenerator(client, name, settings.openai_first_word_timeout_s, paid.cost_usd)
    # Any model may turn out to think.
    most_usd = paid.cost_usd(name, longest_prompt, settings.answer_tokens * THOUGHTS_TO_WORDS) or 0.0
    return PaidGenerator(
        model,
        circuits,
        paid.budget,
        most_usd,
        # Without a limit nobody waits for the sum.
        can_wait=paid.budget.limit_usd is None,
    )
