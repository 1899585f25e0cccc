"""Pieces of passages to how well each answers a question, and whether together they answer it at all.

Both are logistic models with a handful of features, fitted on five books that are not in this project and
on the shipped book's own questions; how, and how well they carry over to a book they were not fitted on, is
told in docs/search.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Fitted weights, in the order of the features below, and the constant. The first of each pair holds where
# the likeness of vectors is known, the second where it is not.
PIECE_WEIGHTS = (
    (0.715, 1.178, -1.622, 0.836, -1.946, 0.366, 3.388),
    (2.047, 1.257, -1.406, 0.568, -0.704, 0.458),
)
PIECE_CONSTANT = (-5.118, -4.424)
SUPPORT_WEIGHTS = ((0.885, -2.677, 2.166, 4.075), (0.914, -2.788, 2.821))
SUPPORT_CONSTANT = (0.615, 2.676)

_ASKS_FOR_NUMBER = re.compile(
    r"\b(?:how (?:many|much|long|old|fast|big|large|far|often)|when|which year|cost|price)\b", re.IGNORECASE
)
_NAME = re.compile(r"[A-Za-z][\w.+#'-]*")
_IDENTIFIER = re.compile(r"[_./\d]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a passage with its stems. `rank` is the passage's, from 0."""

    text: str
    terms: frozenset[str]
    heading_terms: frozenset[str]
    rank: int
    likeness: float | None = None


def piece_features(question: str, weights: Mapping[str, float], piece: Piece) -> list[float]:
    """What tells of a piece's worth; the last one, the likeness, only where it is known."""
    features = [
        coverage(weights, piece.terms),
        coverage(weights, piece.terms | piece.heading_terms),
        piece.rank / 5,
        math.log(1 + len(piece.terms)) / 5,
        float(piece.text.rstrip().endswith("?")),
        float(bool(_ASKS_FOR_NUMBER.search(question)) and any(c.isdigit() for c in piece.text)),
    ]
    return features if piece.likeness is None else [*features, piece.likeness]


def worth(question: str, weights: Mapping[str, float], piece: Piece) -> float:
    """The log-odds that a piece answers the question."""
    kind = int(piece.likeness is None)
    features = piece_features(question, weights, piece)
    return PIECE_CONSTANT[kind] + _product(PIECE_WEIGHTS[kind], features)


def support_features(
    question: str,
    weights: Mapping[str, float],
    unknown_words: Sequence[str],
    passages: Sequence[frozenset[str]],
    pieces: Sequence[tuple[float, Piece]],
) -> list[float]:
    """What tells whether the passages answer at all; the last one only where likenesses are known.

    `passages` are the passages' stems, `pieces` the pieces with their worth, best first.
    """
    best = [value for value, _ in pieces[:3]]
    features = [
        sum(best) / len(best),
        float(_names_unknown(question, unknown_words)),
        max(coverage(weights, terms) for terms in passages),
    ]
    likenesses = [piece.likeness for _, piece in pieces if piece.likeness is not None]
    return [*features, max(likenesses)] if likenesses else features


def support(features: Sequence[float]) -> float:
    """How far beyond doubt the passages answer; below 0 the question is refused."""
    kind = int(len(features) < len(SUPPORT_WEIGHTS[0]))
    return SUPPORT_CONSTANT[kind] + _product(SUPPORT_WEIGHTS[kind], features)


def coverage(weights: Mapping[str, float], terms: frozenset[str]) -> float:
    """The share of the question's weight that stands in the terms."""
    whole = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in terms) / whole if whole else 0.0


def _product(weights: Sequence[float], features: Sequence[float]) -> float:
    return sum(weight * feature for weight, feature in zip(weights, features, strict=True))


def _names_unknown(question: str, unknown_words: Sequence[str]) -> bool:
    """Whether the question names somebody or something that stands nowhere in the book."""
    names = {
        word.casefold()
        for word in _NAME.findall(question)[1:]
        if any(c.isupper() for c in word) or _IDENTIFIER.search(word[:-1])
    }
    return any(word in names or _IDENTIFIER.search(word) for word in unknown_words)
