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
# the similarity of vectors is known, the second where it is not.
PIECE_WEIGHTS = (
    (0.664, 1.121, -1.501, 0.887, 0.400, 0.421, 3.611),
    (2.035, 1.249, -1.373, 0.569, 0.493, 0.469),
)
PIECE_CONSTANT = (-5.245, -4.430)
SUPPORT_WEIGHTS = ((0.867, -2.614, 2.329, 4.882), (0.957, -2.776, 2.869))
# As fitted, moved by 0.4 towards answering.
SUPPORT_CONSTANT = (-0.184, 2.689)

_ASKS_FOR_NUMBER = re.compile(
    r"\b(?:how (?:many|much|long|old|fast|big|large|far|often)|when|which year|cost|price)\b", re.IGNORECASE
)
_ASKS_WHAT = re.compile(
    r"\s*(?:what(?:['’]s| is| are| was| were)|define|who (?:is|was)|explain what)\b", re.I
)
_ASKS_FOR_CODE = re.compile(r"\b(?:command|code|syntax|example|snippet|function|script|option|flag)", re.I)
_OPENING = re.compile(
    r"[^.:!?\n]{1,80}?(?=\s(?:is|are|was|were|means?|refers? to|"
    r"describes?|provides?|enables?|allows?|lets?)\b)"
    r"|[^.!?\n]{1,60}?(?=:\s)"
)
_NAME = re.compile(r"[A-Za-z][\w.+#'-]*")
_IDENTIFIER = re.compile(r"[_./\d]")


@dataclass(frozen=True, slots=True)
class ScoredText:
    """A piece of a passage with its stems. `rank` is the passage's, from 0.

    `opening_terms` are those of what it begins with, up to the verb or the colon of a definition.
    """

    text: str
    terms: frozenset[str]
    heading_terms: frozenset[str]
    opening_terms: frozenset[str]
    rank: int
    similarity: float | None = None


def piece_features(question: str, weights: Mapping[str, float], piece: ScoredText) -> list[float]:
    """What tells of a piece's score; the last one, the similarity, only where it is known."""
    features = [
        coverage(weights, piece.terms),
        coverage(weights, piece.terms | piece.heading_terms),
        piece.rank / 5,
        math.log(1 + len(piece.terms)) / 5,
        float(bool(_ASKS_FOR_NUMBER.search(question)) and any(c.isdigit() for c in piece.text)),
        coverage(weights, piece.opening_terms) if _ASKS_WHAT.match(question) else 0.0,
    ]
    return features if piece.similarity is None else [*features, piece.similarity]


def asks_for_meaning(question: str) -> bool:
    """Whether a question wants to be told what something is, and not to be shown code."""
    return bool(_ASKS_WHAT.match(question)) and not _ASKS_FOR_CODE.search(question)


def opening_of(text: str) -> str:
    """What a sentence that may be a definition is about: all before its verb or its colon, else nothing."""
    opening = _OPENING.match(text)
    return opening.group() if opening else ""


def score(question: str, weights: Mapping[str, float], piece: ScoredText) -> float:
    """The log-odds that a piece answers the question."""
    kind = int(piece.similarity is None)
    features = piece_features(question, weights, piece)
    return PIECE_CONSTANT[kind] + _product(PIECE_WEIGHTS[kind], features)


def support_features(
    question: str,
    weights: Mapping[str, float],
    unknown_words: Sequence[str],
    passages: Sequence[frozenset[str]],
    pieces: Sequence[tuple[float, ScoredText]],
) -> list[float]:
    """What tells whether the passages answer at all; the last one only where likenesses are known.

    `passages` are the passages' stems, `pieces` the pieces with their score, best first.
    """
    best = [value for value, _ in pieces[:3]]
    features = [
        sum(best) / len(best),
        float(_names_unknown(question, unknown_words)),
        max(coverage(weights, terms) for terms in passages),
    ]
    likenesses = [piece.similarity for _, piece in pieces if piece.similarity is not None]
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
