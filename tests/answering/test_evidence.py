"""Test how the vectors of sentences rank the passages for an answer, on the three-chapter book."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from ragbot.answering.evidence import EvidenceCollector
from ragbot.answering.query_rewriting import RewrittenQuestion
from ragbot.bootstrap.extractive import passage_reader
from ragbot.core.answers import Generation, Question
from ragbot.core.deadline import Deadline
from ragbot.core.errors import DatabaseUnavailable
from ragbot.index.retriever import Retrieval, Retriever
from tests.answering.shelf import NoContents
from tests.conftest import services_of
from tests.databases import DatabaseMaker
from tests.served import three_chapter_app

QUESTION = Question("How long is the cheddar ripened, and how is green tea brewed?")
VECTOR = [1.0, 0.0]


class Known:
    """Say that the sentences of one text are close to every question; keep what was compared."""

    def __init__(self, word: str = "") -> None:
        self.word = word
        self.compared: list[Sequence[str]] = []

    def similarities(
        self, vector: Sequence[float], passages: Sequence[tuple[str, Sequence[str]]]
    ) -> list[list[float]]:
        raise AssertionError("no unit is chosen here")

    def closest(self, vector: Sequence[float], texts: Sequence[str]) -> list[tuple[float, float]]:
        self.compared.append(texts)
        return [(0.9, 0.9) if self.word in text else (0.0, 0.0) for text in texts]


class Down(Known):
    """A database that is gone."""

    def closest(self, vector: Sequence[float], texts: Sequence[str]) -> list[tuple[float, float]]:
        raise DatabaseUnavailable("gone")


class Embedded:
    """A retriever that finds what another one finds, and has the question's vector."""

    def __init__(self, retriever: Retriever, language: str = "english") -> None:
        self._retriever = retriever
        self._language = language
        self.analyzer = retriever.analyzer

    def retrieve(self, text: str, **more: object) -> Retrieval:
        found = self._retriever.retrieve(text, **more)
        return replace(found, vector=VECTOR, edition=replace(found.edition, language=self._language))


@pytest.fixture(scope="module")
def retriever(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    """Finds passages of the three-chapter book, by words alone."""
    with three_chapter_app(new_database, tmp_path_factory.mktemp("evidence")) as app:
        yield services_of(app).retriever


def texts_of(
    found: object,
    sentences: Known | None,
    retriever: Retriever,
    rewritten: RewrittenQuestion | None = None,
) -> list[str]:
    """Return the texts of the passages in the order in which a generator gets them."""
    collector = EvidenceCollector(found, passage_reader(), NoContents(), sentences)
    evidence = collector.collect(QUESTION, retriever.edition_of(QUESTION), (), Deadline(20), rewritten)
    return [passage.chunk.search_text for passage in evidence.passages]


def test_passage_with_the_closest_sentences_is_first(retriever: Retriever) -> None:
    """Whichever the words prefer."""
    for word in ("80 degrees", "nine months"):
        known = Known(word)

        first, *rest = texts_of(Embedded(retriever), known, retriever)

        assert word in first
        assert sorted(known.compared[0]) == sorted([first, *rest])


@pytest.mark.parametrize("sentences", [None, Down()])
def test_without_the_vectors_the_words_rank(retriever: Retriever, sentences: Known | None) -> None:
    """The database may be down; an answer is owed all the same."""
    by_words = texts_of(retriever, None, retriever)

    assert texts_of(Embedded(retriever), sentences, retriever) == by_words


def test_other_languages_are_ranked_by_words(retriever: Retriever) -> None:
    """The model that made the vectors knows English alone."""
    known = Known("80 degrees")

    texts_of(Embedded(retriever, "german"), known, retriever)
    texts_of(retriever, known, retriever)

    assert known.compared == []


def test_question_that_is_put_in_several_ways_is_ranked_by_words(retriever: Retriever) -> None:
    """What another wording found may answer a part of which the first one's vector says nothing."""
    restated, two = (
        RewrittenQuestion(QUESTION.text, variants, Generation())
        for variants in ((), ("How is green tea brewed?",))
    )
    known, unused = Known("80 degrees"), Known("80 degrees")

    texts_of(Embedded(retriever), known, retriever, restated)
    texts_of(Embedded(retriever), unused, retriever, two)

    assert len(known.compared) == 1
    assert unused.compared == []
