"""Join the lines of a PDF page to paragraphs and code, each under its titles of the outline."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ragbot.books.formats.pdf_line_ends import join_lines
from ragbot.books.formats.pdf_lines import PdfLine, is_close_below
from ragbot.books.formats.pdf_outline import OutlineEntry
from ragbot.books.formats.pdf_tagged_blocks import block_key, gather_blocks, table_text
from ragbot.books.formats.pdf_tags import TaggedTable, TagRole
from ragbot.books.markup.code_spans import fenced

# As shares of the type size, or of the usual distance between lines.
_WIDER = 1.2
_INDENTED = 0.7
_ALIGNED = 0.3
_EMPTY_LINE = 1.7
_APART = 1.6
# As a share of the longest line.
_FULL = 0.75
_SIZE_DIFFERS = 0.1

# Signs that are bullets wherever they begin a line, and dashes, which are below another item alone.
# (Word takes bullets of the fonts Symbol and Wingdings, whose signs have private codes.)
_ROUND = r"(?:[•‣▪●○◦➢❖✓■□◼\uf0a7\uf0a8\uf0b7\uf0d8\uf0e0\uf0fc\uf06f\uf076]|[∙·](?=\s))"
_DASH = r"[–—](?=[\s“\"])"
_ROUND_BULLET, _DASH_BULLET = (re.compile(rf"{sign}\s*") for sign in (_ROUND, _DASH))
_BULLET = re.compile(rf"{_ROUND}|{_DASH}|[-*+]\s|\(?(?:\d{{1,3}}|[a-z])[.)]\s|\[\d{{1,4}}\]\s")
_NUMBER = re.compile(r"(?:\d{1,3}[.)]|[-*+])\s")
# Word's hollow bullet is a letter.
_TAGGED_BULLET = re.compile(r"(?:[^\w\s([{\"'“‘<`$]|o)\s+")
_ITEM_SIGN = re.compile(rf"{_BULLET.pattern}|{_TAGGED_BULLET.pattern}")
_DEEPEST = 3
# Lines of a paragraph; with more it is a page that a program gave one tag.
_LONGEST_PARAGRAPH = 50
_ATX = re.compile(r"#{1,6}(?:\s|\Z)")
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
    leading, body_size = _leading(lines), median([line.size for line in lines] or [0.0])
    widest = max((len(line.text) for line in lines), default=0)
    groups: list[tuple[tuple[str, ...], list[PdfLine]]] = []
    for position, line in enumerate(lines):
        following = lines[position + 1] if position + 1 < len(lines) else None
        begins = not groups or position in opened or position in behind_titles
        if groups and _is_same_table(groups[-1][1][-1], line):
            begins = False
        elif (
            not begins
            and (anew := _begins_tagged_block(groups[-1][1], line, leading=leading, widest=widest))
            is not None
        ):
            begins = anew
        elif not begins and not _continues_title(lines[position - 1], line, body_size):
            begins = _begins_block(groups[-1][1], line, following, leading=leading, widest=widest)
        titles = opened.get(position, titles)
        if begins:
            groups.append((titles, []))
        groups[-1][1].append(line)
    items = _Items()
    texts = ((above, group, _join(group, word_counts, tables)) for above, group in groups)
    return [
        PdfBlock(_heading_text(text, headings) or items.marked(group, text), above)
        for above, group, text in texts
    ]


def _heading(entry: OutlineEntry) -> tuple[str, int]:
    """Return a title without its number, and its level below the page's own."""
    return _without_numbering(entry.titles[-1]), min(len(entry.titles) + 1, 6)


def _heading_text(text: str, headings: Mapping[str, int]) -> str:
    """Return a title of the outline as a heading, since as a sentence it would be quoted; else nothing."""
    level = headings.get(_without_numbering(text))
    return f"{'#' * level} {text.strip()}" if level else ""


