"""Score how well each unit answers a question, and decide whether the passages answer it at all.

Both are logistic models with a few features. `bench/fit_answers.py` fits them; docs/search.md describes the
method and how well the models work for a book that they were not fitted on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragbot.providers.extractive.common_words import rarity
from ragbot.providers.extractive.question import AskedFor, Want
from ragbot.providers.extractive.reading import ReadUnit, Terms

_NAME = re.compile(r"[A-Za-z][\w.+#'-]*")
_IDENTIFIER = re.compile(r"[_./\d]")
_CAUSAL = re.compile(
    r"\b(?:because|since|so that|in order to|due to|reason|therefore|thus|cause[sd]?|to avoid|prevents?)\b",
    re.I,
)
_COUNTED = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|once|twice|dozen|hundred|thousand|half|daily|weekly"
    r"|monthly|every|never|always|free|none|no|many|several)\b",
    re.IGNORECASE,
)
_REMEDY = re.compile(
    r"\b(?:fix|solution|solve|cause|resolve|workaround|try|check|ensure|verify|reinstall|run)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Hold a unit of a passage with its score (log-odds).

    `passage` and `index` are the places of the passage and of the unit in it, `rank` is the passage's rank,
    from 0. `retrieval` is the passage's score minus the best passage's. `similarity` compares the vectors of
    unit and question; None if unknown. `defines`, from 0 to 1, says how closely the unit begins with the term
    whose definition is asked for.
    """

    passage: int
    index: int
    read: ReadUnit
    rank: int
    path_terms: Terms
    retrieval: float
    similarity: float | None = None
    score: float = 0.0
    defines: float = 0.0


FEATURES = (
    "words",
    "words_with_headings",
    "words_around",
    "heading_is_question",
    "rank",
    "retrieval",
    "length",
    "short",
    "number",
    "defines",
    "heading_defines",
    "code",
    "step",
    "item_of_list",
    "cause",
    "remedy",
    "side",
    "similarity",
)


def unit_features(
    asked: AskedFor, weights: Mapping[str, float], subject: Terms, one: Candidate
) -> list[float]:
    """Return a unit's features in the order of FEATURES; the last, the similarity, only if it is known."""
    read, unit = one.read, one.read.unit
    headings = read.heading_terms | one.path_terms
    is_code = unit.kind == "code"
    features = [
        coverage(weights, read.terms),
        coverage(weights, read.terms | headings),
        coverage(weights, read.around | read.heading_terms),
        likeness(weights, read.heading_terms),
        min(one.rank, 10) / 10,
        one.retrieval,
        math.log(1 + len(read.terms)) / 3,
        float(len(read.terms) < 4),
        float(asked.want is Want.NUMBER and any(sign.isdigit() for sign in unit.words)),
        defines(read, subject),
        sameness(read.heading_terms, subject),
        float(is_code) * (1.0 if asked.wants_code else -1.0),
        float(asked.want is Want.STEPS and (unit.kind in ("list_item", "code") or unit.leads)),
        float(asked.want is Want.LIST and unit.kind in ("list_item", "table_row")),
        float(asked.want is Want.CAUSE and _CAUSAL.search(unit.words) is not None),
        float(asked.is_trouble and _REMEDY.search(unit.words) is not None),
        float(unit.is_side),
    ]
    return features if one.similarity is None else [*features, one.similarity]


def defines(read: ReadUnit, subject: Terms) -> float:
    """Return how closely a unit begins with the subject, as a definition does, from 0 to 1."""
    return max((sameness(opening, subject) for opening in read.openings), default=0.0)


def sameness(terms: Terms, subject: Terms) -> float:
    """Return the squared Dice coefficient of two names' terms if one contains the other, else 0."""
    if not subject or not terms or not (terms <= subject or subject <= terms):
        return 0.0
    return (2 * len(terms & subject) / (len(terms) + len(subject))) ** 2


