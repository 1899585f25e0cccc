"""Samples of a question set, which are asked where each question costs money or minutes."""

from __future__ import annotations

from collections import Counter

from ragbot.answering.question_set import Row, sample_of

ROWS = [
    Row(f"q{number}", kind, "How?", ()) for number, kind in enumerate("ffff" * 10 + "hhhh" * 5 + "xx" * 5)
]


def test_each_type_has_its_share_of_a_sample() -> None:
    """Figures of a sample stand for those of the set."""
    assert Counter(row.kind for row in sample_of(ROWS, 14)) == {"f": 8, "h": 4, "x": 2}


def test_sample_is_the_same_for_a_seed_and_another_for_another() -> None:
    """Two models are compared on the same questions."""
    assert sample_of(ROWS, 20, seed=7) == sample_of(ROWS, 20, seed=7)
    assert sample_of(ROWS, 20, seed=7) != sample_of(ROWS, 20, seed=8)


def test_sample_keeps_the_order_and_never_has_a_question_twice() -> None:
    """A set's talks are in order."""
    numbers = [ROWS.index(row) for row in sample_of(ROWS, 30)]

    assert numbers == sorted(set(numbers))
    assert len(numbers) == 30


def test_sample_that_is_larger_than_the_set_is_the_set() -> None:
    """Nobody counts the lines first."""
    assert sample_of(ROWS, 1000) == ROWS
