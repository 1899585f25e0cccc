"""However a model writes its citation marks, they become `[1]`, wherever the pieces are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.providers.openai.mark_spellings import MarkSpelling
from tests.fuzzing import fuzz

SPELT = {
    "Nine months 【1】.": "Nine months [1].",
    "Nine 【1†source】 months": "Nine [1] months",
    "Nine months【1:0†book.md】": "Nine months[1]",
    "Nine months \\[1\\].": "Nine months [1].",
    "Nine months [^1].": "Nine months [1].",
    "Nine months [1, 2].": "Nine months [1][2].",
    "Nine months [1-3].": "Nine months [1][2][3].",
    "Nine months ［2］.": "Nine months [2].",
    "Nine months [[1]].": "Nine months [1].",
    "Nine months [1†L3-L5].": "Nine months [1].",
    "Nine months [#1].": "Nine months [1].",
    "Nine months [Passage 1].": "Nine months [1].",
    "Nine months [passages 1 and 2].": "Nine months [1][2].",
    "Nine (passage 1) months (source 2).": "Nine [1] months [2].",
    "Nine months <sup>1</sup>, <sup>[2]</sup>.": "Nine months [1], [2].",
    "Nine months<sup>1</sup><sup>2</sup>.": "Nine months[1][2].",
    "Nine m<sup>2</sup> of the cellar<sup>1</sup>.": "Nine m<sup>2</sup> of the cellar[1].",
    "Nine months (1). At seven (2, 3).": "Nine months [1]. At seven [2][3].",
    "Nine months (1)": "Nine months [1]",
}
KEPT = [
    "Nine months [1]. At seven [2].",
    "See equation (1).",
    "(1) first, (2) second",
    "f(1) and f (1, x)",
    "in [2024] or [9]",
    "It falls with 9.8 m/s<sup>2</sup>.",
    "A cube holds 10<sup>3</sup> litres, or (a + b)<sup>3</sup>.",
    "Nine months [1], the area<sup>2</sup>.",
    "`a[1, 2]` and\n```\n【1】 x[1, 2]\n```\n",
    "Nine months [1]; rule of three (2).",
    "[a list, of words](https://book.example) [x]",
    "a \\ b  and a < b",
]


def spelled(text: str, cuts: list[int], quoted: str = "") -> str:
    marks = MarkSpelling(passages=5, quoted=quoted)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    return "".join([*map(marks.feed, pieces), marks.flush()])


@pytest.mark.parametrize("written", SPELT)
@fuzz(100)
@given(cuts=st.lists(st.integers(0, 200), max_size=30))
def test_mark_is_understood_in_any_spelling(written: str, cuts: list[int]) -> None:
    """A mark that nobody understands cites nothing."""
    assert spelled(written, cuts) == SPELT[written]


@pytest.mark.parametrize("text", KEPT)
@fuzz(100)
@given(cuts=st.lists(st.integers(0, 200), max_size=30))
def test_what_may_be_something_else_stays(text: str, cuts: list[int]) -> None:
    """An equation's number is no citation."""
    assert spelled(text, cuts) == text


def test_round_number_of_the_book_stays() -> None:
    """The book numbers its steps so itself."""
    assert spelled("Then do the rest (2).", [4], quoted="Wash (1), then cut (2).") == "Then do the rest (2)."


@pytest.mark.parametrize(
    "text", ["Do the exercise (No. 2).", "See p. 4 (§ 3).", "The speed<sup>2</sup> counts."]
)
@fuzz(100)
@given(cuts=st.lists(st.integers(0, 200), max_size=30))
def test_number_that_the_book_writes_so_stays(text: str, cuts: list[int]) -> None:
    """It names an exercise, a paragraph or a power of the book's own."""
    assert spelled(text, cuts, quoted=f"As the book has it. {text}") == text


def test_raised_mark_of_a_book_with_powers_is_a_mark() -> None:
    """The book's exponent stands behind another word."""
    assert (
        spelled("Nine months<sup>2</sup>.", [], quoted="It falls with 9.8 m/s<sup>2</sup>.")
        == "Nine months[2]."
    )
