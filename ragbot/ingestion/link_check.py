"""Check whether the links of a book lead to pages and anchors that are there, on a site or in a build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ragbot.books.files import BookFolder
from ragbot.books.formats.html_tree import parse_html
from ragbot.core.domain import Book
from ragbot.core.errors import BookError, FileUnreadable
from ragbot.core.page_links import joined, page_url, section_url
from ragbot.core.ports import Progress
from ragbot.ingestion.site_download.front_page import MAX_REDIRECTS
from ragbot.ingestion.site_download.page_html import decode_page
from ragbot.ingestion.site_download.site_client import SiteClient, SiteUnavailable

MAX_PAGE_BYTES = 20_000_000
# After so many failures in a row the site is down, not a page.
MAX_FAILURES = 10

ReadPage = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class LinkReport:
    """Count the pages and the sections that are there; `dead` are the links of those that are not.

    `unknown` are the addresses of pages that the site did not give for a reason that may pass.
    """

    pages: int
    pages_alive: int
    sections: int
    sections_alive: int
    dead: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def check_links(book: Book, site_url: str, read_page: ReadPage, progress: Progress) -> LinkReport:
    """Read each page once, and look for the anchors of its sections.

    `read_page` returns the HTML at a page's address, or None if there is no page; it raises SiteUnavailable
    if the site does not say. Raises BookError if the site does not answer any more.
    """
    dead: list[str] = []
    unknown: list[str] = []
    pages_alive = sections = sections_unknown = failures = 0
    addresses = list(dict.fromkeys(page.address for page in book.pages))
    for done, address in enumerate(addresses, start=1):
        url = page_url(site_url, address)
        wanted = [
            section.anchor for page in book.pages if page.address == address for section in page.sections
        ]
        sections += len(wanted)
        progress("links", done, len(addresses))
        try:
            source = read_page(address)
        except SiteUnavailable as fault:
            failures += 1
            if failures >= MAX_FAILURES:
                raise BookError(
                    f"The site stopped answering: {fault}. Run the command again later."
                ) from fault
            unknown.append(url)
            sections_unknown += len(wanted)
            continue
        failures = 0
        if source is None:
            dead += [section_url(url, anchor) for anchor in wanted]
            continue
        pages_alive += 1
        names = _anchors(source)
        dead += [section_url(url, anchor) for anchor in wanted if anchor and anchor not in names]
    sections_alive = sections - sections_unknown - len(dead)
    return LinkReport(len(addresses), pages_alive, sections, sections_alive, tuple(dead), tuple(unknown))


def built_site_reader(folder: Path) -> ReadPage:
    """Read pages from a folder of built HTML, as a server would find them."""
    files = BookFolder(folder, max_file_bytes=MAX_PAGE_BYTES)

    def read(address: str) -> str | None:
        name = unquote(urlsplit(address).path).strip("/")
        for candidate in (name, f"{name}.html", f"{name}/index.html".lstrip("/")):
            if candidate and files.has(candidate):
                try:
                    return files.read_text(candidate)
                except FileUnreadable:
                    return None
        return None

    return read


def live_site_reader(site_url: str, client: SiteClient) -> ReadPage:
    """Read pages from the site itself, as politely as they are downloaded."""

    def read(address: str) -> str | None:
        url = page_url(site_url, address)
        for _ in range(MAX_REDIRECTS):
            reply = client.get(url, max_bytes=MAX_PAGE_BYTES)
            if not reply.location:
                if reply.status == 200 and reply.body is None:
                    raise SiteUnavailable("the page is too large")
                return decode_page(reply.body, reply.charset) if reply.body and reply.status == 200 else None
            url = joined(url, reply.location)
            if urlsplit(url).netloc != urlsplit(site_url).netloc:
                return None
        return None

    return read


def _anchors(source: str) -> set[str]:
    try:
        tree = parse_html(source)
    except FileUnreadable:
        return set()
    return {
        name
        for node in tree.css("[id], a[name]")
        for name in (node.attributes.get("id"), node.attributes.get("name"))
        if name
    }
