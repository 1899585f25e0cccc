"""Find the passages for a question: correct its words, embed it, and search by terms and vector at once."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog
from cachetools import LRUCache

from ragbot.core.answers import Question
from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, Passage, SearchRequest, Vector
from ragbot.core.errors import DatabaseUnavailable, ProviderError, SearchUnavailable
from ragbot.core.languages import foreign_language
from ragbot.core.page_links import place_on_site
from ragbot.core.ports import Embedder, PassageStore
from ragbot.core.text import folded
from ragbot.index.analysis import Analyzer, is_punctuation
from ragbot.index.bm25 import query_vector
from ragbot.index.published_books import PublishedBooks
from ragbot.index.vocabulary import Vocabulary

log = structlog.get_logger(__name__)

_WORD = re.compile(r"[^\W_]+")

# The words of the previous question count less than those of the question itself.
CONTEXT_WEIGHT = 0.5
INGEST_AGAIN = "flask book ingest"
# Words of questions, with the words that books use instead and that have another stem.
_ALSO_WRITTEN = {
    "wrote": ("written", "author"),
    "writer": ("author",),
    "cost": ("price",),
    "costs": ("price",),
}
# A service may have thirty books.
CACHED_VOCABULARIES = 32
# Characters. A longer selection is located by its beginning.
LONGEST_LOCATED = 4000
LOCATED_PASSAGES = 12


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """Hold the words of a question as an edition knows them.

    `weights` maps each stem to its rarity (inverse document frequency), `counts` to the weight that it has in
    the search, 1 for the question's own words. The stems of the previous question have a part of both.
    `unknown` are the words that the edition lacks, `corrections` maps misspelt words to known ones.
    """

    weights: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    corrections: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Hold passages, best first, and how they were found. Times are milliseconds.

    `without_dense` says that the search by vector failed. `foreign_language` is the question's language if it
    is certainly not the edition's, else "".
    """

    edition: EditionFacts
    passages: tuple[Passage, ...]
    query_terms: QueryTerms
    vector: Vector | None
    without_dense: bool
    embedding_tokens: int
    embed_ms: float
    search_ms: float
    foreign_language: str = ""


