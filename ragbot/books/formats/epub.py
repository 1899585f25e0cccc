"""An EPUB, 2 or 3, to a book: its spine's documents in order, under the titles of its contents.

Each document goes through the HTML reader, so a page's source is Markdown and its anchors are the
ids as they stand. A page's path is its entry's path inside of the archive, and so is its address:
a site that shows the book serves it unzipped. In a folder of books the file's own path stands in
front (`shelf/book.epub/OEBPS/ch1.xhtml`), for entries of two books often have the same name.

Nothing is ever written to the disk, and only what the book lists is unzipped, within limits.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from html.entities import html5
from io import BytesIO
from itertools import takewhile
from pathlib import PurePosixPath
from posixpath import dirname, normpath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from ragbot.books.files import BookFolder, decode_text
from ragbot.books.formats.html import read_html_page
from ragbot.core.domain import Book, Page, Section
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import folded

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

EPUB_SUFFIXES = frozenset({".epub"})

# A picture book holds some thousands of entries; a central directory of millions fills the memory.
MAX_ENTRIES = 20_000
# What is unzipped of one book at most: a hundred times the longest novels.
MAX_UNZIPPED_BYTES = 200_000_000
# Prose shrinks to a third, tables of figures to a twentieth. Small entries may shrink as they like.
MAX_RATIO = 200
RATIO_FREE_BYTES = 100_000
MAX_SPINE = 5_000
MAX_CONTENTS = 20_000
# Deeper entries of the contents stand under their outermost titles.
MAX_PARTS = 16
MAX_TITLE = 300
# A text stands behind one or two kinds that few can show; each document may begin a chain of its own.
MAX_FALLBACKS = 10
# Finding a page's anchors takes as long as its headings squared.
MAX_HEADINGS = 5_000
# The longest novels take seconds; what takes this long is made to take long.
FILE_TIMEOUT_S = 900.0

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_TEXTS = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})
_PICTURES = ("image/", "audio/", "video/")
# Fonts are mangled by these, which protects nothing that is read here.
_FONT_MANGLING = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_ENTRY_MARK = b"PK\x01\x02"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ZIP_FAULTS = (BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError)

# XHTML closes empty elements in their own tag, which HTML takes for an opening one.
_SELF_CLOSED = re.compile(r"<(?P<name>[A-Za-z][\w:.-]*)(?P<attributes>(?:\s[^<>]*)?)/>")
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_FOOTER = re.compile(r"(?<=<)(?P<close>/?)footer\b", re.IGNORECASE)
_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_HEADING = re.compile(r"<h[1-6]\b", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]*>|&\w+;")
_ENTITY = re.compile(r"&(?P<name>[A-Za-z]\w{0,30};)")
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})


@dataclass(frozen=True, slots=True)
class _Package:
    """What the package file lists: entries by their path inside of the archive."""

    title: str
    spine: tuple[str, ...]
    contents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    """An entry of the contents as it is written."""

    title: str
    link: str
    children: list[Element]


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of the contents: the titles from the outermost part to its own, and its file."""

    titles: tuple[str, ...]
    file: str


