"""A question to an answer, as a stream of events: rewrite, retrieve, prompt, generate, cite."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from ragbot.answering.citations import sources_of, with_cited
from ragbot.answering.follow_ups import search_context
from ragbot.answering.markdown_sanitizer import MarkdownSanitizer
from ragbot.answering.prompt import chat_messages, fitting, system_text
from ragbot.answering.refusal import SentinelFilter
from ragbot.answering.selection import passage_of_selection, standing_in
from ragbot.core import ports
from ragbot.core.deadline import Deadline
from ragbot.core.domain import (
    NOT_IN_BOOK,
    Answer,
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

REFUSAL = {
    Mode.FULL_BOOK: "The book does not say.",
    Mode.SELECTED_TEXT: "The selected text does not say.",
}

# What a model wraps the word in by which it refuses, and what it puts behind it.
_BEFORE_REFUSAL = " \t\n*_`"
_BEHIND_REFUSAL = " \t\n:.-–—"

# What a generator without a model may look through; the reader is shown the best `top_k` of them.
PASSAGES_RETRIEVED = 10


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Budgets in tokens."""

    context_tokens: int
    history_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What an answer may rest on: passages for the generator, and sources for the reader."""

    retrieval: Retrieval
    passages: tuple[Passage, ...]
    sources: tuple[Source, ...]


class Answerer:
    """Parts chosen by wiring; knows no web and no database. Safe between threads."""

    def __init__(
        self,
        retriever: Retriever,
        generator: ports.Generator,
        limits: AnswerLimits,
        embedding_cost: Callable[[int], float | None],
    ) -> None:
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
        evidence = self._evidence(question, history, deadline)
        generation = Generation()
        asked = time.perf_counter()

        def as_it_stands() -> Answer:
            return self._answer(question, evidence, generation, started, asked)

        yield Retrieved(evidence.sources, as_it_stands)
        prompt = replace(self._prompt(question, history, evidence), without_model=without_model)
        cleaner, sentinel = _cleaner(evidence), SentinelFilter()
        said: list[str] = []
        status = Status.ANSWERED
        with closing(_after_refusal(_seen(self._pieces(prompt, deadline, generation)))) as pieces:
            for refused, piece in pieces:
                status = Status.REFUSED if refused else status
                if text := sentinel.feed(cleaner.feed(piece)):
                    said.append(text)
                    yield Delta(text)
        if rest := sentinel.feed(cleaner.flush()) + sentinel.flush():
            said.append(rest)
            yield Delta(rest)
        if not "".join(said).strip():
            status = Status.REFUSED
            said.append(REFUSAL[question.mode])
            yield Delta(said[-1])
        sources = with_cited(evidence.sources, cleaner.cited if status is Status.ANSWERED else ())
        told = replace(as_it_stands(), text="".join(said), status=status, sources=sources)
        yield Finished(replace(told, model=told.model or "extractive"))

    def _answer(
        self, question: Question, evidence: _Evidence, generation: Generation, started: float, asked: float
    ) -> Answer:
        """What is known of an answer by now, as one that never ends."""
        now = time.perf_counter()
        return Answer(
            text="",
            status=Status.FAILED,
            sources=evidence.sources,
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

    def _evidence(self, question: Question, history: Sequence[Exchange], deadline: Deadline) -> _Evidence:
        edition = self._retriever.edition(question.book_version)
        if question.mode is Mode.SELECTED_TEXT:
            return self._selected_evidence(question, edition, deadline)
        retrieval = self._retriever.retrieve(
            question.text,
            edition=edition,
            limit=max(PASSAGES_RETRIEVED, question.top_k),
            deadline=deadline,
            context=search_context(history),
            scope=question.chapter_filter,
            page_url=question.page_url,
        )
        shown = retrieval.passages[: question.top_k]
        relevance = self._relevance(retrieval)
        return _Evidence(
            retrieval, fitting(shown, self._limits.context_tokens), sources_of(shown, edition, relevance)
        )

    def _selected_evidence(self, question: Question, edition: EditionFacts, deadline: Deadline) -> _Evidence:
        """The selection is the only passage; its sources are where it stands in the book, if it does."""
        selection = question.selected_text or ""
        retrieval = self._retriever.place(selection, question.text, edition=edition, deadline=deadline)
        places = standing_in(selection, retrieval.passages)
        relevance = self._relevance(retrieval)
        passage = passage_of_selection(selection, places[0] if places else None)
        return _Evidence(retrieval, (passage,), sources_of(places[: question.top_k], edition, relevance))

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
            ),
            mode=question.mode,
            language=retrieval.edition.language,
            term_weights=retrieval.query_terms.weights,
            unknown_words=retrieval.query_terms.unknown,
            question_vector=retrieval.vector,
            max_output_tokens=self._limits.answer_tokens,
        )

    def _pieces(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        if not prompt.passages:
            # Nothing in the book is relevant: no model needs to be called.
            return iter([NOT_IN_BOOK])
        return self._generator.generate(prompt, deadline, generation)

    def _usage(self, retrieval: Retrieval, generation: Generation) -> Usage:
        embedding_cost = self._embedding_cost(retrieval.embedding_tokens)
        answer_cost = generation.usage.cost_usd if generation.model else 0.0
        known = embedding_cost is not None and answer_cost is not None
        return replace(
            generation.usage,
            embedding_tokens=retrieval.embedding_tokens,
            cost_usd=embedding_cost + answer_cost if known else None,  # type: ignore[operator]
        )


def _cleaner(evidence: _Evidence) -> MarkdownSanitizer:
    return MarkdownSanitizer(
        allowed=min(len(evidence.passages), len(evidence.sources)),
        own_text="\n".join(passage.chunk.text for passage in evidence.passages),
        own_urls=[source.url for source in evidence.sources],
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
