"""Load a book from a path: detect its format, read its pages in order, and record skipped files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ragbot.books.files import BookFolder
from ragbot.books.formats.docusaurus import (
    ANY_KEYS,
    CONFIG_NAMES,
    SIDEBAR_KEYS,
    has_front_matter,
    read_docusaurus,
)
from ragbot.books.formats.epub import EPUB_SUFFIXES, read_epub
from ragbot.books.formats.html import HTML_SUFFIXES, read_html_page
from ragbot.books.formats.html_site import read_html
from ragbot.books.formats.mdbook import read_mdbook
from ragbot.books.formats.plain import MARKDOWN_SUFFIXES, read_plain, read_plain_page, reading_key
from ragbot.core.domain import Book, Page
from ragbot.core.errors import BookError

FileProgress = Callable[[str], None]

# Readers of a text file that is a whole book in itself, by suffix.
PAGE_READERS: dict[str, Callable[[str, str], Page]] = {
    **dict.fromkeys(MARKDOWN_SUFFIXES, read_plain_page),
    **dict.fromkeys(HTML_SUFFIXES, read_html_page),
}

# Suffixes of files that hold many pages.
PDF_SUFFIXES = frozenset({".pdf"})
MULTI_PAGE_SUFFIXES = EPUB_SUFFIXES | PDF_SUFFIXES

# Pictures and fonts make up most of such a file; the limit for files applies to its text.
MULTI_PAGE_SIZE_FACTOR = 20

_EXPECTED = (
    "a Docusaurus project or its docs folder, an mdBook, a built HTML site, a folder of Markdown, "
    "or a single Markdown, HTML, EPUB or PDF file"
)


def load_book(root: Path, *, max_file_bytes: int = 5_000_000, progress: FileProgress | None = None) -> Book:
    """Read the book at `root`. `progress` is called with each file's path before it is read.

    A file that cannot be read is left out and recorded in the book's `skipped`. Raises BookError if nothing
    could be read.
    """
    if not root.exists():
        raise BookError(f"There is nothing at {root}. Expected {_EXPECTED}. Check the path.")
    if root.is_file():
        return _load_file(root, max_file_bytes=max_file_bytes, progress=progress)
    folder = BookFolder(root, max_file_bytes=max_file_bytes, progress=progress)
    book = _choose_reader(folder)(folder)
    if not book.pages:
        raise BookError(_nothing_readable(root, book))
    return book


def _choose_reader(folder: BookFolder) -> Callable[[BookFolder], Book]:
    if any(folder.has(name) for name in ("book.toml", "SUMMARY.md", "src/SUMMARY.md")):
        return read_mdbook
    if any(folder.has(name) for name in CONFIG_NAMES):
        return read_docusaurus
    if (folder.root / "docs").is_dir() and has_front_matter(folder, "docs", ANY_KEYS):
        return lambda found: read_docusaurus(found, "docs")
    markdown, html, bound = (
        len(folder.files(suffixes)) for suffixes in (MARKDOWN_SUFFIXES, HTML_SUFFIXES, MULTI_PAGE_SUFFIXES)
    )
    folder.clear_skipped()
    # Sites offer their book as a PDF, too; a folder of PDFs has a page of HTML now and then.
    if html > markdown and html >= bound:
        return read_html
    if markdown and _is_docs_folder(folder):
        return lambda found: read_docusaurus(found, "")
    return _read_mixed_folder if bound else read_plain


def _is_docs_folder(folder: BookFolder) -> bool:
    return has_front_matter(folder, "", ANY_KEYS if folder.root.name == "docs" else SIDEBAR_KEYS)


def _read_mixed_folder(folder: BookFolder) -> Book:
    """Read the Markdown, EPUB and PDF files of a plain folder in one order."""

    def read(path: str) -> tuple[Page, ...]:
        if Path(path).suffix.lower() in MULTI_PAGE_SUFFIXES:
            return _read_multi_page_file(folder, path, is_among_others=True).pages
        return (read_plain_page(path, folder.read_text(path)),)

    paths = sorted(folder.files(MARKDOWN_SUFFIXES | MULTI_PAGE_SUFFIXES), key=reading_key)
    pages = [page for found in folder.read_each(paths, read) for page in found]
    return Book("", tuple(pages), tuple(folder.skipped))


def _read_multi_page_file(folder: BookFolder, path: str, *, is_among_others: bool) -> Book:
    large_files = BookFolder(folder.root, max_file_bytes=MULTI_PAGE_SIZE_FACTOR * folder.max_file_bytes)
    content = large_files.read_bytes(path)
    if Path(path).suffix.lower() in EPUB_SUFFIXES:
        return read_epub(folder, path, content=content, is_among_others=is_among_others)
    from ragbot.books.formats.pdf import read_pdf

    return read_pdf(folder, path, content=content, is_among_others=is_among_others)


def _load_file(path: Path, *, max_file_bytes: int, progress: FileProgress | None) -> Book:
    folder = BookFolder(path.parent, max_file_bytes=max_file_bytes, progress=progress)
    if path.suffix.lower() in MULTI_PAGE_SUFFIXES:
        books = folder.read_each(
            [path.name], lambda name: _read_multi_page_file(folder, name, is_among_others=False)
        )
        return _with_skipped(path, books[0] if books else Book("", ()), folder)
    reader = PAGE_READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(sorted({*PAGE_READERS, *MULTI_PAGE_SUFFIXES}))
        raise BookError(
            f"{path.name} has a format that cannot be read (known: {known}). Expected {_EXPECTED}."
        )
    pages = folder.read_each([path.name], lambda name: reader(name, folder.read_text(name)))
    return _with_skipped(path, Book("", tuple(pages)), folder)


def _with_skipped(path: Path, book: Book, folder: BookFolder) -> Book:
    """Return the book with its skipped files. Raises BookError if it has no pages."""
    book = replace(book, skipped=tuple(folder.skipped))
    if not book.pages:
        raise BookError(f"{path} cannot be read: {book.skipped[0].reason}")
    return book


def _nothing_readable(path: Path, book: Book) -> str:
    if not book.skipped:
        return f"{path} holds no pages. Expected {_EXPECTED}. Point to the folder that holds the book."
    first = book.skipped[0]
    return (
        f"None of the {len(book.skipped)} files found at {path} could be read; the first, {first.path}: "
        f"{first.reason} Expected {_EXPECTED}."
    )
