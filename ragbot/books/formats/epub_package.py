"""Read an EPUB's package file: its title, its chapters in reading order and its tables of contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragbot.books.formats.epub_archive import EpubArchive
from ragbot.books.formats.epub_xml import element_text, find_all, find_children, read_xml, resolve_link
from ragbot.core.errors import FileUnreadable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_SPINE = 5_000
# A text is the fallback of one or two formats that few readers show; chapters may have chains of their own.
MAX_FALLBACKS = 10

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_TEXTS = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})
_PICTURES = ("image/", "audio/", "video/")
# Fonts are mangled by these, which protects nothing that is read here.
_FONT_MANGLING = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})


@dataclass(frozen=True, slots=True)
class EpubPackage:
    """Hold what the package file lists.

    `spine` are the chapters and `contents` the tables of contents, as paths inside the archive.
    """

    title: str
    spine: tuple[str, ...]
    contents: tuple[str, ...]


def read_package(archive: EpubArchive) -> EpubPackage:
    """Read the package file that the container names. Raises FileUnreadable if there is none."""
    if not archive.holds(_CONTAINER):
        raise FileUnreadable(f"The file is a ZIP archive without {_CONTAINER}, so it is no EPUB.")
    roots = find_all(read_xml(archive, _CONTAINER), "rootfile")
    path = resolve_link("", next((root.get("full-path") or "" for root in roots), ""))
    if not path:
        raise FileUnreadable(f"The EPUB's {_CONTAINER} names no package file.")
    package = read_xml(archive, path)
    manifest = {element.get("id") or "": element for element in find_all(package, "item")}
    titles = (element_text(element) for element in find_all(package, "title"))
    return EpubPackage(
        title=next((title for title in titles if title), ""),
        spine=tuple(dict.fromkeys(_spine(package, manifest, path))),
        contents=tuple(_contents_files(manifest.values(), path)),
    )


def _spine(package: Element, manifest: dict[str, Element], base: str) -> Iterator[str]:
    references = find_all(package, "itemref")
    if len(references) > MAX_SPINE:
        raise FileUnreadable(f"The EPUB lists {len(references):,} chapters; the limit is {MAX_SPINE:,}.")
    for reference in references:
        element = manifest.get(reference.get("idref") or "")
        if element is None or (reference.get("linear") or "").strip() == "no":
            continue
        # The contents are a page of links; they name the pages instead.
        if "nav" in (element.get("properties") or "").split():
            continue
        text = _fallback(element, manifest)
        name = resolve_link(base, text.get("href") or "") if text is not None else ""
        if name:
            yield name


def _fallback(element: Element, manifest: dict[str, Element]) -> Element | None:
    """Return the first text on an element's chain of fallbacks, which may be a ring."""
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
    """Return the files that may hold the contents: EPUB 3's page of links first, then EPUB 2's file."""
    listed = list(elements)
    pages = [element for element in listed if "nav" in (element.get("properties") or "").split()]
    files = [element for element in listed if element.get("media-type") == "application/x-dtbncx+xml"]
    names = (resolve_link(base, element.get("href") or "") for element in [*pages, *files])
    return [name for name in names if name]


def refuse_protected(archive: EpubArchive, spine: Iterable[str]) -> None:
    """Raise FileUnreadable if chapters are encrypted (DRM). Obfuscated fonts do not matter."""
    if not archive.holds(_ENCRYPTION):
        return
    locked: set[str] = set()
    for element in find_children(read_xml(archive, _ENCRYPTION), "EncryptedData"):
        methods = {method.get("Algorithm") for method in find_children(element, "EncryptionMethod")}
        if not methods <= _FONT_MANGLING:
            locked.update(
                resolve_link("", link.get("URI") or "") for link in find_all(element, "CipherReference")
            )
    if not locked.isdisjoint(spine):
        raise FileUnreadable("The EPUB is protected against copying (DRM), so its text cannot be read.")
