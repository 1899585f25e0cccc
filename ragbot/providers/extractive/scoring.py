"""Score how well each unit answers a question, and decide whether the passages answer it at all.

Both are logistic models with a few features. `bench/fit_answers.py` fits them; docs/search.md describes the
method and how well the models work for a book that they were not fitted on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ragbot.providers.extractive.common_words import rarity
from ragbot.providers.extractive.question import AskedFor, Want, names_unknown, numbered_names
from ragbot.providers.extractive.reading import ReadUnit, Terms
from ragbot.providers.extractive.value_kinds import Measure, Value, holds_measure, holds_value

_CAUSAL = re.compile(
    r"\b(?:because|since|so that|in order to|due to|reason|therefore|thus|cause[sd]?|to avoid|prevents?)\b",
    re.I,
)
_REMEDY = re.compile(
    r"\b(?:fix|solution|solve|cause|resolve|workaround|try|check|ensure|verify|reinstall|run)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Hold a unit of a passage with its score (log-odds).

    `passage` and `index` are the places of the passage and of the unit in it, `rank` is the passage's rank,
    from 0. `retrieval` is the passage's score minus the best passage's. `relevance` is a cross-encoder's
    log-odds that the unit answers, `similarity` compares the vectors of unit and question; each None if
    unknown. `defines`, from 0 to 1, says how closely the unit begins with the term whose definition is asked
    for; `keys` counts the names of the unit, a table's row, that the question has: a cell, and its group.
    """

    passage: int
    index: int
    read: ReadUnit
    rank: int
    path_terms: Terms
    retrieval: float
    relevance: float | None = None
    similarity: float | None = None
    score: float = 0.0
    defines: float = 0.0
    keys: int = 0

    @property
    def headings(self) -> Terms:
        """Return the stems of what heads the unit: its path, its heading and the bold line of its part."""
        return self.read.heading_terms | self.read.label_terms | self.path_terms


# Words that decide a question with two answers.
_DECIDING: Mapping[Want, re.Pattern[str]] = MappingProxyType(
    {
        Want.YES_NO: re.compile(
            r"\A\W*(?:yes|no)\b|\b(?:not|never|cannot|always|must|only|impossible|by\s+default)\b|n['’]t\b",
            re.IGNORECASE,
        ),
        Want.CHOICE: re.compile(
            r"\b(?:rather than|instead of|alone|both|neither|unlike|whereas|while|prefer\w*|better|easier)\b",
            re.IGNORECASE,
        ),
    }
)
# A heading of which the question has nearly all words, and no others, is what is asked for.
ALIKE = 0.9
# What a number of another kind counts, where a length, a weight or a time is asked for.
OTHER_MEASURE = 0.5
# Terms of a table's row that count for its length: a row of essays answers no better.
LONGEST_ROW = 25
# Without the rarity of the words all count alike.
EQUAL: Mapping[str, float] = MappingProxyType({})

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
    "announces",
    "decides",
    "key",
    "replies",
    "under_question",
    "words_of_list",
    "similarity",
)


def unit_features(
    asked: AskedFor, weights: Mapping[str, float], subject: Terms, one: Candidate
) -> list[float]:
    """Return a unit's features in the order of FEATURES; the last, the similarity, only if it is known."""
    read, unit = one.read, one.read.unit
    headings = one.headings
    is_code = unit.kind == "code"
    wants_code = asked.wants_tree if unit.is_tree else asked.wants_code
    is_listed = asked.want is Want.LIST and unit.kind in ("list_item", "table_row")
    features = [
        coverage(weights, read.terms),
        coverage(weights, read.terms | headings),
        coverage(weights, read.around | read.heading_terms),
        closest(weights, read),
        min(one.rank, 10) / 10,
        one.retrieval,
        math.log(1 + min(len(read.terms), LONGEST_ROW if unit.kind == "table_row" else len(read.terms))) / 3,
        float(len(read.terms) < 4),
        _number(asked, unit.words),
        one.defines,
        sameness(read.heading_terms, subject, weights),
        float(is_code) * (1.0 if wants_code else -1.0),
        float(asked.want is Want.STEPS and (unit.kind in ("list_item", "code") or unit.leads)),
        float(is_listed),
        float(asked.want is Want.CAUSE and _CAUSAL.search(unit.words) is not None),
        float(asked.is_trouble and _REMEDY.search(unit.words) is not None),
        float(unit.is_side),
        float(unit.announces),
        float(asked.want in _DECIDING and _DECIDING[asked.want].search(unit.words) is not None),
        float(one.keys),
        coverage(weights, read.replies_to),
        float(closest(weights, read) > ALIKE),
        coverage(weights, read.whole_list | headings) if is_listed else 0.0,
    ]
    return features if one.similarity is None else [*features, one.similarity]


