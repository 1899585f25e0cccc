"""Escape words that are free of markup for a text in Markdown."""

from __future__ import annotations

import re

from ragbot.core.formulas import FORMULA

_ENTITY = r"&(?=#?\w{1,31};)"
# What Markdown or HTML would take for more than a word: a tag, emphasis, code, a link, an entity. A line
# between two letters or digits, as in `snake_case`, is none.
_MARKUP = re.compile(rf"[\\`*<\[\]]|(?<![^\W_])_|_(?![^\W_])|~(?=~)|{_ENTITY}")
# What is written out in a text and would be a tag or an entity.
_TAG = re.compile(rf"<(?=[A-Za-z/!?])|{_ENTITY}")

# What would be read as the number of a source: "[3]" of a bibliography, and "[0-9]" of a pattern.
_NUMBERS = r"\[(?=[ ]?\^?\d{1,3}(?:(?P<more>[ ]?[,;–-])[ ]?\^?\d{1,3}){0,20}[ ]?\])"
_LIKE_MARK = re.compile(rf"(?P<formula>{FORMULA})|(?P<code>`[^`\n]{{1,400}}`)|\\?{_NUMBERS}")
_LIKE_MARK_IN_FORMULA = re.compile(_NUMBERS)
# A word joiner, which shows nothing: `[1]` is a mark in programs that read the answer's words alone.
_JOINER = "\u2060"


def escape_words(words: str) -> str:
    """Escape words, of a heading for example, so that Markdown shows all their signs."""
    return _MARKUP.sub(r"\\\g<0>", words)


def escape_tags(text: str, sign: str = "\\") -> str:
    """Escape tags and entities in a text of which all other signs are to be read as Markdown."""
    return _TAG.sub(lambda found: sign + found[0], text)


def escape_marks(text: str) -> str:
    """Escape a text's own numbers in brackets, except in code: they would be read as marks of sources.

    In formulas an empty group does it, which shows nothing: a backslash would be a command of TeX.
    """
    return _LIKE_MARK.sub(_no_mark, text) if "[" in text else text


def _no_mark(found: re.Match[str]) -> str:
    if found["formula"]:
        return _LIKE_MARK_IN_FORMULA.sub("[{}", found["formula"])
    return found["code"] or ("\\[" if found["more"] else f"\\[{_JOINER}")