class Retriever:
    """Search the published edition of a book or another one. Safe to call from several threads.

    `load_words` returns each word of an edition with its number of chunks. `understands` returns whether the
    embedder's vector of a text is meaningful, `is_english_word` whether a word in lower case is spelt right.
    """

    def __init__(
        self,
        published: PublishedBooks,
        edition_named: Callable[[str, str], EditionFacts],
        load_words: Callable[[EditionFacts], dict[str, int]],
        store: PassageStore,
        embedder: Embedder | None,
        *,
        understands: Callable[[str], bool] = lambda _text: True,
        is_english_word: Callable[[str], bool] = lambda _word: False,
    ) -> None:
        self._understands = understands
        self._is_english_word = is_english_word
        self._published = published
        self._edition_named = edition_named
        self._load_words = load_words
        self._store = store
        self._embedder = embedder
        self._lock = threading.Lock()
        self._vocabularies: LRUCache[str, Vocabulary] = LRUCache(CACHED_VOCABULARIES)

    def edition_of(self, question: Question, deadline: Deadline | None = None) -> EditionFacts:
        """Return the edition that a question names, or the published one of its book.

        The first index of a published one is waited for until the deadline: then, raises DeadlineExceeded.
        While the database is unavailable, only the edition that is served now is known. Raises
        EditionNotFound or NoBook.
        """
        book, name = question.book, question.book_version
        if name is None:
            return self._published.current(book, deadline)
        try:
            return self._edition_named(name, book)
        except DatabaseUnavailable:
            served = self._published.served(book)
            if served is None or served.name != name:
                raise
            return served

    def edition_known(self, question: Question, deadline: Deadline | None = None) -> EditionFacts:
        """Return an edition as `edition_of` does, but also a published one that cannot be searched now."""
        try:
            return self.edition_of(question, deadline)
        except SearchUnavailable:
            return self._published.known(question.book)

    def analyzer(self, edition: EditionFacts) -> Analyzer:
        """Return the analyzer for an edition's language."""
        return self._vocabulary(edition).analyzer

    def retrieve(
        self,
        text: str,
        *,
        edition: EditionFacts,
        limit: int,
        deadline: Deadline,
        context: str = "",
        variants: Sequence[str] = (),
        scope: str | None = None,
        page_url: str | None = None,
    ) -> Retrieval:
        """Return the passages of an edition for `text`, at most `limit`.

        `context` is the previous question, for a follow-up. `variants` are other forms or parts of the
        question, which are searched too; a passage has the best of its scores. `scope` restricts the search
        to a chapter, by title or path. `page_url` is the reader's page: its passages come first among equals.
        If the embedder fails, the search uses the words alone. Raises SearchUnavailable or DeadlineExceeded.
        """
        query_terms = self._query_terms(edition, text, context)
        started = time.perf_counter()
        question = _QuestionVectors()
        understood = self._understands(text)
        if understood:
            spelt = _respelt(text, query_terms.corrections)
            first = f"{context}\n{spelt}" if context else spelt
            question = self._embedded(edition, [first, *variants], deadline)
        embedded = time.perf_counter()
        foreign = foreign_language(text, edition.language)
        request = _search_request(query_terms, question.first, foreign=foreign, limit=limit, scope=scope)
        passages = self._store.search(edition, request, deadline)
        for number, variant in enumerate(variants, start=1):
            vector = question.vectors[number] if question.vectors else None
            request = self._variant_request(edition, variant, vector, limit=limit, scope=scope)
            passages = _best_of([passages, self._store.search(edition, request, deadline)], limit)
        if page_url:
            passages = _nearer_first(passages, page_url, edition.site_url)
        return Retrieval(
            edition=edition,
            passages=tuple(passages),
            query_terms=query_terms,
            vector=question.first,
            # A script that the model was not trained on is no failure.
            without_dense=question.first is None and self._embedder is not None and understood,
            embedding_tokens=question.tokens,
            embed_ms=(embedded - started) * 1000 if self._embedder else 0.0,
            search_ms=(time.perf_counter() - embedded) * 1000,
            foreign_language=foreign,
        )

    def _variant_request(
        self, edition: EditionFacts, variant: str, vector: Vector | None, *, limit: int, scope: str | None
    ) -> SearchRequest:
        terms = self._query_terms(edition, variant, "")
        foreign = foreign_language(variant, edition.language)
        return _search_request(terms, vector, foreign=foreign, limit=limit, scope=scope)

    def without_search(
        self, question: str, edition: EditionFacts, passages: tuple[Passage, ...]
    ) -> Retrieval:
        """Return passages that were found by other means, with the question's terms."""
        terms = _wording(question, self._vocabulary(edition))
        return Retrieval(edition, passages, terms, None, False, 0, 0.0, 0.0)

    def place(self, selection: str, question: str, *, edition: EditionFacts, deadline: Deadline) -> Retrieval:
        """Return the passages that contain a selection, with the question's terms. Calls no embedder."""
        vocabulary = self._vocabulary(edition)
        started = time.perf_counter()
        words = _wording(selection[:LONGEST_LOCATED], vocabulary).counts
        request = SearchRequest(query_vector(words), None, LOCATED_PASSAGES)
        passages = self._store.search(edition, request, deadline)
        return Retrieval(
            edition=edition,
            passages=tuple(passages),
            query_terms=_wording(question, vocabulary),
            vector=None,
            without_dense=False,
            embedding_tokens=0,
            embed_ms=0.0,
            search_ms=(time.perf_counter() - started) * 1000,
        )

    def _vocabulary(self, edition: EditionFacts) -> Vocabulary:
        with self._lock:
            known = self._vocabularies.get(edition.key)
        if known is not None:
            return known
        is_english = edition.language == "english"
        made = Vocabulary(
            self._load_words(edition),
            edition.chunks,
            Analyzer(edition.language),
            is_spelt_right=self._is_english_word if is_english else lambda _word: False,
        )
        with self._lock:
            self._vocabularies[edition.key] = made
        return made

    def _query_terms(self, edition: EditionFacts, text: str, context: str) -> QueryTerms:
        vocabulary = self._vocabulary(edition)
        return _with_context(_wording(text, vocabulary), context, vocabulary)

    def _embedded(self, edition: EditionFacts, texts: Sequence[str], deadline: Deadline) -> _QuestionVectors:
        embedder = self._embedder
        if embedder is None:
            return _QuestionVectors()
        if edition.embedder != embedder.name:
            # Vectors of two models cannot be compared.
            log.warning(
                "edition_has_other_embedder",
                edition=edition.name,
                embedder=edition.embedder,
                configured=embedder.name,
                remedy=INGEST_AGAIN,
            )
            return _QuestionVectors()
        try:
            embedded = embedder.embed(texts, deadline)
        except ProviderError as error:
            log.warning("vector_search_skipped", code=error.code, reason=str(error.reason))
            return _QuestionVectors()
        dimension = len(embedded.vectors[0])
        if dimension != edition.dimension:
            # The provider now has another model under the same name.
            log.warning(
                "edition_has_other_dimension",
                edition=edition.name,
                dimension=edition.dimension,
                received=dimension,
                remedy=INGEST_AGAIN,
            )
            return _QuestionVectors([], embedded.tokens)
        return _QuestionVectors(embedded.vectors, embedded.tokens)


