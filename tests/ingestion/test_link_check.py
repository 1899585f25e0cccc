"""Find dead links of a book on a site over a socket, and in a folder of built HTML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragbot.books.loader import load_book
from ragbot.core.domain import Book
from ragbot.core.errors import BookError
from ragbot.ingestion.link_check import LinkReport, built_site_reader, check_links, live_site_reader
from ragbot.ingestion.site_download.site_client import SiteClient
from tests.fakes.book_site import Answer, BookSite, redirect

PAGES = {
    "/book/oars.html": "<h1>Oars</h1><h2 id='grip'>Grip</h2><a name='blade'></a>",
    "/book/sails/": "<h1>Sails</h1>",
}


@pytest.fixture
def site() -> Iterator[BookSite]:
    """A site on the loopback interface."""
    with BookSite() as server:
        server.answers = {path: Answer(html.encode()) for path, html in PAGES.items()}
        server.answers["/book/sails"] = redirect("/book/sails/")
        server.answers["/book/away.html"] = redirect("http://elsewhere.invalid/book/oars.html")
        yield server


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


def checked(site: BookSite, book: Book, pauses: list[float]) -> LinkReport:
    """Ask the site for the pages of the book, with pauses that are recorded."""
    client = SiteClient(pause_s=5.0, allow_private=True, sleep=pauses.append)
    with client.opened(60):
        reader = live_site_reader(f"{site.url}/book", client)
        return check_links(book, f"{site.url}/book", reader, lambda *_: None)


def test_live_site_is_asked_once_for_each_page_with_a_pause(site: BookSite, book: Book) -> None:
    """Another's server must not be burdened, and a redirect to another host is no page of the book."""
    pauses: list[float] = []

    report = checked(site, book, pauses)

    dead = (f"{site.url}/book/away.html", f"{site.url}/book/oars.html#gone")
    assert report == LinkReport(3, 2, 6, 4, dead)
    assert sorted(site.asked()) == ["/book/away.html", "/book/oars.html", "/book/sails/"]
    assert pauses == [5.0] * 3


def test_page_that_a_busy_site_gives_later_is_alive(site: BookSite, book: Book) -> None:
    """Right after a download many sites ask for a pause; builds failed on that."""
    busy = Answer(status=429, headers={"Retry-After": "30"}, has_etag=False)
    site.answers["/book/oars.html"] = [busy, Answer(PAGES["/book/oars.html"].encode())]
    pauses: list[float] = []

    report = checked(site, book, pauses)

    assert (report.pages_alive, report.sections_alive, report.unknown) == (2, 4, ())
    assert 30 in pauses


def test_page_that_the_site_fails_to_give_is_not_dead(site: BookSite, book: Book) -> None:
    """It says nothing about the link."""
    site.answers["/book/oars.html"] = Answer(status=503, has_etag=False)

    report = checked(site, book, [])

    unknown = (f"{site.url}/book/oars.html",)
    assert report == LinkReport(3, 1, 6, 1, (f"{site.url}/book/away.html",), unknown)


def test_check_of_a_site_that_is_down_ends(site: BookSite, tmp_path: Path) -> None:
    """Each page would be tried four times, and all would count as alive or as dead."""
    for number in range(30):
        (tmp_path / f"{number}.html").write_text("<main><h1>Oars</h1><p>x</p></main>")
        site.answers[f"/book/{number}.html"] = Answer(status=502, has_etag=False)

    with pytest.raises(BookError, match="stopped answering: it answers 502"):
        checked(site, load_book(tmp_path), [])


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
