"""Tell how rare an English word is in general, by its place in the vocabulary of the local model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

# BERT's uncased vocabulary lists whole words from the commonest to the rarest; its licence lies beside it.
_VOCABULARY = Path(__file__).parents[1] / "data" / "minilm" / "tokenizer.json"
# Before the first of these places words are as common as words are, from the second on as rare.
_COMMON = 2_000
_RARE = 22_000


def rarity(word: str) -> float:
    """Give 0 for the commonest words, up to 1 for those that are in no general vocabulary."""
    place = _places().get(word)
    if place is None:
        return 1.0
    return min(1.0, max(0.0, (place - _COMMON) / (_RARE - _COMMON)))


@cache
def _places() -> Mapping[str, int]:
    vocabulary: dict[str, int] = json.loads(_VOCABULARY.read_text(encoding="utf-8"))["model"]["vocab"]
    return vocabulary
