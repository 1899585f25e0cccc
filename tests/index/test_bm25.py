"""Test the sparse vectors that BM25 makes of terms."""

from __future__ import annotations

import pytest

from ragbot.core.domain import SparseVector
from ragbot.index.bm25 import K1, B, TermCounts, passage_vector, query_vector, term_id


def weight(vector: SparseVector, term: str) -> float:
    return vector.values[vector.indices.index(term_id(term))]


def counted(*terms: str) -> TermCounts:
    return TermCounts.of(map(term_id, terms))


def test_weight_is_that_of_the_formula() -> None:
    """tf·(k1+1) / (tf + k1·(1 − b + b·length/average), by Robertson and Zaragoza."""
    vector = passage_vector(counted("cheddar", "cheddar", "cellar", "bob"), average_terms=8)

    assert weight(vector, "cheddar") == pytest.approx(2 * (K1 + 1) / (2 + K1 * (1 - B + B * 4 / 8)))


def test_repeated_term_weighs_more_but_not_in_proportion() -> None:
    """The tenth time says little that the first did not."""
    once = weight(passage_vector(counted("cheddar", *"abcdefghi"), 10), "cheddar")
    twice = weight(passage_vector(counted("cheddar", "cheddar", *"abcdefgh"), 10), "cheddar")

    assert once < twice < 2 * once


def test_term_weighs_less_in_a_longer_passage() -> None:
    """Length alone must not win."""
    short = passage_vector(counted("cheddar", "milk"), average_terms=10)
    long = passage_vector(counted("cheddar", *map(str, range(40))), average_terms=10)

    assert weight(short, "cheddar") > weight(long, "cheddar")


def test_passage_without_terms_is_an_empty_vector() -> None:
    """A page may hold a picture alone."""
    vector = passage_vector(counted(), 0)

    assert (list(vector.indices), list(vector.values)) == ([], [])


def test_indices_are_distinct_and_in_order() -> None:
    """The stores demand it."""
    vector = passage_vector(counted(*"the quick brown fox jumps over the lazy dog".split()), 9)

    assert list(vector.indices) == sorted(set(vector.indices))
    assert len(vector.indices) == len(vector.values) == 8


def test_question_weighs_its_terms_as_it_is_told() -> None:
    """Words of the question before count less."""
    vector = query_vector({"cheddar": 1.0, "cellar": 0.5})

    assert (weight(vector, "cheddar"), weight(vector, "cellar")) == (1.0, 0.5)


def test_question_and_passage_name_a_term_alike() -> None:
    """Else nothing would be found."""
    assert list(query_vector({"größe": 1.0}).indices) == list(passage_vector(counted("größe"), 1).indices)
