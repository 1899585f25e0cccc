"""Find the titles of a PDF without an outline by their type, which is larger than the text's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from ragbot.books.formats.pdf_lines import PdfLine, is_close_below
from ragbot.books.formats.pdf_outline import OutlineEntry, nested_entries, plain_title
from ragbot.books.formats.pdf_tags import TagRole

# As a share of the text's size.
_LARGER = 1.15
# Characters of a line; longer ones are text in a large type.
_LONGEST_LINE = 150
# Of the first page's text, if it is more than the book's title.
_FEWEST_CHARACTERS = 400
_MOST_LEVELS = 4
_FEWEST_TITLES = 3
# Of the lines; slides and posters have more.
_MOST_TITLES = 1 / 3


def titles_by_type_size(pages: Sequence[Sequence[PdfLine]]) -> list[OutlineEntry]:
    """Return what an outline would have, in the order of pages; nothing where sizes tell no titles.

    The larger a title, the higher it stands. A size that occurs once, as on a title page, is none.
    """
    characters = Counter[float]()
    for lines in pages:
        for line in lines:
            characters[_size(line)] += len(line.text)
    body = max(characters, key=lambda size: characters[size], default=0.0)
    found = [
        (page, *title)
        for page, lines in enumerate(pages)
        if page or not _is_title_page(lines, body)
        for title in _titles(lines, body)
    ]
    if not _FEWEST_TITLES <= len(found) <= _MOST_TITLES * sum(map(len, pages)):
        return []
    counts = Counter(size for _, size, _, _ in found)
    levels = sorted((size for size, count in counts.items() if count > 1), reverse=True)[:_MOST_LEVELS]
    return nested_entries((page, -size, top, title) for page, size, top, title in found if size in levels)


def _titles(lines: Sequence[PdfLine], body: float) -> Iterator[tuple[float, float, str]]:
    """Yield the size, the height and the words of each title of a page; lines that follow closely are one."""
    for size, group in groupby(lines, key=lambda line: _size(line) if _is_large(line, body) else 0.0):
        title: list[PdfLine] = []
        for line in group if size else ():
            if title and not is_close_below(line, title[-1]):
                yield size, title[0].y, _words(title)
                title = []
            title.append(line)
        if title:
            yield size, title[0].y, _words(title)


def _is_title_page(lines: Sequence[PdfLine], body: float) -> bool:
    """Return whether a page holds no more text than a title page: names, a date, a publisher."""
    return sum(len(line.text) for line in lines if not _is_large(line, body)) < _FEWEST_CHARACTERS


def _is_large(line: PdfLine, body: float) -> bool:
    has_words = any(character.isalpha() for character in line.text) and line.role is not TagRole.CELL
    return has_words and not line.is_code and len(line.text) <= _LONGEST_LINE and line.size >= _LARGER * body


def _size(line: PdfLine) -> float:
    """Return a line's type size in half points: files differ in the last digits."""
    return round(2 * line.size) / 2


def _words(lines: Sequence[PdfLine]) -> str:
    return plain_title(" ".join(line.text for line in lines))
