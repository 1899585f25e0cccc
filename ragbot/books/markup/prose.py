"""Split a chunk's text into its smallest blocks: paragraphs, list items, code, table rows."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import Literal

from ragbot.books.markup import blocks as tree
from ragbot.core.code_fences import opening_fence
from ragbot.core.domain import Dialect

ProseKind = Literal["paragraph", "list_item", "code", "table_row", "table_head", "heading", "quote", "other"]

# Splitting a text takes some 2 ms, and a book has a few thousand passages.
CACHED_TEXTS = 8192

_BULLET = re.compile(r"[ \t>]*(?::[ \t]+)?(?:(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$))+(?:\[[ xX]\][ \t]+)?")
_QUOTE_MARK = re.compile(r"[ \t]*(?:>[ \t]?)+")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*")
# GitHub's tables need no bar at the end of a row.
_OPEN_ROW = re.compile(r"[ \t]*\|.*\|.*")
# Kramdown separates the columns of a rule by plus signs.
_RULE_ROW = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*[|+])+(?:[ \t]*:?-+:?[ \t]*\|?)?[ \t]*")
_ATTRIBUTES_LINE = re.compile(r"[ \t]*\{:[^{}\n]*\}[ \t]*")
# After such a line MkDocs indents prose, which is code for other generators; all of them indent the later
# paragraphs of a footnote.
_OPENS_INDENTED = re.compile(
    r"[ \t]*(?:(?:(?:!!!|\?\?\?\+?)(?:(?=\w)|[ \t]+)|===[+!]?[ \t]+)[\"'\w]|\[\^[^\]\s]{1,60}\]:)"
)
# Containers of prose. Other HTML is not prose, or is formatted by hand.
_HTML_PROSE = re.compile(
    r"[ \t>]*<(?:/[ \t]*)?(?:div|p|details|summary|section|article|aside|blockquote|center|figure|figcaption"
    r"|[A-Z][\w.]*)\b"
    r"(?!.*(?:`{3}|~{3}|<(?:script|style|table|svg|pre)\b))",
    re.DOTALL,
)
_FIRST_INDENT = re.compile(r"[ \t]*")
# Columns by which a listing without fences is indented.
_CODE_INDENT = 4
# With such signs begins prose in a list or a container: bullets, fences, tags, rows and marks of MkDocs.
_NO_CODE = re.compile(r"[-*+:<>|!=?\[`~]|\d{1,9}[.)][ \t]")
_LINE_END = re.compile(r"\r\n?|\n")
# A whole paragraph that no page shows: comments and modules of MDX, definitions of links.
# Atomic groups, because a row of comments would otherwise match in exponentially many ways.
_NOT_SHOWN = re.compile(
    r"(?:(?>\{/\*(?s:.*?)\*/\}\s*)|(?>import[ \t]+(?:[^'\"\n]{1,300}[ \t}]from[ \t]*)?['\"][^\n]*\s*)"
    r"|(?>export[ \t]+(?:default|const|let|var|function|class)[ \t][^\n]*[={(][^\n]*\s*)"
    r"|(?>[ ]{0,3}\[(?!\^)[^\]\n]{1,300}\]:[ \t]*\S+"
    r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^)\n]*\)))?[ \t]*(?:\n|\Z)))++"
)
_HEADING_MARKS = re.compile(r"[ \t>]*#{1,6}[ \t]+")


@dataclass(frozen=True, slots=True)
class ProseBlock:
    """Hold the range of one paragraph, item or row; bullets and heading marks are left out.

    `in_item` marks a block of a list item that is not its first one.
    """

    kind: ProseKind
    start: int
    end: int
    in_item: bool = False


@lru_cache(maxsize=CACHED_TEXTS)
def prose_blocks(text: str, in_code: bool = False) -> tuple[ProseBlock, ...]:
    """Return the leaf blocks of a text, in order and disjoint. The last few thousand texts are cached.

    The text may begin in the middle of a list or a table, as a chunk may. With `in_code` it is a part of
    fenced code, without its first line. A list item comes without its bullet and without nested lists; the
    rule under a table's head is in no block.
    """
    if in_code or _ends_a_fence(text):
        return (ProseBlock("code", _indent(text), len(text.rstrip())),)
    indent = _FIRST_INDENT.match(text)
    if indent is not None and indent.group() and not _begins_with_listing(text):
        return _dedented(text, len(indent.group()))
    found = tree.parse_blocks(text, Dialect.MARKDOWN)
    return tuple(block for block in _all_leaves(text, found) if block.end > block.start)


def _all_leaves(text: str, found: Sequence[tree.MarkdownBlock]) -> Iterator[ProseBlock]:
    is_marked = False
    for top in found:
        if is_marked and top.kind == "code" and not top.is_fence:
            inner = text[top.start : top.end]
            for block in _dedented(inner, len(inner) - len(inner.lstrip(" \t"))):
                yield replace(block, start=top.start + block.start, end=top.start + block.end)
        else:
            is_marked = top.kind == "paragraph" and _OPENS_INDENTED.match(text, top.start) is not None
            yield from _leaves(text, top, "paragraph")


def _dedented(text: str, indent: int) -> tuple[ProseBlock, ...]:
    """Return the blocks of a text that begins inside a list, parsed without its indentation."""
    pieces: list[str] = []
    starts: list[int] = []
    removed: list[int] = []
    length = total = 0
    for start, after in pairwise([0, *(match.end() for match in _LINE_END.finditer(text)), len(text)]):
        line = text[start:after]
        blank = min(indent, len(line) - len(line.lstrip(" \t")))
        total += blank
        starts.append(length)
        removed.append(total)
        pieces.append(line[blank:])
        length += len(line) - blank
    moved = prose_blocks("".join(pieces))

    def place(position: int) -> int:
        return position + removed[bisect_right(starts, position) - 1]

    return tuple(replace(block, start=place(block.start), end=place(block.end - 1) + 1) for block in moved)


def _begins_with_listing(text: str) -> bool:
    """Return whether a text begins with an indented listing, and not inside of a list.

    Both are indented; of a listing a later line is indented further than the first one.
    """
    first, *later = text.expandtabs(4).splitlines()
    margin = len(first) - len(first.lstrip(" "))
    if margin < _CODE_INDENT or _NO_CODE.match(first, margin):
        return False
    lines = takewhile(str.strip, later)
    margins = [(len(line) - len(line.lstrip(" ")), line.lstrip(" ")) for line in lines]
    return any(indent > margin for indent, _ in margins) and all(
        indent >= margin and not (indent > margin and _NO_CODE.match(words)) for indent, words in margins
    )


def _ends_a_fence(text: str) -> bool:
    """Return whether the text is the last part of code that was cut: its only fence line is the last."""
    *above, last = text.rstrip().splitlines() or [""]
    fence = opening_fence(last)
    return fence is not None and not fence.info and bool(above) and not any(map(opening_fence, above))


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip("\r\n"))


def _leaves(text: str, block: tree.MarkdownBlock, words: ProseKind) -> Iterator[ProseBlock]:
    if block.kind == "paragraph":
        yield from _paragraph(text, block, words)
    elif block.kind == "table":
        yield from _table(text, block)
    elif block.kind == "entry":
        yield from _entry(text, block)
    elif block.kind in ("list", "item", "quote"):
        inner: ProseKind = {"list": words, "item": "list_item", "quote": "quote"}[block.kind]
        for position, child in enumerate(block.children):
            kind: ProseKind = (
                "paragraph" if block.kind == "item" and position and child.kind == "paragraph" else inner
            )
            leaves = _leaves(text, child, kind)
            if block.kind == "item" and position and child.kind != "list":
                leaves = (replace(leaf, in_item=True) for leaf in leaves)
            yield from leaves
        if not block.children:
            yield ProseBlock("other", block.start, block.end)
    elif block.kind == "heading":
        yield ProseBlock("heading", _after(_HEADING_MARKS, text, block), block.end)
    elif block.kind == "html" and _HTML_PROSE.match(text[block.start : block.end]):
        yield ProseBlock("paragraph", block.start, block.end)
    else:
        yield ProseBlock("code" if block.kind == "code" else "other", block.start, block.end)


def _entry(text: str, entry: tree.MarkdownBlock) -> Iterator[ProseBlock]:
    """Yield the term with the beginning of its definition as one block, and what follows as parts of it."""
    definitions = entry.children[-1].children
    first = entry.children[0] if len(entry.children) > 1 else None
    rest: list[tree.MarkdownBlock] = []
    for item in definitions:
        beginning = item.children[0] if item.children else None
        if not rest and beginning is not None and beginning.kind == "paragraph":
            first = tree.MarkdownBlock("paragraph", (first or beginning).start, beginning.end)
            rest += item.children[1:]
        else:
            rest += item.children
    if first is not None:
        yield ProseBlock("paragraph", first.start + _leading(text, first), first.end)
    for block in rest:
        for leaf in _leaves(text, block, "paragraph"):
            yield replace(leaf, in_item=True) if block.kind not in ("list", "entry") else leaf


def _paragraph(text: str, block: tree.MarkdownBlock, kind: ProseKind) -> Iterator[ProseBlock]:
    lines = tree.line_spans(text, block.start, block.end)
    rows = [line for line in lines if not _ATTRIBUTES_LINE.fullmatch(text, *line)]
    if _are_rows(text, rows):
        yield from _rows(text, rows)
        return
    if kind == "paragraph" and _NOT_SHOWN.fullmatch(text, block.start, block.end):
        yield ProseBlock("other", block.start, block.end)
        return
    pattern = _BULLET if kind == "list_item" else _QUOTE_MARK if kind == "quote" else None
    start = _after(pattern, text, block) if pattern else block.start + _leading(text, block)
    yield ProseBlock(kind, start, block.end)


def _are_rows(text: str, lines: Sequence[tuple[int, int]]) -> bool:
    closed = [_ROW.fullmatch(text, *line) is not None for line in lines]
    return any(closed) and all(
        is_closed or _OPEN_ROW.fullmatch(text, *line) for is_closed, line in zip(closed, lines, strict=True)
    )


def _rows(text: str, rows: Sequence[tuple[int, int]]) -> Iterator[ProseBlock]:
    """Yield the rows of a table that the parser takes for a paragraph: one without its head, for example."""
    has_head = len(rows) > 1 and _RULE_ROW.fullmatch(text, *rows[1]) is not None
    for number, row in enumerate(rows):
        if not _RULE_ROW.fullmatch(text, *row):
            yield ProseBlock("table_head" if has_head and number == 0 else "table_row", *row)


def _table(text: str, table: tree.MarkdownBlock) -> Iterator[ProseBlock]:
    for position, row in enumerate(table.children):
        yield ProseBlock("table_row" if position else "table_head", row.start + _leading(text, row), row.end)


def _after(pattern: re.Pattern[str], text: str, block: tree.MarkdownBlock) -> int:
    match = pattern.match(text, block.start, block.end)
    return match.end() if match else block.start + _leading(text, block)


def _leading(text: str, block: tree.MarkdownBlock) -> int:
    piece = text[block.start : block.end]
    return len(piece) - len(piece.lstrip())
