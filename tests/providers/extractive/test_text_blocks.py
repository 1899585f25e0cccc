"""Test what heads other blocks of a passage: bold questions among list items, and rows of one cell."""

from __future__ import annotations

import pytest

from ragbot.books.markup.prose import prose_blocks
from ragbot.providers.extractive.text_blocks import find_question_items, is_group_row


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        ("- **Why?**\n  - Because.\n- **How?**\n\n  So.\n", ["**Why?**", "**How?**"]),
        ("1. __Who\n   goes?__\n   - Bob.\n", ["__Who\n   goes?__"]),
        # Without an answer below, without a question, with the answer in the item itself.
        ("- **Why?**\n- **How?**\n", []),
        ("- **Oars**\n  - of wood\n", []),
        ("- **Why?** Because.\n  - So.\n", []),
    ],
)
def test_bold_question_with_something_below_is_found(text: str, questions: list[str]) -> None:
    """Items are compared by their columns."""
    blocks = prose_blocks(text)

    found = sorted(find_question_items(text, blocks))

    assert [text[blocks[number].start : blocks[number].end] for number in found] == questions


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("| **Low income** | | |", True),
        ("| Low income |  |  |", True),
        ("| **Oars** | |", True),
        # Its value is missing; the first cell is.
        ("| Oars | |", False),
        ("| | 3 | |", False),
        ("| Oars | 3 | |", False),
        ("| Oars |", False),
    ],
)
def test_row_of_one_cell_names_a_group(row: str, expected: bool) -> None:
    """Other rows have values."""
    assert is_group_row(row) is expected
