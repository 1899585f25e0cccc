"""Tell English words, and how rare one is in general, by the vocabulary of the local embedder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

# BERT's uncased vocabulary lists whole words from the commonest to the rarest; its licence lies beside it.
_VOCABULARY = Path(__file__).parents[1] / "data" / "minilm" / "tokenizer.json"
# Words before the first place have rarity 0, words from the second on have rarity 1.
_COMMON = 2_000
_RARE = 22_000


def rarity(word: str) -> float:
    """Return a word's rarity: 0 for the commonest words, 1 for words that are not in the vocabulary."""
    place = _places().get(word)
    if place is None:
        return 1.0
    return min(1.0, max(0.0, (place - _COMMON) / (_RARE - _COMMON)))


def is_english_word(word: str) -> bool:
    """Return whether a word in lower case is one of the 22,000 or so commonest English words."""
    return word in _places()


@cache
def _places() -> Mapping[str, int]:
    vocabulary: dict[str, int] = json.loads(_VOCABULARY.read_text(encoding="utf-8"))["model"]["vocab"]
    return vocabulary
