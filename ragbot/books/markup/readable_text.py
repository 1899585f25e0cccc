"""Hold the words of a piece of Markdown with their offsets in the source."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

# Characters; a longer row is taken for prose.
_LONGEST_ROW = 2000
_ROW = re.compile(r"[ \t>]*\|")


@dataclass(frozen=True, slots=True)
class ReadableText:
    """Hold text without markup. It consists of runs of the source; `starts` and `places` map it back.

    `starts[i]` is the offset in `text` at which run i begins, and `places[i]` its offset in the source.
    `code` are the spans of `text` that were code spans. `breaks` are the offsets at which the page shows
    something that the text lacks: the end of a line or cell, an image, a footnote's number.
    """

    text: str
    starts: tuple[int, ...]
    places: tuple[int, ...]
    code: tuple[tuple[int, int], ...] = ()
    breaks: tuple[int, ...] = ()

    def text_offset(self, offset: int) -> int:
        """Return the offset in `text` of a character of the source; for markup, of the text after it."""
        run = bisect_right(self.places, offset) - 1
        if run < 0:
            return 0
        end = self.starts[run + 1] if run + 1 < len(self.starts) else len(self.text)
        return min(self.starts[run] + offset - self.places[run], end)

    def source_offset(self, offset: int) -> int:
        """Return the source offset of a character of `text`."""
        run = max(bisect_right(self.starts, offset) - 1, 0)
        return self.places[run] + offset - self.starts[run] if self.places else 0

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the source offsets of a span of `text`, which must not be empty."""
        return self.source_offset(start), self.source_offset(end - 1) + 1


class Runs:
    """Collect runs of the source that a reader sees; with `in_row` it is a row of a table."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.starts: list[int] = []
        self.places: list[int] = []
        self.length = 0
        self.code: list[tuple[int, int]] = []
        self.breaks: list[int] = []
        self.stars: list[int] = []
        self.in_row = False

    def add(self, text: str, place: int) -> None:
        """Add a run that begins at an offset of the source."""
        if text:
            self.pieces.append(text)
            self.starts.append(self.length)
            self.places.append(place)
            self.length += len(text)

    def add_code(self, source: str, start: int, end: int) -> None:
        """Add what stands between the ticks of a code span."""
        first = self.length
        if "\\|" in source[start:end] and (self.in_row or _is_row(source, start)):
            # A backslash parts the bar from those between cells, and is not shown.
            while (bar := source.find("\\|", start, end)) >= 0:
                self.add(source[start:bar], start)
                start = bar + 1
        self.add(source[start:end], start)
        self.code.append((first, self.length))

    def part(self, place: int) -> None:
        """Separate the words here, at the end of a line, a cell or a block."""
        self.add("  ", place)
        self.breaks.append(self.length - 1)

    def readable(self) -> ReadableText:
        """Return the text of all runs."""
        # A star that closes no emphasis is printed.
        breaks = self.breaks if len(self.stars) % 2 == 0 else sorted((*self.breaks, *self.stars))
        return ReadableText(
            "".join(self.pieces), tuple(self.starts), tuple(self.places), tuple(self.code), tuple(breaks)
        )


def _is_row(source: str, offset: int) -> bool:
    return bool(_ROW.match(source, source.rfind("\n", max(offset - _LONGEST_ROW, 0), offset) + 1))
