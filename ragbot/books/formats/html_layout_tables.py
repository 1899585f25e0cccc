"""Replace tables that only lay a page out by what they hold: numbered code, AsciiDoc's notes and terms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from selectolax.lexbor import LexborNode

from ragbot.books.formats.html_tree import new_element, new_paragraph

_LINE_NUMBERS = re.compile(r"[\s\d]*")


def replace_layout_tables(main: LexborNode) -> None:
    """Write notes as a label and paragraphs, callouts as a numbered list, and terms as a list of terms."""
    # From the end: a table inside of another one is replaced before it.
    for note in reversed(main.css(".admonitionblock > table")):
        icon, content = note.css_first("td.icon"), note.css_first("td.content")
        if icon is not None and content is not None:
            note.replace_with(new_element(f"<div><p>{escape(_label(icon))}</p>{_inside(content)}</div>"))
    for callouts in reversed(main.css(".colist > table")):
        items = (f"<li>{_inside(cells[-1])}</li>" for cells in _rows(callouts))
        callouts.replace_with(new_element(f"<ol>{''.join(items)}</ol>"))
    for terms in reversed(main.css(".hdlist > table")):
        entries = (f"<dt>{_inside(cells[0])}</dt><dd>{_inside(cells[-1])}</dd>" for cells in _rows(terms))
        terms.replace_with(new_element(f"<dl>{''.join(entries)}</dl>"))


def replace_code_tables(main: LexborNode) -> None:
    """Write a table that has code beside the numbers of its lines as the code alone, below its file's name.

    So Pygments, Chroma, Rouge and CodeRay number lines.
    """
    for table in main.css("table:has(pre):not(:has(table))"):
        rows = [cells for cells in _rows(table) if cells]
        if len(rows) == 1 and (listing := _numbered_listing(rows[0])) is not None:
            for name in table.css("th, caption"):
                table.insert_before(new_paragraph(name))
            table.replace_with(listing)


def _numbered_listing(cells: list[LexborNode]) -> LexborNode | None:
    """Return the code of a row if the row has nothing else but numbers."""
    *numbers, code = cells
    if not all(_LINE_NUMBERS.fullmatch(cell.text()) for cell in numbers):
        return None
    listings = code.css("pre")
    is_alone = len(listings) == 1 and listings[0].text().strip() == code.text().strip()
    return listings[0] if is_alone else None


def _label(icon: LexborNode) -> str:
    """Return what an icon says: its words, or its title where it is a picture."""
    picture = icon.css_first("[title], [alt]")
    named = picture.attributes if picture is not None else {}
    return icon.text(strip=True) or named.get("title") or named.get("alt") or ""


def _rows(table: LexborNode) -> Iterator[list[LexborNode]]:
    """Yield the cells of each row, without those of tables inside."""
    for row in table.css("tr"):
        outer = row.parent.parent if row.parent else None
        if outer is not None and outer.mem_id == table.mem_id:
            yield [cell for cell in row.iter() if cell.tag == "td"]


def _inside(node: LexborNode) -> str:
    return "".join(child.html or "" for child in node.iter(include_text=True))
