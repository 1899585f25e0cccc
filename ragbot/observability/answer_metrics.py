"""Count answers, their stages, tokens and cost."""

from __future__ import annotations

from collections.abc import Set

from ragbot.core.answers import Degradation, Mode, Status, TurnOutcome, Usage
from ragbot.core.domain import DEFAULT_BOOK
from ragbot.observability.metrics import Metrics

OTHER = "other"
# Each label value costs memory in Prometheus; of more books the rest is counted together.
MOST_BOOKS = 50

# As `Grounding`, `stages_ms` and the cache name them, and the kinds of tokens.
SENTENCES = ("sentences", "cited", "supported")
STAGES = ("cache", "embed", "search", "first_token", "generate", "persist")
CACHE_RESULTS = ("hit", "miss", "bypass")
TOKENS = ("input", "output", "embedding")

# A stage that was skipped takes a few microseconds.
MIN_STAGE_MS = 0.01


class SpendingMetrics:
    """Count what each call cost, also for answers that were never finished.

    A model that is not configured is counted as `other`.
    """

    def __init__(self, metrics: Metrics, *, models: Set[str]) -> None:
        self._metrics = metrics
        self._models = models
        for model in models:
            metrics.start_at_zero("llm_cost_usd_total", model=model)
            for kind in TOKENS:
                metrics.start_at_zero("llm_tokens_total", model=model, kind=kind)

    def charged(self, model: str, usage: Usage) -> None:
        """Count the tokens and the cost of a call."""
        label = model if model in self._models else OTHER
        kinds = {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "embedding": usage.embedding_tokens,
        }
        for kind, tokens in kinds.items():
            if tokens:
                self._metrics.count("llm_tokens_total", tokens, model=label, kind=kind)
        if usage.cost_usd:
            self._metrics.count("llm_cost_usd_total", usage.cost_usd, model=label)


class AnswerMetrics:
    """Count each turn once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._books: set[str] = set()
        for status in (Status.ANSWERED, Status.REFUSED, Status.STOPPED, Status.FAILED):
            for mode in Mode:
                metrics.start_at_zero("answers_total", status=str(status), mode=str(mode), book=DEFAULT_BOOK)
        for degradation in Degradation:
            metrics.start_at_zero("degradations_total", kind=str(degradation))
        for what in SENTENCES:
            metrics.start_at_zero("answer_sentences_total", kind=what)
        for stage in STAGES:
            metrics.start_at_zero("query_stage_duration_seconds", stage=stage)
        for result in CACHE_RESULTS:
            metrics.start_at_zero("answer_cache_results_total", result=result)

    def ended(self, ended: TurnOutcome) -> None:
        """Count a turn that has ended."""
        answer = ended.answer
        self._metrics.count(
            "answers_total", status=str(answer.status), mode=str(answer.mode), book=self._book(answer.book)
        )
        for kind in answer.degraded:
            self._metrics.count("degradations_total", kind=str(kind))
        if answer.grounding is not None and answer.cache != "hit":
            grounding = answer.grounding
            for what in SENTENCES:
                self._metrics.count("answer_sentences_total", getattr(grounding, what), kind=what)
        for stage, milliseconds in stages_ms(ended).items():
            self._metrics.observe("query_stage_duration_seconds", milliseconds / 1000, stage=stage)
        if answer.status in (Status.ANSWERED, Status.REFUSED):
            self._metrics.count("answer_cache_results_total", result=answer.cache)

    def _book(self, slug: str) -> str:
        if slug not in self._books:
            if len(self._books) >= MOST_BOOKS:
                return OTHER
            self._books.add(slug)
        return slug


def stages_ms(ended: TurnOutcome) -> dict[str, float]:
    """Return the durations of the stages that a turn went through, in milliseconds."""
    latency = ended.answer.latency_ms
    stages = {
        "cache": latency.cache,
        "embed": latency.embed,
        "search": latency.search,
        "first_token": ended.first_word_ms or 0.0,
        "generate": latency.generate,
        "persist": ended.persist_ms or 0.0,
    }
    return {stage: taken for stage, taken in stages.items() if taken >= MIN_STAGE_MS}
