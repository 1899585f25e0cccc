"""Test how rare a word is in general."""

from __future__ import annotations

import pytest

from ragbot.providers.extractive.common_words import is_english_word, rarity


@pytest.mark.parametrize("word", ["usually", "people", "water"])
def test_common_word_is_not_rare(word: str) -> None:
    """That a book lacks it says nothing of its subject."""
    assert rarity(word) < 0.25


@pytest.mark.parametrize("word", ["wensleydale", "entanglements", "xyzzy", ""])
def test_word_of_no_vocabulary_is_rarest(word: str) -> None:
    """It is what the question is about."""
    assert rarity(word) == 1


def test_rarer_word_is_rarer() -> None:
    """The order is that of use."""
    assert 0 == rarity("the") < rarity("cheese") < rarity("cheddar") <= 1


@pytest.mark.parametrize(
    ("word", "is_english"), [("fuel", True), ("plant", True), ("varoa", False), ("chedar", False)]
)
def test_english_words_are_known(word: str, is_english: bool) -> None:
    """They are not corrected."""
    assert is_english_word(word) is is_english
