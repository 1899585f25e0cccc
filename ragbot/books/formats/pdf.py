"""Read a PDF: one page of the book for each page of the file, with the titles of its outline.

A page's address is `file.pdf#page=12`, at which every viewer opens the twelfth page. An address that ends
in a fragment takes no anchor, so a link cannot be finer than a page of the file. One page of the book for
each of the file's makes every citation lead to the page that holds its words; if a chapter were one page,
all its citations would lead to the chapter's first. No passage runs across the end of a page; a sentence or a
short list that does stands on the page where it begins (`pdf_page_ends.py`). `path` is the same as the
address, because paths are distinct in a book.

The outline's entries that begin on a page open sections there, without anchors. The titles that hold for
the whole page are its parts and its title: `("Part I", "2 Names", "2.1 Scope")` is the title "2.1 Scope"
under two parts, and a page on which 2.1 ends and 2.2 begins belongs to "2 Names". A page without such a
common title is called "Boats, page 12" after the title in the file's metadata, or "Page 12". In a file
without an outline, lines in a larger type are the titles; without these all pages are called so.

`source` is the text after cleaning: lines joined to paragraphs, hyphens at line ends removed, running
heads and feet and the dotted lines of a table of contents dropped, ligatures spelt out. Lines in a
fixed-width font are code and stand in a fence, so that characters with a meaning in Markdown stay as they
are.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from pypdf import PasswordType, PdfReader, apply_configuration
from pypdf.errors import DependencyError, LimitReachedError, PyPdfError

from ragbot.books.files import BookFolder
from ragbot.books.formats.pdf_line_ends import count_words
from ragbot.books.formats.pdf_lines import PdfLine, extract_lines
from ragbot.books.formats.pdf_outline import (
    MAX_OUTLINE,
    OutlineEntry,
    entries_on_page,
    plain_title,
    read_outline,
)
from ragbot.books.formats.pdf_page_ends import join_page_ends
from ragbot.books.formats.pdf_paragraphs import PdfBlock, build_blocks
from ragbot.books.formats.pdf_running_heads import remove_running_heads
from ragbot.books.formats.pdf_tagged_blocks import titles_by_tags, without_left_out
from ragbot.books.formats.pdf_tags import PdfTags, TaggedTable, read_tags
from ragbot.books.formats.pdf_type_sizes import titles_by_type_size
from ragbot.books.formats.table_of_contents import MAX_PARTS, shared_titles
from ragbot.core.domain import Book, Dialect, Page, Section
from ragbot.core.errors import FileUnreadable

MAX_PAGES = 5_000
# Some forty thick novels.
MAX_CHARACTERS = 20_000_000
# A thousand pages take about half a minute; what takes this long is made to take long.
FILE_TIMEOUT_S = 900.0

# pypdf's own limits let one page take minutes; no page that is read needs as much.
_LIMITS: dict[str, Any] = {
    "page_tree_maximum_entries": 2 * MAX_PAGES,
    "outline_maximum_entries": MAX_OUTLINE,
    "outline_maximum_depth": 2 * MAX_PARTS,
    "stream_parsing_work_maximum_count": 1_000_000,
    "xform_maximum_invocations_per_extraction": 500,
    "zlib_maximum_output_length": 30_000_000,
    "lzw_maximum_output_length": 30_000_000,
    "run_length_maximum_output_length": 30_000_000,
}

# Covers and plates are pictures; where more pages are, the book was scanned in part.
_SCANNED_SHARE = 0.1

# What printing to a file puts around the document's name.
_PRINTED_FROM = re.compile(
    r"\AMicrosoft (?:Word|PowerPoint) - |\.(?:docx?|odt|pptx?|indd|rtf|pages)\Z", re.IGNORECASE
)

# Between a page's blocks, as between Markdown's.
_BETWEEN = "\n\n"


def read_pdf(
    folder: BookFolder,
    path: str,
    *,
    content: bytes,
    is_among_others: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Book:
    """Read a book from a PDF's bytes. Pages that cannot be read are added to the folder's `skipped`.

    A book whose metadata has no title is called after its file. With `is_among_others` the title is the
    outermost part of every page. Raises FileUnreadable if the file is encrypted or damaged, holds no text or
    exceeds a limit.
    """
    # A fault of the file is reported once, in `skipped`; pypdf would log it for each object.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with apply_configuration(**_LIMITS):
        reader = _open(content)
        count = _page_count(reader)
        # A book that is called after its file is better than one called after its first page.
        named = _title(reader)
        title = named or PurePosixPath(path).stem
        entries = read_outline(folder, reader, path)
        tags = read_tags(reader)
        skipped = len(folder.skipped)
        pages = _extract_pages(folder, reader, path, tags, count=count, clock=clock)
        _report_scanned_pages(folder, reader, path, pages=pages, has_failed=len(folder.skipped) > skipped)
    outermost = (title,) if is_among_others else ()
    # (Where it is a part already, pages need not repeat it.)
    prefix = "" if is_among_others else named
    return Book(title, tuple(_build_pages(path, pages, entries, outermost, prefix, tags.tables)))


# --- the file ----------------------------------------------------------------------------------


def _open(content: bytes) -> PdfReader:
    if b"%PDF-" not in content[:1024]:
        raise FileUnreadable("The file is no PDF: it does not begin with %PDF-.")
    try:
        reader = PdfReader(BytesIO(content))
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise FileUnreadable("The PDF is encrypted; save a copy of it without a password.")
    except DependencyError as fault:
        raise FileUnreadable("The PDF is encrypted; save a copy of it without encryption.") from fault
    except FileUnreadable:
        raise
    except Exception as fault:
        # A damaged file makes pypdf raise whatever its parts raise.
        raise FileUnreadable(
            "The PDF is damaged and cannot be opened; open it in a viewer and save it anew."
        ) from fault
    return reader


def _page_count(reader: PdfReader) -> int:
    try:
        count = len(reader.pages)
    except LimitReachedError as fault:
        raise FileUnreadable(f"The PDF has more than {MAX_PAGES:,} pages, or claims to.") from fault
    except DependencyError as fault:
        raise FileUnreadable("The PDF is encrypted; save a copy of it without encryption.") from fault
    except Exception as fault:
        raise FileUnreadable(
            "The PDF is damaged: its pages cannot be found; open it in a viewer and save it anew."
        ) from fault
    if count > MAX_PAGES:
        raise FileUnreadable(f"The PDF has {count:,} pages; the limit is {MAX_PAGES:,}.")
    return count


def _title(reader: PdfReader) -> str:
    try:
        title = reader.metadata.title if reader.metadata else ""
    except (PyPdfError, ValueError, TypeError, AttributeError, KeyError):
        return ""
    return _PRINTED_FROM.sub("", plain_title(title))


def _extract_pages(
    folder: BookFolder,
    reader: PdfReader,
    path: str,
    tags: PdfTags,
    *,
    count: int,
    clock: Callable[[], float],
) -> list[list[PdfLine]]:
    """Extract each page's lines; a page that cannot be read is skipped and has none."""
    started, total = clock(), 0
    pages: list[list[PdfLine]] = []
    for number in range(count):
        if clock() - started > FILE_TIMEOUT_S:
            raise FileUnreadable(
                f"The PDF takes more than {FILE_TIMEOUT_S / 60:.0f} minutes to read; split it into parts."
            )

        def read(_: str, number: int = number) -> list[PdfLine]:
            return extract_lines(reader, number, clock, tags.pages.get(number))

        found = folder.read_each([_page_path(path, number)], read)
        pages.append(found[0] if found else [])
        total += sum(len(line.text) for line in pages[-1])
        if total > MAX_CHARACTERS:
            raise FileUnreadable(f"The PDF holds more than {MAX_CHARACTERS:,} characters.")
    return pages


