"""Ask a set of questions with known answers, and measure what was found, refused, quoted and linked."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

from ragbot.answering.answerer import Answerer
from ragbot.answering.citations import page_url, section_url
from ragbot.core.deadline import Deadline
from ragbot.core.domain import (
    Answer,
    CitedSpan,
    EditionFacts,
    Exchange,
    Finished,
    Question,
    Source,
    Status,
)
from ragbot.core.errors import ConfigurationError
from ragbot.core.side_matter import is_due_date, is_link_alone
from ragbot.core.text import count_tokens, folded, sentence_spans
from ragbot.storage.editions import PageFacts

SMALL_TALK = "smalltalk"
DEFINITION = "definition"
# A source supports a sentence if it has this share of its words.
LEAST_SUPPORT = 0.7

_SIGNS = re.compile(r"[\W_]+")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d{1,9}[.)])\s+")
_MARK_ALONE = re.compile(r"\n\s*\n((?:\[\d+\] ?)+)(?=\n|\Z)")
_MARK = re.compile(r"\[(\d{1,3})\]")
_CODE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1[ \t]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
# Remains of a book's markup, which a reader should not see.
DAMAGE = re.compile(
    r":::|<br|</?[a-z]+[\s>]|<!--|\{/\*|\{:?\s*[#.][\w-]|\[\^|^\s*[-*]\s*\[?\d*\]?\s*$|^!!!|^===\s|^///|\{[%{*]",
    re.MULTILINE | re.IGNORECASE,
)

CUTS = (1, 3, 5)
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Gold:
    """Describe a place that answers a question: a section of a file, and words in it."""

    path: str
    heading: str
    quote: str


@dataclass(frozen=True, slots=True)
class Row:
    """Hold a question of a set. Without gold places the book does not answer it.

    `evidence` are the pieces of text that a right answer must contain. `subject` is the term whose definition
    is asked for.
    """

    id: str
    kind: str
    question: str
    gold: tuple[Gold, ...]
    history: tuple[Exchange, ...] = ()
    evidence: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold the measurements of one question. `rank` is that of the first right source, from 1, or None.

    `found` maps each cut to the share of the gold sections among so many sources. `evidence` says whether the
    answer had all of the row's evidence, `opens_with_it` whether its first block had; both are None if the
    row has none. `sentences` counts the answer's sentences, `supported` those whose words are in the source
    that their mark cites. `citations` counts the citations, `with_fragment` those with a text fragment,
    `placed` those whose link leads to the section of their words. `navigation` counts lines that only lead
    elsewhere, `damage` remains of markup.
    """

    id: str
    kind: str
    answerable: bool
    status: str
    rank: int | None
    found: dict[int, float]
    cites_gold: bool
    evidence: bool | None
    opens_with_it: bool | None
    tokens: int
    sentences: int
    supported: int
    citations: int
    with_fragment: int
    placed: int
    navigation: int
    damage: int
    quotes: int
    quotes_verbatim: int
    links: int
    links_alive: int
    latency_ms: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Hold the figures of a set. Shares are from 0 to 1, latencies in milliseconds, lengths in tokens.

    `definitions` is the share of questions for a definition whose answer opens with it. `by_kind` is the
    share of answers with all of their evidence, among rows that have some.
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
    by_kind: dict[str, float] = field(default_factory=dict)
    section_by_kind: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values, rounded to four digits."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def load_rows(path: Path) -> list[Row]:
    """Read the questions of a JSON Lines file. Raises ConfigurationError that names the line at fault."""
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
    """Ask an answerer each question of a set, and compare its answers with the known ones."""

    def __init__(self, answerer: Answerer, edition: EditionFacts, pages: Sequence[PageFacts]) -> None:
        self._answerer = answerer
        self._edition = edition
        self._pages = {page.path: page for page in pages}
        self._links = {
            section_url(page_url(edition.site_url, page.address), anchor)
            for page in pages
            for anchor in {"", *page.anchors}
        }

    def verdicts(
        self, rows: Iterable[Row], asked: Callable[[Row, Answer], None] = lambda _row, _answer: None
    ) -> list[Verdict]:
        """Ask every question in order; `asked` is called after each."""
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
        spans = [(source, span) for source in answer.sources for span in source.citations]
        said = list(_sentences(answer.text))
        return Verdict(
            id=row.id,
            kind=row.kind,
            answerable=bool(row.gold),
            status=str(answer.status),
            rank=ranks[0] if ranks else None,
            found=found,
            cites_gold=any(gold and source.cited for gold, source in zip(right, answer.sources, strict=True)),
            evidence=holds_evidence(row, answer.text) if row.evidence else None,
            opens_with_it=holds_evidence(row, _first_block(answer.text)) if row.evidence else None,
            tokens=count_tokens(answer.text),
            sentences=len(said),
            supported=sum(_is_supported(sentence, marks, answer.sources) for sentence, marks in said),
            citations=len(spans),
            with_fragment=sum(":~:text=" in span.url for _, span in spans),
            placed=sum(self._is_placed(source, span) for source, span in spans),
            navigation=sum(is_link_alone(line) or is_due_date(line) for line in _content_lines(answer.text)),
            damage=len(DAMAGE.findall(_CODE.sub("code", answer.text))),
            quotes=len(answer.sources),
            quotes_verbatim=sum(self._is_verbatim(source) for source in answer.sources),
            links=len(answer.sources),
            links_alive=sum(s.url.partition(":~:")[0].rstrip("#") in self._links for s in answer.sources),
            latency_ms=answer.latency_ms.total,
        )

    def _is_verbatim(self, source: Source) -> bool:
        page = self._pages.get(source.path)
        return page is not None and source.quote in page.source

    def _is_placed(self, source: Source, span: CitedSpan) -> bool:
        """Return whether a citation's link leads to the section of the page that has its words."""
        page = self._pages.get(source.path)
        if page is None or (start := page.source.find(source.quote)) < 0:
            return False
        before = [anchor for offset, anchor in page.sections if offset <= start + span.start]
        anchor = before[-1] if before else ""
        link = section_url(page_url(self._edition.site_url, page.address), anchor)
        return span.url.partition(":~:")[0].rstrip("#") == link


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
        latency_p95_ms=latencies[min(len(latencies) - 1, round(0.95 * (len(latencies) - 1)))],
        by_kind={
            kind: _mean(bool(v.evidence) for v in verdicts if v.kind == kind and v.evidence is not None)
            for kind in kinds
        },
        section_by_kind={kind: _mean(v.found[5] for v in answerable if v.kind == kind) for kind in kinds},
    )


