"""Weigh terms by BM25, as sparse vectors. Qdrant multiplies by the inverse document frequency."""

from __future__ import annotations

import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from ragbot.core.domain import SparseVector

# Saturation and length weight of BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework:
# BM25 and Beyond" (2009), section 3.4; measured on books, see docs/performance.md.
K1 = 1.2
B = 0.75


@dataclass(frozen=True, slots=True)
class TermCounts:
    """Count the terms of a passage, in the memory that a book of 50,000 passages leaves for each.

    `ids` are the terms' 32-bit ids in order, `counts` their numbers; `length` is the number of all terms.
    """

    ids: array[int]
    counts: array[int]
    length: int

    @classmethod
    def of(cls, terms: Iterable[int]) -> Self:
        """Count terms by their ids."""
        numbers = Counter(terms)
        ids = sorted(numbers)
        counts = [numbers[term] for term in ids]
        small = max(counts, default=0) < 256
        return cls(array("I", ids), array("B" if small else "I", counts), numbers.total())


def passage_vector(terms: TermCounts, average_terms: float) -> SparseVector:
    """Return the BM25 weights of a passage's terms, without the inverse document frequency.

    `average_terms` is the mean number of terms of a passage of the edition. The ids are not copied.
    """
    length = 1 - B + B * terms.length / max(average_terms, 1.0)
    weights = {count: count * (K1 + 1) / (count + K1 * length) for count in set(terms.counts)}
    return SparseVector(terms.ids, array("f", [weights[count] for count in terms.counts]))


def query_vector(weights: Mapping[str, float]) -> SparseVector:
    """Return a question's terms with their weights (1 for a plain term)."""
    by_id: dict[int, float] = {}
    for term, weight in weights.items():
        by_id[term_id(term)] = by_id.get(term_id(term), 0.0) + weight
    ids = sorted(by_id)
    return SparseVector(ids, [by_id[number] for number in ids])


def term_id(term: str) -> int:
    """Return the 32-bit number of a term, the same in every process."""
    return zlib.crc32(term.encode())
