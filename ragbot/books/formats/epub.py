"""Read an EPUB, version 2 or 3: its chapters in the order of its spine, with the titles of its contents.

Each chapter goes through the HTML reader, so a page's source is Markdown. A page's path is its entry's path
inside the archive. No site serves what is inside: the address of every page is that of the whole file, empty
where the file is the book, and sections have no anchors. In a folder of books the file's own path stands in
front of the entry's (`books/book.epub/OEBPS/ch1.xhtml`), because entries of two books often have the same
name.
"""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import quote

from selectolax.lexbor import LexborHTMLParser

from ragbot.books.files import BookFolder
from ragbot.books.formats.epub_archive import EpubArchive
from ragbot.books.formats.epub_contents import read_contents, titles_by_file
from ragbot.books.formats.epub_package import read_package, refuse_protected
from ragbot.books.formats.epub_styles import Style, apply_styles, read_styles
from ragbot.books.formats.epub_xml import entry_text
from ragbot.books.formats.html import convert_html_page
from ragbot.books.formats.html_tree import parse_html
from ragbot.books.formats.table_of_contents import shared_titles
from ragbot.core.domain import Book, Page, Section
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import folded

EPUB_SUFFIXES = frozenset({".epub"})

# Finding a page's anchors takes as long as its headings squared.
MAX_HEADINGS = 5_000
MAX_SHEETS = 10
# The longest novels take seconds; what takes this long is made to take long.
FILE_TIMEOUT_S = 900.0

# XHTML closes empty elements in their own tag, which HTML takes for an opening one.
_SELF_CLOSED = re.compile(r"<(?P<name>[A-Za-z][\w:.-]*)(?P<attributes>(?:\s[^<>]*)?)/>")
# XHTML may name the elements of formulas with a prefix, `<m:math>`, which HTML does not know.
_MATHML = re.compile(r"xmlns:(?P<prefix>[A-Za-z][\w-]{0,20})=[\"']http://www\.w3\.org/1998/Math/MathML[\"']")
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
# The number of a note at the end: a file's citations need no text fragment, which would have to hold it.
_NOTE_MARK = re.compile(
    r"(?<!\s)\s*+(?P<opened>\[)?"
    r"<a\b(?=[^<>]*(?:\bclass=\"[^\"]*\bfootnote(?:-ref(?:erence)?)?[\s\"]|\bnoteref\b))[^<>]*>"
    r"\s*+(?:<sup\b[^<>]*>\s*+)?\[?\w{1,4}\]?\s*+(?:</sup>\s*+)?</a>(?(opened)\])"
)
# A printed table of contents: the titles say the same. Links, and their share of the page's letters.
_FEWEST_LINKS = 8
_MOSTLY_LINKS = 0.8
_CONTENTS = re.compile(r"<nav\b[^<>]*\bepub:type=\"(?:[^\"]*\s)?toc[\s\"]", re.IGNORECASE)
_NUMBER_BEFORE = re.compile(r"\A\d{1,3}(?:\.\d{1,3})*[.:)]?\s+(?:[-–—]\s+)?")
_FOOTER = re.compile(r"(?<=<)(?P<close>/?)footer\b", re.IGNORECASE)
_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_HEADING = re.compile(r"<h[1-6]\b", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]*>|&\w+;")