def read_epub(
    folder: BookFolder,
    path: str,
    *,
    content: bytes,
    is_among_others: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Book:
    """The book in an EPUB's bytes. Chapters that cannot be read are named in the folder's `skipped`.

    With `is_among_others` its title is the outermost part of every page, and its path stands in
    front of theirs. Raises FileUnreadable where the archive or its package cannot be read, or takes too long.
    """
    end = clock() + FILE_TIMEOUT_S
    archive = _Archive(content, max_entry_bytes=folder.max_file_bytes)
    package = _package(archive)
    _refuse_protected(archive, package.spine)
    under = f"{path}/" if is_among_others else ""
    entries = _contents(folder, archive, package, under=under)
    outermost = (package.title or PurePosixPath(path).stem,) if is_among_others else ()

    def read(full: str) -> Page | None:
        name = full.removeprefix(under)
        source = _as_html(_text(archive.read(name)))
        if sum(1 for _ in _HEADING.finditer(source)) > MAX_HEADINGS:
            raise FileUnreadable(f"The chapter has more than {MAX_HEADINGS:,} headings.")
        return read_html_page(name, source) if _holds_words(source) else None

    pages: list[Page] = []
    known = _paths_by_file(entries)
    above: tuple[str, ...] = ()
    for name in package.spine:
        if clock() > end:
            raise FileUnreadable(
                f"The EPUB takes more than {FILE_TIMEOUT_S / 60:.0f} minutes to read; split it into parts."
            )
        for page in folder.read_each([f"{under}{name}"], read):
            if page is not None:
                pages.append(_named(page, f"{under}{name}", outermost, _titles(page, known.get(name), above)))
        above = known[name][-1] if name in known else above
    if not pages:
        raise FileUnreadable("The EPUB holds no chapter that could be read.")
    return Book(package.title, tuple(pages))


class _Archive:
    """A ZIP archive in memory, read entry by entry within limits. Raises FileUnreadable."""

    def __init__(self, content: bytes, *, max_entry_bytes: int) -> None:
        self._max_entry_bytes = max_entry_bytes
        self._left = MAX_UNZIPPED_BYTES
        # Counted before the archive is opened, for opening it makes an object of every entry.
        if content.count(_ENTRY_MARK) > MAX_ENTRIES:
            raise FileUnreadable(f"The EPUB holds more than {MAX_ENTRIES:,} entries.")
        try:
            self._zip = ZipFile(BytesIO(content))
        except _ZIP_FAULTS as fault:
            raise FileUnreadable("The file is damaged, or no EPUB: it is not a ZIP archive.") from fault

    def holds(self, name: str) -> bool:
        """Whether there is an entry of this path."""
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """An entry's bytes."""
        if not self.holds(name):
            raise FileUnreadable("The EPUB lists this file, but does not hold it.")
        info = self._zip.getinfo(name)
        self._check(info)
        try:
            # No more is unzipped than is declared; where there is more, its checksum is false.
            content = self._zip.read(info)
        except _ZIP_FAULTS as fault:
            raise FileUnreadable("The entry is damaged in the archive.") from fault
        self._left -= len(content)
        return content

    def _check(self, info: ZipInfo) -> None:
        size = info.file_size
        if info.flag_bits & 1:
            raise FileUnreadable("The entry is encrypted; save a copy of the book without a password.")
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise FileUnreadable("The entry is compressed in a way that EPUB does not know.")
        if size > self._max_entry_bytes:
            raise FileUnreadable(
                f"The entry holds {size:,} bytes unzipped; the limit is {self._max_entry_bytes:,}."
            )
        if size > RATIO_FREE_BYTES and size > MAX_RATIO * info.compress_size:
            raise FileUnreadable(
                f"The entry unzips to more than {MAX_RATIO} times its size, as only zip bombs do."
            )
        if size > self._left:
            raise FileUnreadable(
                f"The book's text is longer than {MAX_UNZIPPED_BYTES:,} bytes; the rest is left out."
            )


# --- the package -------------------------------------------------------------------------------


def _package(archive: _Archive) -> _Package:
    if not archive.holds(_CONTAINER):
        raise FileUnreadable(f"The file is a ZIP archive without {_CONTAINER}, so it is no EPUB.")
    roots = _all(_xml(archive, _CONTAINER), "rootfile")
    path = _inside("", next((root.get("full-path") or "" for root in roots), ""))
    if not path:
        raise FileUnreadable(f"The EPUB's {_CONTAINER} names no package file.")
    package = _xml(archive, path)
    manifest = {element.get("id") or "": element for element in _all(package, "item")}
    titles = (_words(element) for element in _all(package, "title"))
    return _Package(
        title=next((title for title in titles if title), ""),
        spine=tuple(dict.fromkeys(_spine(package, manifest, path))),
        contents=tuple(_contents_files(manifest.values(), path)),
    )


def _spine(package: Element, manifest: dict[str, Element], base: str) -> Iterator[str]:
    references = _all(package, "itemref")
    if len(references) > MAX_SPINE:
        raise FileUnreadable(f"The EPUB lists {len(references):,} documents; the limit is {MAX_SPINE:,}.")
    for reference in references:
        element = manifest.get(reference.get("idref") or "")
        if element is None or (reference.get("linear") or "").strip() == "no":
            continue
        # The contents are a page of links; they name the pages instead.
        if "nav" in (element.get("properties") or "").split():
            continue
        text = _fallback(element, manifest)
        name = _inside(base, text.get("href") or "") if text is not None else ""
        if name:
            yield name


def _fallback(element: Element, manifest: dict[str, Element]) -> Element | None:
    """The first text on an element's chain of fallbacks, which may be a ring."""
    current: Element | None = element
    for _ in range(MAX_FALLBACKS):
        if current is None:
            return None
        kind = (current.get("media-type") or "").strip().lower()
        key = current.get("fallback") or ""
        if kind in _TEXTS or (not kind.startswith(_PICTURES) and not key):
            return current
        current = manifest.get(key) if key else None
    return None


def _contents_files(elements: Iterable[Element], base: str) -> list[str]:
    """Where the contents may stand: EPUB 3's page of links first, then EPUB 2's file."""
    listed = list(elements)
    pages = [element for element in listed if "nav" in (element.get("properties") or "").split()]
    files = [element for element in listed if element.get("media-type") == "application/x-dtbncx+xml"]
    names = (_inside(base, element.get("href") or "") for element in [*pages, *files])
    return [name for name in names if name]


def _refuse_protected(archive: _Archive, spine: Iterable[str]) -> None:
    if not archive.holds(_ENCRYPTION):
        return
    locked: set[str] = set()
    for element in _children(_xml(archive, _ENCRYPTION), "EncryptedData"):
        methods = {method.get("Algorithm") for method in _children(element, "EncryptionMethod")}
        if not methods <= _FONT_MANGLING:
            locked.update(_inside("", link.get("URI") or "") for link in _all(element, "CipherReference"))
    if not locked.isdisjoint(spine):
        raise FileUnreadable("The EPUB is protected against copying (DRM), so its text cannot be read.")


def _inside(base: str, link: str) -> str:
    """The entry that a link in the file `base` leads to; empty where it leads out of the archive."""
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return ""
    target = unquote(parts.path)
    if parts.scheme or parts.netloc or not target or not target.isprintable():
        return ""
    name = normpath(f"{dirname(base)}/{target}".lstrip("/") if not target.startswith("/") else target[1:])
    return "" if name.startswith(("..", "/")) or name == "." else name


# --- the contents ------------------------------------------------------------------------------


def _contents(folder: BookFolder, archive: _Archive, package: _Package, *, under: str) -> list[_Entry]:
    """The entries of the first contents that can be read and hold any."""

    def read(full: str) -> list[_Entry]:
        return _entries(archive, full.removeprefix(under))

    found = (folder.read_each([f"{under}{name}"], read) for name in package.contents)
    return next((entries for tables in found for entries in tables if entries), [])


def _entries(archive: _Archive, file: str) -> list[_Entry]:
    root = _xml(archive, file)
    if _local(root) == "ncx":
        maps = _all(root, "navMap")
        return list(_walked(_children(maps[0], "navPoint"), _ncx_node, file)) if maps else []
    lists = [inner for nav in _navs(root) for inner in _children(nav, "ol")]
    return list(_walked(_children(lists[0], "li"), _nav_node, file)) if lists else []


def _navs(root: Element) -> list[Element]:
    navs = _all(root, "nav")
    return [nav for nav in navs if "toc" in (nav.get(_EPUB_TYPE) or "").split()] or navs


def _walked(tops: list[Element], opened: Callable[[Element], _Node], base: str) -> Iterator[_Entry]:
    stack: list[tuple[Element, tuple[str, ...]]] = [(element, ()) for element in reversed(tops)]
    count = 0
    while stack:
        element, above = stack.pop()
        count += 1
        if count > MAX_CONTENTS:
            raise FileUnreadable(
                f"The contents hold more than {MAX_CONTENTS:,} entries; chapters are named by their headings."
            )
        node = opened(element)
        titles = (*above, node.title)[:MAX_PARTS] if node.title else above
        if titles and (file := _inside(base, node.link)):
            yield _Entry(titles, file)
        stack.extend((child, titles) for child in reversed(node.children))


def _nav_node(element: Element) -> _Node:
    label = next((child for child in element if _local(child) != "ol"), None)
    links = _all(label, "a") if label is not None else []
    children = [inner for ol in _children(element, "ol") for inner in _children(ol, "li")]
    title = _words(label) if label is not None else ""
    return _Node(title, (links[0].get("href") or "") if links else "", children)


def _ncx_node(element: Element) -> _Node:
    labels, contents = _children(element, "navLabel"), _children(element, "content")
    link = (contents[0].get("src") or "") if contents else ""
    return _Node(_words(labels[0]) if labels else "", link, _children(element, "navPoint"))


def _paths_by_file(entries: Iterable[_Entry]) -> dict[str, list[tuple[str, ...]]]:
    known: dict[str, list[tuple[str, ...]]] = {}
    for entry in entries:
        known.setdefault(entry.file, []).append(entry.titles)
    return known


# --- pages -------------------------------------------------------------------------------------


def _titles(page: Page, listed: list[tuple[str, ...]] | None, above: tuple[str, ...]) -> tuple[str, ...]:
    """The titles from the outermost part to the page's own.

    What the contents do not list goes on with the chapter before it, unless it opens with a title
    of its own. A file with several chapters has the title that they share, or its own.
    """
    if listed is None:
        return (*above[:-1], page.title) if _opening(page) or not above else above
    return _shared(listed) or (page.title,)


def _shared(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The titles that all paths begin with."""
    pairs = zip(min(paths), max(paths), strict=False)
    return tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _named(page: Page, path: str, outermost: tuple[str, ...], titles: tuple[str, ...]) -> Page:
    *parts, title = (*outermost, *titles)
    opening = _opening(page)
    inner = (opening,) if folded(opening) not in folded(title) else ()

    def moved(section: Section) -> Section:
        below = (*inner, *section.heading_path[1:])
        while below and folded(below[0]) == folded(title):
            below = below[1:]
        return replace(section, heading_path=(*parts, title, *below))

    sections = tuple(moved(section) for section in page.sections)
    return Page(path, title, quote(path), page.source, sections, page.dialect, tuple(parts))


def _opening(page: Page) -> str:
    """The page's title where it is the heading that the page begins with."""
    return page.title if page.source.lstrip().startswith("# ") else ""


def _as_html(source: str) -> str:
    """XHTML as an HTML parser takes it, with its whole body marked as the page's own text."""
    source = _SELF_CLOSED.sub(_closed, source)
    # Sites repeat their footers; books put notes there.
    source = _FOOTER.sub(r"\g<close>div", source)
    return _BODY.sub(r'\g<0><div itemprop="articleBody">', source, count=1)


def _closed(match: re.Match[str]) -> str:
    name = match["name"]
    return match[0] if name.lower() in _VOID else f"<{name}{match['attributes']}></{name}>"


def _holds_words(source: str) -> bool:
    """Whether there is text in the body: covers and plates are pictures alone."""
    body = _BODY.search(source)
    words = _MARKUP.sub("", source[body.end() :] if body else source)
    return any(character.isalnum() for character in words)


# --- XML ---------------------------------------------------------------------------------------


def _xml(archive: _Archive, name: str) -> Element:
    text = _ENTITY.sub(_character, _text(archive.read(name)))
    # The text is decoded by now, whatever its declaration says.
    text = re.sub(r"\A\s*<\?xml[^<>]*\?>", "", text)
    try:
        root: Element = fromstring(text)
    except DefusedXmlException as fault:
        raise FileUnreadable(f"The EPUB's {name} declares entities, as only attacks do.") from fault
    except ParseError as fault:
        raise FileUnreadable(f"The EPUB's {name} is not valid XML (line {fault.position[0]}).") from fault
    return root


def _text(content: bytes) -> str:
    """An entry's text: UTF-8, or UTF-16 with its mark, as the standard has it."""
    if not content.startswith(_UTF16_MARKS):
        return decode_text(content)
    try:
        return content.decode("utf-16")
    except UnicodeDecodeError as fault:
        raise FileUnreadable("The file begins as UTF-16 does, but is not valid UTF-16.") from fault


def _character(match: re.Match[str]) -> str:
    """HTML's named characters, which XML does not know, as they are meant."""
    name = match["name"]
    return match[0] if name in _XML_ENTITIES else escape(html5.get(name, match[0]), quote=False)


def _all(element: Element, name: str) -> list[Element]:
    """The elements of this name, the element itself and those at any depth, whatever their namespace."""
    return [found for found in element.iter() if _local(found) == name]


def _children(element: Element, name: str) -> list[Element]:
    return [child for child in element if _local(child) == name]


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())[:MAX_TITLE]
