"""Find dead links of a book on a site over a socket, and in a folder of built HTML."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ragbot.books.loader import load_book
from ragbot.core.domain import Book
from ragbot.ingestion.link_check import (
    LinkReport,
    built_site_reader,
    check_links,
    live_site_reader,
    new_client,
)

PAGES = {
    "/book/oars.html": "<h1>Oars</h1><h2 id='grip'>Grip</h2><a name='blade'></a>",
    "/book/sails/": "<h1>Sails</h1>",
}


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path == "/book/sails":
            self.send_response(301)
            self.send_header("Location", "/book/sails/")
            self.end_headers()
            return
        if self.path == "/book/away.html":
            self.send_response(302)
            self.send_header("Location", "http://elsewhere.invalid/book/oars.html")
            self.end_headers()
            return
        page = PAGES.get(self.path)
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[tuple[str, list[str]]]:
    """A site on the loopback interface, and the paths that it was asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/book", server.asked  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A book with two anchors that the site has, one that it lacks, and a page that it lacks."""
    built = tmp_path / "read"
    (built / "sails").mkdir(parents=True)
    (built / "oars.html").write_text(
        "<main><h1>Oars</h1><p>x</p>"
        + "".join(f"<h2 id='{name}'>{name}</h2><p>x</p>" for name in ("grip", "blade", "gone"))
    )
    (built / "sails" / "index.html").write_text("<main><h1>Sails</h1><p>x</p></main>")
    (built / "away.html").write_text("<main><h1>Away</h1><p>x</p></main>")
    return load_book(built)


def test_live_site_is_asked_once_for_each_page_with_a_pause(site: tuple[str, list[str]], book: Book) -> None:
    """Another's server must not be burdened, and a redirect to another host is no page of the book."""
    address, asked = site
    pauses: list[float] = []
    with new_client() as client:
        reader = live_site_reader(address, client, pause=pauses.append)
        report = check_links(book, address, reader, lambda *_: None)

    assert report == LinkReport(3, 2, 6, 4, (f"{address}/away.html", f"{address}/oars.html#gone"))
    assert sorted(asked) == ["/book/away.html", "/book/oars.html", "/book/sails/"]
    assert pauses == [0.2] * 3


def test_built_folder_is_looked_through_as_a_server_would(book: Book, tmp_path: Path) -> None:
    """A book can be checked before its site is on the network."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "oars.html").write_text(PAGES["/book/oars.html"])
    (site / "sails.html").write_text(PAGES["/book/sails/"])
    shown: list[tuple[int, int]] = []

    report = check_links(
        book, "", built_site_reader(site), lambda _stage, done, total: shown.append((done, total))
    )

    assert report == LinkReport(3, 2, 6, 4, ("/away.html", "/oars.html#gone"))
    assert shown == [(1, 3), (2, 3), (3, 3)]
