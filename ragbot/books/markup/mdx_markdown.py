"""Write a page of MDX for the rules of Markdown: without modules, and with no prose that looks like code."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from ragbot.books.markup.blocks import MarkdownBlock, parse_page
from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.core.domain import Dialect
from ragbot.core.text import line_starts

# Markdown takes what is indented by so many columns for code; MDX has no such code.
_CODE_COLUMNS = 4

_MODULE = re.compile(r"(?:import|export)\b")
_MAY_BE_MODULE = re.compile(r"^(?:import|export)\b", re.MULTILINE)
_DEEP = re.compile(r"^(?: {0,3}\t| {4})", re.MULTILINE)
_NOTE = re.compile(r" {0,3}\[\^[^\]\s]{1,60}\]:")
# Tags around prose; what is indented outside of them is code where the site reads Markdown.
_AROUND = re.compile(
    r"<(?P<closes>/[ \t]*)?"
    r"(?:[A-Z][\w.]*|>|(?:div|details|section|article|aside|figure|blockquote|ul|ol|li|td)\b)"
)
_MARK = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]{1,4}")


def as_markdown(source: str) -> str:
    """Return a page without imports and exports, and with no prose in its components indented as code is.

    What stands in an item keeps the item's own indentation.
    """
    source = without_modules(source)
    if not _DEEP.search(source):
        return source
    lines = source.split("\n")
    excess = _Excess(source, lines)
    return "\n".join(_without_blanks(line, blanks) for line, blanks in zip(lines, excess.blanks, strict=True))


def without_modules(source: str) -> str:
    """Return a page of MDX without its imports and exports."""
    if not _MAY_BE_MODULE.search(source):
        return source
    pieces, position = [], 0
    for start, end in parse_page(source, Dialect.MDX).prose.hidden:
        if _MODULE.match(source, start):
            pieces.append(source[position:start])
            position = end
    return "".join((*pieces, source[position:]))


class _Excess:
    """Count the blanks in front of each line that would make code of it."""

    def __init__(self, source: str, lines: Sequence[str]) -> None:
        self._lines = lines
        self._starts = [*line_starts(source), len(source) + 1]
        self.blanks = [0] * len(lines)
        # The column where the words of the item begin that a line stands in.
        self._columns = [0] * len(lines)
        self._are_words = [False] * len(lines)
        page = parse_page(source, Dialect.MDX)
        self._depths = [(0, 0), *_depths(source, page.prose.hidden)]
        self._count(list(self._outside_notes(source, page.blocks)))
        front_matter = parse_front_matter(source).end
        for start, end in page.prose.hidden:
            # A tag on lines of its own.
            is_tag = start >= front_matter and source[start] in "<{"
            for number in self._numbers(start, end) if is_tag else ():
                if not self._are_words[number]:
                    self._cut(range(number, number + 1))

    def _outside_notes(self, source: str, blocks: Sequence[MarkdownBlock]) -> Iterator[MarkdownBlock]:
        """Yield the blocks that are not the further paragraphs of a footnote."""
        in_note = False
        for block in blocks:
            in_note = in_note and _DEEP.match(source, block.start) is not None
            if not in_note:
                in_note = _NOTE.match(source, block.start) is not None
                yield block

    def _count(self, blocks: Sequence[MarkdownBlock]) -> None:
        waiting = list(reversed(blocks))
        while waiting:
            block = waiting.pop()
            numbers = self._numbers(block.start, block.end)
            if block.kind == "item":
                mark = _MARK.match(self._lines[numbers.start])
                for number in numbers[1:]:
                    self._columns[number] = mark.end() if mark else 0
            else:
                self._cut(numbers)
            if block.kind in ("list", "item"):
                waiting += reversed(block.children)
            else:
                for number in numbers:
                    self._are_words[number] = True

    def _numbers(self, start: int, end: int) -> range:
        return range(bisect_right(self._starts, start) - 1, bisect_left(self._starts, end))

    def _cut(self, numbers: range) -> None:
        place = bisect_left(self._depths, (self._starts[numbers.start] + 1,)) - 1
        if not self._depths[max(place, 0)][1]:
            return
        line, column = self._lines[numbers.start], self._columns[numbers.start]
        lead = line[: len(line) - len(line.lstrip(" \t"))]
        if len(lead.expandtabs(_CODE_COLUMNS)) >= column + _CODE_COLUMNS:
            for number in numbers:
                self.blanks[number] += max(len(lead) - column, 0)


def _depths(source: str, hidden: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the end of each tag around prose, with the number of those that are open behind it."""
    depth = 0
    for start, end in hidden:
        tag = _AROUND.match(source, start, end)
        if tag is not None and not source.endswith("/>", start, end):
            depth = max(depth - 1, 0) if tag["closes"] else depth + 1
            yield end, depth


def _without_blanks(line: str, count: int) -> str:
    return line[min(len(line) - len(line.lstrip(" \t")), count) :]
