"""Test the search of an edition for a question, and what it learns about the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ragbot.core.answers import Question
from ragbot.core.deadline import Deadline
from ragbot.core.domain import DEFAULT_BOOK, EditionFacts, Passage, SearchRequest
from ragbot.core.errors import DatabaseUnavailable, EditionNotFound, SearchUnavailable
from ragbot.core.ports import EmbeddingResult, PassageStore
from ragbot.index.bm25 import query_vector
from ragbot.index.indexer import index_chunks
from ragbot.index.published_books import PublishedBooks
from ragbot.index.retriever import CONTEXT_WEIGHT, Retrieval, Retriever
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.editions import MadeEdition, made_edition
from tests.fakes.parts import WordCountEmbedder

HOW_LONG = "How long is the cheddar ripened?"


class ShorterEmbedder(WordCountEmbedder):
    """Another model behind the same name."""

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        embedded = super().embed(texts, deadline)
        return EmbeddingResult([vector[:32] for vector in embedded.vectors], embedded.tokens)


class PlainStore(PassageStore):
    """Ranks an edition's points by the products of their sparse and dense vectors; knows no rarity."""

    name = "plain"

    def __init__(self, edition: MadeEdition) -> None:
        self.points = edition.points
        self.is_down = False

    def prepare(self, edition: EditionFacts) -> None:
        if self.is_down:
            raise SearchUnavailable("The test's index is switched off.")

    def search(self, edition: EditionFacts, request: SearchRequest, deadline: Deadline) -> list[Passage]:
        deadline.check()
        wanted = dict(zip(request.sparse.indices, request.sparse.values, strict=True))
        found = []
        for point in self.points:
            sparse = zip(point.sparse.indices, point.sparse.values, strict=True)
            score = sum(wanted.get(index, 0.0) * value for index, value in sparse)
            if request.dense and point.dense:
                score += sum(a * b for a, b in zip(request.dense, point.dense, strict=True))
            if score > 0 and (request.scope is None or request.scope in point.scopes):
                found.append(Passage(point.chunk, score))
        return sorted(found, key=lambda passage: -passage.score)[: request.limit]


@pytest.fixture(scope="module")
def embedder() -> WordCountEmbedder:
    return WordCountEmbedder()


@pytest.fixture(scope="module")
def first(embedder: WordCountEmbedder) -> MadeEdition:
    return made_edition(THREE_CHAPTERS, "first", embedder)


@pytest.fixture
def store(first: MadeEdition) -> PlainStore:
    return PlainStore(first)


@pytest.fixture
def retriever(store: PlainStore, first: MadeEdition) -> Retriever:
    return retriever_of(store, first)


def retriever_of(
    store: PlainStore,
    edition: MadeEdition,
    embedder: WordCountEmbedder | None = None,
    *,
    words: dict[str, int] | None = None,
    **more: object,
) -> Retriever:
    words = words or index_chunks([point.chunk for point in edition.points]).words

    def named(name: str, _book: str) -> EditionFacts:
        if name != edition.facts.name:
            raise EditionNotFound(name)
        return edition.facts

    published = PublishedBooks(lambda: {DEFAULT_BOOK: edition.facts}, store, 0)
    return Retriever(published, named, lambda _facts: words, store, embedder, **more)


def search(retriever: Retriever, first: MadeEdition, text: str = HOW_LONG, **more: object) -> Retrieval:
    return retriever.retrieve(text, edition=first.facts, limit=5, deadline=Deadline(20), **more)


# --- terms -------------------------------------------------------------------------------------


def test_question_finds_the_passage_that_holds_its_words(retriever: Retriever, first: MadeEdition) -> None:
    """Without any vector."""
    found = search(retriever, first)

    assert found.passages[0].chunk.path == "02-cheese.md"
    assert (found.vector, found.without_dense) == (None, False)


