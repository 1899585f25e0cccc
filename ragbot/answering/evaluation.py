"""Ask a set of questions with known answers, and measure what was found, refused, quoted and linked."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from html import unescape

from ragbot.answering.answerer import Answerer
from ragbot.answering.question_set import Gold, Row
from ragbot.answering.statements import CITATION_MARK, Kind, Piece, StatementSplitter
from ragbot.core.answers import (
    EXTRACTIVE,
    Answer,
    CitedSpan,
    Degradation,
    Delta,
    Draft,
    Finished,
    Mode,
    Question,
    Retrieved,
    Source,
    Status,
)
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.core.errors import AnswerCut, DeadlineExceeded
from ragbot.core.page_links import page_url, section_url
from ragbot.core.side_matter import is_due_date, is_link_alone
from ragbot.core.text import count_tokens, folded, sentence_spans
from ragbot.storage.editions import PageFacts

# A source supports a sentence if it has this share of its words.
LEAST_SUPPORT = 0.7

_SIGNS = re.compile(r"[\W_]+")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d{1,9}[.)])\s+")
_MARK_ALONE = re.compile(r"\n\s*\n((?:\[\d+\] ?)+)(?=\n|\Z)")
_CODE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1[ \t]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
# Remains of a book's markup, which a reader should not see.
DAMAGE = re.compile(
    r":::|<br|</?[a-z]+[\s>]|<!--|\{/\*|\{:?\s*[#.][\w-]|\[\^|^\s*[-*]\s*\[?\d*\]?\s*$|^!!!|^===\s|^///|\{[%{*]",
    re.MULTILINE | re.IGNORECASE,
)

CUTS = (1, 3, 5)
DEADLINE_S = 60.0
_EXTRACTIVE = frozenset({Degradation.LLM_EXTRACTIVE, Degradation.BUDGET})


@dataclass(frozen=True, slots=True)
class AskedRow:
    """Hold a question with its answer; one that was cut has the status FAILED, its words and `error_code`.

    `first_word_ms` is the time from the question to the first word, None if there was none.
    """

    row: Row
    answer: Answer
    first_word_ms: float | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """Hold the measurements of an answer that a model wrote.

    `sentences`, `cited` and `supported` are the answer's own counts (`Grounding`), 0 for a refusal. `marks`
    counts its marks, and `marks_in_words` those whose source has the words of the sentence: a plainer measure
    than the one by which an answer's marks are repaired, and apart from it. With `is_unsupported` it was
    refused because nothing of it stands in the passages.
    """

    sentences: int
    cited: int
    supported: int
    marks: int
    marks_in_words: int
    is_unsupported: bool
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    first_word_ms: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold the measurements of one question. `rank` is that of the first right source, from 1, or None.

    `found` maps each cut to the share of the gold sections among so many sources. `evidence` says whether the
    answer had all of the row's evidence, `opens_with_it` whether its first block had; both are None if the
    row has none. `sentences` counts the answer's sentences, `supported` those whose words are in the source
    that their mark cites. `citations` counts the citations, `with_fragment` those with a text fragment,
    `placed` those whose link leads to the section of their words. `navigation` counts lines that only lead
    elsewhere, `damage` remains of markup. `model` is None where no model wrote the answer; with `fell_back`
    one should have.
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
    fell_back: bool = False
    model: ModelVerdict | None = None


class Evaluation:
    """Ask an answerer each question of a set, and compare its answers with the known ones."""

    def __init__(
        self,
        answerer: Answerer,
        edition: EditionFacts,
        pages: Sequence[PageFacts],
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._answerer = answerer
        self._deadline_s = deadline_s
        self._edition = edition
        self._pages = {page.path: page for page in pages}
        self._links = {
            section_url(page_url(edition.site_url, page.address), anchor)
            for page in pages
            for anchor in {"", *page.anchors}
        }

    def verdicts(
        self, rows: Iterable[Row], on_answer: Callable[[AskedRow], None] = lambda _asked: None
    ) -> list[Verdict]:
        """Ask every question in order; `on_answer` is called after each."""
        verdicts = []
        for row in rows:
            asked = self._ask(row)
            verdicts.append(self._verdict(asked))
            on_answer(asked)
        return verdicts

    def _ask(self, row: Row) -> AskedRow:
        question = Question(row.question, book=self._edition.book, book_version=self._edition.name)
        started, first_word_ms = time.perf_counter(), None
        draft: Draft | None = None
        said: list[str] = []
        with closing(self._answerer.answer(question, row.history, Deadline(self._deadline_s))) as events:
            try:
                for event in events:
                    match event:
                        case Retrieved():
                            draft = event.draft
                        case Delta(text):
                            said.append(text)
                            if first_word_ms is None:
                                first_word_ms = (time.perf_counter() - started) * 1000
                        case Finished(answer):
                            return AskedRow(row, answer, first_word_ms)
            except (AnswerCut, DeadlineExceeded) as error:
                return AskedRow(row, self._cut(draft, "".join(said)), first_word_ms, error.code)
        raise AssertionError("an answer ended without its last event")

    def _cut(self, draft: Draft | None, text: str) -> Answer:
        """Return what there is of an answer that never ended."""
        if draft is None:
            return Answer(text, Status.FAILED, (), Mode.FULL_BOOK, self._edition.name, model="")
        return replace(draft.so_far(), text=text, status=Status.FAILED)

    def _verdict(self, asked: AskedRow) -> Verdict:
        row, answer = asked.row, asked.answer
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
            fell_back=not _EXTRACTIVE.isdisjoint(answer.degraded),
            model=model_verdict(asked),
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


def model_verdict(asked: AskedRow) -> ModelVerdict | None:
    """Measure the answer of a model; None if no model wrote it."""
    answer, grounding = asked.answer, asked.answer.grounding
    if answer.model in ("", EXTRACTIVE):
        return None
    marked = [
        (CITATION_MARK.sub("", unescape(piece.body)), mark)
        for piece in _pieces(answer.text)
        if piece.kind is not Kind.FILLER
        for mark in dict.fromkeys(piece.marks)
    ]
    return ModelVerdict(
        sentences=grounding.sentences if grounding else 0,
        cited=grounding.cited if grounding else 0,
        supported=grounding.supported if grounding else 0,
        marks=len(marked),
        marks_in_words=sum(_is_supported(said, [mark], answer.sources) for said, mark in marked),
        is_unsupported=answer.status == Status.REFUSED and grounding is not None,
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        cost_usd=answer.usage.cost_usd,
        first_word_ms=asked.first_word_ms,
    )


def _pieces(answer: str) -> list[Piece]:
    splitter = StatementSplitter()
    return [*splitter.feed(answer), *splitter.flush()]


def _sentences(answer: str) -> Iterator[tuple[str, list[int]]]:
    """Yield each sentence of an answer, with the numbers of the marks that support it.

    Lines that introduce what follows, headings and links to pages are left out.
    """
    # A mark that stands alone speaks for the table or the listing above it.
    for block in _MARK_ALONE.sub(r"\n\1", _CODE.sub("", answer)).split("\n\n"):
        for line in block.split("\n"):
            marks = [int(number) for number in CITATION_MARK.findall(line) or CITATION_MARK.findall(block)]
            words = _BULLET.sub("", unescape(CITATION_MARK.sub("", line))).strip(" -*|")
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
    return (
        CITATION_MARK.sub("", line).strip(" -") for line in answer.split("\n") if CITATION_MARK.search(line)
    )


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


def _plain(text: str) -> str:
    return folded("".join(character for character in text if character not in "*_`"))


def _bare(text: str) -> str:
    """Return the letters and digits of a text in lower case, with one blank between words."""
    return " ".join(_SIGNS.sub(" ", _plain(text)).split())
