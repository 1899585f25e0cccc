"""Rerank retrieved passages by features that the search ignores: headings, coverage, kind of section.

The weights were fitted by `bench/fit_answers.py` as a multinomial choice among the passages of each question
(a listwise softmax: Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from ragbot.core.domain import Passage
from ragbot.core.side_matter import is_side_heading
from ragbot.providers.extractive.question import Want, asked_for
from ragbot.providers.extractive.reading import PassageReader
from ragbot.providers.extractive.scoring import coverage, defines, likeness, sameness

# How many of the search's passages are reranked.
PASSAGES_RERANKED = 30
# A chunk of fewer tokens is mostly a caption.
SHORT_TOKENS = 60

FEATURES = (
    "fused",
    "first",
    "heading_is_question",
    "words",
    "words_in_path",
    "side",
    "links",
    "defines",
    "heading_is_subject",
    "title_is_question",
    "pairs",
    "short",
    "rank",
)
# (Of a fit on seven books, which `bench/fit_answers.py` does in a somewhat different way today.)
WEIGHTS = (2.81, -0.44, 0.94, 2.5, 1.07, -0.71, -1.16, 2.33, -0.69, 1.04, 0.44, -0.6, 1.23)
# Where the vectors of the passages' sentences are known, two features more: the highest cosine with the
# question's, and the mean of the three highest (best matches, as in ColBERT: Khattab and Zaharia, 2020).
CLOSEST = ("closest", "closest_three")
# Half of the fitted weights: the scores then spread as widely as with WEIGHTS, and the weights of units,
# which use these scores, need not be fitted again.
CLOSEST_WEIGHTS = (
    0.7,
    -0.12,
    0.51,
    2.11,
    0.23,
    -0.33,
    -0.02,
    0.82,
    0.94,
    1.29,
    -0.03,
    0.03,
    0.37,
    6.87,
    6.88,
)


def rerank(
    passages: Sequence[Passage],
    question: str,
    weights: Mapping[str, float],
    *,
    language: str,
    reader: PassageReader,
    closest: Sequence[tuple[float, float]] = (),
) -> list[Passage]:
    """Return the passages with new scores, best first. Scores are comparable within one question only.

    `closest` has the values of CLOSEST for each passage, if they are known.
    """
    features = passage_features(passages, question, weights, language=language, reader=reader)
    if closest:
        features = [[*row, *values] for row, values in zip(features, closest, strict=True)]
    fitted = CLOSEST_WEIGHTS if closest else WEIGHTS
    scored = [
        Passage(passage.chunk, sum(w * x for w, x in zip(fitted, row, strict=True)))
        for passage, row in zip(passages, features, strict=True)
    ]
    return sorted(scored, key=lambda passage: -passage.score)


def passage_features(
    passages: Sequence[Passage],
    question: str,
    weights: Mapping[str, float],
    *,
    language: str,
    reader: PassageReader,
) -> list[list[float]]:
    """Return a row for each passage, its values in the order of FEATURES.

    `weights` maps the question's stems to their rarity.
    """
    asked = asked_for(question)
    subject = reader.terms(language, asked.subject) if asked.want is Want.MEANING else frozenset()
    pairs = _pairs(reader.ordered_terms(language, question))
    side_wanted = is_side_heading(question)
    top = passages[0].score if passages and passages[0].score > 0 else 1.0
    rows = []
    rank = 0
    for place, passage in enumerate(passages):
        # Equal scores have equal ranks.
        rank = rank if place and passage.score == passages[place - 1].score else place
        chunk = passage.chunk
        outline = reader.outline(chunk, language)
        units = reader.read(chunk, language).units if subject else ()
        rows.append(
            [
                passage.score / top,
                float(rank == 0),
                max(likeness(weights, terms) for terms in outline.headings),
                coverage(weights, outline.terms),
                coverage(weights, outline.path_terms),
                float(outline.is_side and not side_wanted),
                outline.link_share,
                max((defines(unit, subject, weights) for unit in units), default=0.0),
                max(sameness(terms, subject, weights) for terms in outline.headings),
                likeness(weights, outline.page_terms),
                sum(outline.has_pair(*pair) for pair in pairs) / max(len(pairs), 1),
                float(chunk.tokens < SHORT_TOKENS),
                1 / (1 + rank),
            ]
        )
    return rows


def _pairs(terms: Sequence[str]) -> frozenset[tuple[str, str]]:
    return frozenset(itertools.pairwise(terms))