def test_question_is_known_by_its_stems_and_their_rarity(retriever: Retriever, first: MadeEdition) -> None:
    """An answer without a model weighs sentences by them."""
    terms = search(retriever, first).query_terms

    assert terms.weights.keys() == {"long", "cheddar", "ripen"}
    assert terms.counts == {"long": 1.0, "cheddar": 1.0, "ripen": 1.0}
    assert terms.weights["cheddar"] > 0


def test_word_that_the_book_lacks_is_told(retriever: Retriever, first: MadeEdition) -> None:
    """It is the best sign that the book does not answer."""
    terms = search(retriever, first, "How long is gouda ripened?").query_terms

    assert terms.unknown == ("long", "gouda")


def test_misspelt_word_is_searched_as_it_was_meant(retriever: Retriever, first: MadeEdition) -> None:
    """And is not unknown."""
    found = search(retriever, first, "ripning of chedar")

    assert found.query_terms.corrections == {"ripning": "ripening", "chedar": "cheddar"}
    assert found.query_terms.unknown == ()
    assert found.passages[0].chunk.path == "02-cheese.md"


def test_name_that_the_book_lacks_is_unknown(retriever: Retriever, first: MadeEdition) -> None:
    """A capital within the sentence makes it one; in small letters it is a misspelt word."""
    assert search(retriever, first, "Is it the Rippenig cheese?").query_terms.unknown == ("rippenig",)
    assert search(retriever, first, "rippenig of cheese").query_terms.corrections == {"rippenig": "ripening"}


def test_misspelt_question_word_is_left_out(retriever: Retriever, first: MadeEdition) -> None:
    """It was no content word as it was meant."""
    assert search(retriever, first, "whihc cheddar").query_terms.weights.keys() == {"cheddar"}


def test_keyword_that_the_book_lacks_is_no_term(retriever: Retriever, first: MadeEdition) -> None:
    """ "What is self?" is about a keyword in a book on programming alone."""
    terms = search(retriever, first, "What is while?").query_terms

    assert (terms.weights, terms.unknown) == ({}, ())


@pytest.mark.parametrize("question", ["Who wrote this?", "What does it cost?"])
def test_form_that_books_use_counts_half(retriever: Retriever, first: MadeEdition, question: str) -> None:
    """No stemmer brings "wrote" and "written" together."""
    weights = search(retriever, first, question).query_terms.weights

    least, *_, most = sorted(weights.values())
    assert len(weights) > 1
    assert least == pytest.approx(most / 2)


# --- the question before -----------------------------------------------------------------------


def test_words_of_the_question_before_count_less(retriever: Retriever, first: MadeEdition) -> None:
    """What is asked now leads."""
    before = search(retriever, first, "How is tea stored?").query_terms
    terms = search(retriever, first, "And cheddar?", context="How is tea stored?").query_terms

    assert terms.counts == {"cheddar": 1.0, "tea": CONTEXT_WEIGHT, "store": CONTEXT_WEIGHT}
    assert 0 < CONTEXT_WEIGHT < 1
    assert terms.weights["tea"] == pytest.approx(before.weights["tea"] * CONTEXT_WEIGHT)


def test_word_of_both_questions_counts_whole(retriever: Retriever, first: MadeEdition) -> None:
    """The reader has said it again."""
    terms = search(retriever, first, "How is tea brewed?", context="How is tea stored?").query_terms

    assert (terms.counts["tea"], terms.counts["store"]) == (1.0, CONTEXT_WEIGHT)


def test_unknown_words_of_the_question_before_are_none_of_this_one(
    retriever: Retriever, first: MadeEdition
) -> None:
    """A question must not be refused for another's sake."""
    terms = search(retriever, first, "And cheddar?", context="What is gouda?").query_terms

    assert terms.unknown == ()


# --- vectors -----------------------------------------------------------------------------------


def test_vector_is_that_of_the_question_as_it_was_meant(
    store: PlainStore, first: MadeEdition, embedder: WordCountEmbedder
) -> None:
    """A vector of a misspelt word means nothing."""
    found = search(retriever_of(store, first, embedder), first, "ripening of Chedar")

    assert found.vector == embedder.embed(["ripening of cheddar"]).vectors[0]


