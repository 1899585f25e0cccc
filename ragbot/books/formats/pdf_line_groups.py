"""Group a PDF page's lines to paragraphs, items and listings, by the tags or by where they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from itertools import pairwise
from statistics import median

from ragbot.books.formats.pdf_lines import PdfLine, is_close_below
from ragbot.books.formats.pdf_tagged_blocks import block_key
from ragbot.books.formats.pdf_tags import TagRole

# As shares of the type size, or of the usual distance between lines.
_WIDER = 1.2
_INDENTED = 0.7
ALIGNED = 0.3
_APART = 1.6
# As a share of the longest line.
_FULL = 0.75
_SIZE_DIFFERS = 0.1
# Lines of a paragraph; with more it is a page that a program gave one tag.
_LONGEST_PARAGRAPH = 50

# Signs that are bullets wherever they begin a line, and dashes, which are below another item alone.
# (Word takes bullets of the fonts Symbol and Wingdings, whose signs have private codes.)
_ROUND = r"(?:[•‣▪●○◦➢❖✓■□◼\uf0a7\uf0a8\uf0b7\uf0d8\uf0e0\uf0fc\uf06f\uf076]|[∙·](?=\s))"
_DASH = r"[–—](?=[\s“\"])"
ROUND_BULLET, DASH_BULLET = (re.compile(rf"{sign}\s*") for sign in (_ROUND, _DASH))
BULLET = re.compile(rf"{_ROUND}|{_DASH}|[-*+]\s|\(?(?:\d{{1,3}}|[a-z])[.)]\s|\[\d{{1,4}}\]\s")
# Word's hollow bullet is a letter.
TAGGED_BULLET = re.compile(r"(?:[^\w\s([{\"'“‘<`$]|o)\s+")
_ITEM_SIGN = re.compile(rf"{BULLET.pattern}|{TAGGED_BULLET.pattern}")
_ATX = re.compile(r"#{1,6}(?:\s|\Z)")


def group_lines(lines: Sequence[PdfLine], begins: Set[int] = frozenset()) -> list[list[PdfLine]]:
    """Group a page's lines to blocks. `begins` are the positions at which one begins for other reasons."""
    leading, body_size = _leading(lines), median([line.size for line in lines] or [0.0])
    widest = max((len(line.text) for line in lines), default=0)
    groups: list[list[PdfLine]] = []
    for position, line in enumerate(lines):
        following = lines[position + 1] if position + 1 < len(lines) else None
        if not groups or _is_same_table(lines[position - 1], line):
            is_new = not groups
        elif position in begins:
            is_new = True
        elif (anew := _begins_tagged_block(groups[-1], line, leading=leading, widest=widest)) is not None:
            is_new = anew
        else:
            is_new = not _continues_title(lines[position - 1], line, body_size) and _begins_block(
                groups[-1], line, following, leading=leading, widest=widest
            )
        groups += [[]] if is_new else []
        groups[-1].append(line)
    return groups


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
        is_rest = _is_rest_of_item(group, line) or _is_rest_of_sentence(last, line, widest)
        return not (is_close and is_rest)
    if tag.role is TagRole.REGION or len(group) > _LONGEST_PARAGRAPH:
        return None
    if is_code(line) or is_code(last):
        return is_code(line) != is_code(last)
    is_apart = last.y - line.y > _APART * leading > 0
    return is_apart and _ends_sentence(last) and not line.text[:1].islower()


def _is_same_table(last: PdfLine, line: PdfLine) -> bool:
    return line.role is TagRole.CELL and block_key(line) == block_key(last)


def _is_listing(line: PdfLine) -> bool:
    return is_code(line) and line.role in (TagRole.TEXT, TagRole.REGION)


def _is_rest_of_item(group: Sequence[PdfLine], line: PdfLine) -> bool:
    """Return whether an item without a bullet stands below another one's text."""
    # (A label may be a line of its own.)
    if {line.role, group[0].role} != {TagRole.ITEM} or _ITEM_SIGN.match(f"{line.text} "):
        return False
    return line.x > group[0].x + ALIGNED * line.size


def _is_rest_of_sentence(last: PdfLine, line: PdfLine, widest: int) -> bool:
    """Return whether a paragraph goes on with the sentence of the one above, whose line is full."""
    return {last.role, line.role} == {TagRole.TEXT} and goes_on(last, line, shortest=_FULL * widest)


def goes_on(last: PdfLine, line: PdfLine, *, shortest: float) -> bool:
    """Return whether a line goes on with the sentence of one with no stop and so many characters."""
    return len(last.text) >= shortest and not _ends_sentence(last) and line.text[:1].islower()


def _begins_block(
    group: Sequence[PdfLine], line: PdfLine, following: PdfLine | None, *, leading: float, widest: int
) -> bool:
    """Return whether the line begins a new block."""
    last = group[-1]
    gap = last.y - line.y
    if is_code(line) != is_code(last):
        return True
    if is_code(line):
        return False
    if abs(line.size - last.size) > _SIZE_DIFFERS * last.size or BULLET.match(line.text):
        return True
    if gap < -leading:
        # The next column goes on with the sentence, or does not.
        return _ends_sentence(last) or not line.text[:1].islower()
    if leading and gap > _WIDER * leading:
        return True
    if _ends_sentence(last) and len(last.text) < 0.6 * widest and not line.text[:1].islower():
        return True
    return _is_indented_anew(group, line, following)


def is_code(line: PdfLine) -> bool:
    """Return whether a line is code; Markdown would take a comment in prose for a heading."""
    return line.is_code or bool(_ATX.match(line.text))


def _ends_sentence(line: PdfLine) -> bool:
    return line.text.rstrip("\"'”’)]").endswith((".", "!", "?", ":", "…", "。"))


def _is_indented_anew(group: Sequence[PdfLine], line: PdfLine, following: PdfLine | None) -> bool:
    """Return whether the line begins a paragraph by its indent, or a list entry by having none."""
    step, near = _INDENTED * line.size, ALIGNED * line.size
    if line.x > group[-1].x + step:
        if len(group) == 1 and BULLET.match(group[0].text):
            return False
        return following is not None and following.x < line.x - near and _ends_sentence(group[-1])
    if line.x < group[0].x - near and BULLET.match(group[0].text):
        return True
    if line.x < group[-1].x - step:
        return len(group) > 1 and group[-1].x > group[0].x + near
    return False
