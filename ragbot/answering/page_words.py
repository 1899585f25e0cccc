"""Know where a page's words stand for the first time, as a browser that searches the page does."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ragbot.answering.printed_words import is_letter
from ragbot.books.markup.readable import ReadableText, readable

PAGES_REMEMBERED = 64
# A longer page takes too long to read (40 ms) and too much room to remember.
LONGEST_PAGE = 200_000

_WORD = re.compile(r"\S+")
_FENCE = re.compile(r"^[ \t>]*(?P<marks>`{3,}|~{3,})[^\n]*\n?", re.MULTILINE)
_HEADING = re.compile(r"^[ \t>]*#{1,6}[ \t]+(?P<words>[^\n]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PageWords:
    """A page's words on one line, in small letters.

    `parts` are the words of the page's source between its fences and inside of them; part i begins at
    `part_places[i]` in the source and at `part_starts[i]` in all the parts' text. There word j begins at
    `starts[j]`, and at `places[j]` in `text`. `headings` are the words of the headings, which a table of
    contents repeats.
    """

    text: str
    starts: Sequence[int]
    places: Sequence[int]
    parts: Sequence[ReadableText]
    part_places: Sequence[int]
    part_starts: Sequence[int]
    headings: str

    def offset(self, source_offset: int) -> int:
        """Give the offset in `text` of a letter of the source."""
        part = bisect_right(self.part_places, source_offset) - 1
        inside = self.parts[part].text_offset(source_offset - self.part_places[part])
        start = self.part_starts[part] + inside
        word = max(bisect_right(self.starts, start) - 1, 0)
        return self.places[word] + start - self.starts[word] if self.places else 0

    def first(self, term: str, start: int = 0) -> int:
        """Give the offset of the first place from one on that holds the term as whole words, or -1."""
        return _first(self.text, term, start)

    def is_heading(self, term: str) -> bool:
        """Whether a heading holds the term."""
        return _first(self.headings, term, 0) >= 0


def on_one_line(text: str) -> str:
    """Give words as they are compared."""
    return " ".join(text.split()).casefold()


@lru_cache(maxsize=PAGES_REMEMBERED)
def page_words(source: str) -> PageWords:
    """Take a page's source apart."""
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
    """Yield the words of what stands between fences, and of what stands inside of them, by their places."""
    position = 0
    opening = ""
    for fence in _FENCE.finditer(source):
        marks = fence["marks"]
        if opening and not marks.startswith(opening):
            continue
        yield position, readable(source[position : fence.start()], kind="code" if opening else "")
        opening = "" if opening else marks
        position = fence.end()
    yield position, readable(source[position:], kind="code" if opening else "")


def _first(text: str, term: str, start: int) -> int:
    at = text.find(term, start)
    while at >= 0:
        after = at + len(term)
        if (at == 0 or not is_letter(text[at - 1])) and (after == len(text) or not is_letter(text[after])):
            return at
        at = text.find(term, at + 1)
    return -1
