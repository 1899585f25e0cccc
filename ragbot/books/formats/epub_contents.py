"""Read an EPUB's table of contents: the titles of its chapters and of the parts above them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragbot.books.files import BookFolder
from ragbot.books.formats.epub_archive import EpubArchive
from ragbot.books.formats.epub_package import EpubPackage
from ragbot.books.formats.epub_xml import (
    element_text,
    find_all,
    find_children,
    local_name,
    read_xml,
    resolve_link,
)
from ragbot.books.formats.table_of_contents import MAX_PARTS
from ragbot.core.errors import FileUnreadable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_CONTENTS = 20_000

_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"


@dataclass(frozen=True, slots=True)
class _TocNode:
    """Hold an element of the contents as it is written."""

    title: str
    link: str
    children: list[Element]


@dataclass(frozen=True, slots=True)
class TocEntry:
    """Describe an entry of the contents: the titles from the outermost part to its own, and its file."""

    titles: tuple[str, ...]
    file: str


def read_contents(
    folder: BookFolder, archive: EpubArchive, package: EpubPackage, *, under: str
) -> list[TocEntry]:
    """Read the first table of contents that is readable and not empty; none gives an empty list.

    `under` is put before the paths that the folder reports, as in `read_epub`.
    """

    def read(full: str) -> list[TocEntry]:
        return _entries(archive, full.removeprefix(under))

    found = (folder.read_each([f"{under}{name}"], read) for name in package.contents)
    return next((entries for tables in found for entries in tables if entries), [])


def _entries(archive: EpubArchive, file: str) -> list[TocEntry]:
    root = read_xml(archive, file)
    if local_name(root) == "ncx":
        maps = find_all(root, "navMap")
        return list(_walk(find_children(maps[0], "navPoint"), _ncx_node, file)) if maps else []
    lists = [inner for nav in _navs(root) for inner in find_children(nav, "ol")]
    return list(_walk(find_children(lists[0], "li"), _nav_node, file)) if lists else []


def _navs(root: Element) -> list[Element]:
    navs = find_all(root, "nav")
    return [nav for nav in navs if "toc" in (nav.get(_EPUB_TYPE) or "").split()] or navs


def _walk(tops: list[Element], open_node: Callable[[Element], _TocNode], base: str) -> Iterator[TocEntry]:
    stack: list[tuple[Element, tuple[str, ...]]] = [(element, ()) for element in reversed(tops)]
    count = 0
    while stack:
        element, above = stack.pop()
        count += 1
        if count > MAX_CONTENTS:
            raise FileUnreadable(
                f"The contents hold more than {MAX_CONTENTS:,} entries; chapters are named by their headings."
            )
        node = open_node(element)
        titles = (*above, node.title)[:MAX_PARTS] if node.title else above
        if titles and (file := resolve_link(base, node.link)):
            yield TocEntry(titles, file)
        stack.extend((child, titles) for child in reversed(node.children))


def _nav_node(element: Element) -> _TocNode:
    label = next((child for child in element if local_name(child) != "ol"), None)
    links = find_all(label, "a") if label is not None else []
    children = [inner for ol in find_children(element, "ol") for inner in find_children(ol, "li")]
    title = element_text(label) if label is not None else ""
    return _TocNode(title, (links[0].get("href") or "") if links else "", children)


def _ncx_node(element: Element) -> _TocNode:
    labels, contents = find_children(element, "navLabel"), find_children(element, "content")
    link = (contents[0].get("src") or "") if contents else ""
    return _TocNode(element_text(labels[0]) if labels else "", link, find_children(element, "navPoint"))


def titles_by_file(entries: Iterable[TocEntry]) -> dict[str, list[tuple[str, ...]]]:
    """Group the titles of all entries by the file that they lead to."""
    known: dict[str, list[tuple[str, ...]]] = {}
    for entry in entries:
        known.setdefault(entry.file, []).append(entry.titles)
    return known
