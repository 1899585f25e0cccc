"""Find fenced code in Markdown by the rules of CommonMark, without reading the rest of its syntax.

A fence has three or more back ticks or tildes, and the closing one at least as many of the same and nothing
behind them. It may stand in quotes and list items, and ends with them. How far an opening fence is indented
does not count, since it may belong to an item above.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

# Chunks are read page by page.
PAGES_KEPT = 8

# Blanks, quotation marks and list marks in front of a fence, and the colon of a definition of a term.
_LEAD = r"(?:[ \t>]|(?:[-*+:]|\d{1,9}[.)])(?=[ \t]))*+"
# After back ticks a line with another is code within a line.
OPENING_LINE = rf"{_LEAD}(?:`{{3,}}+[^`\n]*+|~{{3,}}+[^\n]*+)(?![^\n])"
_OPENING = re.compile(rf"(?={OPENING_LINE})(?P<lead>{_LEAD})(?P<marks>`+|~+)(?P<info>[^\r\n]*)")
_CLOSING = re.compile(r"(?P<lead>[ \t>]*+)(?P<marks>`{3,}+|~{3,}+)\s*+")
_QUOTED = re.compile(r"[ \t>]*>")
# Columns that a closing fence may stand further in.
_SLACK = 3


@dataclass(frozen=True, slots=True)
class OpeningFence:
    """Hold the line that opens fenced code: what is in front of the marks, the marks, and what is behind.

    The fence stands in so many `quotes`, in the innermost of them in this `column`, and perhaps in an item.
    """

    lead: str
    marks: str
    info: str
    quotes: int
    column: int
    is_in_item: bool

    def is_closed_by(self, line: str) -> bool:
        """Return whether a later line is the closing fence."""
        closing = _CLOSING.fullmatch(line)
        return (
            closing is not None
            and closing["marks"].startswith(self.marks)
            and closing["lead"].count(">") == self.quotes
            and _column(closing["lead"]) <= self.column + _SLACK
        )

    def is_left_by(self, line: str) -> bool:
        """Return whether a later line is outside of the quote or the list item that the fence stands in."""
        if self.quotes:
            quoted = _QUOTED.match(line)
            if quoted is None or quoted[0].count(">") < self.quotes:
                return True
            line = line.split(">", self.quotes)[self.quotes]
        return self.is_in_item and bool(line.strip()) and _indent(line) < self.column


def _column(lead: str) -> int:
    return len(lead.rpartition(">")[2].expandtabs(4))


def _indent(line: str) -> int:
    return _column(line[: len(line) - len(line.lstrip(" \t"))])


def opening_fence(line: str) -> OpeningFence | None:
    """Return the fence that a line, or the first line of a text, opens where it does not stand in code."""
    if "```" not in line and "~~~" not in line:
        return None
    found = _OPENING.match(line)
    if found is None:
        return None
    lead = found["lead"]
    is_in_item = bool(lead.rpartition(">")[2].strip())
    return OpeningFence(lead, found["marks"], found["info"], lead.count(">"), _column(lead), is_in_item)


class LineKind(Enum):
    """Name what a line is for fenced code."""

    PROSE = auto()
    OPENING = auto()
    CODE = auto()
    CLOSING = auto()


class FenceFollower:
    """Follow fenced code from line to line. `opening` is the fence that is open after the last line."""

    def __init__(self) -> None:
        self.opening: OpeningFence | None = None

    def kind_of(self, line: str) -> LineKind:
        """Return what the next line is."""
        if self.opening is not None and self.opening.is_left_by(line):
            self.opening = None
        if self.opening is None:
            self.opening = opening_fence(line)
            return LineKind.PROSE if self.opening is None else LineKind.OPENING
        if self.opening.is_closed_by(line):
            self.opening = None
            return LineKind.CLOSING
        return LineKind.CODE


@dataclass(frozen=True, slots=True)
class FencedCode:
    """Hold the offsets of fenced code, with the lines of its fences and without them.

    Code that is not closed has no second fence: it ends with the text, the quote or the list item.
    """

    start: int
    end: int
    code_start: int
    code_end: int
    is_closed: bool


def fenced_code(text: str, start: int = 0) -> Iterator[FencedCode]:
    """Yield the fenced code of a text in order, from the line on that begins at `start`."""
    fences = FenceFollower()
    opened: tuple[int, int] | None = None
    position = start
    while position < len(text):
        end = text.find("\n", position) + 1 or len(text)
        kind = fences.kind_of(text[position:end])
        if opened is not None and kind is LineKind.CLOSING:
            yield FencedCode(opened[0], end, opened[1], position, is_closed=True)
            opened = None
        elif opened is not None and kind is not LineKind.CODE:
            yield FencedCode(opened[0], position, opened[1], position, is_closed=False)
            opened = None
        if kind is LineKind.OPENING:
            opened = (position, end)
        position = end
    if opened is not None:
        yield FencedCode(opened[0], len(text), opened[1], len(text), is_closed=False)


def code_fence(source: str, section_starts: Iterable[int], position: int) -> str:
    """Return the line that opens the fenced code in whose middle an offset of a page lies; "" elsewhere.

    No code reaches over the start of a section: what begins with one is not looked for.
    """
    if position in section_starts:
        return ""
    found = _codes_of(source)
    number = bisect_right(found, position, key=lambda code: code.code_start) - 1
    if number < 0 or position >= found[number].code_end:
        return ""
    return source[found[number].start : found[number].code_start].strip()


@lru_cache(maxsize=PAGES_KEPT)
def _codes_of(source: str) -> tuple[FencedCode, ...]:
    return tuple(fenced_code(source)) if "```" in source or "~~~" in source else ()


def fenced_code_end(lines: Sequence[str], start: int) -> int:
    """Return the index of the line after the fenced code that the line `start` opens."""
    fences = FenceFollower()
    fences.kind_of(lines[start])
    position = start + 1
    while position < len(lines):
        kind = fences.kind_of(lines[position])
        if kind is not LineKind.CODE:
            return position + (kind is LineKind.CLOSING)
        position += 1
    return position
