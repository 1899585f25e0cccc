"""Turn the tags of a PDF's lines into titles, blocks and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from ragbot.books.formats.pdf_line_ends import join_lines
from ragbot.books.formats.pdf_lines import PdfLine
from ragbot.books.formats.pdf_outline import OutlineEntry, nested_entries, plain_title
from ragbot.books.formats.pdf_tags import Tag, TaggedTable, TagRole
from ragbot.books.markup.pandoc_tables import barred_table
from ragbot.core.markdown_escaping import escape_words

# A table of contents repeats the titles and answers nothing.
_LEFT_OUT = (TagRole.ARTIFACT, TagRole.CONTENTS)
_FEWEST_TITLES = 3
# Of the blocks: where more are titles, they were chosen for their looks.
_MOST_TITLES = 1 / 2
# A cell of more characters is a column of the page; a head has no sentences.
_LONGEST_CELL = 1_000
_LONGEST_HEAD = 60


def without_left_out(lines: Sequence[PdfLine]) -> list[PdfLine]:
    """Return a page's lines without artifacts and tables of contents; none if it is such a table."""
    kept = [line for line in lines if line.role not in _LEFT_OUT]
    contents = [line for line in lines if line.role is TagRole.CONTENTS]
    return kept if len(kept) > len(contents) / 4 else []


def titles_by_tags(pages: Sequence[Sequence[PdfLine]]) -> list[OutlineEntry]:
    """Return what an outline would have, from the tagged headings; nothing where these are no titles.

    A first heading that is the only one of its level is the book's title, and none of a part.
    """
    blocks = 0
    found: list[tuple[int, float, float, str]] = []
    for page, lines in enumerate(pages):
        for _, group in groupby(lines, key=block_key):
            blocks += 1
            first, *others = group
            if first.tag is None or first.role is not TagRole.HEADING:
                continue
            if words := plain_title(" ".join(line.text for line in (first, *others))):
                found.append((page, float(first.tag.level), first.y, words))
    levels = Counter(level for _, level, _, _ in found)
    if found and levels[found[0][1]] == 1 and found[0][1] == min(levels):
        del found[0]
    return nested_entries(found) if _FEWEST_TITLES <= len(found) <= _MOST_TITLES * blocks else []


def block_key(line: PdfLine) -> Hashable:
    """Return what lines of one block have in common, and those of one table; None without a tag."""
    tag = line.tag
    if tag is None:
        return None
    return ("table", tag.table) if tag.table >= 0 else tag.block


def gather_blocks(lines: Sequence[PdfLine]) -> list[PdfLine]:
    """Return a page's lines with those of a block, or of a table, together.

    Blocks are in the order of the tags where fewer of them then stand above the one before: browsers draw all
    listings behind the prose. A table with a cell that is a column of the page is no table.
    """
    lengths = Counter[tuple[int, int]]()
    for line in lines:
        if line.tag is not None and line.tag.table >= 0:
            lengths[line.tag.table, line.tag.block] += len(line.text)
    loose = {table for (table, _), length in lengths.items() if length > _LONGEST_CELL}
    lines = [
        replace(line, tag=Tag(TagRole.REGION, line.tag.block))
        if line.tag is not None and line.tag.table in loose
        else line
        for line in lines
    ]
    first: dict[Hashable, int] = {}
    drawn: list[int] = []
    tagged: list[int] = []
    for position, line in enumerate(lines):
        drawn.append(position if line.tag is None else first.setdefault(block_key(line), position))
        tagged.append(line.tag.block if line.tag is not None else tagged[-1] if tagged else 0)
    orders = [[lines[one] for one in _sorted_positions(places)] for places in (drawn, tagged)]
    return _with_labels_first(min(orders, key=_count_rises))


def _sorted_positions(places: Sequence[int]) -> list[int]:
    return sorted(range(len(places)), key=lambda position: places[position])


def _with_labels_first(lines: Sequence[PdfLine]) -> list[PdfLine]:
    """Return lines with the bullet or number of an item before its text; WeasyPrint draws it at last."""
    ordered: list[PdfLine] = []
    for _, group in groupby(lines, key=block_key):
        block = list(group)
        first, last = block[0], block[-1]
        if first.role is TagRole.ITEM and last.x < first.x and abs(last.y - first.y) < first.size / 2:
            block = [last, *block[:-1]]
        ordered += block
    return ordered


def _count_rises(lines: Sequence[PdfLine]) -> int:
    """Count the blocks that begin above the one before."""
    begins = [next(group) for _, group in groupby(lines, key=block_key)]
    return sum(below.y > above.y + above.size for above, below in pairwise(begins))


def table_text(lines: Sequence[PdfLine], table: TaggedTable, word_counts: Counter[str]) -> str:
    """Return the rows of a table that are on a page, as a table of Markdown."""
    cells: dict[int, list[PdfLine]] = {}
    numbers: set[int] = set()
    for line in lines:
        if line.tag is not None:
            cells.setdefault(line.tag.block, []).append(line)
            numbers.add(line.tag.row)
    texts = {
        block: escape_words(join_lines(cell, word_counts)).replace("|", "\\|")
        for block, cell in cells.items()
    }
    rows = [[texts.get(block, "") for block in table.rows[number]] for number in sorted(numbers)]
    # What goes on from the page before has its head there.
    has_head = table.has_head is not False and 0 in numbers
    if has_head and table.has_head is None:
        has_head = all(0 < len(cell) <= _LONGEST_HEAD for cell in rows[0])
    head = rows.pop(0) if has_head else [""] * len(table.rows[0])
    return "\n".join(barred_table(head, rows))