def coverage(weights: Mapping[str, float], terms: Terms) -> float:
    """Return the share of the question's term weights that `terms` covers, from 0 to 1."""
    whole = sum(weights.values())
    return sum(weights[term] for term in weights.keys() & terms) / whole if whole else 0.0


def likeness(weights: Mapping[str, float], terms: Terms) -> float:
    """Return the Dice coefficient of a heading's terms and the question's, from 0 to 1."""
    if not weights or not terms:
        return 0.0
    return 2 * len(terms & weights.keys()) / (len(terms) + len(weights))


# A unit with at least this value of `defines` counts as the definition.
DEFINES = 0.6

# Fitted weights in the order of FEATURES: with the similarity, and without it.
UNIT_WEIGHTS = (
    (
        -0.76,
        1.27,
        0.52,
        -0.57,
        -0.05,
        0.97,
        1.58,
        0.03,
        0.89,
        2.58,
        -0.77,
        0.97,
        0.33,
        1.24,
        1.49,
        1.65,
        -0.12,
        4.01,
    ),
    (1.64, 0.44, 0.27, -0.02, -1.33, 1.08, 1.78, 0.04, 0.87, 2.84, -0.63, 0.97, 0.41, 1.37, 2.0, 1.96, -0.59),
)
UNIT_CONSTANT = (-4.67, -1.46)


def score(asked: AskedFor, weights: Mapping[str, float], subject: Terms, one: Candidate) -> float:
    """Return the log-odds that a unit answers the question."""
    kind = int(one.similarity is None)
    return UNIT_CONSTANT[kind] + _product(UNIT_WEIGHTS[kind], unit_features(asked, weights, subject, one))


# Fitted weights in the order of SUPPORT_FEATURES; the constant lets one answerable question in 25 be refused.
SUPPORT_FEATURES = ("unknown", "names_unknown", "no_number", "rarest_held", "best")
SUPPORT_WEIGHTS = (-9.1, -2.75, -2.51, 0.5, 0.78)
SUPPORT_CONSTANT = 1.6
# The question's rarest word is looked for in so many of the best units.
_BEST_UNITS = 4


def supports(
    asked: AskedFor, weights: Mapping[str, float], unknown_words: Sequence[str], found: Sequence[Candidate]
) -> bool:
    """Return whether the passages answer the question, else it is refused. `found` is sorted best first."""
    features = support_features(asked, weights, unknown_words, found)
    return SUPPORT_CONSTANT + _product(SUPPORT_WEIGHTS, features) >= 0


def support_features(
    asked: AskedFor, weights: Mapping[str, float], unknown_words: Sequence[str], found: Sequence[Candidate]
) -> list[float]:
    """Return the features for `supports`, in the order of SUPPORT_FEATURES."""
    words = len(weights) + len(unknown_words)
    best = found[:_BEST_UNITS]
    around = frozenset[str]().union(
        *(one.read.around | one.read.heading_terms | one.path_terms for one in best)
    )
    rarest = max(weights, key=lambda term: weights[term], default="")
    has_number = any(_COUNTED.search(one.read.unit.words) for one in best[:2])
    return [
        # A rare word that the book does not use weighs more than a common one.
        sum(map(rarity, unknown_words)) / words if words else 1.0,
        float(names_unknown(asked.text, unknown_words)),
        float(asked.want is Want.NUMBER and not has_number),
        float(rarest in around),
        best[0].score if best else 0.0,
    ]


def _product(weights: Sequence[float], features: Sequence[float]) -> float:
    return sum(weight * feature for weight, feature in zip(weights, features, strict=True))


def names_unknown(question: str, unknown_words: Sequence[str]) -> bool:
    """Return whether one of the unknown words is a name or an identifier."""
    names = {
        word.casefold()
        for word in _NAME.findall(question)[1:]
        if any(c.isupper() for c in word) or _IDENTIFIER.search(word[:-1])
    }
    return any(word in names or _IDENTIFIER.search(word) for word in unknown_words)
