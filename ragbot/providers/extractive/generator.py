"""Answer a prompt without a model: with the book's own sentences, word for word, each with its mark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import mul

from ragbot.core.answers import EXTRACTIVE, NOT_IN_BOOK, Generation, Mode, Prompt
from ragbot.core.deadline import Deadline
from ragbot.core.domain import Chunk, Passage
from ragbot.core.errors import DatabaseUnavailable, ProviderError
from ragbot.core.languages import CAPITAL_NOUNS, LOCAL_MODELS_LANGUAGE, ask_in_book_language
from ragbot.core.ports import AnswerScorer, Embedder, Pieces, SentenceVectors
from ragbot.core.side_matter import wants_side_matter
from ragbot.core.text import asks
from ragbot.providers.extractive.layout import CUT, CUT_BEFORE, introduction, paragraphs_of, place_of
from ragbot.providers.extractive.other_sections import without_other_sections
from ragbot.providers.extractive.overviews import overview_windows
from ragbot.providers.extractive.question import (
    AskedFor,
    asked_for,
    leans_on_another,
    parts_of,
)
from ragbot.providers.extractive.reading import PassageReader, ReadPassage, ReadUnit
from ragbot.providers.extractive.scoring import Candidate, defines, score, supports
from ragbot.providers.extractive.see_also import further_last, unheaded_first
from ragbot.providers.extractive.text_blocks import TextBlock
from ragbot.providers.extractive.units import LONGEST_CODE, Unit
from ragbot.providers.extractive.windows import (
    ANSWER_TOKENS,
    WINDOWS,
    Window,
    choose_windows,
    joined,
)

# Passages whose units are scored; the reader is shown those that the answer cites.
PASSAGES_READ = 14
# So many units are read by a local model, the cross-encoder or the embedder: the best by their words.
MOST_READ_BY_MODEL = 10
# Where the vectors of sentences are stored, so many are the best by their words, the others by their vectors.
READ_BY_WORDS, READ_BY_VECTORS = 3, 5
# An overview shows the beginnings of several pages, and may be longer than an answer.
OVERVIEW_TOKENS = 260
# The least similarity of a unit that answers a question in another language.
FOREIGN_SIMILARITY = 0.25
# Characters. Longer units are cut before a model reads them.
LONGEST_EMBEDDED = 240
LONGEST_SCORED = 320
# Words of a question and of the one before it that the cross-encoder reads: half of its tokens, or some more.
LONGEST_QUESTION = 36
# Of these a unit has one, or its heading, that tells who wrote the book.
AUTHORSHIP = "author authors wrote write written edited editor compiled copyright"


class ExtractiveGenerator:
    """Find the best units by words and by what a local model says. Safe to call from several threads.

    `scorer` reads the best units of an English book with the question; without it, and in another language,
    `embedder` compares vectors; it must be the one that made the prompt's question vector. `similarity` maps
    a cosine to the value that scoring was fitted on. `sentences` are the vectors that were stored at
    ingestion, which help to choose what the scorer reads. `is_multilingual` says that `embedder` also finds
    passages and sentences in other languages than the question's. `tidy` cleans a run of Markdown prose.
    """

    name = EXTRACTIVE

    def __init__(
        self,
        reader: PassageReader,
        *,
        tidy: Callable[[str], str],
        scorer: AnswerScorer | None = None,
        embedder: Embedder | None = None,
        similarity: Callable[[float], float] = lambda cosine: cosine,
        is_multilingual: bool = False,
        sentences: SentenceVectors | None = None,
    ) -> None:
        self._sentences = sentences
        self._similarity = similarity
        self._is_multilingual = is_multilingual
        self._reader = reader
        self._tidy = tidy
        self._scorer = scorer
        self._embedder = embedder

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Pieces:
        """Yield a paragraph at a time, the best passage's first."""
        generation.extractive = True
        deadline.check()
        passages = [
            self._reader.read(passage.chunk, prompt.language) for passage in prompt.passages[:PASSAGES_READ]
        ]
        if reason := self._foreign(prompt):
            yield f"{NOT_IN_BOOK} {reason}"
            return
        if prompt.overview:
            windows = overview_windows(passages, tokens=OVERVIEW_TOKENS)
            yield from self._laid_out(prompt, passages, windows) if windows else [NOT_IN_BOOK]
            return
        questions = [asked_for(part) for part in parts_of(prompt.question)]
        cosines = self._cosines(prompt, passages)
        found = [self._candidates(prompt, asked, passages, cosines, deadline) for asked in questions]
        if not self._answers(prompt, questions[0], passages, found[0]):
            # The book may answer the other part alone.
            others = [
                (asked, candidates)
                for asked, candidates in zip(questions[1:], found[1:], strict=True)
                if not leans_on_another(asked.text) and self._answers(prompt, asked, passages, candidates)
            ]
            questions, found = [asked for asked, _ in others], [candidates for _, candidates in others]
        if not any(found):
            yield NOT_IN_BOOK
            return
        windows = _merged(
            choose_windows(
                candidates,
                passages,
                asked,
                tokens=ANSWER_TOKENS // len(questions),
                most=WINDOWS // len(questions),
            )
            for asked, candidates in zip(questions, found, strict=True)
        )
        if not windows:
            yield NOT_IN_BOOK
            return
        if prompt.mode is Mode.FULL_BOOK and len(questions) == 1:
            windows = further_last(windows, passages, found[0], questions[0], prompt.term_weights.keys())
        yield from self._laid_out(prompt, passages, windows)

    def ping(self) -> None:
        """Do nothing: no external service is needed."""

    def _foreign(self, prompt: Prompt) -> str:
        """Return the reason to refuse a question in another language than the book's, or "" to answer it.

        Neither a search by words nor an embedder for one language finds its passages. Where a provider's
        embedder finds them, nothing tells which of their sentences answers.
        """
        if not prompt.foreign_language or self._is_multilingual:
            return ""
        return ask_in_book_language(prompt.foreign_language, prompt.language)

    def _candidates(
        self,
        prompt: Prompt,
        asked: AskedFor,
        passages: Sequence[ReadPassage],
        cosines: Sequence[Sequence[float]],
        deadline: Deadline,
    ) -> list[Candidate]:
        """Return every unit of every passage with its score, best first.

        `cosines` are the similarities of the passages' units to the question, if they are known.
        """
        weights = self._weights(prompt, asked)
        subject = self._reader.terms(prompt.language, asked.subject) if asked.subject else frozenset()
        best = prompt.passages[0].score if prompt.passages else 0.0
        may_answer = self._kinds_that_answer(prompt, asked)

        def scored(one: Candidate) -> Candidate:
            return replace(one, score=score(asked, weights, subject, one))

        found = [
            scored(
                Candidate(
                    passage=place,
                    index=index,
                    read=read,
                    rank=place,
                    path_terms=passage.path_terms,
                    retrieval=prompt.passages[place].score - best,
                    defines=defines(read, subject, weights),
                    keys=asked.keys_of(read.unit.cells, read.label),
                )
            )
            for place, passage in enumerate(passages)
            for index, read in enumerate(passage.units)
            if may_answer(read)
        ]
        terms = partial(self._reader.terms, prompt.language)
        found = without_other_sections(asked, prompt.passages, found, terms)
        found.sort(key=lambda one: -one.score)
        try:
            to_read = [found[place] for place in shortlist_units(found, cosines)]
            read_again = self._read_by_model(prompt, asked.text, to_read, deadline)
        except ProviderError:
            read_again = []
        if not read_again:
            return [one for one in found if _has_word(one, weights)]
        return sorted(map(scored, read_again), key=lambda one: -one.score)

    def _kinds_that_answer(self, prompt: Prompt, asked: AskedFor) -> Callable[[ReadUnit], bool]:
        """Return a function that says whether a unit is of a kind that may answer the question."""
        with_side = wants_side_matter(asked.text) and not asked.wants_author
        authorship = self._reader.terms(prompt.language, AUTHORSHIP) if asked.wants_author else frozenset()
        # A drawing of folders that the reader has selected is what is asked about.
        with_trees = asked.wants_tree or prompt.mode is Mode.SELECTED_TEXT
        return lambda read: (
            is_answer(read.unit)
            and (with_side or not read.unit.is_side)
            and (with_trees or not read.unit.is_tree)
            and (not asked.wants_author or not authorship.isdisjoint(read.terms | read.heading_terms))
        )

    def _cosines(self, prompt: Prompt, passages: Sequence[ReadPassage]) -> list[list[float]]:
        """Return how similar each unit of each passage is to the question; nothing where it is not known."""
        vector = prompt.question_vector
        if self._sentences is None or vector is None or self._scorer_for(prompt) is None:
            return []
        try:
            return self._sentences.similarities(vector, unit_texts(prompt.passages, passages))
        except DatabaseUnavailable:
            return []

    def _weights(self, prompt: Prompt, asked: AskedFor) -> Mapping[str, float]:
        return self._own_weights(prompt, asked) or prompt.term_weights

    def _own_weights(self, prompt: Prompt, asked: AskedFor) -> Mapping[str, float]:
        """Return the weights of the terms that stand in a part of the question."""
        if asked.text == prompt.question:
            return prompt.term_weights
        terms = self._reader.terms(prompt.language, asked.text)
        return {term: weight for term, weight in prompt.term_weights.items() if term in terms}

    def _read_by_model(
        self, prompt: Prompt, question: str, best: Sequence[Candidate], deadline: Deadline
    ) -> list[Candidate]:
        """Return candidates with their relevance, or their similarity; none where no model can tell."""
        if not best:
            return []
        if scorer := self._scorer_for(prompt):
            asked = scored_question(prompt.context, question)
            texts = [scored_text(prompt.passages[one.passage].chunk, one.read) for one in best]
            relevances = scorer.scores(asked, texts, deadline)
            return [replace(one, relevance=score) for one, score in zip(best, relevances, strict=True)]
        asked_vector = prompt.question_vector
        if self._embedder is None or asked_vector is None:
            return []
        vectors = self._embedder.embed(
            [one.read.unit.words[:LONGEST_EMBEDDED] for one in best], deadline
        ).vectors
        similarities = [self._similarity(sum(map(mul, vector, asked_vector))) for vector in vectors]
        return [replace(one, similarity=value) for one, value in zip(best, similarities, strict=True)]

    def _scorer_for(self, prompt: Prompt) -> AnswerScorer | None:
        """Return the scorer, if the book and the question are in its language."""
        is_known = prompt.language == LOCAL_MODELS_LANGUAGE and not prompt.foreign_language
        return self._scorer if is_known else None

    def _answers(
        self, prompt: Prompt, asked: AskedFor, passages: Sequence[ReadPassage], found: Sequence[Candidate]
    ) -> bool:
        if prompt.mode is Mode.SELECTED_TEXT:
            # The reader chose the text, so it is refused only if it has no word of the question.
            said = frozenset[str]().union(*(passage.terms for passage in passages))
            return not prompt.term_weights or not said.isdisjoint(prompt.term_weights)
        if prompt.foreign_language:
            # Its words are in no passage; only the similarity of the best unit is known.
            likest = max((one.similarity or 0.0 for one in found), default=0.0)
            return likest >= FOREIGN_SIMILARITY and not prompt.only_if_certain
        weights, unknown_words = prompt.term_weights, prompt.unknown_words
        if asked.text != prompt.question:
            weights = self._own_weights(prompt, asked)
            unknown_words = tuple(word for word in unknown_words if word in asked.text.casefold())
        if not weights or not found:
            return False
        return supports(
            asked,
            weights,
            unknown_words,
            found,
            certainly=prompt.only_if_certain,
            capitals_are_names=prompt.language not in CAPITAL_NOUNS,
        )

    def _laid_out(
        self, prompt: Prompt, passages: Sequence[ReadPassage], windows: Sequence[Window]
    ) -> Iterator[str]:
        shown: tuple[str, ...] | None = None
        is_further = is_cut = False
        between, under = "", (-1, -1)
        windows = unheaded_first(windows, passages)
        chunks = [prompt.passages[window.passage].chunk for window in windows]
        for window, chunk in zip(windows, chunks, strict=True):
            blocks = self._reader.blocks(chunk)
            place = place_of(chunk, chunks)
            if prompt.mode is Mode.FULL_BOOK and (place, window.is_further) != (shown, is_further):
                yield f"{between}{introduction(place, shown, is_further=window.is_further)}"
                between, is_cut, under = "\n\n", False, (-1, -1)
            shown, is_further = place, window.is_further
            for paragraph in paragraphs_of(
                chunk.text,
                blocks,
                passages[window.passage],
                window,
                mark=f"[{window.passage + 1}]",
                tidy=self._tidy,
                table_head=chunk.table_head,
                code_fence=chunk.code_fence,
                above=under[1] if under[0] == window.passage else -1,
                heading=partial(self._heading, chunk, blocks),
            ):
                # Where one list is cut and the next one, too, one line of dots says so.
                yield f"{between}{paragraph.removeprefix(CUT_BEFORE) if is_cut else paragraph}"
                between, is_cut = "\n\n", paragraph.endswith(CUT)
            under = window.passage, passages[window.passage].units[window.units[-1]].unit.heading

    def _heading(self, chunk: Chunk, blocks: Sequence[TextBlock], number: int) -> str:
        """Return the words of a heading in a chunk; none for a title in its text, which the place names."""
        block = blocks[number]
        words = self._reader.words(chunk.text[block.start : block.end], "heading")
        return "" if words in (chunk.title, *chunk.heading_path[-1:]) else words


