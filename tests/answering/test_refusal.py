"""Test that a refusal is detected and that readers never see the sentinel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering.refusal import LEFT_OUT, SentinelFilter
from ragbot.core.answers import NOT_IN_BOOK
from tests.fuzzing import fuzz


def shown(*pieces: str) -> str:
    sentinel = SentinelFilter()
    return "".join([*map(sentinel.feed, pieces), sentinel.flush()])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (NOT_IN_BOOK, LEFT_OUT),
        (f"It is {NOT_IN_BOOK}, I fear", f"It is {LEFT_OUT}, I fear"),
        (f"`{NOT_IN_BOOK}`", f"`{LEFT_OUT}`"),
        (f"```\n{NOT_IN_BOOK}\n```", f"```\n{LEFT_OUT}\n```"),
        (f"**{NOT_IN_BOOK}**", f"**{LEFT_OUT}**"),
        ("NOT\\_IN\\_BOOK: no", f"{LEFT_OUT}: no"),
        ("not_in\\_Book", LEFT_OUT),
        ("NOT_IN_BOOKNOT_IN_BOOK", LEFT_OUT * 2),
        ("NOT_IN_NOT_IN_BOOK", f"NOT_IN_{LEFT_OUT}"),
        ("NOT_IN_BOO", "NOT_IN_BOO"),
        ("Not in the book, not in bookshops: NOTE", "Not in the book, not in bookshops: NOTE"),
    ],
)
def test_sentinel_never_gets_out(said: str, expected: str) -> None:
    """It is a sign between the model and us."""
    assert shown(said) == expected
    assert shown(*said) == expected


WRITINGS = st.lists(
    st.sampled_from(
        [NOT_IN_BOOK, "NOT_IN", "_BOOK", "NOT\\_", "\\", "n", "book", " ", "\n", "`", "é", "[1]"]
    ),
    max_size=20,
).map("".join)


@fuzz(40)
@given(WRITINGS, st.integers(1, 9))
def test_the_cut_into_pieces_changes_nothing(written: str, size: int) -> None:
    """A provider cuts where it likes."""
    pieces = [written[at : at + size] for at in range(0, len(written), size)]

    assert shown(*pieces) == shown(written)
    assert NOT_IN_BOOK not in shown(written).upper().replace("\\", "")


def test_ordinary_words_are_not_held_back() -> None:
    """A reader watches them come."""
    sentinel = SentinelFilter()
    words = "Bob ripens it not in a book, but in a cool cellar.".split(" ")

    assert [sentinel.feed(f"{word} ") for word in words] == [f"{word} " for word in words]


def test_what_may_become_the_sentinel_is_held_back() -> None:
    """And given as soon as it goes on otherwise."""
    sentinel = SentinelFilter()

    assert [sentinel.feed(piece) for piece in ("It is NOT_IN", "_BO", "NN", "E")] == [
        "It is ",
        "",
        "",
        "NOT_IN_BONNE",
    ]
