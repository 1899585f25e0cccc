"""Join the lines of a PDF page to paragraphs and code, each under its titles of the outline."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ragbot.books.formats.pdf_lines import PdfLine, is_close_below
from ragbot.books.formats.pdf_outline import OutlineEntry
from ragbot.books.markup.code_spans import fenced
from ragbot.core.markdown_escaping import escape_tags

# As shares of the type size, or of the usual distance between lines.
_WIDER = 1.2
_INDENTED = 0.7
_ALIGNED = 0.3
_SIZE_DIFFERS = 0.1

# Where a line ends is looked for in so many of its last characters.
_LINE_TAIL = 150

# Signs that are bullets wherever they begin a line, and dashes, which are below another item alone.
# (Word takes bullets of the fonts Symbol and Wingdings, whose signs have private codes.)
_ROUND = r"(?:[•‣▪●○◦➢❖✓■□◼\uf0a7\uf0a8\uf0b7\uf0d8\uf0e0\uf0fc\uf06f\uf076]|[∙·](?=\s))"
_DASH = r"[–—](?=[\s“\"])"
_ROUND_BULLET, _DASH_BULLET = (re.compile(rf"{sign}\s*") for sign in (_ROUND, _DASH))
_BULLET = re.compile(rf"{_ROUND}|{_DASH}|[-*+]\s|\(?(?:\d{{1,3}}|[a-z])[.)]\s|\[\d{{1,4}}\]\s")
_NUMBER = re.compile(r"(?:\d{1,3}[.)]|[-*+])\s")
_DEEPEST = 3
_ATX = re.compile(r"#{1,6}(?:\s|\Z)")
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
_NUMBERING = re.compile(r"\A(?:[^\W\d_]?\d+(?:\.\d+)*|[^\W\d_]|[ivxlc]+)[.:)]?\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PdfBlock:
    """Hold a paragraph or a listing, and the titles of the outline above it."""

    text: str
    titles: tuple[str, ...]


def count_words(pages: Sequence[Sequence[PdfLine]]) -> Counter[str]:
    """Count the words of all pages in lower case, hyphenated ones whole."""
    return Counter(word.lower() for lines in pages for line in lines for word in _WORD.findall(line.text))


def build_blocks(
    lines: Sequence[PdfLine],
    entries: Sequence[OutlineEntry],
    titles: tuple[str, ...],
    word_counts: Counter[str],
) -> list[PdfBlock]:
    """Join a page's lines to blocks. A page without lines gives none.

    `entries` are the outline's entries that begin on the page, `titles` those that hold at its top.
    `word_counts` are those of the whole book; they decide on hyphens at line ends.
    """
    words: dict[str, list[int]] = {}
    for position, line in enumerate(lines if entries else ()):
        words.setdefault(_without_numbering(line.text), []).append(position)
    headings = dict(map(_heading, entries))
    opened = {_line_of(entry, lines, words): entry.titles for entry in entries}
    behind_titles = {position + 1 for title in headings for position in words.get(title, ())}
    leading, body_size = _leading(lines), median([line.size for line in lines] or [0.0])
    widest = max((len(line.text) for line in lines), default=0)
    groups: list[tuple[tuple[str, ...], list[PdfLine]]] = []
    for position, line in enumerate(lines):
        following = lines[position + 1] if position + 1 < len(lines) else None
        begins = not groups or position in opened or position in behind_titles
        if not begins and not _continues_title(lines[position - 1], line, body_size):
            begins = _begins_block(groups[-1][1], line, following, leading=leading, widest=widest)
        titles = opened.get(position, titles)
        if begins:
            groups.append((titles, []))
        groups[-1][1].append(line)
    items = _Items()
    blocks = (PdfBlock(items.marked(group, _join(group, word_counts)), above) for above, group in groups)
    return [_with_heading_mark(block, headings) for block in blocks]


def _heading(entry: OutlineEntry) -> tuple[str, int]:
    """Return a title without its number, and its level below the page's own."""
    return _without_numbering(entry.titles[-1]), min(len(entry.titles) + 1, 6)


def _with_heading_mark(block: PdfBlock, headings: Mapping[str, int]) -> PdfBlock:
    """Return a block that is a title of the outline as a heading: as a sentence it would be quoted."""
    level = headings.get(_without_numbering(block.text))
    return PdfBlock(f"{'#' * level} {block.text.strip()}", block.titles) if level else block


