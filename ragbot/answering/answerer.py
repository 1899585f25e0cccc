"""A question to an answer, as a stream of events: rewrite, retrieve, prompt, generate, cite."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from ragbot.answering.book_questions import (
    BookQuestion,
    asked_of_book,
    chapter_named,
    contents_text,
    introduction_of,
    is_small_talk,
    link_label,
    pages_text,
    small_talk_reply,
)
from ragbot.answering.citations import page_url, sources_of, with_citations
from ragbot.answering.follow_ups import search_context
from ragbot.answering.markdown_sanitizer import MarkdownSanitizer
from ragbot.answering.prompt import chat_messages, fitting, system_text
from ragbot.answering.refusal import SentinelFilter
from ragbot.answering.reranking import PASSAGES_RERANKED, rerank
from ragbot.answering.selection import passage_of_selection, standing_in
from ragbot.answering.source_slots import SourceSlots
from ragbot.core import ports
from ragbot.core.deadline import Deadline
from ragbot.core.domain import (
    NOT_IN_BOOK,
    Answer,
    Chunk,
    Degradation,
    Delta,
    EditionFacts,
    Event,
    Exchange,
    Finished,
    Latency,
    Mode,
    Passage,
    Prompt,
    Question,
    Retrieved,
    Source,
    Status,
    Usage,
)
from ragbot.core.invisible_characters import without_invisible
from ragbot.core.ports import Generation
from ragbot.index.retriever import Retrieval, Retriever
from ragbot.providers.extractive.reading import PassageReader
from ragbot.storage.editions import PageRecord

REFUSAL = {
    Mode.FULL_BOOK: "The book does not say.",
    Mode.SELECTED_TEXT: "The selected text does not say.",
}

# Answers that were cached from another version of what puts them together are not given again: raise it then.
ANSWER_VERSION = "2"

# What a model wraps the word in by which it refuses, and what it puts behind it.
_BEFORE_REFUSAL = " \t\n*_`"
_BEHIND_REFUSAL = " \t\n:.-–—"

# What generators may look through. A model is shown what fits CONTEXT_TOKENS of them, the reader those that
# are cited and the best, `top_k` in all.
PASSAGES_READ = 14
# A refusal offers so many of the nearest sections.
SECTIONS_OFFERED = 3
# Chunks of each page of an introduction, or of a chapter of one page, that an overview is made of.
CHUNKS_OF_INTRODUCTION = 3


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Budgets in tokens."""

    context_tokens: int
    history_tokens: int
    answer_tokens: int


class BookContents(Protocol):
    """What an edition's rows say of its pages."""

    def outline(self, facts: EditionFacts) -> Sequence[PageRecord]:
        """Its pages in order."""
        ...

    def first_chunks(self, facts: EditionFacts, paths: Sequence[str], *, each: int) -> Sequence[Chunk]:
        """The first few chunks of each of some pages."""
        ...

    def page_source(self, facts: EditionFacts, path: str) -> str:
        """The source of one page; empty where it cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What an answer may rest on: passages for the generator, and those that a source shows.

    In selected_text mode the only passage is the selection, and sources show where it stands in the book.
    `relevance` scores a text against the question. `contents` is the list of pages or chapters that an
    overview
    ends with, and None where the question asks for something else.
    """

    retrieval: Retrieval
    passages: tuple[Passage, ...]
    shown: tuple[Passage, ...]
    relevance: Callable[[str], float]
    slots: SourceSlots
    contents: str | None = None

    def sources(self) -> tuple[Source, ...]:
        """The sources as the slots have them now."""
        return sources_of(self.listed(), self.retrieval.edition, self.relevance)

    def listed(self) -> tuple[Passage, ...]:
        """The passages behind the sources, in order."""
        return tuple(self.shown[number - 1] for number in self.slots.passages)


