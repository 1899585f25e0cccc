"""A set of questions with known places to figures: what was found, refused, quoted and linked, how fast."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ragbot.answering.answerer import Answerer
from ragbot.answering.citations import page_url, section_url
from ragbot.core.deadline import Deadline
from ragbot.core.domain import Answer, EditionFacts, Exchange, Finished, Question, Source, Status
from ragbot.core.errors import ConfigurationError
from ragbot.core.text import folded
from ragbot.storage.editions import PageFacts

_SIGNS = re.compile(r"[\W_]+")

CUTS = (1, 3, 5)
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Gold:
    """A place that answers a question: a section of a file, and words that stand there."""

    path: str
    heading: str
    quote: str


@dataclass(frozen=True, slots=True)
class Row:
    """A question of a set. Without gold places it has no answer in the book."""

    id: str
    kind: str
    question: str
    gold: tuple[Gold, ...]
    history: tuple[Exchange, ...] = ()
    evidence: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one question went. `rank` is that of the first right source, from 1, or None."""

    id: str
    kind: str
    answerable: bool
    status: str
    rank: int | None
    found: dict[int, float]
    cites_gold: bool
    quotes: int
    quotes_verbatim: int
    links: int
    links_alive: int
    latency_ms: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Figures over a set. Shares are from 0 to 1; latencies are milliseconds."""

    questions: int
    answerable: int
    unanswerable: int
    section_recall: dict[str, float]
    mrr: float
    refused_rightly: float
    refused_wrongly: float
    answers_citing_gold: float
    quotes_verbatim: float
    links_alive: float
    latency_p50_ms: float
    latency_p95_ms: float
    by_kind: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values, rounded."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def load_rows(path: Path) -> list[Row]:
    """The questions of a JSON Lines file. Raises ConfigurationError that names the line at fault."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The question set {path.name} cannot be read.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                rows.append(_row(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ConfigurationError(
                    f"{path.name}, line {number}, is not a question: it needs id, type, question and gold."
                ) from error
    if not rows:
        raise ConfigurationError(f"The question set {path.name} is empty.")
    return rows


class Evaluation:
    """Asks an answerer each question of a set and compares what comes back with what is known."""

    def __init__(self, answerer: Answerer, edition: EditionFacts, pages: Sequence[PageFacts]) -> None:
        self._answerer = answerer
        self._edition = edition
        self._sources = {page.path: page.source for page in pages}
        self._links = {
            section_url(page_url(edition.site_url, page.address), anchor)
            for page in pages
            for anchor in {"", *page.anchors}
        }

    def verdicts(
        self, rows: Iterable[Row], asked: Callable[[Row, Answer], None] = lambda _row, _answer: None
    ) -> list[Verdict]:
        """Ask every question in turn; `asked` is told after each."""
        verdicts = []
        for row in rows:
            answer = self._answer(row)
            verdicts.append(self._verdict(row, answer))
            asked(row, answer)
        return verdicts

    def _answer(self, row: Row) -> Answer:
        question = Question(row.question, book_version=self._edition.name)
        *_, last = self._answerer.answer(question, row.history, Deadline(DEADLINE_S))
        assert isinstance(last, Finished)
        return last.answer

    def _verdict(self, row: Row, answer: Answer) -> Verdict:
        right = [_holds(source, row.gold) for source in answer.sources]
        ranks = [rank for rank, gold in enumerate(right, start=1) if gold]
        wanted = {(gold.path, gold.heading) for gold in row.gold}
        found = {cut: len(set().union(*right[:cut])) / len(wanted) if wanted else 0.0 for cut in CUTS}
        return Verdict(
            id=row.id,
            kind=row.kind,
            answerable=bool(row.gold),
            status=str(answer.status),
            rank=ranks[0] if ranks else None,
            found=found,
            cites_gold=any(gold and source.cited for gold, source in zip(right, answer.sources, strict=True)),
            quotes=len(answer.sources),
            quotes_verbatim=sum(s.quote in self._sources.get(s.path, "") for s in answer.sources),
            links=len(answer.sources),
            links_alive=sum(s.url.partition(":~:")[0].rstrip("#") in self._links for s in answer.sources),
            latency_ms=answer.latency_ms.total,
        )


def report_on(verdicts: Sequence[Verdict]) -> EvaluationReport:
    """The figures of a set."""
    answerable = [v for v in verdicts if v.answerable]
    unanswerable = [v for v in verdicts if not v.answerable]
    answered = [v for v in answerable if v.status == Status.ANSWERED]
    latencies = sorted(v.latency_ms for v in verdicts)
    kinds = sorted({v.kind for v in answerable})
    return EvaluationReport(
        questions=len(verdicts),
        answerable=len(answerable),
        unanswerable=len(unanswerable),
        section_recall={str(cut): _mean(v.found[cut] for v in answerable) for cut in CUTS},
        mrr=_mean(1 / v.rank if v.rank else 0.0 for v in answerable),
        refused_rightly=_mean(v.status == Status.REFUSED for v in unanswerable),
        refused_wrongly=_mean(v.status == Status.REFUSED for v in answerable),
        answers_citing_gold=_mean(v.cites_gold for v in answered),
        quotes_verbatim=_share(sum(v.quotes_verbatim for v in verdicts), sum(v.quotes for v in verdicts)),
        links_alive=_share(sum(v.links_alive for v in verdicts), sum(v.links for v in verdicts)),
        latency_p50_ms=statistics.median(latencies),
        latency_p95_ms=latencies[min(len(latencies) - 1, round(0.95 * (len(latencies) - 1)))],
        by_kind={kind: _mean(v.found[5] for v in answerable if v.kind == kind) for kind in kinds},
    )


def _holds(source: Source, golds: Iterable[Gold]) -> set[tuple[str, str]]:
    """The gold sections that a source stands in: by heading, or by the words themselves."""
    return {
        (gold.path, gold.heading)
        for gold in golds
        if stands_in_gold(source.path, source.heading_path, source.quote, [gold])
    }


def stands_in_gold(path: str, heading_path: Iterable[str], text: str, golds: Iterable[Gold]) -> bool:
    """Whether a passage stands in one of these places: under its heading, or with its very words."""
    headings = {_plain(heading) for heading in heading_path}
    words = _plain(text)
    return any(
        gold.path == path
        and ((gold.heading and _plain(gold.heading) in headings) or _plain(gold.quote) in words)
        for gold in golds
    )


def holds_evidence(row: Row, answer: str) -> bool:
    """Whether an answer holds every piece of evidence that a right one holds, signs and markup aside."""
    said = f" {_bare(answer)} "
    return bool(row.evidence) and all(_bare(piece) in said for piece in row.evidence)


def _row(row: dict[str, Any]) -> Row:
    talk = row.get("history") or []
    exchanges = tuple(
        Exchange(asked["content"], said["content"])
        for asked, said in pairwise(talk)
        if (asked["role"], said["role"]) == ("user", "assistant")
    )
    gold = tuple(Gold(place["path"], place.get("heading", ""), place["quote"]) for place in row["gold"])
    return Row(
        id=str(row["id"]),
        kind=str(row["type"]),
        question=str(row["question"]),
        gold=gold,
        history=exchanges,
        evidence=tuple(map(str, row.get("evidence") or ())),
        subject=str(row.get("subject") or ""),
    )


def _plain(text: str) -> str:
    return folded("".join(character for character in text if character not in "*_`"))


def _bare(text: str) -> str:
    """Letters and digits in small, with one blank between words."""
    return " ".join(_SIGNS.sub(" ", _plain(text)).split())


def _mean(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found) if found else 0.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value
