"""Weigh the words of an edition by their rarity, and correct misspelt words to them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

from rapidfuzz import process
from rapidfuzz.distance import OSA, Hamming

from ragbot.index.analysis import ENGLISH_STOP_WORDS, Analyzer, with_plain_apostrophes

# Shorter words are too similar to others to be corrected; long ones may have two errors.
SHORTEST_CORRECTED = 4
# Of a compound.
SHORTEST_PART = 3
TWO_SLIPS_FROM = 8
LONG_STOP_WORD = 6


class Vocabulary:
    """Hold the words of an edition, each with its number of chunks. Safe to share between threads.

    `is_spelt_right` returns whether a word that the edition lacks is one of its language all the same.
    """

    def __init__(
        self,
        words: Mapping[str, int],
        chunks: int,
        analyzer: Analyzer,
        *,
        is_spelt_right: Callable[[str], bool] = lambda _word: False,
    ) -> None:
        self.analyzer = analyzer
        self._is_spelt_right = is_spelt_right
        self._chunks = max(chunks, 1)
        self._by_stem: Counter[str] = Counter()
        self._older_terms: dict[str, set[str]] = {}
        self._words: dict[str, int] = {}
        for stored, count in words.items():
            word = with_plain_apostrophes(stored)
            stem = analyzer.stem(word)
            self._by_stem[stem] += count
            self._words[word] = self._words.get(word, 0) + count
            if word != stored:
                self._older_terms.setdefault(stem, set()).add(analyzer.stem(stored))
        # The commonest first, so that among equally similar words the more likely one is chosen.
        self._spellings = sorted(self._words, key=lambda word: -self._words[word])

    def knows(self, word: str) -> bool:
        """Return whether the edition has the word in any of its forms."""
        return self.analyzer.stem(word) in self._by_stem

    def weight(self, stem: str) -> float:
        """Return the inverse document frequency of a stem by BM25's formula; the maximum if it is unknown."""
        count = min(self._by_stem.get(stem, 0), self._chunks)
        return math.log(1 + (self._chunks - count + 0.5) / (count + 0.5))

    def older_terms(self, stem: str) -> set[str]:
        """Return the terms under which an edition of an older version holds a stem, too: l’archiv, d’archiv.

        Those versions did not take typographic apostrophes for plain ones.
        """
        return self._older_terms.get(stem, set())

    def parts(self, word: str) -> tuple[str, ...]:
        """Return the two words of the edition that an unknown one is made of ("paydays"), or none."""
        if not word.isalpha():
            return ()
        splits = ((word[:end], word[end:]) for end in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1))
        return next((split for split in splits if all(map(self._is_content_word, split))), ())

    def _is_content_word(self, word: str) -> bool:
        return word in self._words and not self.analyzer.is_stop_word(word)

    def corrected(self, word: str, *, is_name: bool = False) -> str | None:
        """Return the known word that `word` most likely misspells, or None if no word is similar.

        A name has one slip at most: two make another of it ("Evernote" is not "everyone").
        The similarity is the optimal string alignment distance. Stop words count as known: "wich" is "which".
        """
        if len(word) < SHORTEST_CORRECTED or not word.isalpha() or self._is_spelt_right(word):
            return None
        slips = 2 if len(word) >= TWO_SLIPS_FROM and not is_name else 1
        best = process.extractOne(word, self._spellings, scorer=OSA.distance, score_cutoff=slips)
        if best and not _is_another_word(word, best[0]):
            return best[0]
        return _stop_word_meant(word)


def _is_another_word(word: str, known: str) -> bool:
    """Return whether two letters are replaced: slips leave letters out, double them or swap two.

    "Calories" does not misspell "colonies".
    """
    is_replaced = len(word) == len(known) and Hamming.distance(word, known) == 2
    return is_replaced and sorted(word) != sorted(known)


def _stop_word_meant(word: str) -> str | None:
    """Return the stop word that a word misspells, or None.

    A replaced letter counts as an error only in long words: "life" and "cost" do not misspell "like" and
    "most".
    """
    near = (
        stop
        for stop in ENGLISH_STOP_WORDS
        if stop[0] == word[0]
        and len(stop) >= SHORTEST_CORRECTED
        and (len(stop) != len(word) or sorted(stop) == sorted(word) or len(word) >= LONG_STOP_WORD)
        and OSA.distance(word, stop, score_cutoff=1) <= 1
    )
    return min(near, default=None)
