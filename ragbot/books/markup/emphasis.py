"""Tell the stars of emphasis from those that are text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from ragbot.core.formulas import FORMULA

# Formulas, escaped signs and code, in which no sign is emphasis.
_OPAQUE = re.compile(FORMULA + r"|\\[!-/:-@\[-`{-~]|(?<!`)(`{1,3})(?!`)[^\n]{1,400}?(?<!`)\1(?!`)")
_INSIDE_WORD = re.compile(r"(?<=[^\W_])\*{2,3}(?=[^\W_])")
# The marks of emphasis, in code and escapes too.
EMPHASIS = (
    re.compile(r"\*{2,3}(?=[^\s*])|(?<=[^\s*])\*{2,3}|(?<![\w*])\*(?=[^\s*])|(?<=[^\s*])\*(?![\w*])"),
    re.compile(r"(?<!\w)_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?!\w)"),
)
_TARGET = re.compile(r"\]\([^()\n]{0,2000}\)|<[^<>\n]{1,2000}>")
_RUN = re.compile(r"(?P<stars>(?<!\*)\*{2,3}(?!\*))|\n[ \t>]*\r?\n")


def masked(text: str) -> str:
    """Replace formulas, code and escaped signs by plain letters; the length stays."""
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
    return _with_spans(text, literal_stars(text).items(), lambda stars: star * len(stars))


def bold(title: str) -> str:
    """Return a title in bold, empty for none. Emphasis inside of it, which would end the bold, is removed."""
    words = title.strip()
    for marks in EMPHASIS:
        prose = _TARGET.sub(lambda target: "." * len(target.group()), masked(words))
        found = list(marks.finditer(prose))
        spans = [mark.span() for mark in found]
        if is_paired(found):
            words = without_spans(words, spans)
        else:
            words = _with_spans(words, spans, lambda signs: "".join(f"\\{sign}" for sign in signs))
    return f"**{words.strip()}**" if words.strip() else ""


def is_paired(found: Sequence[re.Match[str]]) -> bool:
    """Return whether each mark that opens emphasis is followed by the same mark, which closes it."""
    pairs = zip(found[::2], found[1::2], strict=False)
    return len(found) % 2 == 0 and all(
        opening.group() == closing.group()
        and not opening.string[opening.end()].isspace()
        and not closing.string[closing.start() - 1].isspace()
        for opening, closing in pairs
    )


def without_spans(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a text without the parts between two offsets each, which are in order."""
    return _with_spans(text, spans, lambda _part: "")


def _with_spans(text: str, spans: Iterable[tuple[int, int]], new: Callable[[str], str]) -> str:
    """Return a text with `new(part)` in place of each part between two offsets; these are in order."""
    pieces, position = [], 0
    for start, end in spans:
        pieces += [text[position:start], new(text[start:end])]
        position = end
    return "".join((*pieces, text[position:]))
