"""Build what works without a provider: the local embedder and extractive answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import tidy_markdown, unit_words
from ragbot.config import Settings
from ragbot.config.resources import spare_waiting_threads
from ragbot.core.ports import AnswerScorer, Embedder, SentenceVectors
from ragbot.index.analysis import Analyzer
from ragbot.providers.extractive.generator import ExtractiveGenerator
from ragbot.providers.extractive.reading import PassageReader
from ragbot.storage.editions import EditionStore


def build_local_embedder(settings: Settings, *, for_questions: bool) -> Embedder:
    """Build the local embedder that the settings name; one for questions, or one for a book's passages."""
    # Its libraries take 60 MB that a service with another embedder does not pay.
    if settings.local_embedder == "multilingual":
        from ragbot.providers.multilingual_embedder import MultilingualEmbedder

        spare_waiting_threads(settings.local_embedder_threads)
        return MultilingualEmbedder(settings.local_embedder_threads, for_questions=for_questions)
    from ragbot.providers.local_embedder import LocalEmbedder

    return LocalEmbedder(settings.local_embedder_threads)


def build_extractive_generator(
    settings: Settings,
    embedder: Embedder | None,
    scorer: AnswerScorer | None,
    reader: PassageReader,
    sentences: SentenceVectors | None,
) -> ExtractiveGenerator:
    """Build the generator without a chat model; where they are in use, local models help it choose."""
    return ExtractiveGenerator(
        reader,
        tidy=tidy_markdown,
        scorer=scorer,
        embedder=embedder if settings.chosen_embedder == "local" else None,
        similarity=question_similarity(settings),
        is_multilingual=settings.chosen_embedder == "local" and settings.local_embedder == "multilingual",
        sentences=sentences,
    )


def build_sentence_vectors(
    settings: Settings, embedder: Embedder | None, editions: EditionStore
) -> SentenceVectors | None:
    """Build the reader of the vectors of sentences, for the embedder that gives them; None for others."""
    if embedder is None or settings.chosen_embedder != "local" or settings.local_embedder == "multilingual":
        return None
    from ragbot.providers.sentence_vectors import StoredSentenceVectors

    return StoredSentenceVectors(partial(editions.sentence_vectors, embedder.name))


def build_answer_scorer(settings: Settings) -> AnswerScorer | None:
    """Build the cross-encoder, for those who use the local embedder anyway; None for others."""
    if settings.chosen_embedder != "local":
        return None
    from ragbot.providers.cross_encoder import CrossEncoder

    return CrossEncoder(settings.local_embedder_threads)


def passage_reader() -> PassageReader:
    """Build the reader of passages for reranking and for answers without a model."""
    return PassageReader(terms=_terms, blocks=prose_blocks, words=unit_words)


def understood_texts(settings: Settings) -> Callable[[str], bool]:
    """Return a function that says whether the embedder's vector of a text is meaningful."""
    if settings.chosen_embedder != "local" or settings.local_embedder == "multilingual":
        return lambda _text: True
    from ragbot.providers.local_embedder import LocalEmbedder

    return LocalEmbedder.understands


def question_similarity(settings: Settings) -> Callable[[float], float]:
    """Return the function that maps a cosine of the chosen embedder to a common scale."""
    if settings.chosen_embedder != "local":
        return lambda cosine: cosine
    if settings.local_embedder == "multilingual":
        from ragbot.providers import multilingual_embedder

        return multilingual_embedder.similarity
    from ragbot.providers import local_embedder

    return local_embedder.similarity


@cache
def _analyzer(language: str) -> Analyzer:
    return Analyzer(language)


def _terms(language: str, text: str) -> list[str]:
    return _analyzer(language).terms(text)
