"""Remove running heads and feet, page numbers and printed tables of contents from PDF pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ragbot.books.formats.pdf_lines import PdfLine

# A running head or foot is found again on this many of as many pages around; left and right differ often.
_WINDOW = 9
_REPEATED = 4
_FEWEST_REPEATED = 3
_EDGE_LINES = 2
# Behind these the next ones are looked at, so often.
_MOST_ROUNDS = 3
_MAX_EDGE = 150
# Of heads that differ from page to page: points, shares of the usual distance of lines and of a type size.
_SAME_HEIGHT = 2.0
_APART = 1.5
_NO_LARGER = 1.05
_FEWEST_LINES = 5

_DOTTED = re.compile(r"(?:\s?[.…·]){4,}\s*(?:\d{1,4}|[ivxlc]{1,7})\Z")
_FEWEST_DOTTED = 3
_TITLE_AND_PAGE = re.compile(r"[^\W_].{2,150}\s(?P<page>\d{1,4})\Z")
# A table of contents without dots stands on one of so many pages, and is so much of it.
_FRONT_PAGES = 12
_FEWEST_TITLES = 6
_SHARE_OF_TITLES = 0.6
_PAGE_NUMBER = re.compile(
    r"\A[-–—]?\s?(?:\d{1,5}|[ivxlc]{1,7})(?=\s|\Z)|(?:(?<=\s)|\A)(?:\d{1,5}|[ivxlc]{1,7})\s?[-–—|]?\Z",
    re.IGNORECASE,
)
# "Page 6 of 30", "6 / 30"
_OF_PAGES = re.compile(
    r"\b(?:page |seite |p[aá]gina )?\d{1,4} ?(?:/|of|de|sur|von|di|van|из) ?\d{1,4}\Z", re.IGNORECASE
)
# Both numbers of two pages that were printed beside each other, as one of the file.
_SPREAD = re.compile(r"(?<!\d)(?P<left>\d{1,4})\s+(?P<right>\d{1,4})\Z")

# A printed number is so many times the index of its page in the file, and so much more.
_Offset = tuple[int, int]


def remove_running_heads(pages: Sequence[list[PdfLine]]) -> list[list[PdfLine]]:
    """Return the pages without lines at their top and bottom that repeat on the pages around.

    Page numbers and the lines of a printed table of contents are removed as well.
    """
    edges = [_edge_lines(lines) for lines in pages]
    offset = _printed_offset(edges)
    height = _head_height(pages)
    bodies: list[list[PdfLine]] = []
    for number, lines in enumerate(pages):
        head = height if height is not None and _has_head(lines) else None
        dropped = {
            id(line)
            for line in edges[number]
            if offset in _offsets(line.text, number)
            or (head is not None and abs(line.y - head) <= _SAME_HEIGHT)
        }
        bodies.append([line for line in lines if id(line) not in dropped])
    return [
        _without_printed_contents(lines, number, len(pages))
        for number, lines in enumerate(_without_repeated_edges(bodies, edges))
    ]


def _without_repeated_edges(
    pages: list[list[PdfLine]], edges: Sequence[list[PdfLine]]
) -> list[list[PdfLine]]:
    """Drop the edge lines that repeat on the pages around, and then those that have become the edge."""
    window = min(_WINDOW, len(pages))
    needed = _REPEATED if window >= 2 * _REPEATED else max(_FEWEST_REPEATED, window // 2 + 1)
    for _ in range(_MOST_ROUNDS):
        keys = [{_edge_key(line.text) for line in found} for found in edges]
        dropped: set[int] = set()
        for number, found in enumerate(edges):
            first = min(max(number - window // 2, 0), len(pages) - window)
            around = Counter(key for near in keys[first : first + window] for key in near)
            dropped.update(id(line) for line in found if around[_edge_key(line.text)] >= needed)
        if not dropped:
            break
        pages = [[line for line in lines if id(line) not in dropped] for lines in pages]
        edges = [_edge_lines(lines) for lines in pages]
    return pages


def _head_height(pages: Sequence[list[PdfLine]]) -> float | None:
    """Return the height of heads that name the section, other words on each page; None if there are none.

    They are the first line of half of the pages at least, apart from the text and no larger.
    """
    full = [lines for lines in pages if len(lines) >= _FEWEST_LINES]
    heights = [max(line.y for line in lines) for lines in full if _has_head(lines)]
    for height in heights[: len(full) // 2 + 1]:
        if sum(abs(other - height) <= _SAME_HEIGHT for other in heights) >= max(len(full) / 2, _REPEATED):
            return height
    return None


def _has_head(lines: Sequence[PdfLine]) -> bool:
    """Return whether a page's first line stands apart from the next one, and is no larger than all others."""
    # Its words may be two lines beside each other.
    heights: list[float] = []
    for y in sorted((line.y for line in lines), reverse=True):
        if not heights or heights[-1] - y > _SAME_HEIGHT:
            heights.append(y)
    if len(heights) < _FEWEST_LINES:
        return False
    usual = median(above - below for above, below in pairwise(heights[1:]))
    head, largest = (
        max(line.size for line in lines if (heights[0] - line.y <= _SAME_HEIGHT) is is_head)
        for is_head in (True, False)
    )
    return heights[0] - heights[1] > _APART * usual and head <= _NO_LARGER * largest


