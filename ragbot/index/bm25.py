"""Weigh terms by BM25, as sparse vectors. Qdrant multiplies by the inverse document frequency."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping

from ragbot.core.domain import SparseVector

# Saturation and length weight of BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework:
# BM25 and Beyond" (2009), section 3.4; measured on books, see docs/performance.md.
K1 = 1.2
B = 0.75


def passage_vector(terms: Iterable[str], average_terms: float) -> SparseVector:
    """Return the BM25 weights of a passage's terms, without the inverse document frequency.

    `average_terms` is the mean number of terms of a passage of the edition.
    """
    counts = Counter(terms)
    length = 1 - B + B * sum(counts.values()) / max(average_terms, 1.0)
    return _vector({term: n * (K1 + 1) / (n + K1 * length) for term, n in counts.items()})


def query_vector(weights: Mapping[str, float]) -> SparseVector:
    """Return a question's terms with their weights (1 for a plain term)."""
    return _vector(weights)


def _vector(weights: Mapping[str, float]) -> SparseVector:
    by_id: dict[int, float] = {}
    for term, weight in weights.items():
        term_id = zlib.crc32(term.encode())
        by_id[term_id] = by_id.get(term_id, 0.0) + weight
    ids = sorted(by_id)
    return SparseVector(ids, [by_id[term_id] for term_id in ids])
