"""Decode a page of a site, and find the pages that it leads to."""

from __future__ import annotations

import codecs
import re

from ragbot.books.formats.html_tree import parse_html, redirects_of, with_base
from ragbot.core.errors import FileUnreadable

# Browsers look for the declaration in this many bytes.
_HEAD_BYTES = 1024
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARED = re.compile(rb"<meta[^<>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
# What old pages call Latin-1 is read as Windows reads it, as browsers do.
_OLD = frozenset({"iso8859-1", "latin-1", "ascii"})


def decode_page(content: bytes, charset: str) -> str:
    """Decode a page by its byte order mark, the header's charset, its own declaration, or as UTF-8.

    Bytes that do not fit become replacement characters, as where a description was cut within a letter.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    declared = _DECLARED.search(content[:_HEAD_BYTES])
    names = (charset, declared[1].decode("ascii", "replace") if declared else "", "utf-8")
    encodings = [encoding for name in names if (encoding := _known(name))]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    for encoding in encodings:
        text = content.decode(encoding, errors="replace")
        # In another encoding most of its letters would not fit.
        if sum(not character.isascii() for character in text) > 2 * text.count("\ufffd"):
            return text
    return content.decode("cp1252", errors="replace")


def redirects_of_page(html: str) -> list[str]:
    """Return where a page sends its reader without being asked."""
    try:
        return redirects_of(parse_html(html))
    except FileUnreadable:
        return []


def links_of(html: str) -> list[str]:
    """Return what a page links to, in order: next pages, links and redirects of its head."""
    try:
        tree = parse_html(html)
    except FileUnreadable:
        return []
    links = [
        node.attributes.get("href") or ""
        for node in tree.css("link[rel~=next], a[href]")
        if "nofollow" not in (node.attributes.get("rel") or "")
    ]
    # (mdBook's contents lie in a page of their own.)
    contents = [node.attributes.get("src") or "" for node in tree.css("iframe[src$='toc.html']")]
    return with_base(tree, links) + redirects_of(tree) + with_base(tree, contents)


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name).name if name else ""
    except LookupError:
        return ""
    return "cp1252" if found in _OLD else found
