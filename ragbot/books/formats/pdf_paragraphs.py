"""Join the lines of a PDF page to paragraphs and code, each under its titles of the outline."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ragbot.books.formats.pdf_line_ends import join_lines
from ragbot.books.formats.pdf_line_groups import (
    ALIGNED,
    DASH_BULLET,
    ROUND_BULLET,
    TAGGED_BULLET,
    group_lines,
    is_code,
)
from ragbot.books.formats.pdf_lines import PdfLine
from ragbot.books.formats.pdf_outline import OutlineEntry, plain_title
from ragbot.books.formats.pdf_tagged_blocks import gather_blocks, table_text
from ragbot.books.formats.pdf_tags import TaggedTable, TagRole
from ragbot.books.markup.code_spans import fenced
from ragbot.core.markdown_escaping import escape_words

_NUMBER = re.compile(r"(?:\d{1,3}[.)]|[-*+])\s")
_DEEPEST = 3
# As a share of the least distance between lines.
_EMPTY_LINE = 1.7
_NUMBERING = re.compile(r"\A(?:[^\W\d_]?\d+(?:\.\d+)*|[^\W\d_]|[ivxlc]+)[.:)]?\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PdfBlock:
    """Hold a paragraph or a listing, and the titles of the outline above it."""

    text: str
    titles: tuple[str, ...]


def build_blocks(
    lines: Sequence[PdfLine],
    entries: Sequence[OutlineEntry],
    titles: tuple[str, ...],
    word_counts: Counter[str],
    tables: Mapping[int, TaggedTable],
) -> list[PdfBlock]:
    """Join a page's lines to blocks. A page without lines gives none.

    `entries` are the outline's entries that begin on the page, `titles` those that hold at its top.
    `word_counts` are those of the whole book; they decide on hyphens at line ends. `tables` are the file's
    tagged ones, by number.
    """
    lines = gather_blocks(lines)
    words: dict[str, list[int]] = {}
    for position, line in enumerate(lines if entries else ()):
        words.setdefault(_without_numbering(line.text), []).append(position)
    headings = dict(map(_heading, entries))
    opened = {_line_of(entry, lines, words): entry.titles for entry in entries}
    behind_titles = {position + 1 for title in headings for position in words.get(title, ())}
    items = _Items()
    blocks: list[PdfBlock] = []
    position = 0
    for group in group_lines(lines, {*opened, *behind_titles}):
        titles = opened.get(position, titles)
        blocks.append(PdfBlock(_block_text(group, items, headings, word_counts, tables), titles))
        # A title may stand in a table.
        for inside in range(position + 1, position + len(group)):
            titles = opened.get(inside, titles)
        position += len(group)
    return blocks


def _block_text(
    group: Sequence[PdfLine],
    items: _Items,
    headings: Mapping[str, int],
    word_counts: Counter[str],
    tables: Mapping[int, TaggedTable],
) -> str:
    """Return the lines of a block as Markdown: a table, a listing, a title, an item or a paragraph."""
    tag = group[0].tag
    if tag is not None and tag.table in tables:
        items.end_list()
        return table_text(group, tables[tag.table], word_counts)
    words = join_lines(group, word_counts)
    # A title would be quoted as a sentence otherwise.
    if level := headings.get(_without_numbering(words)):
        items.end_list()
        return f"{'#' * level} {escape_words(plain_title(words))}"
    if is_code(group[0]):
        items.end_list()
        return _code(group)
    sign, rest = items.sign_and_rest(group, words)
    return f"{sign}{escape_words(rest)}"


def _heading(entry: OutlineEntry) -> tuple[str, int]:
    """Return a title without its number, and its level below the page's own."""
    return _without_numbering(entry.titles[-1]), min(len(entry.titles) + 1, 6)


class _Items:
    """Give the items of a page's lists Markdown's marks, by their bullets and their indents."""

    def __init__(self) -> None:
        # The indents of the items above that the next one may be below.
        self._indents: list[float] = []

    def sign_and_rest(self, group: Sequence[PdfLine], words: str) -> tuple[str, str]:
        """Return an item's indent and mark, and the words behind it; nothing and all words of a paragraph."""
        is_tagged = group[0].role is TagRole.ITEM
        bullet = ROUND_BULLET.match(words) or (DASH_BULLET.match(words) if self._indents else None)
        if is_tagged:
            bullet = bullet or TAGGED_BULLET.match(words)
        number = _NUMBER.match(words) if bullet is None else None
        if bullet is None and number is None and not is_tagged:
            self.end_list()
            return "", words
        left, step = group[0].x, ALIGNED * group[0].size
        self._indents = [*(indent for indent in self._indents if indent < left - step), left][-_DEEPEST:]
        sign = number.group() if number is not None else "- "
        found = number or bullet
        behind = found.end() if found is not None else 0
        return " " * 4 * (len(self._indents) - 1) + sign, words[behind:]

    def end_list(self) -> None:
        """Forget the items above: what is no item stands below them."""
        self._indents = []


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
    return _NUMBERING.sub("", plain_title(title).casefold())


def _code(group: Sequence[PdfLine]) -> str:
    """Put lines of code in a fence, indented as on the page, with a blank line for a gap of one."""
    left = min(line.x for line in group)
    leading = min((above.y - line.y for above, line in pairwise(group) if above.y > line.y), default=0.0)
    shown: list[str] = []
    for above, line in pairwise([group[0], *group]):
        shown += [""] if above.y - line.y > _EMPTY_LINE * leading > 0 else []
        shown.append(f"{' ' * min(round((line.x - left) / line.advance), 80)}{line.text}")
    return fenced("\n".join(shown))
