"""Put what goes on over the end of a PDF page on the page where it begins: sentences, and lists.

A passage of the book is cut from one page. A sentence on two would be found in halves, and a list without the
words that lead to it. The citation opens the page where they begin.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from ragbot.books.formats.pdf_line_groups import (
    BULLET,
    ROUND_BULLET,
    goes_on,
    group_lines,
    is_code,
)
from ragbot.books.formats.pdf_lines import PdfLine
from ragbot.books.formats.pdf_tagged_blocks import gather_blocks
from ragbot.books.formats.pdf_tags import TagRole

# Lines of the next page: of more that citations should open that page.
_MOST_OF_SENTENCE = 40
_MOST_OF_LIST = 20
# As a share of the page's longest line; a sentence that goes on fills its line.
_FULL = 0.6
# As a share of the page's usual type size: footnotes are smaller.
_SMALL = 0.95
_STEP = re.compile(r"(?P<number>\d{1,3})[.)]\s")


def join_page_ends(pages: Sequence[list[PdfLine]]) -> list[list[PdfLine]]:
    """Return the lines of each page, with the rest of its last block and list from the next page."""
    joined = [gather_blocks(lines) for lines in pages]
    # From the last page on, since a block may run over several.
    for number in range(len(joined) - 2, -1, -1):
        page, following = joined[number], joined[number + 1]
        if page and following:
            end, rest = _rest(page, following)
            moved = set(map(id, rest))
            joined[number] = [*page[:end], *rest, *page[end:]]
            joined[number + 1] = [line for line in following if id(line) not in moved]
    return joined


def _rest(page: Sequence[PdfLine], following: Sequence[PdfLine]) -> tuple[int, list[PdfLine]]:
    """Return where a page's last block ends, and the lines of the next page that belong to it."""
    groups = group_lines(page)
    usual = median(line.size for line in page)
    body = [group for group in groups if group[-1].size >= _SMALL * usual] or groups
    last = body[-1]
    end = next(position for position, line in enumerate(page) if line is last[-1]) + 1
    blocks = {line.tag.block for line in page if line.tag is not None}
    widest = max(len(line.text) for line in page)
    rest: list[PdfLine] = []
    items: list[PdfLine] = []
    for group in group_lines(following):
        if _is_next_item(last, group):
            items += group
            last = group
        elif _is_same_block(last[-1], group[0], blocks):
            (items or rest).extend(group)
        elif not rest and not items and _is_rest_of_sentence(last[-1], group[0], widest):
            rest += group
        else:
            break
    rest = rest if len(rest) <= _MOST_OF_SENTENCE else []
    return end, [*rest, *items] if len(items) <= _MOST_OF_LIST else rest


def _is_same_block(last: PdfLine, line: PdfLine, blocks: set[int]) -> bool:
    """Return whether a line has the tag of a block that the page before has, too."""
    if line.tag is None or last.tag is None:
        return False
    return line.tag.role is not TagRole.CELL and line.tag.block in blocks


def _is_rest_of_sentence(last: PdfLine, line: PdfLine, widest: int) -> bool:
    """Return whether a line goes on with the sentence at the end of the page before."""
    if line.tag is not None and last.tag is not None:
        return False
    is_alike = not is_code(last) and not is_code(line) and abs(last.size - line.size) < last.size / 10
    return is_alike and goes_on(last, line, shortest=_FULL * widest) and BULLET.match(line.text) is None


def _is_next_item(last: Sequence[PdfLine], group: Sequence[PdfLine]) -> bool:
    """Return whether a group is the next item of the list that the last one belongs to."""
    before, after = last[0].text, group[0].text
    if abs(last[0].size - group[0].size) > last[0].size / 10:
        return False
    one, other = _STEP.match(before), _STEP.match(after)
    if one is not None and other is not None:
        return int(other["number"]) == int(one["number"]) + 1
    is_tagged = {last[0].role, group[0].role} == {TagRole.ITEM}
    return is_tagged or (ROUND_BULLET.match(before) is not None and ROUND_BULLET.match(after) is not None)