def test_vector_holds_the_question_before_too(
    store: PlainStore, first: MadeEdition, embedder: WordCountEmbedder
) -> None:
    """Else it would be one of "And how long?"."""
    found = search(retriever_of(store, first, embedder), first, "And how long?", context="How is tea brewed?")

    assert found.vector == embedder.embed(["How is tea brewed?\nAnd how long?"]).vectors[0]


def test_embedder_that_fails_leaves_the_words(store: PlainStore, first: MadeEdition) -> None:
    """The answer says that it was made without."""
    down = WordCountEmbedder()
    down.down = True

    found = search(retriever_of(store, first, down), first)

    assert (found.vector, found.without_dense) == (None, True)
    assert found.passages[0].chunk.path == "02-cheese.md"


def test_vector_of_another_model_is_not_compared(
    store: PlainStore, first: MadeEdition, embedder: WordCountEmbedder
) -> None:
    """Two models' numbers mean nothing to each other."""
    other = MadeEdition(replace(first.facts, embedder="another/model"), first.points)

    found = search(retriever_of(store, other, embedder), other)

    assert (found.vector, found.without_dense) == (None, True)


def test_script_that_the_model_never_learnt_gets_no_vector(
    store: PlainStore, first: MadeEdition, embedder: WordCountEmbedder
) -> None:
    """Two unrelated sentences in Thai are 1.00 alike to an English model; that is no failure of it."""
    retriever = retriever_of(store, first, embedder, understands=str.isascii)

    found = search(retriever, first, "เนยแข็ง")

    assert (found.vector, found.without_dense) == (None, False)


def test_vector_of_another_length_leaves_the_words_to_search_alone(make_app: AppMaker) -> None:
    """A provider that changes what stands behind a name must not take the book away."""
    services_of(make_app(embedder=WordCountEmbedder())).ingestion.ingest_book(THREE_CHAPTERS)
    changed = make_app(embedder=ShorterEmbedder())

    reply = changed.test_client().post("/query", json={"query": HOW_LONG})

    assert reply.status_code == 200
    assert reply.json["degraded"] == ["dense_search"]
    assert reply.json["sources"][0]["path"] == "02-cheese.md"


# --- languages ---------------------------------------------------------------------------------


def test_question_in_another_language_is_said_to_be_one(retriever: Retriever, first: MadeEdition) -> None:
    """It is refused with that reason where nothing can bridge the languages."""
    assert search(retriever, first, "Wie lange wird der Käse gereift?").foreign_language == "german"
    assert search(retriever, first).foreign_language == ""


def test_question_in_another_language_is_searched_by_its_vector_alone(
    store: PlainStore, first: MadeEdition, embedder: WordCountEmbedder
) -> None:
    """Its words stand in the book by chance: a "die" is a tool there."""
    found = search(retriever_of(store, first, embedder), first, "Wie lange wird der cheddar gereift?")

    best = found.passages[0]
    (point,) = [point for point in first.points if point.chunk.id == best.chunk.id]
    assert found.vector is not None
    assert best.score == pytest.approx(
        sum(a * b for a, b in zip(found.vector, point.dense or [], strict=True))
    )


# --- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["Tea", "tea", " 03-tea.md", "/03-tea.md/"])
def test_chapter_is_named_by_title_or_path(retriever: Retriever, first: MadeEdition, scope: str) -> None:
    """A reader on a page asks about that page."""
    found = search(retriever, first, "What is brewed, baked or ripened?", scope=scope)

    assert {passage.chunk.path for passage in found.passages} == {"03-tea.md"}


@pytest.mark.parametrize(
    "page_url",
    ["https://book.test/02-cheese.md", "https://book.test/02-cheese.md#ripening", "/02-cheese.md?x=1"],
)
def test_page_of_the_reader_comes_first_among_equals(first: MadeEdition, page_url: str) -> None:
    """He asks about what he sees; a better passage elsewhere is better all the same."""
    store = PlainStore(first)
    store.points = [replace(point, sparse=first.points[0].sparse, dense=None) for point in first.points]
    retriever = retriever_of(store, first)

    there = search(retriever, first, "bread flour", page_url=page_url).passages
    nowhere = search(retriever, first, "bread flour").passages

    assert there[0].chunk.path == "02-cheese.md"
    assert nowhere[0].chunk.path == "01-bread.md"


