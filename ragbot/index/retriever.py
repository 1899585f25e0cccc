"""A question to passages: terms and a vector, one hybrid search, and what it tells of the question."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

import structlog

from ragbot.core.deadline import Deadline
from ragbot.core.domain import EditionFacts, Passage, SearchRequest, Vector
from ragbot.core.errors import DatabaseUnavailable, ProviderError, SearchUnavailable
from ragbot.core.languages import foreign_language
from ragbot.core.ports import Embedder, PassageStore
from ragbot.core.text import folded
from ragbot.index.analysis import Analyzer
from ragbot.index.bm25 import query_vector
from ragbot.index.published_edition import PublishedEdition
from ragbot.index.vocabulary import Vocabulary

log = structlog.get_logger(__name__)

_WORD = re.compile(r"[^\W_]+")

# The words of the question before this one count less than the words of this one.
CONTEXT_WEIGHT = 0.5
# A form that no stemmer brings together with the one that books use.
_ALSO_WRITTEN = {
    "wrote": ("written", "author"),
    "writer": ("author",),
    "cost": ("price",),
    "costs": ("price",),
}
VOCABULARIES_KEPT = 2
# A selection is found by its beginning; one that is longer spans some neighbours.
LONGEST_PLACED = 4000
PLACES = 12


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """A question's words against an edition: stems with their rarity, and words the edition lacks.

    The stems of the question before it have a part of their rarity.
    """

    weights: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    corrections: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Passages, best first, and how they were found. Times are milliseconds.

    `foreign_language` is the question's, where it is surely not the edition's.
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
    """Search an edition. Holds no connection; safe between threads.

    `understands` tells whether the embedder's vector of a text means anything.
    """

    def __init__(
        self,
        published: PublishedEdition,
        edition_named: Callable[[str], EditionFacts],
        load_words: Callable[[EditionFacts], dict[str, int]],
        store: PassageStore,
        embedder: Embedder | None,
        *,
        understands: Callable[[str], bool] = lambda _text: True,
    ) -> None:
        self._understands = understands
        self._published = published
        self._edition_named = edition_named
        self._load_words = load_words
        self._store = store
        self._embedder = embedder
        self._lock = threading.Lock()
        self._vocabularies: dict[str, Vocabulary] = {}

    def edition(self, name: str | None) -> EditionFacts:
        """The edition of a name, or the published one. Raises EditionNotFound or NoBook."""
        if name is None:
            return self._published.current()
        try:
            return self._edition_named(name)
        except DatabaseUnavailable:
            served = self._published.served()
            if served is None or served.name != name:
                raise
            return served

    def edition_known(self, name: str | None) -> EditionFacts:
        """As `edition`, also where the published one cannot be searched now."""
        try:
            return self.edition(name)
        except SearchUnavailable:
            return self._published.known()

    def analyzer(self, edition: EditionFacts) -> Analyzer:
        """The analyzer of an edition's language."""
        return self._vocabulary(edition).analyzer

    def retrieve(
        self,
        text: str,
        *,
        edition: EditionFacts,
        limit: int,
        deadline: Deadline,
        context: str = "",
        scope: str | None = None,
        page_url: str | None = None,
    ) -> Retrieval:
        """The passages of an edition that bear on `text`, at most `limit`.

        `context` is the question before it, for a follow-up. `scope` keeps to one chapter, by title or
        path. `page_url` is where the reader is: its passages come first among equals. A failing embedder
        leaves the sparse search alone. Raises SearchUnavailable or DeadlineExceeded.
        """
        vocabulary = self._vocabulary(edition)
        query_terms = _with_context(_wording(text, vocabulary), context, vocabulary)
        started = time.perf_counter()
        spelt = _respelt(text, query_terms.corrections)
        understood = self._understands(text)
        vector, tokens = None, 0
        if understood:
            vector, tokens = self._embedded(edition, f"{context}\n{spelt}" if context else spelt, deadline)
        embedded = time.perf_counter()
        foreign = foreign_language(text, edition.language)
        request = SearchRequest(
            # The index multiplies by the rarity; what is left is how much each word counts. Of a question in
            # another
            # language the vector alone knows anything.
            sparse=query_vector({} if foreign and vector is not None else query_terms.counts),
            dense=vector,
            limit=limit,
            scope=folded(scope).strip("/") if scope else None,
        )
        passages = self._store.search(edition, request, deadline)
        if page_url:
            passages = _nearer_first(passages, page_url, edition.site_url)
        return Retrieval(
            edition=edition,
            passages=tuple(passages),
            query_terms=query_terms,
            vector=vector,
            # A script that the model never learnt is no failure: its vectors would mean nothing.
            without_dense=vector is None and self._embedder is not None and understood,
            embedding_tokens=tokens,
            embed_ms=(embedded - started) * 1000,
            search_ms=(time.perf_counter() - embedded) * 1000,
            foreign_language=foreign,
        )

    def without_search(
        self, question: str, edition: EditionFacts, passages: tuple[Passage, ...]
    ) -> Retrieval:
        """Passages that were found by other means, with the question's terms."""
        terms = _wording(question, self._vocabulary(edition))
        return Retrieval(edition, passages, terms, None, False, 0, 0.0, 0.0)

    def place(self, selection: str, question: str, *, edition: EditionFacts, deadline: Deadline) -> Retrieval:
        """The passages that hold a selection's words, and the question's query_terms. Asks no embedder."""
        vocabulary = self._vocabulary(edition)
        started = time.perf_counter()
        words = _wording(selection[:LONGEST_PLACED], vocabulary).counts
        request = SearchRequest(query_vector(words), None, PLACES)
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
        made = Vocabulary(self._load_words(edition), edition.chunks, Analyzer(edition.language))
        with self._lock:
            while len(self._vocabularies) >= VOCABULARIES_KEPT:
                self._vocabularies.pop(next(iter(self._vocabularies)))
            self._vocabularies[edition.key] = made
        return made

    def _embedded(self, edition: EditionFacts, text: str, deadline: Deadline) -> tuple[Vector | None, int]:
        embedder = self._embedder
        if embedder is None:
            return None, 0
        if edition.embedder != embedder.name:
            # Vectors of two models mean nothing to each other.
            log.warning("ingest_again", edition=edition.name, has=edition.embedder, configured=embedder.name)
            return None, 0
        try:
            embedded = embedder.embed([text], deadline)
        except ProviderError as error:
            log.warning("dense_search_skipped", code=error.code, reason=str(error.reason))
            return None, 0
        vector = embedded.vectors[0]
        if len(vector) != edition.dimension:
            # The provider has changed what stands behind the model's name.
            log.warning("ingest_again", edition=edition.name, has=edition.dimension, got=len(vector))
            return None, embedded.tokens
        return vector, embedded.tokens