def read_epub(
    folder: BookFolder,
    path: str,
    *,
    content: bytes,
    is_among_others: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Book:
    """Read a book from an EPUB's bytes. Chapters that cannot be read are added to the folder's `skipped`.

    With `is_among_others` the book's title is the outermost part of every page, and the EPUB's path stands in
    front of theirs. Raises FileUnreadable if the archive or its package cannot be read, or takes too long.
    """
    end = clock() + FILE_TIMEOUT_S
    archive = EpubArchive(content, max_entry_bytes=folder.max_file_bytes)
    package = read_package(archive)
    refuse_protected(archive, package.spine)
    under = f"{path}/" if is_among_others else ""
    known = titles_by_file(read_contents(folder, archive, package, under=under))
    outermost = (package.title or PurePosixPath(path).stem,) if is_among_others else ()

    sheets: dict[str, Mapping[str, Style]] = {}

    def read(full: str) -> Page | None:
        return _read_chapter(archive, full.removeprefix(under), sheets)

    pages: list[Page] = []
    above: tuple[str, ...] = ()
    for name in package.spine:
        if clock() > end:
            raise FileUnreadable(
                f"The EPUB takes more than {FILE_TIMEOUT_S / 60:.0f} minutes to read; split it into parts."
            )
        for page in folder.read_each([f"{under}{name}"], read):
            if page is not None:
                titles = _titles(page, known.get(name), above)
                address = quote(path) if is_among_others else ""
                pages.append(_named(page, f"{under}{name}", (*outermost, *titles), address))
        above = known[name][-1] if name in known else above
    if not pages:
        raise FileUnreadable("The EPUB holds no chapter that could be read.")
    return Book(package.title, tuple(pages))


def _read_chapter(archive: EpubArchive, name: str, sheets: dict[str, Mapping[str, Style]]) -> Page | None:
    """Read one chapter; None if it holds no words, or the table of contents alone.

    `sheets` are the style sheets that were read before, by their paths.
    """
    source = as_html(entry_text(archive.read(name)))
    headings = sum(1 for _ in _HEADING.finditer(source))
    if headings > MAX_HEADINGS:
        raise FileUnreadable(f"The chapter has more than {MAX_HEADINGS:,} headings.")
    if not _holds_words(source):
        return None
    tree = parse_html(source)
    if _is_contents(source, tree):
        return None
    if not headings and (styles := _styles(archive, name, tree, sheets)):
        apply_styles(tree, styles)
    return convert_html_page(name, source, tree)


def _styles(
    archive: EpubArchive, name: str, tree: LexborHTMLParser, sheets: dict[str, Mapping[str, Style]]
) -> Mapping[str, Style]:
    """Return what a chapter's style sheets say of classes; one that cannot be read says nothing."""
    styles: dict[str, Style] = {}
    for link in tree.css("link[rel='stylesheet'][href]")[:MAX_SHEETS]:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), link.attributes["href"] or ""))
        if path not in sheets:
            try:
                sheets[path] = read_styles(entry_text(archive.read(path)))
            except FileUnreadable:
                sheets[path] = {}
        styles.update(sheets[path])
    return styles


def _titles(page: Page, listed: list[tuple[str, ...]] | None, above: tuple[str, ...]) -> tuple[str, ...]:
    """Return the titles from the outermost part to the page's own.

    A file that the contents do not list continues the chapter before it, unless it opens with a title of its
    own. A file with several chapters has the title that they share, or its own.
    """
    if listed is None:
        return (*above[:-1], page.title) if _opening(page) or not above else above
    return shared_titles(listed) or (page.title,)


def _named(page: Page, path: str, titles: tuple[str, ...], address: str) -> Page:
    *parts, title = titles
    opening = _opening(page)
    inner = (opening,) if folded(opening) not in folded(title) else ()
    # GitBook writes the title of its contents above the page's own: "1.3 - Names" and "Names".
    own = {folded(title), folded(_NUMBER_BEFORE.sub("", title))}

    def moved(section: Section) -> Section:
        below = (*inner, *section.heading_path[1:])
        while below and folded(below[0]) in own:
            below = below[1:]
        return replace(section, heading_path=(*parts, title, *below), anchor="")

    sections = tuple(moved(section) for section in page.sections)
    return Page(path, title, address, page.source, sections, page.dialect, tuple(parts))


def _opening(page: Page) -> str:
    """Return the page's title if the page begins with it as a heading, else an empty text."""
    return page.title if page.source.lstrip().startswith("# ") else ""


def as_html(source: str) -> str:
    """Rewrite XHTML for an HTML parser, with its whole body marked as the page's own text."""
    if prefixed := _MATHML.search(source):
        source = re.sub(rf"(</?){prefixed['prefix']}:(?=[a-z])", r"\1", source)
    source = _SELF_CLOSED.sub(_closed, source)
    source = _NOTE_MARK.sub("", source)
    # Sites repeat their footers; books put notes there.
    source = _FOOTER.sub(r"\g<close>div", source)
    return _BODY.sub(r'\g<0><div itemprop="articleBody">', source, count=1)


def _closed(match: re.Match[str]) -> str:
    name = match["name"]
    return match[0] if name.lower() in _VOID else f"<{name}{match['attributes']}></{name}>"


def _is_contents(source: str, tree: LexborHTMLParser) -> bool:
    """Return whether a page is the book's table of contents: marked as such, or links to chapters alone."""
    if _CONTENTS.search(source):
        return True
    links = tree.css("a[href]:not([href*=':'])")
    if len(links) < _FEWEST_LINKS or tree.body is None:
        return False
    linked = sum(_count_letters(link.text()) for link in links)
    return linked >= _MOSTLY_LINKS * _count_letters(tree.body.text())


def _count_letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _holds_words(source: str) -> bool:
    """Return whether the body holds text: covers and plates are pictures alone."""
    body = _BODY.search(source)
    words = _MARKUP.sub("", source[body.end() :] if body else source)
    return any(character.isalnum() for character in words)
