"""Score how well each unit answers a question, and whether the passages answer it at all.

Both are logistic models with a handful of features. `bench/fit_extractive.py` fits them; how, and how well
they
carry over to a book they were not fitted on, stands in docs/search.md.
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
    """A unit of a passage with its score. `rank` is the passage's, from 0; `similarity` that of its vector.

    `defines` tells how nearly it begins with what a definition is asked of.
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
    """Give a unit's features in the order of FEATURES; the last, the similarity, only where it is known."""
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
    """How nearly a unit begins with the subject, as a definition does, from 0 to 1."""
    return max((sameness(opening, subject) for opening in read.openings), default=0.0)


def sameness(terms: Terms, subject: Terms) -> float:
    """How nearly two names are the same where one holds the other (Dice, squared), else 0."""
    if not subject or not terms or not (terms <= subject or subject <= terms):
        return 0.0
    return (2 * len(terms & subject) / (len(terms) + len(subject))) ** 2


def coverage(weights: Mapping[str, float], terms: Terms) -> float:
    """The share of the question's weight that stands in the terms."""
    whole = sum(weights.values())
    return sum(weights[term] for term in weights.keys() & terms) / whole if whole else 0.0


def likeness(weights: Mapping[str, float], terms: Terms) -> float:
    """How nearly a heading's terms are the question's (Dice over counts), from 0 to 1."""
    if not weights or not terms:
        return 0.0
    return 2 * len(terms & weights.keys()) / (len(terms) + len(weights))


# From here on a unit counts as the definition of what is asked for.
DEFINES = 0.6

# Fitted weights in the order of FEATURES; the first row where the similarity is known, the second where not.
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
    """Give the log-odds that a unit answers the question."""
    kind = int(one.similarity is None)
    return UNIT_CONSTANT[kind] + _product(UNIT_WEIGHTS[kind], unit_features(asked, weights, subject, one))


# Fitted weights in the order of SUPPORT_FEATURES; the constant lets one answerable question in 25 be refused.
SUPPORT_FEATURES = ("unknown", "names_unknown", "no_number", "rarest_held", "best")
SUPPORT_WEIGHTS = (-9.1, -2.75, -2.51, 0.5, 0.78)
SUPPORT_CONSTANT = 1.6
# Units that are taken together when it is looked for the rarest word.
_BEST_UNITS = 4


def supports(
    asked: AskedFor, weights: Mapping[str, float], unknown_words: Sequence[str], found: Sequence[Candidate]
) -> bool:
    """Whether the passages answer the question at all; if not, it is refused. `found` come best first."""
    features = support_features(asked, weights, unknown_words, found)
    return SUPPORT_CONSTANT + _product(SUPPORT_WEIGHTS, features) >= 0


def support_features(
    asked: AskedFor, weights: Mapping[str, float], unknown_words: Sequence[str], found: Sequence[Candidate]
) -> list[float]:
    """Give what tells whether the passages answer, in the order of SUPPORT_FEATURES."""
    words = len(weights) + len(unknown_words)
    best = found[:_BEST_UNITS]
    around = frozenset[str]().union(
        *(one.read.around | one.read.heading_terms | one.path_terms for one in best)
    )
    rarest = max(weights, key=lambda term: weights[term], default="")
    has_number = any(_COUNTED.search(one.read.unit.words) for one in best[:2])
    return [
        # A common word that the book happens not to use tells little, a rare one much.
        sum(map(rarity, unknown_words)) / words if words else 1.0,
        float(names_unknown(asked.text, unknown_words)),
        float(asked.want is Want.NUMBER and not has_number),
        float(rarest in around),
        best[0].score if best else 0.0,
    ]


def _product(weights: Sequence[float], features: Sequence[float]) -> float:
    return sum(weight * feature for weight, feature in zip(weights, features, strict=True))


def names_unknown(question: str, unknown_words: Sequence[str]) -> bool:
    """Whether the question names somebody or something that stands nowhere in the book."""
    names = {
        word.casefold()
        for word in _NAME.findall(question)[1:]
        if any(c.isupper() for c in word) or _IDENTIFIER.search(word[:-1])
    }
    return any(word in names or _IDENTIFIER.search(word) for word in unknown_words)