class _Items:
    """Give the items of a page's lists Markdown's marks, by their bullets and their indents."""

    def __init__(self) -> None:
        # The indents of the items above that the next one may be below.
        self._indents: list[float] = []

    def marked(self, group: Sequence[PdfLine], text: str) -> str:
        """Return a block's text, that of an item with a dash and its indent."""
        is_item = _is_item(group[0])
        bullet = _ROUND_BULLET.match(text) or (_DASH_BULLET.match(text) if self._indents else None)
        if is_item:
            bullet = bullet or _TAGGED_BULLET.match(text)
        is_numbered = bullet is None and _NUMBER.match(text) is not None
        if _is_code(group[0]) or (bullet is None and not is_numbered and not is_item):
            self._indents = []
            return text
        left, step = group[0].x, _ALIGNED * group[0].size
        self._indents = [*(indent for indent in self._indents if indent < left - step), left][-_DEEPEST:]
        shown = text if is_numbered else f"- {text[bullet.end() if bullet is not None else 0 :]}"
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


def _begins_tagged_block(
    group: Sequence[PdfLine], line: PdfLine, *, leading: float, widest: int
) -> bool | None:
    """Return whether the line begins a block by its tag; None where tags do not tell.

    Each line of a listing may be a paragraph, and a paragraph may hold one. Tags that a program guessed have
    a block for each line, or a paragraph for several or the whole page.
    """
    last, tag = group[-1], line.tag
    if tag is None or last.tag is None:
        return None
    is_close = 0 < last.y - line.y <= _WIDER * leading
    if block_key(line) != block_key(last):
        if _is_listing(line) and _is_listing(last):
            return False
        goes_on = _is_rest_of_item(group, line) or _is_rest_of_sentence(last, line, widest)
        return not (is_close and goes_on)
    if tag.role is TagRole.REGION or len(group) > _LONGEST_PARAGRAPH:
        return None
    if _is_code(line) or _is_code(last):
        return _is_code(line) != _is_code(last)
    is_apart = last.y - line.y > _APART * leading > 0
    return is_apart and _ends_sentence(last) and not line.text[:1].islower()


def _is_same_table(last: PdfLine, line: PdfLine) -> bool:
    return line.tag is not None and line.tag.role is TagRole.CELL and block_key(line) == block_key(last)


def _is_listing(line: PdfLine) -> bool:
    return _is_code(line) and line.tag is not None and line.tag.role in (TagRole.TEXT, TagRole.REGION)


def _is_rest_of_item(group: Sequence[PdfLine], line: PdfLine) -> bool:
    """Return whether an item without a bullet stands below another one's text."""
    # (A label may be a line of its own.)
    if not (_is_item(line) and _is_item(group[0])) or _ITEM_SIGN.match(f"{line.text} "):
        return False
    return line.x > group[0].x + _ALIGNED * line.size


def _is_rest_of_sentence(last: PdfLine, line: PdfLine, widest: int) -> bool:
    """Return whether a paragraph goes on with the sentence of the one above, whose line is full."""
    roles = {one.tag.role for one in (last, line) if one.tag is not None}
    is_full = len(last.text) >= _FULL * widest and not _ends_sentence(last)
    return roles == {TagRole.TEXT} and is_full and line.text[:1].islower()


def _is_item(line: PdfLine) -> bool:
    return line.tag is not None and line.tag.role is TagRole.ITEM


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


def _join(group: Sequence[PdfLine], word_counts: Counter[str], tables: Mapping[int, TaggedTable]) -> str:
    tag = group[0].tag
    if tag is not None and tag.table in tables:
        return table_text(group, tables[tag.table], word_counts)
    return _code(group) if _is_code(group[0]) else join_lines(group, word_counts)


def _code(group: Sequence[PdfLine]) -> str:
    """Put lines of code in a fence, indented as on the page, with a blank line for a gap of one."""
    left = min(line.x for line in group)
    leading = min((above.y - line.y for above, line in pairwise(group) if above.y > line.y), default=0.0)
    shown: list[str] = []
    for above, line in pairwise([group[0], *group]):
        shown += [""] if above.y - line.y > _EMPTY_LINE * leading > 0 else []
        shown.append(f"{' ' * min(round((line.x - left) / line.advance), 80)}{line.text}")
    return fenced("\n".join(shown))
