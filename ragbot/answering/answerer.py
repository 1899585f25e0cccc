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
    is_heading_on,
    is_small_talk,
    small_talk_reply,
    term_of_small_talk,
)
from ragbot.answering.citations import with_citations
from ragbot.answering.evidence import (
    BookContents,
    Evidence,
    EvidenceCollector,
    nearest_sections,
    page_link,
)
from ragbot.answering.grounding import Grounder
from ragbot.answering.markdown_sanitizer import MarkdownSanitizer
from ragbot.answering.prompt import chat_messages, fitting, system_text
from ragbot.answering.query_rewriting import QueryRewriter, RewrittenQuestion
from ragbot.answering.support import SupportFinder
from ragbot.core import ports
from ragbot.core.answers import (
    EXTRACTIVE,
    NOT_IN_BOOK,
    Answer,
    Degradation,
    Delta,
    Draft,
    Event,
    Exchange,
    Finished,
    Generation,
    Latency,
    Mode,
    Prompt,
    Question,
    QuestionEmbedding,
    Retrieved,
    Source,
    Status,
    Usage,
)
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts
from ragbot.core.errors import DeadlineExceeded, SearchUnavailable
from ragbot.index.retriever import Retriever
from ragbot.providers.extractive.reading import PassageReader

REFUSAL = {
    Mode.FULL_BOOK: "The book does not say.",
    Mode.SELECTED_TEXT: "The selected text does not say.",
}

# Behind an answer of which no sentence stands in the passages.
UNSUPPORTED = {
    Mode.FULL_BOOK: "This answer could not be found in the book.",
    Mode.SELECTED_TEXT: "This answer could not be found in the selected text.",
}

# Of the passages found for a word that is small talk unless a section is on it.
SECTIONS_LOOKED_AT = 10

