"""Serve a small book as a web site does: pages with validators, redirects, a sitemap and a robots.txt."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.loopback import Call, Connection, LoopbackServer

TEXT = "The oars push the water away, and the boat moves on."


@dataclass(frozen=True)
class Answer:
    """Hold one reply. It has an ETag of its content unless `has_etag` is false."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    has_etag: bool = True


def page(title: str, *links: str, text: str = TEXT) -> Answer:
    """Make a page with a title, its links in the navigation, and one section."""
    nav = "".join(f'<a href="{link}">{link}</a>' for link in links)
    return Answer(
        f"<!doctype html><html lang=en><title>{title}</title><nav>{nav}</nav>"
        f"<main><h1>{title}</h1><p>{text}</p><h2 id=grip>Grip</h2><p>{text}</p></main>".encode()
    )


def redirect(location: str) -> Answer:
    """Make a redirect."""
    return Answer(status=301, headers={"Location": location}, has_etag=False)


def sitemap(*addresses: str, packed: bool = False) -> Answer:
    """Make a sitemap of pages."""
    urls = "".join(f"<url><loc>{address}</loc></url>" for address in addresses)
    xml = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()
    return Answer(gzip.compress(xml) if packed else xml, content_type="application/xml")


def sitemap_index(*addresses: str) -> Answer:
    """Make an index of sitemaps."""
    entries = "".join(f"<sitemap><loc>{address}</loc></sitemap>" for address in addresses)
    return Answer(f"<sitemapindex>{entries}</sitemapindex>".encode(), content_type="application/xml")


class BookSite(LoopbackServer):
    """Serve `answers` by path; a list is served one after the other, the last one for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Answer | Sequence[Answer]] = {}
        self._served: dict[str, int] = {}

    def respond(self, call: Call, connection: Connection) -> None:
        """Answer a request; 304 if the client has the page already."""
        found = self.answers.get(call.path, Answer(b"not there", 404, has_etag=False))
        if not isinstance(found, Answer):
            number = self._served.get(call.path, 0)
            self._served[call.path] = number + 1
            found = found[min(number, len(found) - 1)]
        etag = f'"{hash(found.body)}"'
        headers = {"Content-Type": found.content_type, **found.headers}
        if found.has_etag and found.status == 200:
            headers["ETag"] = etag
            if call.headers.get("if-none-match") == etag:
                connection.reply(304, b"", headers)
                return
        connection.reply(found.status, found.body, headers)

    def asked(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [call.path for call in self.calls()]
