"""Describe the blocks of a passage, cut them into sentences, and find what heads the blocks below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Protocol

from ragbot.core.text import sentence_spans

# A bar between cells.
BAR = re.compile(r"(?<!\\)\|")
# A list item that is a question and bold from end to end: what stands in it or below it is the answer.
_ASKS = re.compile(r"\s*(?P<mark>\*\*|__)(?:(?!(?P=mark)).){1,300}?[?？]\s*(?P=mark)\s*", re.DOTALL)

# Spans that are never split: code, links, comments, and what stands in parentheses.
_WHOLE = re.compile(
    r"(?<!`)(`{1,2})(?!`)[^`]{1,400}\1(?!`)|\[[^\[\]]{1,500}\]\([^()\s]{0,2000}\)|(?<!\S)\([^()]{1,300}\)"
    r"|<!--.{0,2000}?-->|\{/\*.{0,2000}?\*/\}|\{::comment\}.{0,2000}?\{:/",
    re.DOTALL,
)
TAG = re.compile(r"<[^<>]{1,200}>")
IMAGE = re.compile(r"!\[[^\[\]]*\](?:\([^()\n]*\)|\[[^\[\]]*\])|<img\b[^<>]*>", re.IGNORECASE)
_FIGURE = re.compile(r"\s*<(?:figure|picture)\b", re.IGNORECASE)
# A caption: a paragraph that is emphasised from end to end, at or under an image.
_EMPHASISED = re.compile(r"\s*(?P<mark>[*_]{1,3})[^*_\n](?:[^\n]{0,400}[^*_\n])?(?P=mark)[.!]?\s*")
_WORD = re.compile(r"\w")
_LETTER = re.compile(r"[^\W\d_]")


class TextBlock(Protocol):
    """Describe a block of a text: a heading, paragraph, quote, list item, listing or row of a table."""

    @property
    def kind(self) -> str:
        """Return the kind: heading, paragraph, quote, list_item, code, table_head, table_row or other."""
        ...

    @property
    def start(self) -> int:
        """Return the offset at which the block begins."""
        ...

    @property
    def end(self) -> int:
        """Return the offset after the block."""
        ...

    @property
    def in_item(self) -> bool:
        """Return whether the block belongs to a list item, and is not its first."""
        ...


def is_picture(raw: str) -> bool:
    """Return whether a block is a picture, with its caption or without, and no text that begins with one."""
    if _FIGURE.match(raw):
        return True
    return IMAGE.match(raw.lstrip()) is not None and not _WORD.search(TAG.sub("", IMAGE.sub("", raw)))


def is_caption(text: str, block: TextBlock) -> bool:
    """Return whether a paragraph is emphasised from end to end and stands with an image or under one."""
    raw = text[block.start : block.end]
    if _EMPHASISED.fullmatch(IMAGE.sub("", raw)) is None:
        return False
    before = text[: block.start].rstrip().rpartition("\n")[2]
    return (IMAGE.search(raw) or IMAGE.fullmatch(before.strip())) is not None


def is_group_row(row: str) -> bool:
    """Return whether a table's row names the rows below it: it has its first cell alone.

    In a table of two columns the cell is bold: another one may lack its value.
    """
    first, *others = BAR.split(row.strip().removeprefix("|").removesuffix("|"))
    is_alone = bool(first.strip()) and bool(others) and not any(cell.strip() for cell in others)
    return is_alone and (len(others) > 1 or first.strip().startswith(("**", "__")))


def find_question_items(text: str, blocks: Sequence[TextBlock]) -> frozenset[int]:
    """Return the indexes of list items that are bold questions and have something in them or below them."""
    return frozenset(
        number
        for number, (block, below) in enumerate(pairwise(blocks))
        if block.kind == "list_item"
        and (below.in_item or (below.kind == "list_item" and _column(text, below) > _column(text, block)))
        and _ASKS.fullmatch(text, block.start, block.end)
    )


def _column(text: str, block: TextBlock) -> int:
    line = text[text.rfind("\n", 0, block.start) + 1 : block.start]
    return len(line) - len(line.lstrip(" \t"))


def pieces_of(text: str, block: TextBlock) -> Iterator[tuple[int, int, str]]:
    """Yield the span and the kind of each sentence of a block, or of a whole item, row or listing."""
    if block.kind in ("paragraph", "quote"):
        for start, end in _sentences(text[block.start : block.end]):
            yield block.start + start, block.start + end, "sentence"
    elif block.kind in ("list_item", "code", "table_row"):
        yield block.start, block.end, block.kind


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences; a full stop in code, in a link's label or in a comment ends none."""
    whole = [match.span() for match in _WHOLE.finditer(text)]
    begun, last_end = -1, 0
    for start, last_end in sentence_spans(text):
        begun = start if begun < 0 else begun
        is_cut = any(first < last_end < last for first, last in whole)
        # A number alone is no sentence: "3. What is a joint?" is one, not two.
        if not is_cut and _LETTER.search(TAG.sub("", text[begun:last_end])):
            yield begun, last_end
            begun = -1
    if begun >= 0:
        yield begun, last_end
