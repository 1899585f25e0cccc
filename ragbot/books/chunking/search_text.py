"""Strip Markdown to the text that is indexed: words and code, without marks and link targets."""

from __future__ import annotations

import re

from ragbot.books.markup.emphasis import replaced_stars
from ragbot.books.markup.entities import decoded
from ragbot.core.code_fences import fenced_code

_SPAN_OF_CODE = re.compile(r"(?<!`)(?P<ticks>`{1,3})(?!`)[^\r\n]{1,400}?(?<!`)(?P=ticks)(?!`)")

# Of each rule the sign without which it changes nothing (looking for that is much faster), what it matches,
# and what it makes of it. A pattern that begins with its sign is tried there alone.
_RULES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    # An image or a link becomes its text; images first, since links may contain them.
    (
        "![",
        re.compile(
            r"!\[([^\[\]]{0,500})\](?:\([^()\r\n]{0,2000}(?:\([^()\r\n]{0,200}\)[^()\r\n]{0,200})?\)|\[[^\[\]]{0,200}\])?"
        ),
        r"\1",
    ),
    (
        "](",
        re.compile(
            r"\[(?!\^)([^\[\]]{1,500})\]\([^()\r\n]{0,2000}(?:\([^()\r\n]{0,200}\)[^()\r\n]{0,200})?\)"
        ),
        r"\1",
    ),
    ("][", re.compile(r"\[(?!\^)([^\[\]]{1,500})\]\[[^\[\]\r\n]{0,200}\]"), r"\1"),
    ("<", re.compile(r"<((?:https?|mailto):[^<>\s]{1,2000})>"), ""),
    # Built pages have raised and lowered words in them; one that is written out is escaped.
    ("<", re.compile(r"<(?<!\\<)/?su[bp]>"), ""),
    # A heading's own id, and attributes.
    (
        "{",
        re.compile(
            r"(?<![ \t])[ \t]*+\{(?::?[ \t]*+[#.]|:?[ \t]*+[\w-]+=[\"'])[^{}\r\n]{0,200}\}[ \t]*$",
            re.MULTILINE,
        ),
        "",
    ),
    # A line that is one of GitBook's or Liquid's tags.
    ("{%", re.compile(r"^[ \t]*+\{%[^%\n]{0,1000}%\}[ \t]*$", re.MULTILINE), ""),
    # A table's rule between head and body.
    (
        "--",
        re.compile(
            r"^[ \t]*+\|?(?:[ \t]*+:?-{2,}+:?[ \t]*+\|)++(?:[ \t]*+:?-{2,}+:?[ \t]*+)?$", re.MULTILINE
        ),
        "",
    ),
    ("*", re.compile(r"\*\*{0,2}(?:(?=\S)|(?<=\S\*))"), ""),
    ("_", re.compile(r"_(?:(?<!\w_)_{0,2}(?=[^\s_])|(?<=[^\s_]_)_{0,2}(?!\w))"), ""),
    ("~~", re.compile(r"~~(?:(?=\S)|(?<=\S~~))"), ""),
    ("\\", re.compile(r"\\(?=[!-/:-@\[-`{-~])"), ""),
)
# Signs that are text, as those that an author has escaped, stand aside while marks are removed.
_ESCAPED = re.compile(r"\\(?P<sign>[*_~\[\]])")
_ASIDE = {sign: chr(0xE010 + number) for number, sign in enumerate("*_~[]")}
_BACK = str.maketrans({aside: sign for sign, aside in _ASIDE.items()})
# Stands on both sides of the number of a code span, likewise.
_SPAN = "\ue001"
_KEPT_SPAN = re.compile(f"{_SPAN}(\\d+){_SPAN}")
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"(?<=\S)[ \t]{2,}")


def strip_markdown(prose: str) -> str:
    """Strip marks and link targets from prose whose comments and tags are blanked already.

    Code is returned unchanged.
    """
    prose = prose.replace("\r\n", "\n").replace("\r", "\n")
    if "`" not in prose and "~~~" not in prose:
        return _words(prose).strip()
    pieces, position = [], 0
    for code in fenced_code(prose):
        # The line's end belongs to the words behind it, whose blank lines are counted.
        end = code.end - prose.endswith("\n", 0, code.end)
        pieces += [_words_around_code(prose[position : code.start]), prose[code.start : end]]
        position = end
    pieces.append(_words_around_code(prose[position:]))
    return "".join(pieces).strip()


def _words_around_code(text: str) -> str:
    """Strip marks between code spans, and of links whose label holds one."""
    spans: list[str] = []

    def kept(span: re.Match[str]) -> str:
        spans.append(span[0])
        return f"{_SPAN}{len(spans) - 1}{_SPAN}"

    words = _words(_SPAN_OF_CODE.sub(kept, text.replace(_SPAN, "")))
    return _KEPT_SPAN.sub(lambda mark: spans[int(mark[1])], words)


def _words(text: str) -> str:
    if not text.strip():
        return text
    if "\\" in text:
        text = _ESCAPED.sub(lambda escaped: _ASIDE[escaped["sign"]], text)
    text = replaced_stars(text, _ASIDE["*"])
    for sign, pattern, replacement in _RULES:
        if sign in text:
            text = pattern.sub(replacement, text)
    text = decoded(text.translate(_BACK))
    text = _without_indents(text)
    if "  " in text or "\t" in text:
        text = _SPACES.sub(" ", text)
    return _BLANK_LINES.sub("\n\n", text)


def _without_indents(text: str) -> str:
    """Strip the blanks before and after each line end."""
    first, *lines = text.split("\n")
    if not lines:
        return text
    last = lines.pop()
    return "\n".join([first.rstrip(" \t"), *(line.strip(" \t") for line in lines), last.lstrip(" \t")])