def _number(asked: AskedFor, words: str) -> float:
    """Return 1 for a value of the kind that is asked for, less for another number, 0 without one."""
    if asked.want is not Want.NUMBER or not any(sign.isdigit() for sign in words):
        return 0.0
    return 1.0 if holds_measure(asked.measure, words) else OTHER_MEASURE


def defines(read: ReadUnit, subject: Terms, weights: Mapping[str, float] = EQUAL) -> float:
    """Return how closely a unit begins with the subject, as a definition does, from 0 to 1."""
    return max((sameness(opening, subject, weights) for opening in read.openings), default=0.0)


def sameness(terms: Terms, subject: Terms, weights: Mapping[str, float] = EQUAL) -> float:
    """Return the squared Dice coefficient of two names' terms if one contains the other, else 0.

    Terms count by their rarity: "workspace" is nearly the same as "ROS 2 workspace". A term that `weights`
    lacks counts as much as the subject's average term.
    """
    if not subject or not terms or not (terms <= subject or subject <= terms):
        return 0.0
    average = sum(weights.get(term, 1.0) for term in subject) / len(subject)

    def weight(some: Terms) -> float:
        return sum(weights.get(term, average) for term in some)

    whole = weight(terms) + weight(subject)
    return (2 * weight(terms & subject) / whole) ** 2 if whole else 0.0


def coverage(weights: Mapping[str, float], terms: Terms) -> float:
    """Return the share of the question's term weights that `terms` covers, from 0 to 1."""
    whole = held = 0.0
    for term, weight in weights.items():
        whole += weight
        if term in terms:
            held += weight
    return held / whole if whole else 0.0


def likeness(weights: Mapping[str, float], terms: Terms) -> float:
    """Return the Dice coefficient of a heading's terms and the question's, from 0 to 1."""
    if not weights or not terms:
        return 0.0
    return 2 * len(terms & weights.keys()) / (len(terms) + len(weights))


def closest(weights: Mapping[str, float], read: ReadUnit) -> float:
    """Return the higher likeness of the heading and of the bold line that a unit stands under."""
    return max(likeness(weights, name) for name in read.names)


# A unit with at least this value of `defines` counts as the definition.
DEFINES = 0.6

# Fitted weights in the order of FEATURES: with the similarity, and without it.
UNIT_WEIGHTS = (
    (
        -0.59,
        1.18,
        0.69,
        -0.58,
        -0.68,
        0.92,
        1.36,
        0.12,
        1.04,
        2.49,
        -0.74,
        0.87,
        0.46,
        0.76,
        1.96,
        1.01,
        -0.53,
        -0.62,
        1.0,
        1.0,
        2.0,
        0.7,
        0.75,
        3.86,
    ),
    (
        1.73,
        0.37,
        0.34,
        0.06,
        -1.43,
        1.06,
        1.55,
        0.1,
        1.15,
        2.86,
        -0.82,
        0.88,
        0.49,
        0.32,
        2.04,
        1.79,
        -0.69,
        -0.64,
        1.0,
        1.0,
        2.0,
        0.7,
        1.53,
    ),
)
UNIT_CONSTANT = (-4.55, -1.37)
# Where a cross-encoder has read the unit: the constant, and what its log-odds and those of the words count.
RELEVANCE_WEIGHTS = (-0.78, 0.44, 0.25)


def score(asked: AskedFor, weights: Mapping[str, float], subject: Terms, one: Candidate) -> float:
    """Return the log-odds that a unit answers the question."""
    kind = int(one.similarity is None)
    log_odds = UNIT_CONSTANT[kind] + _product(UNIT_WEIGHTS[kind], unit_features(asked, weights, subject, one))
    return log_odds if one.relevance is None else with_relevance(log_odds, one.relevance)


def with_relevance(by_words: float, relevance: float) -> float:
    """Return the log-odds that a unit answers, from those of its words and of the cross-encoder."""
    constant, of_model, of_words = RELEVANCE_WEIGHTS
    return constant + of_model * relevance + of_words * by_words


