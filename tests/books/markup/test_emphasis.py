"""Test titles that are set in bold."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from ragbot.books.markup.emphasis import bold


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Oars", "**Oars**"),
        (" **Oars** and *sails* ", "**Oars and sails**"),
        ("__Oars__ of _ash_", "**Oars of ash**"),
        ("`*ash*` and [*oak*](a_b_c.md)", "**`*ash*` and [oak](a_b_c.md)**"),
        ("*args and **kwargs", "**\\*args and \\*\\*kwargs**"),
        ("a s**t, 2 * 3 and snake_case", "**a s\\*\\*t, 2 * 3 and snake_case**"),
        ("", ""),
    ],
)
def test_title_is_bold_from_end_to_end(title: str, shown: str) -> None:
    """A mark inside of it ended the bold, and was printed."""
    assert bold(title) == shown


@pytest.mark.parametrize("title", ["**Oars** and *sails*", "*args and **kwargs", "_a_ **b", "__init__.py"])
def test_bold_title_has_no_emphasis_inside(title: str) -> None:
    """What a reader's page makes of it is one run of bold words."""
    html = MarkdownIt().renderInline(bold(title))

    assert html.startswith("<strong>")
    assert html.endswith("</strong>")
    assert html.count("<") == 2
