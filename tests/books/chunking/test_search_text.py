"""Test the text that is indexed: the words of Markdown, without marks and link targets."""

from __future__ import annotations

import pytest

from ragbot.books.chunking.search_text import strip_markdown


@pytest.mark.parametrize(
    ("prose", "words"),
    [
        ("*Bob* ripens **the __cheddar__**.", "Bob ripens the cheddar."),
        ("See [the *rind*](rind.md#wash) and ![a wheel](wheel.png).", "See the rind and a wheel."),
        ("Set `salt_level` to ~~2~~ 3.", "Set `salt_level` to 2 3."),
        ("| Rind | Core |\n|---|---|\n| hard | soft |", "| Rind | Core |\n\n| hard | soft |"),
        ("## Rind {#rind}", "## Rind"),
    ],
)
def test_marks_and_targets_are_no_words(prose: str, words: str) -> None:
    """A reader does not see them, and asks for none."""
    assert strip_markdown(prose) == words


@pytest.mark.parametrize(
    ("prose", "words"),
    [
        (r"add it in the **default\_options** variable", "add it in the default_options variable"),
        (r"an underscore '**\_**' here", "an underscore '_' here"),
        (r"2 \* 3 \* 4", "2 * 3 * 4"),
        (r"\[no link\](a.md)", "[no link](a.md)"),
        (r"snake_case stays, _em\_ph_ is one word", "snake_case stays, em_ph is one word"),
        (r"in linux\rt\config", r"in linux\rt\config"),
    ],
)
def test_escaped_sign_is_text(prose: str, words: str) -> None:
    """The sign was removed and its backslash stayed, so that a name was not found."""
    assert strip_markdown(prose) == words


def test_line_that_is_a_tag_is_no_text() -> None:
    """GitBook's hints are in every chapter."""
    prose = '{% hint style="info" %}\nWash the rind.\n{% endhint %}\n\nThe sign {% opens a tag %} there.'

    assert strip_markdown(prose) == "Wash the rind.\n\nThe sign {% opens a tag %} there."
