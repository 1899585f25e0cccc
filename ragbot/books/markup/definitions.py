"""Find the definitions of terms, as PHP Markdown Extra, kramdown, Pandoc and Python-Markdown write them.

A parser of plain Markdown takes their later paragraphs for code. As an item of a list, a definition has the
same extent: the tree is built of a text that is as long, with another sign in place of the colon.
"""

from __future__ import annotations

import re

from ragbot.core.text import STOPS

_MARK = re.compile(r"^(?P<indent>[ \t>]*):(?P<blank>[ ]+|\t[ \t]*)(?=\S)", re.MULTILINE)
# Sets them apart from lists beside them, which seldom have it.
ITEM_SIGN = "+"
# What follows more blanks would be indented code.
_MOST_BLANKS = 3
# Sentences end so, and terms do not.
_SENTENCE_ENDS = (".", "!", "?", ":", ";", *STOPS)
# Characters and lines; longer ones are paragraphs that happen to stand above a definition.
_LONGEST_TERM = 300
_MOST_TERMS = 6


def definitions_as_items(text: str) -> str:
    """Return a text of the same length in which definitions are items of a list, for a parser's use alone."""
    return _MARK.sub(_item_mark, text) if ":" in text else text


def _item_mark(mark: re.Match[str]) -> str:
    blank = mark["blank"]
    if "\t" not in blank and len(blank) > _MOST_BLANKS:
        # The text may begin further right than its other paragraphs do.
        blank = blank[:_MOST_BLANKS] + "." * (len(blank) - _MOST_BLANKS)
    return f"{mark['indent']}{ITEM_SIGN}{blank}"


def is_definition(text: str, start: int) -> bool:
    """Return whether the line that begins at `start` is the first of a definition."""
    return _MARK.match(text, start) is not None


def are_terms(paragraph: str, *, is_apart: bool) -> bool:
    """Return whether a paragraph names the terms of the definition below it.

    `is_apart` says that blank lines are between them.
    """
    if len(paragraph) > _LONGEST_TERM or paragraph.count("\n") >= _MOST_TERMS:
        return False
    return not is_apart or not paragraph.rstrip(" \t*_").endswith(_SENTENCE_ENDS)
