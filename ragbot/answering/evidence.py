"""Collect the passages that an answer is made from, and the sources that the reader sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from ragbot.answering.book_questions import (
    BookQuestion,
    asked_of_book,
    chapter_named,
    contents_text,
    introduction_of,
    link_label,
    pages_text,
)
from ragbot.answering.citations import source_of
from ragbot.answering.follow_ups import search_context
from ragbot.answering.query_rewriting import RewrittenQuestion
from ragbot.answering.reranking import PASSAGES_RERANKED, rerank
from ragbot.answering.selection import passage_of_selection, standing_in
from ragbot.answering.source_slots import SourceSlots
from ragbot.core.answers import Exchange, Mode, Question, Source
from ragbot.core.deadline import Deadline
from ragbot.core.domain import Chunk, EditionFacts, Passage
from ragbot.core.errors import DatabaseUnavailable
from ragbot.core.languages import LOCAL_MODELS_LANGUAGE, foreign_language
from ragbot.core.page_links import page_url
from ragbot.core.ports import SentenceVectors
from ragbot.core.side_matter import is_summary_heading
from ragbot.index.analysis import Analyzer
from ragbot.index.retriever import Retrieval, Retriever
from ragbot.providers.extractive.reading import PassageReader
from ragbot.storage.editions import PageRecord

# Passages that a generator may read. A model gets those that fit CONTEXT_TOKENS; the reader gets the cited
# and the best ones, `top_k` in all.
PASSAGES_READ = 14
# Sections to which a refusal links.
SECTIONS_OFFERED = 3
# An overview is made of so many chunks of each page of an introduction, or of a chapter of one page.
CHUNKS_OF_INTRODUCTION = 3
# A page is searched for its summary, which mostly stands at its end.
CHUNKS_OF_CHAPTER = 200
# Blocks of long passages whose words are kept from question to question.
CACHED_TEXTS = 1024


class BookContents(Protocol):
    """Read an edition's pages."""

    def outline(self, facts: EditionFacts) -> Sequence[PageRecord]:
        """Return the pages in the order of the book."""
        ...

    def first_chunks(self, facts: EditionFacts, paths: Sequence[str], *, each: int) -> Sequence[Chunk]:
        """Return the first few chunks of each of some pages."""
        ...

    def page_source(self, facts: EditionFacts, path: str) -> str:
        """Return the source of one page; "" if it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold the passages for the generator, and those behind the sources that the reader sees.

    In selected_text mode the only passage is the selection, and `shown` are the passages of the book that
    contain it. `relevance` scores a text against the question. `contents` is the list of pages or chapters at
    the end of an overview; None for any other question. `context` is the question before, for a follow-up.
    Not safe between threads.
    """

    retrieval: Retrieval
    passages: tuple[Passage, ...]
    shown: tuple[Passage, ...]
    relevance: Callable[[str], float]
    slots: SourceSlots
    contents: str | None = None
    context: str = ""
    _sources: dict[int, Source] = field(default_factory=dict)

    def sources(self) -> tuple[Source, ...]:
        """Return the sources as the slots have them now."""
        return tuple(self._source(number) for number in self.slots.passages)

    def _source(self, number: int) -> Source:
        if number not in self._sources:
            passage = self.shown[number - 1]
            self._sources[number] = source_of(passage, self.retrieval.edition, self.relevance)
        return self._sources[number]

    def listed(self) -> tuple[Passage, ...]:
        """Return the passages behind the sources, in order."""
        return tuple(self.shown[number - 1] for number in self.slots.passages)


