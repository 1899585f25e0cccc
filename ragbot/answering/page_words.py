"""Find the first occurrence of words on a page, as a browser that searches the page does."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ragbot.answering.printed_words import is_letter
from ragbot.books.markup.readable import readable
from ragbot.books.markup.readable_text import ReadableText
from ragbot.core.code_fences import fenced_code

CACHED_PAGES = 64
# Characters. A longer page takes too long to read (40 ms) and too much memory to cache.
LONGEST_PAGE = 200_000

_WORD = re.compile(r"\S+")
_HEADING = re.compile(r"^[ \t>]*#{1,6}[ \t]+(?P<words>[^\n]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PageWords:
    """Hold a page's words on one line (`text`), in lower case.

    `parts` are the readable texts of the page's source between its code fences and inside them. Part i begins
    at `part_places[i]` in the source, and at `part_starts[i]` in the concatenation of the parts. In that
    concatenation word j begins at `starts[j]`, and in `text` at `places[j]`. `headings` are the headings, one
    a line: a table of contents repeats them on the page.
    """

    text: str
    starts: Sequence[int]
    places: Sequence[int]
    parts: Sequence[ReadableText]
    part_places: Sequence[int]
    part_starts: Sequence[int]
    headings: str

    def offset(self, source_offset: int) -> int:
        """Return the offset in `text` of a letter of the source."""
        part = bisect_right(self.part_places, source_offset) - 1
        inside = self.parts[part].text_offset(source_offset - self.part_places[part])
        start = self.part_starts[part] + inside
        word = max(bisect_right(self.starts, start) - 1, 0)
        return self.places[word] + start - self.starts[word] if self.places else 0

    def first(self, term: str, start: int = 0) -> int:
        """Return the offset of the first occurrence of a term as whole words, from `start` on, or -1."""
        return _first(self.text, term, start)

    def is_heading(self, term: str) -> bool:
        """Return whether a heading contains the term."""
        return _first(self.headings, term, 0) >= 0


def on_one_line(text: str) -> str:
    """Return words in the form in which they are compared: in lower case, with single blanks."""
    return " ".join(text.split()).casefold()


@lru_cache(maxsize=CACHED_PAGES)
def page_words(source: str) -> PageWords:
    """Split a page's source into words."""
    words: list[str] = []
    starts = array("l")
    places = array("l")
    parts: list[ReadableText] = []
    part_places: list[int] = []
    part_starts: list[int] = []
    length = total = 0
    for place, plain in _readable_parts(source):
        parts.append(plain)
        part_places.append(place)
        part_starts.append(total)
        for match in _WORD.finditer(plain.text):
            word = match.group().casefold()
            words.append(word)
            starts.append(total + match.start())
            places.append(length)
            length += len(word) + 1
        total += len(plain.text)
    headings = "\n".join(on_one_line(readable(match["words"]).text) for match in _HEADING.finditer(source))
    return PageWords(" ".join(words), starts, places, parts, part_places, part_starts, headings)


def _readable_parts(source: str) -> Iterator[tuple[int, ReadableText]]:
    """Yield the readable texts between and inside code fences, each with its offset in the source."""
    position = 0
    for code in fenced_code(source):
        yield position, readable(source[position : code.start])
        yield code.start, readable(source[code.start : code.end], kind="code")
        position = code.end
    yield position, readable(source[position:])


def _first(text: str, term: str, start: int) -> int:
    at = text.find(term, start)
    while at >= 0:
        after = at + len(term)
        if (at == 0 or not is_letter(text[at - 1])) and (after == len(text) or not is_letter(text[after])):
            return at
        at = text.find(term, at + 1)
    return -1