def _sentences(answer: str) -> Iterator[tuple[str, list[int]]]:
    """Yield each sentence of an answer, with the numbers of the marks that support it.

    Lines that introduce what follows, headings and links to pages are left out.
    """
    # A mark that stands alone speaks for the table or the listing above it.
    for block in _MARK_ALONE.sub(r"\n\1", _CODE.sub("", answer)).split("\n\n"):
        for line in block.split("\n"):
            marks = [int(number) for number in _MARK.findall(line)] or [int(n) for n in _MARK.findall(block)]
            words = _BULLET.sub("", unescape(_MARK.sub("", line))).strip(" -*|")
            # A line of dots stands for items that are left out.
            if (
                not words.strip("…")
                or words.endswith(":")
                or is_link_alone(line)
                or (not marks and "](<" in line)
            ):
                continue
            if not marks and line.strip().startswith("**") and line.strip().endswith("**"):
                continue
            for start, end in sentence_spans(words):
                yield words[start:end], marks


def _is_supported(sentence: str, marks: Iterable[int], sources: Sequence[Source]) -> bool:
    words = _bare(sentence).split()
    quoted = {w for n in marks if 1 <= n <= len(sources) for w in _bare(sources[n - 1].quote_text).split()}
    return bool(words) and sum(word in quoted for word in words) >= LEAST_SUPPORT * len(words)


def _first_block(answer: str) -> str:
    """Return the first block after the introducing line; if it is a heading, with the block after it."""
    blocks = [block for block in answer.split("\n\n") if block.strip()]
    content = [block for block in blocks if not block.rstrip().endswith(":")]
    first = (
        content[:2] if content and content[0].startswith("**") and content[0].endswith("**") else content[:1]
    )
    return "\n".join(first)


def _content_lines(answer: str) -> Iterator[str]:
    """Return the lines of an answer that have a mark, without it."""
    return (_MARK.sub("", line).strip(" -") for line in answer.split("\n") if _MARK.search(line))


def _holds(source: Source, golds: Iterable[Gold]) -> set[tuple[str, str]]:
    """Return the gold sections that a source belongs to, by its heading or by its words."""
    return {
        (gold.path, gold.heading)
        for gold in golds
        if stands_in_gold(source.path, source.heading_path, source.quote, [gold])
    }


def stands_in_gold(path: str, heading_path: Iterable[str], text: str, golds: Iterable[Gold]) -> bool:
    """Return whether a passage is in one of these places: it has the heading, or the words of the quote."""
    headings = {_plain(heading) for heading in heading_path}
    words = _plain(text)
    return any(
        gold.path == path
        and ((gold.heading and _plain(gold.heading) in headings) or _plain(gold.quote) in words)
        for gold in golds
    )


def holds_evidence(row: Row, answer: str) -> bool:
    """Return whether an answer has all of the row's evidence, apart from signs, letter case and markup."""
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
    """Return the letters and digits of a text in lower case, with one blank between words."""
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
