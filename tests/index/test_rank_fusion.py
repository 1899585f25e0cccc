"""How the results of several searches become one ranking."""

from __future__ import annotations

import random

import pytest

from ragbot.index.rank_fusion import ASKED_POINTS, FUSED_POINTS, RRF_K, fused_ranks


def test_point_of_both_searches_comes_before_the_first_of_each() -> None:
    """What words and meaning agree on is the safest."""
    words = {"a": 9.0, "both": 8.0}
    meaning = {"b": 0.9, "both": 0.8}

    found = fused_ranks([words, meaning], 3)

    assert found == [("both", 2 / (RRF_K + 1)), ("a", 1 / RRF_K), ("b", 1 / RRF_K)]


def test_equal_scores_have_one_rank_whatever_the_engine_s_order() -> None:
    """An engine returns equals in any order; their ranks must not follow it."""
    scores = {"first": 3.0, **{f"equal{number}": 2.0 for number in range(9)}, "last": 1.0}
    shuffled = list(scores.items())
    random.Random(7).shuffle(shuffled)

    found = fused_ranks([scores], 20)

    assert fused_ranks([dict(shuffled)], 20) == found
    assert {score for name, score in found if name.startswith("equal")} == {1 / (RRF_K + 1)}
    assert found[-1] == ("last", 1 / (RRF_K + 10))


def test_noise_of_the_last_places_is_no_difference() -> None:
    """Two replicas may add the same numbers in another order."""
    found = fused_ranks([{"b": 12.3456781, "a": 12.3456779}], 2)

    assert found == [("a", 1 / RRF_K), ("b", 1 / RRF_K)]


def test_points_behind_the_fused_ones_do_not_count() -> None:
    """A hundredth place says nothing about a passage."""
    found = fused_ranks([{f"{number:03}": -float(number) for number in range(80)}], ASKED_POINTS)

    assert len(found) == FUSED_POINTS


@pytest.mark.parametrize(("best", "shown"), [(["best"], ["best"]), ([], [f"{n:03}" for n in range(30)])])
def test_equals_that_the_limit_cuts_are_left_out_unless_there_is_nothing_else(
    best: list[str], shown: list[str]
) -> None:
    """Which of more equals an engine returns is chance."""
    equals = {f"{number:03}": 1.0 for number in range(ASKED_POINTS - len(best))}

    found = fused_ranks([{**dict.fromkeys(best, 2.0), **equals}], 30)

    assert [name for name, _ in found] == shown
