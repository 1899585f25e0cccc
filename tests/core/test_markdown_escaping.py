"""Test that escaped words are shown as they are."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from ragbot.core.markdown_escaping import escape_words

WORDS = [
    "snake_case and _dirname",
    "__init__ of the class",
    "a__b_",
    "The `match` *arms*",
    "a](https://evil.example) <b>",
    "&lt; and &#60; and R&D; AT&T",
    "~~gone~~ ~ and ~/.bashrc",
    "C:\\path\\[0]",
]


@pytest.mark.parametrize("words", WORDS)
def test_escaped_words_are_shown_as_they_are(words: str) -> None:
    """A title is no markup: `__init__` was shown in italics."""
    parser = MarkdownIt().enable("strikethrough")

    (_open, shown, _close) = parser.parse(escape_words(words))

    assert "".join(token.content for token in shown.children or []) == words
    assert {token.type for token in shown.children or []} <= {"text", "text_special"}


def test_line_inside_a_word_is_not_escaped() -> None:
    """Who reads the text itself is not disturbed."""
    assert escape_words("max_retries = 3 * 2") == r"max_retries = 3 \* 2"
