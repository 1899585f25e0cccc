"""Test the words of an edition: how rare each is, and how misspelt ones are corrected."""

from __future__ import annotations

import math

import pytest

from ragbot.index.analysis import Analyzer
from ragbot.index.vocabulary import Vocabulary

WORDS = {"cheddar": 5, "cellar": 2, "reinforcement": 3, "learning": 9, "nodes": 4, "node": 2, "rind": 1}


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(WORDS, 10, Analyzer("english"))


def test_word_is_known_in_any_of_its_forms(vocabulary: Vocabulary) -> None:
    """A reader's plural is not unknown because the book has the singular."""
    assert vocabulary.knows("cheddars")
    assert not vocabulary.knows("gouda")


def test_rare_word_weighs_more_than_a_common_one(vocabulary: Vocabulary) -> None:
    """It tells more passages apart."""
    stem = vocabulary.analyzer.stem

    assert vocabulary.weight("gouda") > vocabulary.weight("rind") > vocabulary.weight(stem("learning")) > 0


def test_weight_is_the_inverse_document_frequency_of_bm25(vocabulary: Vocabulary) -> None:
    """The index computes the same from its points."""
    assert vocabulary.weight("rind") == pytest.approx(math.log(1 + (10 - 1 + 0.5) / (1 + 0.5)))


def test_forms_of_a_word_are_counted_together(vocabulary: Vocabulary) -> None:
    """The index knows their stem alone."""
    assert vocabulary.weight("node") == pytest.approx(math.log(1 + (10 - 6 + 0.5) / (6 + 0.5)))


def test_forms_that_share_chunks_count_no_more_than_there_are_chunks() -> None:
    """A negative weight would rank passages that hold the word behind all others."""
    crowded = Vocabulary({"node": 9, "nodes": 9}, 10, Analyzer("english"))

    assert crowded.weight("node") > 0


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("chedar", "cheddar"),
        ("cheddra", "cheddar"),
        ("celler", "cellar"),
        ("reinforcment", "reinforcement"),
        ("lerning", "learning"),
        ("reinfrcment", "reinforcement"),
    ],
)
def test_misspelt_word_is_corrected_to_the_books(vocabulary: Vocabulary, slip: str, meant: str) -> None:
    """Half of the misspelt questions find nothing else."""
    assert vocabulary.corrected(slip) == meant


@pytest.mark.parametrize("word", ["gouda", "penguin", "xyzzy", "ceddra", "rnd", "r2d2", "c++"])
def test_word_that_is_far_from_all_is_not_corrected(vocabulary: Vocabulary, word: str) -> None:
    """That the book does not know it is what there is to tell."""
    assert vocabulary.corrected(word) is None


def test_word_with_two_other_letters_is_another_word() -> None:
    """It was searched for, found, and no longer unknown to the book."""
    words = Vocabulary({"colonies": 3, "calendar": 2}, 10, Analyzer("english"))

    assert words.corrected("calories") is None
    assert words.corrected("calednra") == "calendar"


def test_name_has_one_slip_at_most(vocabulary: Vocabulary) -> None:
    """Two make another name of it."""
    assert vocabulary.corrected("reinforcment", is_name=True) == "reinforcement"
    assert vocabulary.corrected("reinfrcment", is_name=True) is None


def test_commoner_of_two_near_words_is_meant() -> None:
    """It is the likelier one."""
    words = Vocabulary({"cart": 1, "card": 7}, 10, Analyzer("english"))

    assert words.corrected("carx") == "card"


@pytest.mark.parametrize("slip", ["whihc", "wich", "shoudl", "withowt", "thier", "betwen"])
def test_misspelt_stop_word_is_known(vocabulary: Vocabulary, slip: str) -> None:
    """It says nothing of the question's subject, and so is no reason to refuse."""
    meant = vocabulary.corrected(slip)

    assert meant is not None
    assert vocabulary.analyzer.is_stop_word(meant)


@pytest.mark.parametrize("word", ["cost", "life", "hand", "mother", "land", "hero", "wine"])
def test_word_that_is_near_a_stop_word_stays_itself(vocabulary: Vocabulary, word: str) -> None:
    """That the book knows no such thing is a reason to refuse."""
    assert vocabulary.corrected(word) is None


def test_word_of_the_book_is_nearer_than_a_stop_word() -> None:
    """A reader types what he looks for."""
    words = Vocabulary({"thorn": 1}, 10, Analyzer("english"))

    assert words.corrected("thern") == "thorn"


def test_compound_is_made_of_two_words_of_the_book(vocabulary: Vocabulary) -> None:
    """The author writes "pay days", and a reader "paydays"."""
    assert vocabulary.parts("cheddarcellar") == ("cheddar", "cellar")
    assert vocabulary.parts("cheddarcave") == ()
    assert vocabulary.parts("thecheddar") == ()
    assert Vocabulary({"100": 1, "000": 1}, 1, Analyzer("english")).parts("100000") == ()


def test_word_that_is_spelt_right_is_left_as_it_is() -> None:
    """The book has no "fuel"; that it has "full" is no reason."""
    words = Vocabulary({"full": 3}, 10, Analyzer("english"), is_spelt_right={"fuel"}.__contains__)

    assert words.corrected("fuel") is None
    assert words.corrected("fulk") == "full"


def test_words_of_an_older_version_are_known_by_their_plain_apostrophes() -> None:
    """It stored typographic ones, and an edition stays until the book is ingested again."""
    words = Vocabulary({"l’archive": 2, "archive": 1, "d’archives": 1}, 10, Analyzer("french"))

    assert words.knows("archive")
    assert words.weight("archiv") == pytest.approx(math.log(1 + (10 - 4 + 0.5) / (4 + 0.5)))
    assert words.older_terms("archiv") == {"l’archiv", "d’archiv"}
    assert words.older_terms("utilis") == set()