# Fitted weights in the order of SUPPORT_FEATURES. The constant is 0.03 less than the fit on all books gives:
# of ten books that the fit does not know, it lets one answerable question in 25 be refused, and half of the
# near misses.
SUPPORT_FEATURES = (
    "unknown_unlike",
    "names_unknown",
    "no_number",
    "no_value",
    "rarest_held",
    "best",
    "highest_relevance",
)
SUPPORT_WEIGHTS = (-12.6, -3.17, -4.35, -3.06, 0.24, 0.87)
SUPPORT_CONSTANT = 1.586
# The same where a cross-encoder has read the units: fitted on nineteen books, each left out. The constant
# is 0.2 more than that fit's, for questions in other words than the book's (docs/search.md).
READ_SUPPORT_WEIGHTS = (-8.61, -2.73, -1.62, -1.31, 0.2, 1.51, 0.04)
READ_SUPPORT_CONSTANT = 3.97
# What `supports` asks for more than 0 where an answer has to be certain. Of 140 questions that a book nearly
# answers 11 % pass, of 712 that it answers 79 % (without a cross-encoder, on 655 others: 20 % and 63 %).
CERTAIN = 3.0
READ_CERTAIN = 1.8
# For a search without vectors: the mean of unanswerable questions with unknown words, over the fitted books.
TYPICAL_SIMILARITY = 0.38
# The question's words are looked for in so many of the best units.
_BEST_UNITS = 4
_LOOKED_AT = MappingProxyType({Value.NUMBER: 2, Value.MONEY: 12})


def supports(
    asked: AskedFor,
    weights: Mapping[str, float],
    unknown_words: Sequence[str],
    found: Sequence[Candidate],
    *,
    certainly: bool = False,
    capitals_are_names: bool = True,
) -> bool:
    """Return whether the passages answer the question, else it is refused. `found` is sorted best first.

    `certainly` asks for more: so much that an answer is hardly wrong. `capitals_are_names` is False where
    every noun has a capital, as in German.
    """
    if not unknown_words and any(closest(weights, one.read) > ALIKE for one in found):
        # A section of this name answers, whatever the words below its heading are.
        return True
    if certainly and (
        names_unknown(asked.text, unknown_words, capitals_are_names=capitals_are_names)
        or not _has_identifiers(asked.text, found[0])
    ):
        return False
    features = support_features(asked, weights, unknown_words, found, capitals_are_names=capitals_are_names)
    if len(features) == len(READ_SUPPORT_WEIGHTS):
        margin, certain = READ_SUPPORT_CONSTANT + _product(READ_SUPPORT_WEIGHTS, features), READ_CERTAIN
    else:
        margin, certain = SUPPORT_CONSTANT + _product(SUPPORT_WEIGHTS, features), CERTAIN
    return margin >= (certain if certainly else 0.0)


def support_features(
    asked: AskedFor,
    weights: Mapping[str, float],
    unknown_words: Sequence[str],
    found: Sequence[Candidate],
    *,
    capitals_are_names: bool = True,
) -> list[float]:
    """Return the features for `supports`, in the order of SUPPORT_FEATURES; the last only if it is known."""
    words = len(weights) + len(unknown_words)
    best = found[:_BEST_UNITS]
    around = frozenset[str]().union(*(one.read.around | one.headings for one in best))
    rarest = max(weights, key=lambda term: weights[term], default="")
    # A rare word that the book does not use weighs more than a common one.
    unknown = sum(map(rarity, unknown_words)) / words if words else 0.0
    likest = max((one.similarity for one in best if one.similarity is not None), default=TYPICAL_SIMILARITY)
    has_value = _has_value(asked, found)
    relevances = [one.relevance for one in found if one.relevance is not None]
    return [
        # It weighs less where the best unit means the same as the question.
        unknown * (1 - likest) if words else 1.0,
        float(names_unknown(asked.text, unknown_words, capitals_are_names=capitals_are_names)),
        float(asked.value is Value.NUMBER and not has_value),
        float(asked.value is not Value.NUMBER and not has_value),
        float(rarest in around),
        best[0].score if best else 0.0,
        *([max(relevances)] if relevances else []),
    ]


def _has_value(asked: AskedFor, found: Sequence[Candidate]) -> bool:
    """Return whether the best units hold a value of the kind that is asked for."""
    if asked.measure is not Measure.ANY and holds_measure(asked.measure, _words_of(found[:_BEST_UNITS])):
        return True
    # Numbers are common: one in the third best unit is mostly of something else. Prices are rare.
    looked_at = found[: _LOOKED_AT.get(asked.value, _BEST_UNITS)]
    return holds_value(asked.value, _words_of(looked_at))


def _has_identifiers(question: str, best: Candidate) -> bool:
    """Return whether a unit or its headings have each name with a digit: a D435 is no D455."""
    return numbered_names(question) <= best.read.terms | best.headings


def _words_of(found: Sequence[Candidate]) -> str:
    return " ".join(one.read.unit.words for one in found)


def _product(weights: Sequence[float], features: Sequence[float]) -> float:
    return sum(weight * feature for weight, feature in zip(weights, features, strict=True))