def test_page_of_the_reader_is_not_put_before_a_better_passage(
    retriever: Retriever, first: MadeEdition
) -> None:
    """Where he is says little of what he asks."""
    found = search(retriever, first, page_url="https://book.test/03-tea.md")

    assert found.passages[0].chunk.path == "02-cheese.md"


def test_selection_is_placed_without_an_embedder(
    store: PlainStore, first: MadeEdition, embedder: WordCountEmbedder
) -> None:
    """Its words stand in the book to the letter."""
    asked_before = len(embedder.texts)

    found = retriever_of(store, first, embedder).place(
        "ripens the cheddar for nine months", "How long?", edition=first.facts, deadline=Deadline(20)
    )

    assert found.passages[0].chunk.path == "02-cheese.md"
    assert found.query_terms.unknown == ("long",)
    assert len(embedder.texts) == asked_before


def test_passages_that_were_found_otherwise_come_with_the_questions_terms(
    retriever: Retriever, first: MadeEdition
) -> None:
    """A summary of a chapter needs no search."""
    passage = Passage(first.points[0].chunk, 1.0)

    found = retriever.without_search("Summarise the cheddar chapter", first.facts, (passage,))

    assert found.passages == (passage,)
    assert "cheddar" in found.query_terms.weights


# --- editions ----------------------------------------------------------------------------------


def asking(edition: str | None = None) -> Question:
    return Question("How long?", book_version=edition)


def test_edition_is_the_published_one_unless_it_is_named(retriever: Retriever, first: MadeEdition) -> None:
    """Readers of an old page may ask for its edition."""
    assert retriever.edition_of(asking()) == retriever.edition_of(asking("first")) == first.facts
    with pytest.raises(EditionNotFound):
        retriever.edition_of(asking("second"))


def test_served_edition_is_found_by_name_with_the_database_down(
    store: PlainStore, first: MadeEdition
) -> None:
    """What is in the index needs no database."""

    def unavailable(_name: str, _book: str) -> EditionFacts:
        raise DatabaseUnavailable("down")

    published = PublishedBooks(lambda: {DEFAULT_BOOK: first.facts}, store, 0)
    retriever = Retriever(published, unavailable, lambda _facts: {}, store, None)
    with pytest.raises(DatabaseUnavailable):
        retriever.edition_of(asking("first"))

    retriever.edition_of(asking())

    assert retriever.edition_of(asking("first")) == first.facts


def test_edition_is_known_where_it_cannot_be_searched(
    retriever: Retriever, store: PlainStore, first: MadeEdition
) -> None:
    """Cached answers can be given."""
    store.is_down = True

    with pytest.raises(SearchUnavailable):
        retriever.edition_of(asking())
    assert retriever.edition_known(asking()) == first.facts


def test_variants_of_a_question_are_searched_too(retriever: Retriever, first: MadeEdition) -> None:
    """Each part of a question finds its passage, and a passage is given once."""
    alone = search(retriever, first)
    both = search(retriever, first, variants=["At how many degrees is green tea brewed?", HOW_LONG])

    assert "03-tea.md" not in {passage.chunk.path for passage in alone.passages[:1]}
    assert {passage.chunk.path for passage in both.passages} >= {"02-cheese.md", "03-tea.md"}
    tea = next(passage for passage in both.passages if passage.chunk.path == "03-tea.md")
    assert tea.score > max(
        (passage.score for passage in alone.passages if passage.chunk.path == "03-tea.md"), default=0.0
    )
    assert len({passage.chunk.id for passage in both.passages}) == len(both.passages)