class _Items:
    """Give the items of a page's lists Markdown's marks, by their bullets and their indents."""

    def __init__(self) -> None:
        # The indents of the items above that the next one may be below.
        self._indents: list[float] = []

    def marked(self, group: Sequence[PdfLine], text: str) -> str:
        """Return a block's text, that of an item with a dash and its indent."""
        bullet = _ROUND_BULLET.match(text) or (_DASH_BULLET.match(text) if self._indents else None)
        if bullet is None and (_NUMBER.match(text) is None or _is_code(group[0])):
            self._indents = []
            return text
        left, step = group[0].x, _ALIGNED * group[0].size
        self._indents = [*(indent for indent in self._indents if indent < left - step), left][-_DEEPEST:]
        shown = f"- {text[bullet.end() :]}" if bullet is not None else text
        return " " * 4 * (len(self._indents) - 1) + shown


def _line_of(entry: OutlineEntry, lines: Sequence[PdfLine], words: Mapping[str, Sequence[int]]) -> int:
    """Find the line at which an entry begins: at its words, else at its height, else the first."""
    positions, top = words.get(_without_numbering(entry.titles[-1]), ()), entry.top
    if top is None:
        return positions[0] if positions else 0
    if positions:
        # "Purpose" may stand there more than once.
        return min(positions, key=lambda position: abs(lines[position].y - top))
    return next((position for position, line in enumerate(lines) if line.y <= top), 0)


def _without_numbering(title: str) -> str:
    return _NUMBERING.sub("", " ".join(title.split()).casefold())


def _leading(lines: Sequence[PdfLine]) -> float:
    """Return the page's usual distance between lines; 0 if there are too few."""
    gaps = [a.y - b.y for a, b in pairwise(lines) if 0 < a.y - b.y < 3 * a.size]
    return median(gaps) if gaps else 0.0


def _continues_title(last: PdfLine, line: PdfLine, body_size: float) -> bool:
    """Return whether a line goes on with a title: both are larger than the text, and close enough."""
    is_alike = abs(line.size - last.size) <= _SIZE_DIFFERS * last.size
    return is_alike and line.size > _WIDER * body_size and is_close_below(line, last)


def _begins_block(
    group: Sequence[PdfLine], line: PdfLine, following: PdfLine | None, *, leading: float, widest: int
) -> bool:
    """Return whether the line begins a new block."""
    last = group[-1]
    gap = last.y - line.y
    if _is_code(line) != _is_code(last):
        return True
    if _is_code(line):
        return False
    if abs(line.size - last.size) > _SIZE_DIFFERS * last.size or _BULLET.match(line.text):
        return True
    if gap < -leading:
        # The next column goes on with the sentence, or does not.
        return _ends_sentence(last) or not line.text[:1].islower()
    if leading and gap > _WIDER * leading:
        return True
    if _ends_sentence(last) and len(last.text) < 0.6 * widest and not line.text[:1].islower():
        return True
    return _is_indented_anew(group, line, following)


def _is_code(line: PdfLine) -> bool:
    # Markdown would take such a line for a heading; in print it is a comment.
    return line.is_code or bool(_ATX.match(line.text))


def _ends_sentence(line: PdfLine) -> bool:
    return line.text.rstrip("\"'”’)]").endswith((".", "!", "?", ":", "…", "。"))


def _is_indented_anew(group: Sequence[PdfLine], line: PdfLine, following: PdfLine | None) -> bool:
    """Return whether the line begins a paragraph by its indent, or a list entry by having none."""
    step, near = _INDENTED * line.size, _ALIGNED * line.size
    if line.x > group[-1].x + step:
        if len(group) == 1 and _BULLET.match(group[0].text):
            return False
        return following is not None and following.x < line.x - near and _ends_sentence(group[-1])
    if line.x < group[0].x - near and _BULLET.match(group[0].text):
        return True
    if line.x < group[-1].x - step:
        return len(group) > 1 and group[-1].x > group[0].x + near
    return False


def _join(group: Sequence[PdfLine], word_counts: Counter[str]) -> str:
    if _is_code(group[0]):
        return _code(group)
    pieces = [group[0].text]
    for last, line in pairwise(group):
        text, between = _line_end(last.text, line.text, word_counts)
        pieces[-1:] = [text, between, line.text]
    return escape_tags(_SPACED.sub("", "".join(pieces).replace("\u00ad", "")))


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


def _code(group: Sequence[PdfLine]) -> str:
    """Put lines of code in a fence, indented as on the page."""
    left = min(line.x for line in group)
    lines = (f"{' ' * min(round((line.x - left) / line.advance), 80)}{line.text}" for line in group)
    return fenced("\n".join(lines))
