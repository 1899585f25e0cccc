"""Fuse the results of several searches by reciprocal rank, in the same way each time.

A search engine returns equally good points in any order, and its own fusion then gives them other ranks each
time. Here equal scores have equal ranks, and equal sums are ordered by id.
(Cormack et al., "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR
2009, use a constant of 60. On four books of different kinds 10 was best: see docs/search.md.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

# Ids are text or numbers; of one kind within a search, as they are ordered.
Id = TypeVar("Id", str, int)

# How many points of each search are fused, and how many are asked for: equals of the last one are fused too.
FUSED_POINTS = 50
ASKED_POINTS = 100
RRF_K = 10
# Engines compute with 32-bit numbers, whose sums differ in the last places with the order of the terms.
_PLACES = 5


def fused_ranks(searches: Iterable[Mapping[Id, float]], limit: int) -> list[tuple[Id, float]]:
    """Return the ids of the `limit` best points with their fused scores, best first.

    Each search maps ids to scores, at most ASKED_POINTS. If so many were found, the last ones and their
    equals are left out: which of the equals the engine returned is chance.
    """
    fused: dict[Id, float] = {}
    for scores in searches:
        for rank, ids in _ranked(scores):
            for point in ids:
                fused[point] = fused.get(point, 0.0) + 1 / (RRF_K + rank)
    return sorted(fused.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]


def _ranked(scores: Mapping[Id, float]) -> Iterable[tuple[int, Sequence[Id]]]:
    """Yield the ids of equal scores together, with the rank of the first of them, from 0."""
    rounded = sorted((round(-score, _PLACES), point) for point, score in scores.items())
    rank = 0
    for _, group in groupby(rounded, key=lambda pair: pair[0]):
        ids = [point for _, point in group]
        is_cut = len(scores) >= ASKED_POINTS and rank + len(ids) == len(scores)
        # If all are equal, there is nothing better to show.
        if rank >= FUSED_POINTS or (is_cut and rank):
            return
        yield rank, ids
        rank += len(ids)
