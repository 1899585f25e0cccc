"""The words of an edition: how rare each is, and which of them a misspelt word was meant to be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from rapidfuzz import process
from rapidfuzz.distance import OSA

from ragbot.index.analysis import ENGLISH_STOP_WORDS, Analyzer

# Shorter words have too many neighbours to be corrected; longer ones may hold two slips.
SHORTEST_CORRECTED = 4
TWO_SLIPS_FROM = 8
LONG_STOP_WORD = 6


class Vocabulary:
    """Built from each word's number of chunks; safe to share between threads."""

    def __init__(self, words: Mapping[str, int], chunks: int, analyzer: Analyzer) -> None:
        self.analyzer = analyzer
        self._chunks = max(chunks, 1)
        self._words = words
        # The commonest first, so that among equally near words the more likely one is taken.
        self._spellings = sorted(words, key=lambda word: -words[word])
        self._by_stem: Counter[str] = Counter()
        for word, count in words.items():
            self._by_stem[analyzer.stem(word)] += count

    def knows(self, word: str) -> bool:
        """Whether the edition holds the word in any of its forms."""
        return self.analyzer.stem(word) in self._by_stem

    def weight(self, stem: str) -> float:
        """The inverse document frequency of a stem, as BM25 has it; the greatest for an unknown one."""
        count = min(self._by_stem.get(stem, 0), self._chunks)
        return math.log(1 + (self._chunks - count + 0.5) / (count + 0.5))

    def corrected(self, word: str) -> str | None:
        """The known word that `word` was most likely meant to be, or None where none is near.

        Stop words count as known: a reader who types "wich" means "which".
        """
        if len(word) < SHORTEST_CORRECTED or not word.isalpha():
            return None
        slips = 2 if len(word) >= TWO_SLIPS_FROM else 1
        best = process.extractOne(word, self._spellings, scorer=OSA.distance, score_cutoff=slips)
        return str(best[0]) if best else _stop_word_meant(word)


def _stop_word_meant(word: str) -> str | None:
    """The stop word that a word was meant to be, or None.

    A letter in place of another counts as a slip in long words alone: "life" and "cost" are so near to "like"
    and "most", and no slips.
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


def counted(texts: Iterable[Iterable[str]]) -> Counter[str]:
    """The number of texts that hold each word."""
    counts: Counter[str] = Counter()
    for words in texts:
        counts.update(set(words))
    return counts