class Answerer:
    """Parts chosen by wiring; knows no web and no database. Safe between threads."""

    def __init__(
        self,
        retriever: Retriever,
        generator: ports.Generator,
        limits: AnswerLimits,
        embedding_cost: Callable[[int], float | None],
        *,
        reader: PassageReader,
        book: BookContents,
    ) -> None:
        self._reader = reader
        self._book = book
        self._retriever = retriever
        self._generator = generator
        self._limits = limits
        self._embedding_cost = embedding_cost

    def answer(
        self,
        question: Question,
        history: Sequence[Exchange],
        deadline: Deadline,
        *,
        without_model: bool = False,
    ) -> Generator[Event, None, None]:
        """Yield one Retrieved, then Deltas, then one Finished, whose text is the sum of the deltas.

        With `without_model` no model is paid for this answer.
        Raises EditionNotFound, NoBook or SearchUnavailable before the first event; AnswerCut,
        DeadlineExceeded or Cancelled at any time. Closing the iterator ends the model's stream.
        """
        started = time.perf_counter()
        edition = self._retriever.edition(question.book_version)
        if question.mode is Mode.FULL_BOOK and (text := self._of_book(question, edition)):
            yield from _said_outright(text, question, edition, started)
            return
        evidence = self._evidence(question, edition, history, deadline)
        generation = Generation()
        asked = time.perf_counter()
        sources = evidence.sources()

        def as_it_stands() -> Answer:
            return self._answer(question, evidence, sources, generation, started, asked)

        yield Retrieved(sources, as_it_stands)
        prompt = replace(self._prompt(question, history, evidence), without_model=without_model)
        cleaner = self._cleaner(evidence, sources, generation)
        sentinel = SentinelFilter()
        said: list[str] = []
        status = Status.ANSWERED
        with closing(_after_refusal(_seen(self._pieces(prompt, deadline, generation)))) as pieces:
            for refused, piece in pieces:
                status = Status.REFUSED if refused else status
                if text := sentinel.feed(cleaner.feed(piece)):
                    if evidence.slots.take_change():
                        sources = evidence.sources()
                        yield Retrieved(sources, as_it_stands)
                    said.append(text)
                    yield Delta(text)
        if rest := sentinel.feed(cleaner.flush()) + sentinel.flush():
            said.append(rest)
            yield Delta(rest)
        if evidence.contents and generation.extractive and status is Status.ANSWERED:
            said.append(f"\n\n{evidence.contents}")
            yield Delta(said[-1])
        if not "".join(said).strip():
            status = Status.REFUSED
            said.append(REFUSAL[question.mode])
            yield Delta(said[-1])
        if status is Status.REFUSED and (offer := _nearest(evidence)):
            said.append(offer)
            yield Delta(offer)
        text = "".join(said)
        if status is Status.ANSWERED:
            sources = self._cited(evidence, text)
        told = replace(as_it_stands(), text=text, status=status, sources=sources)
        yield Finished(replace(told, model=told.model or "extractive"))

    def _answer(
        self,
        question: Question,
        evidence: _Evidence,
        sources: tuple[Source, ...],
        generation: Generation,
        started: float,
        asked: float,
    ) -> Answer:
        """What is known of an answer by now, as one that never ends."""
        now = time.perf_counter()
        return Answer(
            text="",
            status=Status.FAILED,
            sources=sources,
            mode=question.mode,
            book_version=evidence.retrieval.edition.name,
            model=generation.model,
            degraded=_degraded(evidence.retrieval, generation),
            usage=self._usage(evidence.retrieval, generation),
            latency_ms=Latency(
                total=(now - started) * 1000,
                embed=evidence.retrieval.embed_ms,
                search=evidence.retrieval.search_ms,
                generate=(now - asked) * 1000,
            ),
        )

    def _cited(self, evidence: _Evidence, answer: str) -> tuple[Source, ...]:
        """The sources with the words that the answer's marks rest on."""
        edition = evidence.retrieval.edition
        return with_citations(
            evidence.sources(),
            evidence.listed(),
            answer,
            edition,
            relevance=evidence.relevance,
            page_source=lambda path: self._book.page_source(edition, path),
        )

    def _of_book(self, question: Question, edition: EditionFacts) -> str:
        """The answer to small talk, or the table of contents where that is asked for; else nothing."""
        if is_small_talk(question.text):
            return small_talk_reply(edition.title)
        pages = self._book.outline(edition)
        asked = asked_of_book(question.text, pages)
        if asked is None or asked.kind is not BookQuestion.CONTENTS or not pages:
            return ""
        return contents_text(edition.title, pages, asked.parts, _page_link(edition))

    def _overview_evidence(self, question: Question, edition: EditionFacts) -> _Evidence | None:
        """Gather the beginnings of the introduction or of a chapter's pages, where a summary is asked for."""
        pages = self._book.outline(edition)
        asked = asked_of_book(question.text, pages)
        if asked is None or question.chapter_filter:
            return None
        if asked.kind is BookQuestion.ABOUT:
            chosen, each = introduction_of(pages), CHUNKS_OF_INTRODUCTION
            listed = contents_text(edition.title, pages, "chapters", _page_link(edition))
        else:
            chapter = chapter_named(pages, asked.chapter)
            if chapter is None:
                return None
            listed = pages_text(chapter[1], _page_link(edition)) if len(chapter[1]) > 1 else ""
            chosen = chapter[1][: question.top_k]
            each = 1 if len(chosen) > 1 else CHUNKS_OF_INTRODUCTION
        chunks = self._book.first_chunks(edition, [page.path for page in chosen], each=each)
        if not chunks:
            return None
        passages = tuple(Passage(chunk, 1.0) for chunk in chunks[: question.top_k])
        retrieval = self._retriever.without_search(question.text, edition, passages)
        slots = SourceSlots(len(passages), question.top_k)
        return _Evidence(retrieval, passages, passages, self._relevance(retrieval), slots, listed)

    def _evidence(
        self, question: Question, edition: EditionFacts, history: Sequence[Exchange], deadline: Deadline
    ) -> _Evidence:
        if question.mode is Mode.SELECTED_TEXT:
            return self._selected_evidence(question, edition, deadline)
        if (overview := self._overview_evidence(question, edition)) is not None:
            return overview
        own_words = self._retriever.analyzer(edition).question_words(question.text)
        retrieval = self._retriever.retrieve(
            question.text,
            edition=edition,
            limit=max(PASSAGES_RERANKED, question.top_k),
            deadline=deadline,
            context=search_context(question.text, history, has_own_words=bool(own_words)),
            scope=question.chapter_filter,
            page_url=question.page_url,
        )
        ranked = (
            list(retrieval.passages)
            if retrieval.foreign_language
            else rerank(
                retrieval.passages,
                question.text,
                retrieval.query_terms.weights,
                language=edition.language,
                reader=self._reader,
            )
        )
        passages = tuple(ranked[: max(PASSAGES_READ, question.top_k)])
        slots = SourceSlots(len(passages), question.top_k)
        return _Evidence(retrieval, passages, passages, self._relevance(retrieval), slots)

    def _selected_evidence(self, question: Question, edition: EditionFacts, deadline: Deadline) -> _Evidence:
        """The selection is the only passage; its sources are where it stands in the book, if it does."""
        selection = question.selected_text or ""
        retrieval = self._retriever.place(selection, question.text, edition=edition, deadline=deadline)
        places = standing_in(selection, retrieval.passages)
        passage = passage_of_selection(selection, places[0] if places else None)
        shown = tuple(places[: question.top_k])
        slots = SourceSlots(len(shown), len(shown))
        return _Evidence(retrieval, (passage,), shown, self._relevance(retrieval), slots)

    def _relevance(self, retrieval: Retrieval) -> Callable[[str], float]:
        analyzer = self._retriever.analyzer(retrieval.edition)
        weights = retrieval.query_terms.weights

        def relevance(text: str) -> float:
            return sum(weights.get(term, 0.0) for term in set(analyzer.terms(text)))

        return relevance

    def _prompt(self, question: Question, history: Sequence[Exchange], evidence: _Evidence) -> Prompt:
        selected = question.mode is Mode.SELECTED_TEXT
        retrieval = evidence.retrieval
        return Prompt(
            question=question.text,
            passages=evidence.passages,
            system=system_text(question.mode),
            messages=chat_messages(
                question.text,
                evidence.passages,
                () if selected else history,
                mode=question.mode,
                title=retrieval.edition.title,
                history_tokens=self._limits.history_tokens,
                context_tokens=self._limits.context_tokens,
            ),
            mode=question.mode,
            language=retrieval.edition.language,
            term_weights=retrieval.query_terms.weights,
            unknown_words=retrieval.query_terms.unknown,
            question_vector=retrieval.vector,
            max_output_tokens=self._limits.answer_tokens,
            overview=evidence.contents is not None,
            foreign_language=retrieval.foreign_language,
        )

    def _pieces(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        if not prompt.passages:
            # Nothing in the book is relevant: no model needs to be called.
            return iter([NOT_IN_BOOK])
        return self._generator.generate(prompt, deadline, generation)

    def _cleaner(
        self, evidence: _Evidence, sources: Sequence[Source], generation: Generation
    ) -> MarkdownSanitizer:
        marks = min(len(evidence.passages), len(evidence.shown))
        read = frozenset(fitting(evidence.passages, self._limits.context_tokens))

        def number_of(passage: int) -> int | None:
            # A model can only cite what it was shown.
            was_read = passage <= marks and (generation.extractive or passage in read)
            return evidence.slots.number_of(passage) if was_read else None

        return MarkdownSanitizer(
            number_of=number_of,
            own_text="\n".join(passage.chunk.text for passage in evidence.passages),
            own_urls=[source.url for source in sources],
        )

    def _usage(self, retrieval: Retrieval, generation: Generation) -> Usage:
        embedding_cost = self._embedding_cost(retrieval.embedding_tokens)
        answer_cost = generation.usage.cost_usd if generation.model else 0.0
        known = embedding_cost is not None and answer_cost is not None
        return replace(
            generation.usage,
            embedding_tokens=retrieval.embedding_tokens,
            cost_usd=embedding_cost + answer_cost if known else None,  # type: ignore[operator]
        )


def _page_link(edition: EditionFacts) -> Callable[[PageRecord], str]:
    return lambda page: page_url(edition.site_url, page.address)


def _nearest(evidence: _Evidence) -> str:
    """A line that offers the nearest sections as links; empty where none has a word of the question."""
    links: dict[str, str] = {}
    for source, passage in zip(evidence.sources(), evidence.listed(), strict=True):
        if evidence.relevance(passage.chunk.search_text):
            url = source.url.partition(":~:")[0].removesuffix("#")
            names = dict.fromkeys((source.chapter, source.section))
            links.setdefault(url, " › ".join(name for name in names if name))
    labels = [(label, url) for url, name in links.items() if (label := link_label(name).strip())]
    offered = [f"[{label}](<{url}>)" for label, url in labels[:SECTIONS_OFFERED]]
    return f"\n\nNearest in the book: {' · '.join(offered)}" if offered else ""


def _said_outright(text: str, question: Question, edition: EditionFacts, started: float) -> Iterator[Event]:
    """The events of an answer that needs neither a search nor a model."""
    yield Retrieved(())
    yield Delta(text)
    yield Finished(
        Answer(
            text=text,
            status=Status.ANSWERED,
            sources=(),
            mode=question.mode,
            book_version=edition.name,
            model="extractive",
            usage=Usage(cost_usd=0.0),
            latency_ms=Latency(total=(time.perf_counter() - started) * 1000),
        )
    )


def _seen(pieces: Iterator[str]) -> Generator[str, None, None]:
    """The pieces without characters that nobody sees."""
    shown = ""
    for piece in pieces:
        if text := without_invisible(piece, shown):
            shown = text
            yield text


def _after_refusal(pieces: Iterator[str]) -> Generator[tuple[bool, str], None, None]:
    """Each piece with whether the generator refused; the word that says so is kept from the reader."""
    head = ""
    refused: bool | None = None
    # What may still follow on the word and is not the sentence yet.
    between = ""
    for piece in pieces:
        if refused is None:
            head += piece
            start = head.lstrip(_BEFORE_REFUSAL)
            if len(start) < len(NOT_IN_BOOK) and NOT_IN_BOOK.startswith(start):
                continue
            refused = start.startswith(NOT_IN_BOOK)
            piece = start.removeprefix(NOT_IN_BOOK) if refused else head
            between = _BEHIND_REFUSAL + head[: len(head) - len(start)] if refused else ""
        if between and (piece := piece.lstrip(between)):
            between = ""
        if piece:
            yield refused, piece
    if refused is None and head:
        yield False, head


def _degraded(retrieval: Retrieval, generation: Generation) -> tuple[Degradation, ...]:
    names = []
    if generation.extractive and generation.over_budget:
        names.append(Degradation.BUDGET)
    elif generation.fell_back:
        names.append(Degradation.LLM_EXTRACTIVE if generation.extractive else Degradation.LLM_FALLBACK)
    if retrieval.without_dense:
        names.append(Degradation.DENSE_SEARCH)
    return tuple(names)
