"""A turn's end to numbers: the only place that counts answers, their stages, tokens and cost."""

from __future__ import annotations

from collections.abc import Set

from ragbot.core.domain import Ended
from ragbot.metrics import Metrics

OTHER_MODEL = "other"

# A stage that was passed by takes a few microseconds on the clock.
LEAST_MS = 0.01


class AnswerMetrics:
    """Counts each turn once. A model that is not among those configured is counted as `other`."""

    def __init__(self, metrics: Metrics, *, models: Set[str], embedding_model: str) -> None:
        self._metrics = metrics
        self._models = models
        self._embedding_model = embedding_model

    def ended(self, ended: Ended) -> None:
        """Count a turn that was closed."""
        answer = ended.answer
        self._metrics.count("answers_total", status=str(answer.status), mode=str(answer.mode))
        for kind in answer.degraded:
            self._metrics.count("degradations_total", kind=str(kind))
        for stage, milliseconds in stages_ms(ended).items():
            self._metrics.observe("query_stage_duration_seconds", milliseconds / 1000, stage=stage)
        if answer.model:
            self._metrics.count("answer_cache_results_total", result=answer.cache)
        if answer.cache != "hit":
            # What a kept answer cost was counted when it was made.
            self._spent(ended)

    def _spent(self, ended: Ended) -> None:
        usage = ended.answer.usage
        name = ended.answer.model
        model = name if name in self._models else OTHER_MODEL
        charged = (
            (model, "input", usage.input_tokens),
            (model, "output", usage.output_tokens),
            (self._embedding_model, "embedding", usage.embedding_tokens),
        )
        for label, kind, tokens in charged:
            if tokens:
                self._metrics.count("llm_tokens_total", tokens, model=label, kind=kind)
        if usage.cost_usd:
            self._metrics.count("llm_cost_usd_total", usage.cost_usd, model=model)


def stages_ms(ended: Ended) -> dict[str, float]:
    """The stages that the turn went through, in milliseconds."""
    latency = ended.answer.latency_ms
    stages = {
        "embed": latency.embed,
        "search": latency.search,
        "first_token": ended.first_word_ms or 0.0,
        "generate": latency.generate,
        "persist": ended.persist_ms or 0.0,
    }
    return {stage: taken for stage, taken in stages.items() if taken >= LEAST_MS}