def _edge_lines(lines: Sequence[PdfLine]) -> list[PdfLine]:
    ordered = sorted(lines, key=lambda line: -line.y)
    edges = [*ordered[:_EDGE_LINES], *ordered[_EDGE_LINES:][-_EDGE_LINES:]]
    return [line for line in edges if len(line.text) <= _MAX_EDGE]


def _edge_key(text: str) -> str:
    """Return what a running head has in common from page to page: its words without the page number."""
    words = _OF_PAGES.sub("", " ".join(text.split()))
    return _PAGE_NUMBER.sub("", words).strip(" |-–—·•").casefold() or "#"


def _printed_offset(edges: Sequence[list[PdfLine]]) -> _Offset | None:
    """Return how the number printed on most pages follows from their index in the file."""
    counts = Counter(
        offset
        for number, lines in enumerate(edges)
        for offset in {offset for line in lines for offset in _offsets(line.text, number)}
    )
    offset, count = max(counts.items(), key=lambda pair: pair[1], default=((0, 0), 0))
    return offset if count >= max(_FEWEST_REPEATED, len(edges) / 2) else None


def _offsets(text: str, number: int) -> set[_Offset]:
    found = (re.search(r"\d+", match.group()) for match in _PAGE_NUMBER.finditer(text))
    offsets = {(1, int(digits.group()) - number) for digits in found if digits is not None}
    spread = _SPREAD.search(text)
    if spread is not None and int(spread["right"]) == int(spread["left"]) + 1:
        offsets.add((2, int(spread["left"]) - 2 * number))
    return offsets


def _without_printed_contents(lines: list[PdfLine], number: int, pages: int) -> list[PdfLine]:
    """Drop the lines of a printed table of contents: they repeat the outline and answer nothing.

    They have dots, or are most of one of the first pages and end in page numbers that grow.
    """
    listed = [line for line in lines if _DOTTED.search(line.text[-_MAX_EDGE:])]
    if len(listed) < _FEWEST_DOTTED:
        listed = _undotted_contents(lines, pages) if number < _FRONT_PAGES else []
    if not listed:
        return lines
    dropped = {id(line) for line in listed}
    kept = [line for line in lines if id(line) not in dropped]
    return kept if len(kept) > len(listed) / 4 else []


def _undotted_contents(lines: Sequence[PdfLine], pages: int) -> list[PdfLine]:
    """Return the lines of a page that are titles with page numbers; none unless most of the page is these."""
    found = [(line, int(match["page"])) for line in lines if (match := _TITLE_AND_PAGE.match(line.text))]
    if len(found) < max(_FEWEST_TITLES, _SHARE_OF_TITLES * len(lines)):
        return []
    numbers = [page for _, page in found]
    falls = sum(below < above for above, below in pairwise(numbers))
    grows = falls <= len(found) / 10 and min(numbers) + _FEWEST_TITLES <= max(numbers) <= pages + _FRONT_PAGES
    return [line for line, _ in found] if grows else []
