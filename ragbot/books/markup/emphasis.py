"""Tell the stars of emphasis from those that are text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

# Escaped signs and code, in which no sign is emphasis.
_OPAQUE = re.compile(r"\\[!-/:-@\[-`{-~]|(?<!`)(`{1,3})(?!`)[^\n]{1,400}?(?<!`)\1(?!`)")
_INSIDE_WORD = re.compile(r"(?<=[^\W_])\*{2,3}(?=[^\W_])")
_RUN = re.compile(r"(?P<stars>(?<!\*)\*{2,3}(?!\*))|\n[ \t>]*\r?\n")


def masked(text: str) -> str:
    """Replace code and escaped signs by plain letters; the length stays."""
    return _OPAQUE.sub(lambda opaque: "x" * len(opaque.group()), text)


@lru_cache(maxsize=64)
def literal_stars(text: str) -> Mapping[int, int]:
    """Return where runs of stars begin and end, inside of words, that no other run closes ("s**t").

    Of scripts without capitals none is returned: their words stand without blanks, and a sentence may hold
    the end of emphasis alone.
    """
    if "**" not in text or not any(_is_spelt(text, match) for match in _INSIDE_WORD.finditer(text)):
        return {}
    plain = masked(text)
    opened: list[re.Match[str]] = []
    literal: list[re.Match[str]] = []
    for run in _RUN.finditer(plain):
        if not run["stars"]:
            literal += opened
            opened = []
            continue
        before, after = plain[max(run.start() - 1, 0) : run.start()], plain[run.end() : run.end() + 1]
        same = [other for other in opened if other.group() == run.group()]
        if before.strip() and same:
            del opened[opened.index(same[-1]) :]
        elif after.strip():
            opened.append(run)
    runs = sorted((*literal, *opened), key=lambda run: run.start())
    return {
        run.start(): run.end()
        for run in runs
        if _INSIDE_WORD.match(plain, run.start()) and _is_spelt(plain, run)
    }


def _is_spelt(text: str, run: re.Match[str]) -> bool:
    """Return whether letters with capitals, or digits, stand on both sides."""
    return all(
        sign.isdigit() or sign.lower() != sign.upper() for sign in (text[run.start() - 1], text[run.end()])
    )


def replaced_stars(text: str, star: str) -> str:
    """Replace each star that is text."""
    pieces, position = [], 0
    for start, end in literal_stars(text).items():
        pieces += [text[position:start], star * (end - start)]
        position = end
    return "".join((*pieces, text[position:]))
