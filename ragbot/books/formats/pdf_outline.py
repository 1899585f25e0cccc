"""Read a PDF's outline (its bookmarks) as titles with the page that each begins on."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pypdf import PdfReader
from pypdf.generic import Destination

from ragbot.books.files import BookFolder
from ragbot.books.formats.pdf_lines import readable_text
from ragbot.books.formats.table_of_contents import MAX_PARTS, MAX_TITLE

MAX_OUTLINE = 10_000

# Bullets, of which those of Word's fonts have private codes.
_SIGN_BEFORE = re.compile(r"\A[•‣▪●○◦■□\ue000-\uf8ff]\s*")


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """Describe an entry of the outline.

    `page` counts from 0; `top` is the height on the page in points, None where the file names none; `titles`
    run from the outermost part to the entry's own.
    """

    page: int
    top: float | None
    titles: tuple[str, ...]


def read_outline(folder: BookFolder, reader: PdfReader, path: str) -> list[OutlineEntry]:
    """Read the outline's entries in the order of pages; a damaged outline is reported as skipped."""
    try:
        entries = list(_entries(reader, reader.outline))
    except Exception:
        # Its objects are as wild as the file is; the text is worth more than its titles.
        folder.skip(path, "The PDF's outline is damaged or endless; its pages are named by their numbers.")
        return []
    return sorted(entries, key=lambda entry: entry.page)


def _entries(reader: PdfReader, outline: Iterable[Any]) -> Iterator[OutlineEntry]:
    """Walk the outline in reading order; entries without a page lend their titles to those below."""
    stack: list[tuple[Iterator[Any], tuple[str, ...]]] = [(iter(outline), ())]
    titles: tuple[str, ...] = ()
    while stack:
        nodes, above = stack[-1]
        node = next(nodes, None)
        if node is None:
            stack.pop()
        elif isinstance(node, list):
            stack.append((iter(node), titles))
        elif isinstance(node, Destination):
            title = plain_title(node.title)
            titles = (*above, title)[:MAX_PARTS] if title else above
            page = reader.get_destination_page_number(node)
            if page is not None and page >= 0 and titles:
                yield OutlineEntry(page, _number(node.get("/Top")), titles)


def nested_entries(found: Iterable[tuple[int, float, float, str]]) -> list[OutlineEntry]:
    """Nest titles by their rank; the smaller it is, the higher a title stands.

    Each is a page, a rank, a height on the page in points, and the words, in reading order.
    """
    entries: list[OutlineEntry] = []
    above: list[tuple[float, str]] = []
    for page, rank, top, title in found:
        above = [*(one for one in above if one[0] < rank), (rank, title)][-MAX_PARTS:]
        entries.append(OutlineEntry(page, top, tuple(words for _, words in above)))
    return entries


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def plain_title(title: object) -> str:
    """Return a title as plain text on one line, without a bullet; empty if it is not text."""
    words = " ".join(readable_text(title).split()) if isinstance(title, str) else ""
    return _SIGN_BEFORE.sub("", words)[:MAX_TITLE]


def entries_on_page(
    entries: Sequence[OutlineEntry], number: int
) -> tuple[list[OutlineEntry], tuple[str, ...]]:
    """Return the entries that begin on a page, and the titles that hold at its top."""
    first = bisect_left(entries, number, key=lambda entry: entry.page)
    after = bisect_right(entries, number, key=lambda entry: entry.page)
    return list(entries[first:after]), entries[first - 1].titles if first else ()