class EvidenceCollector:
    """Collect the evidence for a question. Safe to call from several threads."""

    def __init__(
        self,
        retriever: Retriever,
        reader: PassageReader,
        book: BookContents,
        sentences: SentenceVectors | None = None,
    ) -> None:
        """Store the parts. `sentences` are the vectors that help to rank the passages of English books."""
        self._retriever = retriever
        self._reader = reader
        self._book = book
        self._sentences = sentences

    def collect(
        self,
        question: Question,
        edition: EditionFacts,
        history: Sequence[Exchange],
        deadline: Deadline,
        rewritten: RewrittenQuestion | None = None,
    ) -> Evidence:
        """Return the evidence for a question of either mode; the search uses `rewritten` if it is given.

        Raises SearchUnavailable, DeadlineExceeded or Cancelled.
        """
        if question.mode is Mode.SELECTED_TEXT:
            return self._of_selection(question, edition, deadline)
        if (overview := self._of_overview(question, edition)) is not None:
            return overview
        return self._of_search(question, edition, history, deadline, rewritten)

    def _of_search(
        self,
        question: Question,
        edition: EditionFacts,
        history: Sequence[Exchange],
        deadline: Deadline,
        rewritten: RewrittenQuestion | None,
    ) -> Evidence:
        text, context = question.text, ""
        if rewritten is not None and rewritten.is_restated:
            text = rewritten.search_text
        else:
            own_words = self._retriever.analyzer(edition).question_words(text)
            language = foreign_language(text, edition.language) or edition.language
            context = search_context(text, history, has_own_words=bool(own_words), language=language)
        retrieval = self._retriever.retrieve(
            text,
            edition=edition,
            limit=max(PASSAGES_RERANKED, question.top_k),
            deadline=deadline,
            context=context,
            variants=rewritten.variants if rewritten else (),
            scope=question.chapter_filter,
            page_url=question.page_url,
        )
        ranked = (
            list(retrieval.passages)
            if retrieval.foreign_language
            else rerank(
                retrieval.passages,
                text,
                retrieval.query_terms.weights,
                language=edition.language,
                reader=self._reader,
                # (Passages that were found for another wording are not compared with the first one.)
                closest=() if rewritten and rewritten.variants else self._closest(retrieval),
            )
        )
        passages = tuple(ranked[: max(PASSAGES_READ, question.top_k)])
        slots = SourceSlots(len(passages), question.top_k)
        return Evidence(retrieval, passages, passages, self._relevance(retrieval), slots, context=context)

    def _closest(self, retrieval: Retrieval) -> Sequence[tuple[float, float]]:
        """Return how close the sentences of each passage come to the question, if that is known."""
        is_known = retrieval.edition.language == LOCAL_MODELS_LANGUAGE
        if self._sentences is None or retrieval.vector is None or not is_known:
            return ()
        try:
            texts = [passage.chunk.search_text for passage in retrieval.passages]
            return self._sentences.closest(retrieval.vector, texts)
        except DatabaseUnavailable:
            return ()

    def _of_selection(self, question: Question, edition: EditionFacts, deadline: Deadline) -> Evidence:
        """Return the selection as the only passage, and the passages of the book that contain it."""
        selection = question.selected_text or ""
        retrieval = self._retriever.place(selection, question.text, edition=edition, deadline=deadline)
        places = standing_in(selection, retrieval.passages)
        passage = passage_of_selection(selection, places)
        shown = tuple(places[: question.top_k])
        slots = SourceSlots(len(shown), len(shown))
        return Evidence(retrieval, (passage,), shown, self._relevance(retrieval), slots)

    def _of_overview(self, question: Question, edition: EditionFacts) -> Evidence | None:
        """Return the beginnings of the introduction or of a chapter's pages, or None for other questions."""
        pages = self._book.outline(edition)
        asked = asked_of_book(question.text, pages)
        if asked is None or question.chapter_filter:
            return None
        if asked.kind is BookQuestion.ABOUT:
            chosen, each = introduction_of(pages), CHUNKS_OF_INTRODUCTION
            listed = contents_text(edition.title, pages, "chapters", page_link(edition))
        else:
            chapter = chapter_named(pages, asked.chapter)
            if chapter is None:
                return None
            listed = pages_text(chapter[1], page_link(edition)) if len(chapter[1]) > 1 else ""
            chosen = chapter[1][: question.top_k]
            each = 1 if len(chosen) > 1 else CHUNKS_OF_INTRODUCTION
        paths = [page.path for page in chosen]
        summaries = asked.kind is BookQuestion.CHAPTER and self._summaries(edition, paths)
        chunks = summaries or self._book.first_chunks(edition, paths, each=each)
        if not chunks:
            return None
        passages = tuple(Passage(chunk, 1.0) for chunk in chunks[: question.top_k])
        retrieval = self._retriever.without_search(question.text, edition, passages)
        slots = SourceSlots(len(passages), question.top_k)
        return Evidence(retrieval, passages, passages, self._relevance(retrieval), slots, listed)

    def _summaries(self, edition: EditionFacts, paths: Sequence[str]) -> Sequence[Chunk]:
        """Return the chunk of each page in which its own summary stands, if any page has one.

        A page without a summary comes with its beginning.
        """
        found: dict[str, Chunk] = {}
        beginnings: dict[str, Chunk] = {}
        for chunk in self._book.first_chunks(edition, paths, each=CHUNKS_OF_CHAPTER):
            beginnings.setdefault(chunk.path, chunk)
            headings = (chunk.heading_path, *(inner.heading_path for inner in chunk.sections))
            if any(path and is_summary_heading(path[-1]) for path in headings):
                found[chunk.path] = chunk
        return [found.get(path, beginning) for path, beginning in beginnings.items()] if found else []

    def _relevance(self, retrieval: Retrieval) -> Callable[[str], float]:
        analyzer = self._retriever.analyzer(retrieval.edition)
        weights = retrieval.query_terms.weights

        def relevance(text: str) -> float:
            return sum(weights.get(term, 0.0) for term in _terms(analyzer, text))

        return relevance


@lru_cache(maxsize=CACHED_TEXTS)
def _terms(analyzer: Analyzer, text: str) -> frozenset[str]:
    return frozenset(analyzer.terms(text))


def page_link(edition: EditionFacts) -> Callable[[PageRecord], str]:
    """Return a function that gives a page's public address."""
    return lambda page: page_url(edition.site_url, page.address)


def nearest_sections(evidence: Evidence) -> str:
    """Return a line that links to the most similar sections; "" if none has a word of the question."""
    links: dict[str, str] = {}
    for source, passage in zip(evidence.sources(), evidence.listed(), strict=True):
        if evidence.relevance(passage.chunk.search_text):
            url = source.url.partition(":~:")[0].removesuffix("#")
            names = dict.fromkeys((source.chapter, source.section))
            links.setdefault(url, " › ".join(name for name in names if name))
    labels = [(label, url) for url, name in links.items() if (label := link_label(name).strip())]
    offered = [f"[{label}](<{url}>)" for label, url in labels[:SECTIONS_OFFERED]]
    return f"\n\nNearest in the book: {' · '.join(offered)}" if offered else ""