@pytest.mark.parametrize(
    ("question", "plain"),
    [
        ("How many months does cheddar ripen?", "months cheddar ripen"),
        ("Name all the months of cheddar", "months cheddar"),
    ],
)
def test_words_for_the_form_of_the_answer_are_not_searched(
    retriever: Retriever, first: MadeEdition, question: str, plain: str
) -> None:
    """'Many' stands in no answer, and would weigh as much as the subject."""
    asked, bare = search(retriever, first, question).query_terms, search(retriever, first, plain).query_terms

    assert (asked.weights, asked.unknown) == (bare.weights, bare.unknown)


def test_verb_that_is_the_subject_is_searched(retriever: Retriever, first: MadeEdition) -> None:
    """'List methods' asks about lists."""
    assert "list" in search(retriever, first, "List methods").query_terms.unknown


def test_english_word_is_not_corrected_to_one_of_the_books(store: PlainStore, first: MadeEdition) -> None:
    """A question of "cheddars" in a word that the book lacks would be answered with another subject."""
    words = {"ripe", "stall"}
    retriever = retriever_of(store, first, is_english_word=words.__contains__)

    found = search(retriever, first, "Where is the stall? And the chedar?")

    assert found.query_terms.unknown == ("stall",)
    assert found.query_terms.corrections == {"chedar": "cheddar"}


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("How long do cheddar / milk keep?", ()),
        ("How long do cheddar & milk keep?", ()),
        ("Settings > cheddar?", ()),
        ("What does the / operator do to cheddar?", ("/",)),
        ("What does `&` do to cheddar?", ("&",)),
        ("What is -> ?", ("->",)),
    ],
)
def test_sign_between_words_is_no_word_unless_it_is_asked_about(
    retriever: Retriever, first: MadeEdition, question: str, unknown: tuple[str, ...]
) -> None:
    """Writers set it as punctuation, and a book seldom has it."""
    signs = [word for word in search(retriever, first, question).query_terms.unknown if not word.isalnum()]

    assert tuple(signs) == unknown


# --- apostrophes -------------------------------------------------------------------------------

FRENCH = """# Guide

## Démarrage

L'installation se fait avec le gestionnaire de paquets du système, en une seule commande.

## Sauvegarde

L'archive contient les fichiers de l'utilisateur, et la restauration se fait dans le même dossier.
"""
ABOUT_THE_ARCHIVE = ["Que contient l'archive ?", "Que contient l’archive ?", "archive"]


def french_edition(folder: Path, apostrophe: str) -> MadeEdition:
    (folder / "index.md").write_text(FRENCH.replace("'", apostrophe), encoding="utf-8")
    return made_edition(folder, "guide")


@pytest.mark.parametrize("question", ABOUT_THE_ARCHIVE)
@pytest.mark.parametrize("apostrophe", ["'", "’"])
def test_words_behind_an_apostrophe_are_found_however_it_is_written(
    tmp_path: Path, apostrophe: str, question: str
) -> None:
    """In French and Italian every second noun stands behind one."""
    guide = french_edition(tmp_path, apostrophe)

    found = search(retriever_of(PlainStore(guide), guide), guide, question)

    assert "archiv" in found.query_terms.weights
    assert "L'archive" in found.passages[0].chunk.text.replace("’", "'")


@pytest.mark.parametrize("question", ABOUT_THE_ARCHIVE)
def test_edition_of_an_older_version_is_searched_by_its_own_terms(tmp_path: Path, question: str) -> None:
    """It held "l’archive" as a word of its own, and is searched until the book is ingested again."""
    guide = french_edition(tmp_path, "’")
    older = replace(guide.points[-1], sparse=query_vector({"l’archiv": 1.0, "contient": 1.0}))
    store = PlainStore(replace(guide, points=[*guide.points[:-1], older]))
    retriever = retriever_of(store, guide, words={"l’archive": 1, "contient": 1})

    alone = search(retriever, guide, question)
    follow_up = search(retriever, guide, "Et les fichiers ?", context="archive")

    assert "archiv" in alone.query_terms.weights
    assert alone.passages[0].chunk == older.chunk
    assert follow_up.query_terms.counts["l’archiv"] == CONTEXT_WEIGHT