# Answers that were cached from another version of what puts them together are not given again: raise it then.
ANSWER_VERSION = "16"


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
        rewriter: QueryRewriter | None = None,
        own_words: ports.Generator | None = None,
        sentences: ports.SentenceVectors | None = None,
    ) -> None:
        """Store the parts.

        `own_words` stands in, without a model, for an answer that a model made up. `sentences` are the
        vectors that help to rank passages.
        """
        self._rewriter = rewriter
        self._own_words = own_words
        self._collector = EvidenceCollector(retriever, reader, book, sentences)
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
        whole: bool = False,
    ) -> Generator[Event, None, None]:
        """Yield one Retrieved, then Deltas, then one Finished, whose text is the sum of the deltas.

        Another Retrieved comes before the Delta whose mark puts another passage among the sources. With
        `without_model` no model is paid for this answer. With `whole` the caller shows nothing before the
        end: Deltas may be empty, and another model answers for one that breaks off. Raises EditionNotFound,
        NoBook or SearchUnavailable before the first event; AnswerCut, DeadlineExceeded or Cancelled at any
        time. Closing the iterator ends the model's stream.
        """
        started = time.perf_counter()
        edition = self._retriever.edition_of(question, deadline)
        if question.mode is Mode.FULL_BOOK and (text := self._fixed_reply(question, edition, deadline)):
            yield from _without_search(text, question, edition, started)
            return
        rewritten = None if without_model else self._rewritten(question, history, edition, deadline)
        evidence = self._collector.collect(question, edition, history, deadline, rewritten)
        draft = self._draft(question, evidence, started, rewritten)
        prompt = replace(self._prompt(question, history, evidence), without_model=without_model, whole=whole)
        answer = self._answer_text(question.text, evidence, draft)
        yield Retrieved(draft.known.sources, draft)
        with closing(self._pieces(prompt, deadline, draft.generation)) as pieces:
            for piece in pieces:
                if text := answer.feed(piece):
                    yield from _shown(text, evidence, draft)
                elif not piece:
                    yield Delta("")
        if rest := answer.flush():
            yield from _shown(rest, evidence, draft)
        status = yield from self._ending(prompt, evidence, draft, answer, deadline)
        grounding, sources = None, evidence.sources()
        if status is Status.ANSWERED:
            grounding = answer.grounding
            sources = self._cited(evidence, answer.text)
        elif answer.is_unsupported:
            grounding = answer.grounding
        ended = replace(draft.so_far(), text=answer.text, status=status, sources=sources, grounding=grounding)
        yield Finished(replace(ended, model=ended.model or EXTRACTIVE))

    def _ending(
        self, prompt: Prompt, evidence: Evidence, draft: Draft, answer: AnswerText, deadline: Deadline
    ) -> Generator[Event, None, Status]:
        """Yield what follows on the generator's last piece, and return how the answer ends."""
        if evidence.contents and draft.generation.extractive:
            yield Delta(answer.add(f"\n\n{evidence.contents}"))
            return Status.ANSWERED
        refuses = answer.refuses
        if answer.is_empty:
            behind = "\n\n" if answer.text.strip() else ""
            yield Delta(answer.add(f"{behind}{REFUSAL[prompt.mode]}"))
        elif answer.is_unsupported:
            yield Delta(answer.add(f"\n\n{UNSUPPORTED[prompt.mode]}"))
            yield from self._instead(prompt, evidence, draft, answer, deadline)
        if not refuses and not answer.is_unsupported:
            return Status.ANSWERED
        yield Delta(answer.add(nearest_sections(evidence)))
        return Status.REFUSED

    def _instead(
        self, prompt: Prompt, evidence: Evidence, draft: Draft, answer: AnswerText, deadline: Deadline
    ) -> Iterator[Event]:
        """Yield the book's own sentences where they answer for certain what the model only made up."""
        if self._own_words is None or prompt.mode is not Mode.FULL_BOOK:
            return
        own = replace(draft, generation=Generation())
        filtered = self._answer_text(prompt.question, evidence, own)
        certain = replace(prompt, only_if_certain=True)
        try:
            pieces = self._own_words.generate(certain, deadline, own.generation)
            shown = [filtered.feed(piece) for piece in pieces] + [filtered.flush()]
        except DeadlineExceeded:
            return
        if filtered.refuses:
            return
        rest = [f"\n\n{evidence.contents}"] if evidence.contents else []
        yield from _shown(answer.add_verbatim("\n\n" + "".join(shown + rest)), evidence, draft)

    def _rewritten(
        self, question: Question, history: Sequence[Exchange], edition: EditionFacts, deadline: Deadline
    ) -> RewrittenQuestion | None:
        if self._rewriter is None or question.mode is not Mode.FULL_BOOK:
            return None
        return self._rewriter.rewrite(question, history, edition.language, deadline)

    def _fixed_reply(self, question: Question, edition: EditionFacts, deadline: Deadline) -> str:
        """Return the reply to small talk, or the table of contents if the question asks for it, else ""."""
        if is_small_talk(question.text) and not self._is_subject(question.text, edition, deadline):
            return small_talk_reply(question.text, edition.title)
        pages = self._book.outline(edition)
        asked = asked_of_book(question.text, pages)
        if asked is None or asked.kind is not BookQuestion.CONTENTS or not pages:
            return ""
        return contents_text(edition.title, pages, asked.parts, page_link(edition))

    def _is_subject(self, text: str, edition: EditionFacts, deadline: Deadline) -> bool:
        """Return whether the book has a section on a word that is small talk elsewhere."""
        term = term_of_small_talk(text)
        if not term:
            return False
        try:
            found = self._retriever.retrieve(
                term, edition=edition, limit=SECTIONS_LOOKED_AT, deadline=deadline
            )
        except SearchUnavailable:
            return False
        return any(
            is_heading_on(term, path)
            for chunk in (passage.chunk for passage in found.passages)
            for path in (chunk.heading_path, *(inner.heading_path for inner in chunk.sections))
        )

    def _draft(
        self, question: Question, evidence: Evidence, started: float, rewritten: RewrittenQuestion | None
    ) -> Draft:
        """Return what is known before the generator is called, as an answer that never ended."""
        retrieval = evidence.retrieval
        rewriting = rewritten.generation.usage if rewritten else Usage(cost_usd=0.0)
        embedding = Usage(
            embedding_tokens=retrieval.embedding_tokens,
            cost_usd=self._embedding_cost(retrieval.embedding_tokens),
        )
        known = Answer(
            text="",
            status=Status.FAILED,
            sources=evidence.sources(),
            mode=question.mode,
            book=retrieval.edition.book,
            book_version=retrieval.edition.name,
            model="",
            degraded=(Degradation.DENSE_SEARCH,) if retrieval.without_dense else (),
            usage=rewriting + embedding,
            latency_ms=Latency(embed=retrieval.embed_ms, search=retrieval.search_ms),
        )
        embedder = retrieval.edition.embedder
        embedded = QuestionEmbedding(embedder, retrieval.vector) if embedder and retrieval.vector else None
        return Draft(known, Generation(), started, time.perf_counter(), embedded)

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
            context=evidence.context,
        )

    def _pieces(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> ports.Pieces:
        if not prompt.passages:
            # Nothing in the book is relevant: no model needs to be called.
            return (piece for piece in (NOT_IN_BOOK,))
        return self._generator.generate(prompt, deadline, generation)

    def _answer_text(self, question: str, evidence: Evidence, draft: Draft) -> AnswerText:
        """Build the filters of an answer, which number the passages that it cites."""
        marks = min(len(evidence.passages), len(evidence.shown))
        read = fitting(evidence.passages, self._limits.context_tokens)

        def number_of(passage: int) -> int | None:
            # A model can only cite what it was shown.
            was_read = passage <= marks and (draft.generation.extractive or passage in read)
            return evidence.slots.number_of(passage) if was_read else None

        sanitizer = MarkdownSanitizer(
            number_of=number_of,
            own_text="\n".join(passage.chunk.text for passage in evidence.passages),
            own_urls=[source.url for source in draft.known.sources],
        )
        support = SupportFinder(
            evidence.passages,
            question,
            language=evidence.retrieval.edition.language,
            reader=self._reader,
        )
        grounder = Grounder(support, passage_of=evidence.slots.passage_of, mark_of=number_of, read=read)
        return AnswerText(sanitizer, grounder, draft.generation)

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


def _shown(text: str, evidence: Evidence, draft: Draft) -> Iterator[Event]:
    """Yield a text, after the sources where one of its marks has put another passage among them."""
    if evidence.slots.take_change():
        sources = evidence.sources()
        yield Retrieved(sources, replace(draft, known=replace(draft.known, sources=sources)))
    yield Delta(text)


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
            book=edition.book,
            book_version=edition.name,
            model=EXTRACTIVE,
            usage=Usage(cost_usd=0.0),
            latency_ms=Latency(total=(time.perf_counter() - started) * 1000),
        )
    )
