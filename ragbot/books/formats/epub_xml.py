"""Parse the XML files of an EPUB and find elements and links in them."""

from __future__ import annotations

import re
from html import escape
from html.entities import html5
from posixpath import dirname, normpath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from ragbot.books.files import decode_text
from ragbot.books.formats.epub_archive import EpubArchive
from ragbot.books.formats.table_of_contents import MAX_TITLE
from ragbot.core.errors import FileUnreadable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ENTITY = re.compile(r"&(?P<name>[A-Za-z]\w{0,30};)")
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})


def read_xml(archive: EpubArchive, name: str) -> Element:
    """Parse an entry as XML. Raises FileUnreadable if it is invalid or declares entities."""
    text = _ENTITY.sub(_named_character, entry_text(archive.read(name)))
    # The text is decoded by now, whatever its declaration says.
    text = re.sub(r"\A\s*<\?xml[^<>]*\?>", "", text)
    try:
        root: Element = fromstring(text)
    except DefusedXmlException as fault:
        raise FileUnreadable(f"The EPUB's {name} declares entities, as only attacks do.") from fault
    except ParseError as fault:
        raise FileUnreadable(f"The EPUB's {name} is not valid XML (line {fault.position[0]}).") from fault
    return root


def entry_text(content: bytes) -> str:
    """Decode an entry: UTF-8, or UTF-16 with its byte order mark, as the EPUB standard allows."""
    if not content.startswith(_UTF16_MARKS):
        return decode_text(content)
    try:
        return content.decode("utf-16")
    except UnicodeDecodeError as fault:
        raise FileUnreadable("The file begins as UTF-16 does, but is not valid UTF-16.") from fault


def _named_character(match: re.Match[str]) -> str:
    """Replace HTML's named characters, which XML does not know."""
    name = match["name"]
    return match[0] if name in _XML_ENTITIES else escape(html5.get(name, match[0]), quote=False)


def find_all(element: Element, name: str) -> list[Element]:
    """Find elements by name, in any namespace: the element itself and those at any depth below it."""
    return [found for found in element.iter() if local_name(found) == name]


def find_children(element: Element, name: str) -> list[Element]:
    """Find direct children by name, in any namespace."""
    return element.findall(f"{{*}}{name}")


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def element_text(element: Element) -> str:
    """Return the text inside an element on one line, cut to MAX_TITLE characters."""
    return " ".join("".join(element.itertext()).split())[:MAX_TITLE]


def resolve_link(base: str, link: str) -> str:
    """Return the entry that a link in the file `base` leads to; empty if it leads out of the archive."""
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return ""
    target = unquote(parts.path)
    if parts.scheme or parts.netloc or not target or not target.isprintable():
        return ""
    name = normpath(f"{dirname(base)}/{target}".lstrip("/") if not target.startswith("/") else target[1:])
    return "" if name.startswith(("..", "/")) or name == "." else name