@dataclass(frozen=True, slots=True)
class _QuestionVectors:
    """Hold the vectors of a question and its variants, or none, and the tokens that were charged for them."""

    vectors: Sequence[Vector] = ()
    tokens: int = 0

    @property
    def first(self) -> Vector | None:
        """Return the question's own vector; None if there is none."""
        return self.vectors[0] if self.vectors else None


def _best_of(found: Sequence[Sequence[Passage]], limit: int) -> list[Passage]:
    """Merge the results of several searches: each passage once, with its best score, best first."""
    best: dict[str, Passage] = {}
    for passage in itertools.chain(*found):
        known = best.get(passage.chunk.id)
        if known is None or passage.score > known.score:
            best[passage.chunk.id] = passage
    return sorted(best.values(), key=lambda passage: -passage.score)[:limit]


def _search_request(
    query_terms: QueryTerms, vector: Vector | None, *, foreign: str, limit: int, scope: str | None
) -> SearchRequest:
    """Build the request. The vector alone finds passages for a question in a foreign language."""
    return SearchRequest(
        # Without the rarity, by which the index multiplies.
        sparse=query_vector({} if foreign and vector is not None else query_terms.counts),
        dense=vector,
        limit=limit,
        scope=folded(scope).strip("/") if scope else None,
    )


def _is_name(word: str, text: str) -> bool:
    """Return whether a word has a capital within a sentence of a text."""
    return re.search(rf"(?<=[\w,;:] ){re.escape(word.capitalize())}\b", text) is not None


def _wording(text: str, vocabulary: Vocabulary) -> QueryTerms:
    """Look up a text's words, and correct those that are unknown."""
    analyzer = vocabulary.analyzer
    weights: dict[str, float] = {}
    unknown: list[str] = []
    corrections: dict[str, str] = {}
    for word in analyzer.question_words(_FORM.sub(" ", text)):
        spelt = word
        if not vocabulary.knows(word):
            if analyzer.is_stop_word(word) or is_punctuation(word, text):
                # It was taken for a keyword or an operator, but the book does not use it.
                continue
            meant = vocabulary.corrected(word, is_name=_is_name(word, text))
            if meant is None and (parts := vocabulary.parts(word)):
                # The author writes the compound in two words.
                weights.update((stem, vocabulary.weight(stem)) for stem in map(analyzer.stem, parts))
                continue
            if meant is None:
                unknown.append(word)
            else:
                corrections[word] = spelt = meant
                if analyzer.is_stop_word(spelt):
                    continue
        stem = analyzer.stem(spelt)
        weights[stem] = vocabulary.weight(stem)
        for other in _ALSO_WRITTEN.get(word, ()):
            weights.setdefault(analyzer.stem(other), vocabulary.weight(analyzer.stem(other)) / 2)
    counts = {term: 1.0 for stem in weights for term in (stem, *vocabulary.older_terms(stem))}
    return QueryTerms(weights, counts, tuple(dict.fromkeys(unknown)), corrections)


# Words for the form of the answer: they stand in no answer, and "many" is as rare as the subject's words.
_FORM = re.compile(
    r"^\W*(?:please\s+)?(?:(?:can|could)\s+you\s+(?:please\s+)?)?(?:list|name|give|tell|show|enumerate)\s+"
    r"(?=(?:me|us|all|the|some|any|each|every|both|at\s+least|two|three|four|five|six)\b)"
    r"|(?<=\bhow)\s+(?:many|much)\b",
    re.IGNORECASE,
)


def _respelt(text: str, corrections: Mapping[str, str]) -> str:
    """Return the text with its misspelt words corrected: embedders do not know misspelt words."""
    if not corrections:
        return text
    return _WORD.sub(lambda match: corrections.get(match.group().casefold(), match.group()), text)


def _with_context(query_terms: QueryTerms, context: str, vocabulary: Vocabulary) -> QueryTerms:
    """Add the stems of the previous question that the question itself does not have."""
    if not context:
        return query_terms
    said = _wording(context, vocabulary)
    before = {
        stem: weight * CONTEXT_WEIGHT
        for stem, weight in said.weights.items()
        if stem not in query_terms.weights
    }
    counts = {**dict.fromkeys(said.counts, CONTEXT_WEIGHT), **query_terms.counts}
    return replace(query_terms, weights={**before, **query_terms.weights}, counts=counts)


def _nearer_first(passages: list[Passage], page_url: str, site_url: str) -> list[Passage]:
    here = place_on_site(page_url, site_url)
    chapter = here.rpartition("/")[0]

    def nearness(passage: Passage) -> int:
        there = place_on_site(passage.chunk.address, "")
        if there == here:
            return 2
        return int(bool(chapter) and there.rpartition("/")[0] == chapter)

    return sorted(passages, key=lambda passage: (-passage.score, -nearness(passage)))