def _wording(text: str, vocabulary: Vocabulary) -> QueryTerms:
    analyzer = vocabulary.analyzer
    weights: dict[str, float] = {}
    unknown: list[str] = []
    corrections: dict[str, str] = {}
    for word in analyzer.question_words(text):
        spelt = word
        if not vocabulary.knows(word):
            if analyzer.is_stop_word(word):
                # It was taken for a keyword, and the book has none of that name.
                continue
            meant = vocabulary.corrected(word)
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
    counts = dict.fromkeys(weights, 1.0)
    return QueryTerms(weights, counts, tuple(dict.fromkeys(unknown)), corrections)


def _respelt(text: str, corrections: Mapping[str, str]) -> str:
    """The text with its misspelt words as they were meant: a vector of a misspelt word means nothing."""
    if not corrections:
        return text
    return _WORD.sub(lambda match: corrections.get(match.group().casefold(), match.group()), text)


def _with_context(query_terms: QueryTerms, context: str, vocabulary: Vocabulary) -> QueryTerms:
    """The query_terms with the stems of the question before it, where it has not the same."""
    if not context:
        return query_terms
    before = {
        stem: weight * CONTEXT_WEIGHT
        for stem, weight in _wording(context, vocabulary).weights.items()
        if stem not in query_terms.weights
    }
    counts = {**dict.fromkeys(before, CONTEXT_WEIGHT), **query_terms.counts}
    return replace(query_terms, weights={**before, **query_terms.weights}, counts=counts)


def _nearer_first(passages: list[Passage], page_url: str, site_url: str) -> list[Passage]:
    here = _place(page_url, site_url)
    chapter = here.rpartition("/")[0]

    def nearness(passage: Passage) -> int:
        there = _place(passage.chunk.address, "")
        if there == here:
            return 2
        return int(bool(chapter) and there.rpartition("/")[0] == chapter)

    return sorted(passages, key=lambda passage: (-passage.score, -nearness(passage)))


def _place(url: str, site_url: str) -> str:
    """A page's address without site, fragment, query and the endings that servers treat alike."""
    path = unquote(urlsplit(url).path).strip("/")
    base = unquote(urlsplit(site_url).path).strip("/")
    if base and (path == base or path.startswith(f"{base}/")):
        path = path[len(base) :].strip("/")
    return path.removesuffix("index.html").removesuffix(".html").strip("/")