def unit_texts(passages: Sequence[Passage], read: Sequence[ReadPassage]) -> list[tuple[str, list[str]]]:
    """Return the search text of each passage that was read, and the words of its units."""
    return [
        (passage.chunk.search_text, [one.unit.words for one in units.units])
        for passage, units in zip(passages, read, strict=False)
    ]


def shortlist_units(found: Sequence[Candidate], cosines: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of the units that a model is to read, of units that are sorted best first.

    A few are the first ones, the others those whose vectors are most similar to the question's. `cosines` has
    the similarity of each unit of each passage; without it all are the first ones.
    """
    if not cosines:
        return [*range(min(MOST_READ_BY_MODEL, len(found)))]
    first = range(min(READ_BY_WORDS, len(found)))
    likest = sorted(
        range(len(first), len(found)), key=lambda place: -cosines[found[place].passage][found[place].index]
    )
    return [*first, *likest[:READ_BY_VECTORS]]


def _has_word(one: Candidate, weights: Mapping[str, float]) -> bool:
    """Return whether a word of the question is in a unit, near it or in its headings; True without words."""
    held = one.read.around | one.headings
    return not weights or not held.isdisjoint(weights)


def scored_question(context: str, question: str) -> str:
    """Return what the cross-encoder reads of a question and of the one before it: the last words of both.

    A long question tells a case first and asks at its end, or asks and tells the case behind that.
    """
    if len(question.split()) > LONGEST_QUESTION and "?" in question:
        question = question[: question.rindex("?") + 1]
    return " ".join(f"{context} {question}".split()[-LONGEST_QUESTION:])


def scored_text(chunk: Chunk, read: ReadUnit) -> str:
    """Return what the cross-encoder reads of a unit: the headings above it, two of them, and its words.

    The bold line that heads its part of the section stands for a heading, too.
    """
    headings = (*chunk.heading_path_at(read.unit.start), *([read.label] if read.label else []))
    return ": ".join((*headings[-2:], read.unit.words[:LONGEST_SCORED]))


def is_answer(unit: Unit) -> bool:
    """Return whether a unit can answer: it is no question, diagram, long listing or label of rows."""
    if unit.is_fold or unit.is_diagram or (unit.kind == "code" and unit.end - unit.start > LONGEST_CODE):
        return False
    if unit.kind == "table_row" and unit.is_label:
        return False
    return not asks(unit.words)


def _merged(found: Iterator[list[Window]]) -> list[Window]:
    """Return the windows of a question's parts, in the order of the parts; each passage is shown once."""
    by_passage: dict[int, list[Window]] = {}
    for windows in found:
        for window in windows:
            by_passage.setdefault(window.passage, []).append(window)
    return [window for windows in by_passage.values() for window in joined(windows)]