def _report_scanned_pages(
    folder: BookFolder, reader: PdfReader, path: str, *, pages: Sequence[list[PdfLine]], has_failed: bool
) -> None:
    empty = [number for number, lines in enumerate(pages) if not lines]
    if len(empty) == len(pages) and has_failed:
        raise FileUnreadable("None of the PDF's pages could be read.")
    if len(empty) == len(pages):
        raise FileUnreadable(
            "The PDF holds no text: its pages are empty or pictures, and need text recognition (OCR) first."
        )
    if len(empty) > 1 and len(empty) > _SCANNED_SHARE * len(pages):
        scanned = [number for number in empty if _has_picture(reader, number)]
        if len(scanned) > _SCANNED_SHARE * len(pages):
            folder.skip(
                path,
                f"{len(scanned)} of the PDF's {len(pages)} pages, the first of them {scanned[0] + 1}, "
                "are pictures without text; they need text recognition (OCR) first.",
            )


def _has_picture(reader: PdfReader, number: int) -> bool:
    try:
        return bool(reader.pages[number]["/Resources"]["/XObject"])  # type: ignore[index]
    except Exception:
        return False


# --- pages -------------------------------------------------------------------------------------


def _build_pages(
    path: str,
    pages: Sequence[list[PdfLine]],
    entries: Sequence[OutlineEntry],
    outermost: tuple[str, ...],
    prefix: str,
    tables: Mapping[int, TaggedTable],
) -> Iterator[Page]:
    bodies: Sequence[list[PdfLine]] = [without_left_out(lines) for lines in remove_running_heads(pages)]
    if not any(bodies):
        # Slides may say the same on every page, and nothing else.
        bodies = pages
    tagged = titles_by_tags(bodies)
    # An outline may have the chapters alone.
    entries = tagged if len(tagged) > len(entries) else entries or titles_by_type_size(bodies)
    word_counts = count_words(bodies)
    bodies = join_page_ends(bodies)
    for number, lines in enumerate(bodies):
        blocks = build_blocks(lines, *entries_on_page(entries, number), word_counts, tables)
        if blocks:
            fallback = f"{prefix}, page {number + 1}" if prefix else f"Page {number + 1}"
            yield _page(path, number, blocks, outermost, fallback)


def _page(
    path: str, number: int, blocks: Sequence[PdfBlock], outermost: tuple[str, ...], fallback: str
) -> Page:
    shared = shared_titles([block.titles for block in blocks])
    *parts, title = (*outermost, *(shared or (fallback,)))
    sections: list[Section] = []
    length = 0
    for block in blocks:
        own = block.titles[len(shared) :]
        # "Page 12" is above no title of the book.
        heading_path = (*parts, *own) if own and not shared else (*parts, title, *own)
        start, length = length, length + len(block.text) + len(_BETWEEN)
        if sections and sections[-1].heading_path == heading_path:
            start = sections.pop().start
        sections.append(Section(heading_path, "", start, length))
    source = "".join(f"{block.text}{_BETWEEN}" for block in blocks)
    address = f"{quote(path)}#page={number + 1}"
    return Page(
        _page_path(path, number), title, address, source, tuple(sections), Dialect.CONVERTED, tuple(parts)
    )


def _page_path(path: str, number: int) -> str:
    return f"{path}#page={number + 1}"
