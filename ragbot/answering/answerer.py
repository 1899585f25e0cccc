"""Answer a question as a stream of events: search, rerank, prompt, generate, sanitise, cite."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from ragbot.answering.answer_text import AnswerText
from ragbot.answering.book_questions import (
    BookQuestion,
    asked_of_book,
    contents_text,
    is_small_talk,
    small_talk_reply,
)
from ragbot.answering.citations import with_citations
from ragbot.answering.evidence import (
    BookContents,
    Evidence,
    EvidenceCollector,
    nearest_sections,
    page_link,
)
from ragbot.answering.markdown_sanitizer import MarkdownSanitizer
from ragbot.answering.prompt import chat_messages, fitting, system_text
from ragbot.core import ports
from ragbot.core.deadline import Deadline
from ragbot.core.domain import (
    NOT_IN_BOOK,
    Answer,
    Degradation,
    Delta,
    Draft,
    EditionFacts,
    Event,
    Exchange,
    Finished,
    Generation,
    Latency,
    Mode,
    Prompt,
    Question,
    Retrieved,
    Source,
    Status,
    Usage,
)
from ragbot.index.retriever import Retriever
from ragbot.providers.extractive.reading import PassageReader

REFUSAL = {
    Mode.FULL_BOOK: "The book does not say.",
    Mode.SELECTED_TEXT: "The selected text does not say.",
}

# Answers that were cached from another version of what puts them together are not given again: raise it then.
ANSWER_VERSION = "2"


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Hold the budgets in tokens."""

    context_tokens: int
    history_tokens: int
    answer_tokens: int


class Answerer:
    """Answer from an edition. Knows neither HTTP nor the database's tables. Safe between threads."""

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
        self._collector = EvidenceCollector(retriever, reader, book)
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

        Another Retrieved comes before the Delta whose mark puts another passage among the sources. With
        `without_model` no model is paid for this answer.
        Raises EditionNotFound, NoBook or SearchUnavailable before the first event; AnswerCut,
        DeadlineExceeded or Cancelled at any time. Closing the iterator ends the model's stream.
        """
        started = time.perf_counter()
        edition = self._retriever.edition(question.book_version)
        if question.mode is Mode.FULL_BOOK and (text := self._fixed_reply(question, edition)):
            yield from _without_search(text, question, edition, started)
            return
        evidence = self._collector.collect(question, edition, history, deadline)
        draft = self._draft(question, evidence, started)
        prompt = replace(self._prompt(question, history, evidence), without_model=without_model)
        answer = AnswerText(self._sanitizer(evidence, draft))
        yield Retrieved(draft.known.sources, draft)
        with closing(self._pieces(prompt, deadline, draft.generation)) as pieces:
            for piece in pieces:
                if text := answer.feed(piece):
                    if evidence.slots.take_change():
                        draft = replace(draft, known=replace(draft.known, sources=evidence.sources()))
                        yield Retrieved(draft.known.sources, draft)
                    yield Delta(text)
        if rest := answer.flush():
            yield Delta(rest)
        if evidence.contents and draft.generation.extractive and not answer.refused:
            yield Delta(answer.add(f"\n\n{evidence.contents}"))
        status, sources = Status.ANSWERED, draft.known.sources
        if answer.refused or not answer.text.strip():
            status = Status.REFUSED
            refusal = "" if answer.text.strip() else REFUSAL[question.mode]
            yield Delta(answer.add(refusal + nearest_sections(evidence)))
        else:
            sources = self._cited(evidence, answer.text)
        whole = replace(draft.so_far(), text=answer.text, status=status, sources=sources)
        yield Finished(replace(whole, model=whole.model or "extractive"))

    def _fixed_reply(self, question: Question, edition: EditionFacts) -> str:
        """Return the reply to small talk, or the table of contents where that is asked for; else nothing."""
        if is_small_talk(question.text):
            return small_talk_reply(edition.title)
        pages = self._book.outline(edition)
        asked = asked_of_book(question.text, pages)
        if asked is None or asked.kind is not BookQuestion.CONTENTS or not pages:
            return ""
        return contents_text(edition.title, pages, asked.parts, page_link(edition))

    def _draft(self, question: Question, evidence: Evidence, started: float) -> Draft:
        """Return what is known before the generator is called, as an answer that never ended."""
        retrieval = evidence.retrieval
        known = Answer(
            text="",
            status=Status.FAILED,
            sources=evidence.sources(),
            mode=question.mode,
            book_version=retrieval.edition.name,
            model="",
            degraded=(Degradation.DENSE_SEARCH,) if retrieval.without_dense else (),
            usage=Usage(
                embedding_tokens=retrieval.embedding_tokens,
                cost_usd=self._embedding_cost(retrieval.embedding_tokens),
            ),
            latency_ms=Latency(embed=retrieval.embed_ms, search=retrieval.search_ms),
        )
        return Draft(known, Generation(), started, time.perf_counter())

    def _prompt(self, question: Question, history: Sequence[Exchange], evidence: Evidence) -> Prompt:
        selected = question.mode is Mode.SELECTED_TEXT
        retrieval = evidence.retrieval
        lay_out = partial(
            chat_messages,
            question.text,
            evidence.passages,
            () if selected else history,
            mode=question.mode,
            title=retrieval.edition.title,
            history_tokens=self._limits.history_tokens,
            context_tokens=self._limits.context_tokens,
        )
        return Prompt(
            question=question.text,
            passages=evidence.passages,
            system=system_text(question.mode),
            messages=lay_out(),
            shorter=lambda cut_tokens: lay_out(cut_tokens=cut_tokens),
            mode=question.mode,
            language=retrieval.edition.language,
            term_weights=retrieval.query_terms.weights,
            unknown_words=retrieval.query_terms.unknown,
            question_vector=retrieval.vector,
            max_output_tokens=self._limits.answer_tokens,
            overview=evidence.contents is not None,
            foreign_language=retrieval.foreign_language,
        )

    def _pieces(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> ports.Pieces:
        if not prompt.passages:
            # Nothing in the book is relevant: no model needs to be called.
            return (piece for piece in (NOT_IN_BOOK,))
        return self._generator.generate(prompt, deadline, generation)

    def _sanitizer(self, evidence: Evidence, draft: Draft) -> MarkdownSanitizer:
        marks = min(len(evidence.passages), len(evidence.shown))
        read = frozenset(fitting(evidence.passages, self._limits.context_tokens))

        def number_of(passage: int) -> int | None:
            # A model can only cite what it was shown.
            was_read = passage <= marks and (draft.generation.extractive or passage in read)
            return evidence.slots.number_of(passage) if was_read else None

        return MarkdownSanitizer(
            number_of=number_of,
            own_text="\n".join(passage.chunk.text for passage in evidence.passages),
            own_urls=[source.url for source in draft.known.sources],
        )

    def _cited(self, evidence: Evidence, answer: str) -> tuple[Source, ...]:
        """Return the sources with the words that the answer's marks rest on."""
        edition = evidence.retrieval.edition
        return with_citations(
            evidence.sources(),
            evidence.listed(),
            answer,
            edition,
            relevance=evidence.relevance,
            page_source=lambda path: self._book.page_source(edition, path),
        )


def _without_search(text: str, question: Question, edition: EditionFacts, started: float) -> Iterator[Event]:
    """Yield the events of an answer that needs neither a search nor a model."""
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
