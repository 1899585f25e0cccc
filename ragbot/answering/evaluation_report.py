"""Compute the figures of a question set from the verdicts on its questions."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ragbot.answering.evaluation import CUTS, Verdict
from ragbot.answering.question_set import DEFINITION, SMALL_TALK
from ragbot.core.answers import Status


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """Hold the figures of the answers that models wrote; those of the book's own sentences are left out.

    Shares of sentences and marks are those of answers that were not refused. `sentences_supported` is by the
    measure that repairs the marks, `marks_in_words` by shared words alone. `refused_unsupported` counts
    answers that were refused because nothing of them stands in the passages. Tokens are means of an answer,
    `cost_usd` is the sum, None where a price is not known. A share of nothing is None.
    """

    answers: int
    answered: int
    refused_rightly: float | None
    refused_wrongly: float | None
    refused_unsupported: int
    sentences: int
    sentences_marked: float | None
    sentences_supported: float | None
    marks_per_sentence: float | None
    marks_in_words: float | None
    input_tokens: float
    output_tokens: float
    cost_usd: float | None
    first_word_p50_ms: float | None
    first_word_p95_ms: float | None


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Hold the figures of a set. Shares are from 0 to 1, latencies in milliseconds, lengths in tokens.

    `definitions` is the share of questions for a definition whose answer opens with it. `by_kind` is the
    share of answers with all of their evidence, among rows that have some. `failed` counts answers that were
    cut, `fell_back` those that a model should have written. `model` is None if no model wrote any.
    """

    questions: int
    answerable: int
    unanswerable: int
    section_recall: dict[str, float]
    mrr: float
    evidence_held: float
    definitions: float
    refused_rightly: float
    refused_near: float
    refused_far: float
    refused_wrongly: float
    answers_citing_gold: float
    sentences_supported: float
    citations_with_fragment: float
    citations_placed: float
    navigation_lines: int
    markup_damage: int
    answer_tokens: float
    quotes_verbatim: float
    links_alive: float
    latency_p50_ms: float
    latency_p95_ms: float
    failed: int = 0
    fell_back: int = 0
    model: ModelFigures | None = None
    by_kind: dict[str, float] = field(default_factory=dict)
    section_by_kind: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values, rounded to four digits."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def report_on(verdicts: Sequence[Verdict]) -> EvaluationReport:
    """Compute the figures of a set."""
    answerable = [v for v in verdicts if v.answerable]
    unanswerable = [v for v in verdicts if not v.answerable and v.kind != SMALL_TALK]
    answered = [v for v in answerable if v.status == Status.ANSWERED]
    latencies = sorted(v.latency_ms for v in verdicts)
    kinds = sorted({v.kind for v in answerable})
    defined = [v for v in answerable if v.kind == DEFINITION and v.opens_with_it is not None]

    def refused(kind: str) -> float:
        return _mean(v.status == Status.REFUSED for v in unanswerable if v.kind.endswith(kind))

    return EvaluationReport(
        questions=len(verdicts),
        answerable=len(answerable),
        unanswerable=len(unanswerable),
        section_recall={str(cut): _mean(v.found[cut] for v in answerable) for cut in CUTS},
        mrr=_mean(1 / v.rank if v.rank else 0.0 for v in answerable),
        evidence_held=_mean(v.evidence for v in verdicts if v.evidence is not None),
        definitions=_mean(bool(v.opens_with_it) for v in defined),
        refused_rightly=refused(""),
        refused_near=refused("near"),
        refused_far=refused("far"),
        refused_wrongly=_mean(v.status == Status.REFUSED for v in answerable),
        answers_citing_gold=_mean(v.cites_gold for v in answered),
        sentences_supported=_share(sum(v.supported for v in answered), sum(v.sentences for v in answered)),
        citations_with_fragment=_share(
            sum(v.with_fragment for v in verdicts), sum(v.citations for v in verdicts)
        ),
        citations_placed=_share(sum(v.placed for v in verdicts), sum(v.citations for v in verdicts)),
        navigation_lines=sum(v.navigation for v in verdicts),
        markup_damage=sum(v.damage for v in verdicts),
        answer_tokens=_mean(v.tokens for v in answered),
        quotes_verbatim=_share(sum(v.quotes_verbatim for v in verdicts), sum(v.quotes for v in verdicts)),
        links_alive=_share(sum(v.links_alive for v in verdicts), sum(v.links for v in verdicts)),
        latency_p50_ms=statistics.median(latencies),
        latency_p95_ms=_p95(latencies),
        failed=sum(v.status == Status.FAILED for v in verdicts),
        fell_back=sum(v.fell_back for v in verdicts),
        model=_model_figures(verdicts),
        by_kind={
            kind: _mean(bool(v.evidence) for v in verdicts if v.kind == kind and v.evidence is not None)
            for kind in kinds
        },
        section_by_kind={kind: _mean(v.found[5] for v in answerable if v.kind == kind) for kind in kinds},
    )


def _model_figures(verdicts: Sequence[Verdict]) -> ModelFigures | None:
    written = [(verdict, verdict.model) for verdict in verdicts if verdict.model is not None]
    if not written:
        return None
    answered = [model for verdict, model in written if verdict.status == Status.ANSWERED]
    sentences, marks = sum(model.sentences for model in answered), sum(model.marks for model in answered)
    costs = [model.cost_usd for _, model in written]
    asked = [(verdict, model) for verdict, model in written if verdict.kind != SMALL_TALK]
    first_words = [model.first_word_ms for _, model in written if model.first_word_ms is not None]

    def refused(*, answerable: bool) -> float | None:
        refusals = [v.status == Status.REFUSED for v, _ in asked if v.answerable is answerable]
        return _share_if_any(sum(refusals), len(refusals))

    return ModelFigures(
        answers=len(written),
        answered=len(answered),
        refused_rightly=refused(answerable=False),
        refused_wrongly=refused(answerable=True),
        refused_unsupported=sum(model.is_unsupported for _, model in written),
        sentences=sentences,
        sentences_marked=_share_if_any(sum(model.cited for model in answered), sentences),
        sentences_supported=_share_if_any(sum(model.supported for model in answered), sentences),
        marks_per_sentence=_share_if_any(marks, sentences),
        marks_in_words=_share_if_any(sum(model.marks_in_words for model in answered), marks),
        input_tokens=_mean(model.input_tokens for _, model in written),
        output_tokens=_mean(model.output_tokens for _, model in written),
        cost_usd=sum(cost for cost in costs if cost is not None) if None not in costs else None,
        first_word_p50_ms=statistics.median(first_words) if first_words else None,
        first_word_p95_ms=_p95(first_words) if first_words else None,
    )


def _p95(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def _mean(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found) if found else 0.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _share_if_any(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value
