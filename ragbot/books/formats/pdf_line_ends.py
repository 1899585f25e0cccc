"""Join the lines of a PDF's paragraph: hyphens, addresses, and scripts without blanks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ragbot.books.formats.pdf_lines import PdfLine

# Where a line ends is looked for in so many of its last characters.
_LINE_TAIL = 150

_HYPHENATED = re.compile(r"(?P<start>[^\W\d_]+)[-\u00ad\u2010]\Z")
_GOES_ON = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
# Of addresses, paths and names of files that go on in the next line: signs, or words with stops between them.
_NAME_SIGNS = frozenset("@/_")
_DOTTED_NAME = re.compile(r"\w{2,}(?:\.\w{2,})+")
_NAME_ENDS = (".", "/", "_", "@", "-")
# Words that occur so often are words.
_USUAL_WORD = 3
_SCHEMES = ("http:", "https:")
_NAME_GOES_ON = re.compile(r"[a-z0-9/_~]")
_IDEOGRAPHS = r"[\u3001-\u3011\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uff60]"
_IDEOGRAPH = re.compile(_IDEOGRAPHS)
# Gaps of a line that is stretched, and those around a link: the script has none.
_SPACED = re.compile(rf"(?<={_IDEOGRAPHS})[ ]+(?={_IDEOGRAPHS})")


def count_words(pages: Sequence[Sequence[PdfLine]]) -> Counter[str]:
    """Count the words of all pages in lower case, hyphenated ones whole."""
    return Counter(word.lower() for lines in pages for line in lines for word in _WORD.findall(line.text))


def join_lines(lines: Sequence[PdfLine], word_counts: Counter[str]) -> str:
    """Join lines to one. `word_counts` are the book's; they decide on hyphens at line ends."""
    pieces = [lines[0].text]
    for last, line in pairwise(lines):
        text, between = _line_end(last.text, line.text, word_counts)
        pieces[-1:] = [text, between, line.text]
    return _SPACED.sub("", "".join(pieces).replace("\u00ad", ""))


def _line_end(text: str, line: str, word_counts: Counter[str]) -> tuple[str, str]:
    """Return a line without its hyphen if the next continues its word, and the separator of the two."""
    start, end = _HYPHENATED.search(text[-_LINE_TAIL:]), _GOES_ON.match(line)
    if start is not None and end is not None and end.group()[0].islower():
        whole, halves = f"{start['start']}{end.group()}", f"{start['start']}-{end.group()}"
        # A hyphen at a line's end may be the word's own: how the book spells it elsewhere decides.
        is_own = text[-1] != "\u00ad" and word_counts[halves.lower()] > word_counts[whole.lower()]
        return (text if is_own else text[:-1]), ""
    is_one = _IDEOGRAPH.match(text[-1:]) and _IDEOGRAPH.match(line)
    is_name = _goes_on(text[-_LINE_TAIL:].rsplit(maxsplit=1)[-1], line, word_counts)
    return text, "" if is_one or is_name else " "


def _goes_on(word: str, line: str, word_counts: Counter[str]) -> bool:
    """Return whether an address, a path or a file's name, of which `word` ends a line, goes on in the next.

    Behind a slash it may be over: then the next word is one that the book has elsewhere, too.
    """
    first = line[:_LINE_TAIL].split(maxsplit=1)[0]
    if _NAME_GOES_ON.match(first) is None or not word.endswith((*_NAME_ENDS, ":")):
        return False
    if word.endswith("/") and word_counts[first.lower()] >= _USUAL_WORD:
        return False
    body = word[:-1]
    is_name = not _NAME_SIGNS.isdisjoint(body) or _DOTTED_NAME.fullmatch(body) is not None
    return word in _SCHEMES or body in _SCHEMES or (is_name and not word.endswith(":"))
