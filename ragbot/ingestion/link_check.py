"""Check whether the links of a book lead to pages and anchors that are there, on a site or in a build."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import httpx2

from ragbot.books.files import BookFolder
from ragbot.books.formats.html_tree import parse_html
from ragbot.core.domain import Book
from ragbot.core.errors import FileUnreadable
from ragbot.core.page_links import page_url, section_url
from ragbot.core.ports import Progress

# A site's operator should not notice the check.
PAUSE_S = 0.2
TIMEOUT_S = 20.0
MAX_PAGE_BYTES = 20_000_000
USER_AGENT = "ragbot-link-check"

ReadPage = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class LinkReport:
    """Count the pages and the sections that are there; `dead` are the links of those that are not."""

    pages: int
    pages_alive: int
    sections: int
    sections_alive: int
    dead: tuple[str, ...]


def check_links(book: Book, site_url: str, read_page: ReadPage, progress: Progress) -> LinkReport:
    """Read each page once, and look for the anchors of its sections.

    `read_page` returns the HTML at a page's address, or None if there is no page.
    """
    dead: list[str] = []
    pages_alive = sections = 0
    addresses = list(dict.fromkeys(page.address for page in book.pages))
    for done, address in enumerate(addresses, start=1):
        source = read_page(address)
        url = page_url(site_url, address)
        wanted = [
            section.anchor for page in book.pages if page.address == address for section in page.sections
        ]
        sections += len(wanted)
        progress("links", done, len(addresses))
        if source is None:
            dead += [section_url(url, anchor) for anchor in wanted]
            continue
        pages_alive += 1
        names = _anchors(source)
        dead += [section_url(url, anchor) for anchor in wanted if anchor and anchor not in names]
    return LinkReport(len(addresses), pages_alive, sections, sections - len(dead), tuple(dead))


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


def live_site_reader(
    site_url: str, client: httpx2.Client, *, pause: Callable[[float], None] = time.sleep
) -> ReadPage:
    """Read pages from the site itself: one connection, one page after the other, with a pause before each."""

    def read(address: str) -> str | None:
        url = page_url(site_url, address)
        for _ in range(5):
            pause(PAUSE_S)
            try:
                response = client.get(url, follow_redirects=False)
            except httpx2.HTTPError:
                return None
            if not response.is_redirect:
                return response.text if response.is_success else None
            url = urljoin(url, response.headers.get("Location", ""))
            if urlsplit(url).netloc != urlsplit(site_url).netloc:
                return None
        return None

    return read


def new_client() -> httpx2.Client:
    """Create a client that names itself and keeps one connection."""
    return httpx2.Client(
        timeout=TIMEOUT_S,
        headers={"User-Agent": USER_AGENT},
        limits=httpx2.Limits(max_connections=1),
    )


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
