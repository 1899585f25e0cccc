"""Read the addresses of a site's pages from its sitemaps, also from an index of them and packed ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

# The limit of the protocol for one sitemap.
MAX_SITEMAP_BYTES = 50_000_000
MAX_SITEMAPS = 200

_GZIP = b"\x1f\x8b"

Fetch = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Sitemap:
    """Hold the addresses of pages and of further sitemaps that one sitemap lists."""

    pages: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()


def pages_of_sitemaps(addresses: Iterable[str], fetch: Fetch) -> list[str]:
    """Return the addresses of pages that all of the sitemaps list, with those of their sitemaps, in order.

    `fetch` returns the content at an address, or None.
    """
    pages: dict[str, None] = {}
    waiting = list(dict.fromkeys(addresses))
    asked: set[str] = set()
    while waiting and len(asked) < MAX_SITEMAPS:
        address = waiting.pop(0)
        if address not in asked:
            asked.add(address)
            content = fetch(address)
            sitemap = parse_sitemap(content) if content is not None else Sitemap()
            pages.update(dict.fromkeys(sitemap.pages))
            waiting += sitemap.sitemaps
    return list(pages)


def parse_sitemap(content: bytes) -> Sitemap:
    """Parse a sitemap, or an index of sitemaps; what is neither lists nothing."""
    unpacked = _unpacked(content)
    if unpacked is None:
        return Sitemap()
    try:
        root = fromstring(unpacked)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return Sitemap()
    # The namespace, which some leave out, is in front.
    kind = root.tag.rpartition("}")[2]
    if kind == "sitemapindex":
        return Sitemap(sitemaps=_locations(root, "sitemap"))
    return Sitemap(pages=_locations(root, "url")) if kind == "urlset" else Sitemap()


def _unpacked(content: bytes) -> bytes | None:
    if not content.startswith(_GZIP):
        return content
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(content, MAX_SITEMAP_BYTES)
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail else unpacked


def _locations(root: Element, entry: str) -> tuple[str, ...]:
    """Return the text of `loc` of each entry. (The alternates of other languages are elements of others.)"""
    found = [node.text for node in root.iterfind(f"{{*}}{entry}/{{*}}loc")]
    return tuple(text.strip() for text in found if text and text.strip())
