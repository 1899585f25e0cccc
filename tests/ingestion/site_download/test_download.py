"""Download a book from a site over a socket: what is asked for, what is kept, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ragbot.books.files import Choice
from ragbot.books.formats.html_selection import TOOL
from ragbot.books.loader import load_book
from ragbot.books.read_options import ReadOptions
from ragbot.core.domain import Book, LeftOut
from ragbot.core.errors import BookError
from ragbot.ingestion.site_download.download import NOT_HTML, DownloadLimits, SiteCopy, downloaded_site
from ragbot.ingestion.site_download.scope import SiteScope
from ragbot.ingestion.site_download.site_client import SiteClient
from tests.fakes.book_site import Answer, BookSite, page, redirect, sitemap, sitemap_index

LIMITS = DownloadLimits(max_page_bytes=100_000, max_bytes=1_000_000, time_limit_s=600)
ROBOTS = "text/plain"

Download = Callable[..., tuple[SiteCopy, Book]]


@pytest.fixture
def site() -> Iterator[BookSite]:
    """A book of three pages below /book/, whose front page links to the others."""
    with BookSite() as server:
        server.answers = {
            "/book/": page("Boats", "oars", "sails/", "/other/place.html", "https://elsewhere.test/book/"),
            "/book/oars": page("Oars", "./", "sails/", "oars?print=1", "oars.pdf"),
            "/book/sails/": page("Sails", "../oars#grip"),
            "/other/place.html": page("Another book"),
        }
        yield server


@pytest.fixture
def download(site: BookSite, tmp_path: Path) -> Download:
    """Download the site, and read what was downloaded."""

    def run(
        url: str = "",
        *,
        limits: DownloadLimits = LIMITS,
        choice: Choice | None = None,
        sleep: Callable[[float], None] = lambda _: None,
        now: float = 1_000_000.0,
    ) -> tuple[SiteCopy, Book]:
        with downloaded_site(
            url or f"{site.url}/book/",
            tmp_path / "sites",
            client=SiteClient(pause_s=0.2, allow_private=True, sleep=sleep),
            limits=limits,
            choice=choice or Choice(),
            progress=lambda *_: None,
            clock=lambda: now,
        ) as copy:
            options = ReadOptions(downloaded=copy.downloaded, choice=choice or Choice())
            return copy, load_book(copy.folder, options=options)

    return run


def addresses(book: Book) -> list[str]:
    return [found.address for found in book.pages]


def test_site_may_be_named_in_its_own_letters() -> None:
    """Its pages name it in either spelling."""
    scope = SiteScope.at("https://bücher.test/book")

    assert scope.root == "https://xn--bcher-kva.test/book/"
    assert scope.page("https://bücher.test/book/oars") == "https://xn--bcher-kva.test/book/oars"
    assert scope.page("https://ü_x.test/book/oars") is None
    with pytest.raises(BookError, match="is no address of a site"):
        SiteScope.at("https://ü_x.test/")


def test_pages_are_found_by_links_below_the_folder_alone(site: BookSite, download: Download) -> None:
    """A book is a part of a host; its neighbours are other people's."""
    copy, book = download()

    assert copy.root == f"{site.url}/book/"
    assert addresses(book) == ["", "oars", "sails/"]
    assert book.layout.name == "a live site"
    assert set(site.asked()) == {"/robots.txt", "/book/sitemap.xml", "/sitemap.xml", *list(site.answers)[:3]}


def test_address_of_a_page_is_the_one_that_its_site_serves(site: BookSite, download: Download) -> None:
    """A link with or without a suffix or a slash is another page, or none, on many servers."""
    site.answers["/book/"] = page("Boats", "oars.html", "knots.htm", "sails")
    site.answers["/book/oars.html"] = page("Oars")
    site.answers["/book/knots.htm"] = page("Knots")
    site.answers["/book/sails"] = redirect("/book/sails/")

    _, book = download()

    assert sorted(addresses(book)) == ["", "knots.htm", "oars.html", "sails/"]


def test_links_count_from_the_address_that_a_page_names(site: BookSite, download: Download) -> None:
    """A site was read one level deep, and its other pages were told as missing."""

    def with_base(answer: Answer) -> Answer:
        return Answer(answer.body.replace(b"<title>", b"<base href='/book/'><title>"))

    site.answers = {
        "/book/": with_base(page("Boats", "guide/sails", "guide/oars")),
        "/book/guide/oars": with_base(page("Oars", "guide/knots")),
        "/book/guide/sails": page("Sails"),
        "/book/guide/knots": page("Knots"),
    }

    _, book = download()

    assert addresses(book) == ["", "guide/sails", "guide/oars", "guide/knots"]
    assert book.left_out == ()


def test_chapter_with_the_name_of_a_tool_is_read(site: BookSite, download: Download) -> None:
    """A manual tells how to search; the site's own search stands at its root, and is reported."""
    chapters = ("guide/search/", "guide/search/all", "a/print")
    site.answers = {f"/book/{path}": page("Search") for path in chapters}
    site.answers["/book/"] = page("Boats", *chapters, "search/", "print.html", "toc.html", "_sources/a.html")
    site.answers["/book/toc.html"] = page("Contents", "oars")
    site.answers["/book/oars"] = page("Oars")

    _, book = download()

    assert sorted(addresses(book)) == ["", "a/print", "guide/search/", "guide/search/all", "oars"]
    assert not {"/book/search/", "/book/print.html", "/book/_sources/a.html"}.intersection(site.asked())
    assert LeftOut(TOOL, ".html", 2) in book.left_out


def test_sitemap_is_followed_instead_of_links(site: BookSite, download: Download) -> None:
    """It lists the pages that no page links to, and spares the site the others."""
    site.answers["/book/sitemap.xml"] = sitemap_index(f"{site.url}/maps/1.xml.gz", f"{site.url}/maps/2.xml")
    site.answers["/maps/1.xml.gz"] = sitemap(f"{site.url}/book/oars", packed=True)
    site.answers["/maps/2.xml"] = sitemap(f"{site.url}/book/hidden/", f"{site.url}/other/place.html")
    site.answers["/book/hidden/"] = page("Hidden")

    _, book = download()

    assert sorted(addresses(book)) == ["", "hidden/", "oars"]
    assert "/book/sails/" not in site.asked()


def test_page_that_a_sitemap_lists_may_have_the_name_of_a_file(site: BookSite, download: Download) -> None:
    """Chapters are about `node.js` and `package.json`; what is no page says so itself."""
    listed = [f"{site.url}/book/{name}" for name in ("node.js", "ref/package.json", "oars.pdf")]
    site.answers["/book/sitemap.xml"] = sitemap(*listed)
    site.answers |= {"/book/node.js": page("Node"), "/book/ref/package.json": page("The package")}
    site.answers["/book/oars.pdf"] = Answer(b"%PDF-1.4", content_type="application/pdf")

    _, book = download()

    assert sorted(addresses(book)) == ["", "node.js", "ref/package.json"]
    assert LeftOut(NOT_HTML, ".html", 1) in book.left_out


def test_sitemap_that_robots_names_is_read(site: BookSite, download: Download) -> None:
    """Sites keep it where they like."""
    robots = f"User-agent: *\nDisallow:\nSitemap: {site.url}/elsewhere.xml\n"
    site.answers["/robots.txt"] = Answer(robots.encode(), content_type=ROBOTS)
    site.answers["/elsewhere.xml"] = sitemap(f"{site.url}/book/oars", f"{site.url}/book/sails/")

    _, book = download()

    assert "/elsewhere.xml" in site.asked()
    assert len(book.pages) == 3


def test_all_sitemaps_that_robots_names_are_read(site: BookSite, download: Download) -> None:
    """Sites have one for each language or section; the first may list the blog alone."""
    named = ("/blog.xml", "/book/sitemap.xml", "/more.xml")
    robots = "User-agent: *\n" + "".join(f"Sitemap: {site.url}{path}\n" for path in named)
    site.answers["/robots.txt"] = Answer(robots.encode(), content_type=ROBOTS)
    site.answers["/blog.xml"] = sitemap(f"{site.url}/blog/new")
    site.answers["/book/sitemap.xml"] = sitemap(f"{site.url}/book/oars", f"{site.url}/book/")
    site.answers["/more.xml"] = sitemap(f"{site.url}/book/hidden")
    site.answers["/sitemap.xml"] = sitemap(f"{site.url}/book/sails/")
    site.answers["/book/hidden"] = page("Hidden")

    _, book = download()

    assert sorted(addresses(book)) == ["", "hidden", "oars"]
    assert "/sitemap.xml" not in site.asked()


def test_sitemap_of_the_host_is_read_where_others_list_no_page(site: BookSite, download: Download) -> None:
    """One that lists other parts of the host alone says nothing about the book."""
    site.answers["/book/sitemap.xml"] = sitemap(f"{site.url}/blog/new")
    site.answers["/sitemap.xml"] = sitemap(f"{site.url}/book/sails/", f"{site.url}/book/hidden")
    site.answers["/book/hidden"] = page("Hidden")

    _, book = download()

    assert sorted(addresses(book)) == ["", "hidden", "sails/"]


@pytest.mark.parametrize("failing", ["/book/sitemap.xml", "/maps/2.xml"])
def test_sitemap_that_fails_for_a_while_loses_no_page(
    site: BookSite, download: Download, failing: str
) -> None:
    """The pages of its other part were dropped, and the report named none."""
    site.answers["/book/sitemap.xml"] = sitemap_index(f"{site.url}/maps/1.xml", f"{site.url}/maps/2.xml")
    site.answers["/maps/1.xml"] = sitemap(f"{site.url}/book/sails/", f"{site.url}/book/")
    site.answers["/maps/2.xml"] = sitemap(f"{site.url}/book/hidden/", f"{site.url}/book/gone")
    site.answers |= {"/book/hidden/": page("Hidden"), "/book/gone": page("Gone")}
    download()
    site.answers |= {failing: Answer(status=503, has_etag=False), "/book/": page("Boats", "new")}
    site.answers["/book/new"] = page("New")
    del site.answers["/book/gone"]

    _, book = download(now=2_000_000.0)

    assert sorted(addresses(book)) == ["", "hidden/", "new", "oars", "sails/"]
    assert [file.path for file in book.skipped] == [failing.lstrip("/")]
    assert "it answers 503" in book.skipped[0].reason


@pytest.mark.parametrize("content", [b"<urlset><url>", b"\x1f\x8bbroken", b"<html></html>"])
def test_broken_sitemap_is_as_none(site: BookSite, download: Download, content: bytes) -> None:
    """Many sites answer any address with a page."""
    site.answers["/book/sitemap.xml"] = Answer(content)

    _, book = download()

    assert len(book.pages) == 3


@pytest.mark.parametrize(
    "rules",
    [
        "User-agent: ragbot\nDisallow: /book/sails/",
        "User-agent: *\nDisallow: /*/sai*/$",
        "User-agent: *\nDisallow: /book/\nAllow: /book/$\nAllow: /book/oars\nAllow: /book/sitemap.xml",
    ],
)
def test_what_robots_forbids_is_not_asked_for(site: BookSite, download: Download, rules: str) -> None:
    """The site's operator has the last word, and the report says what it costs (RFC 9309)."""
    site.answers["/robots.txt"] = Answer(f"{rules}\nCrawl-delay: 7\n".encode(), content_type=ROBOTS)
    pauses: list[float] = []

    _, book = download(sleep=pauses.append)

    assert "/book/sails/" not in site.asked()
    assert [(left.reason, left.files) for left in book.left_out] == [
        ("The site's robots.txt does not allow to read it.", 1)
    ]
    assert pauses[-1] == 7


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"User-agent: *\nDisallow: /\n", content_type=ROBOTS),
        redirect("/static/robots.txt"),
        Answer(status=503, has_etag=False),
    ],
)
def test_site_that_forbids_reading_is_not_read(site: BookSite, download: Download, answer: Answer) -> None:
    """A server that fails on its robots.txt allows nothing (RFC 9309)."""
    site.answers["/robots.txt"] = answer
    site.answers["/static/robots.txt"] = Answer(b"User-agent: *\nDisallow: /\n", content_type=ROBOTS)

    with pytest.raises(BookError, match=r"robots\.txt"):
        download()

    assert "/book/oars" not in site.asked()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_site_without_a_robots_file_is_read(site: BookSite, download: Download, status: int) -> None:
    """Storage services answer 403 for each file that is not there."""
    site.answers["/robots.txt"] = Answer(status=status, has_etag=False)

    _, book = download()

    assert len(book.pages) == 3


def test_site_that_refuses_everything_is_told(site: BookSite, download: Download) -> None:
    """Its robots.txt says nothing then, and the operator should not look for the rule there."""
    refused = Answer(status=403, has_etag=False)
    site.answers = dict.fromkeys(
        ("/robots.txt", "/book/", "/book", "/book/sitemap.xml", "/sitemap.xml"), refused
    )

    with pytest.raises(BookError, match=r"No page could be read at .* The site answers 403\."):
        download()


def test_one_connection_a_pause_and_a_name(site: BookSite, download: Download) -> None:
    """A site's operator should not notice the download, and can see who it is."""
    pauses: list[float] = []

    download(sleep=pauses.append)

    assert site.connections == 1
    assert pauses == [0.2] * len(site.calls())
    assert {call.headers["user-agent"].split("/")[0] for call in site.calls()} == {"ragbot"}


def test_unchanged_pages_are_not_sent_again(site: BookSite, download: Download) -> None:
    """A book of a thousand pages is fetched each night, and one page of it is new."""
    download()
    site.forget()
    site.answers["/book/oars"] = page("New oars", "./", "sails/")

    copy, book = download(now=2_000_000.0)

    assert (copy.pages, copy.unchanged) == (3, 2)
    assert [found.title for found in book.pages] == ["Boats", "New oars", "Sails"]
    assert all("if-none-match" in call.headers for call in site.calls("/book/oars"))


def test_last_modified_is_sent_back(site: BookSite, download: Download) -> None:
    """Servers of plain files have it instead of an ETag, or besides."""
    date = "Sat, 28 Nov 2026 10:00:00 GMT"
    oars = page("Oars")
    site.answers["/book/oars"] = replace(oars, headers={"Last-Modified": date}, has_etag=False)
    download()
    site.forget()

    download(now=2_000_000.0)

    assert site.calls("/book/oars")[0].headers["if-modified-since"] == date


def test_page_that_is_gone_is_forgotten(site: BookSite, download: Download, tmp_path: Path) -> None:
    """Its file would be read as a page of the book for ever."""
    download()
    site.answers["/book/"] = page("Boats", "oars")
    site.answers["/book/oars"] = page("Oars")

    copy, book = download(now=2_000_000.0)

    assert addresses(book) == ["", "oars"]
    assert sorted(found.name for found in copy.folder.rglob("*.html")) == ["index.html", "oars.html"]


def test_run_that_was_killed_goes_on_where_it_stopped(site: BookSite, download: Download) -> None:
    """Its pages are there already, also those of a server that does not know validators."""
    oars, sails = site.answers["/book/oars"], site.answers["/book/sails/"]
    assert isinstance(oars, Answer)
    site.answers["/book/oars"] = replace(oars, has_etag=False)

    def killed_at_sails(_: float) -> None:
        if "/book/oars" in site.asked():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(sleep=killed_at_sails)
    assert "/book/sails/" not in site.asked()
    site.answers["/book/sails/"] = sails
    site.forget()

    _, book = download(now=1_000_060.0)

    assert addresses(book) == ["", "oars", "sails/"]
    assert "/book/oars" not in site.asked()


def test_file_that_was_torn_is_fetched_anew(site: BookSite, download: Download) -> None:
    """A full disk or a power cut must not leave half a page in the book."""
    copy, _ = download()
    (copy.folder / "oars.html").write_text("<html><main>The oa")
    with (copy.folder.parent / "pages.jsonl").open("a") as log:
        log.write('{"url": "http://half a li')

    _, book = download(now=2_000_000.0)

    assert next(found for found in book.pages if found.address == "oars").title == "Oars"


def test_site_is_asked_again_after_the_time_that_it_names(site: BookSite, download: Download) -> None:
    """A busy server says when it has time."""
    busy = Answer(status=429, headers={"Retry-After": "30"}, has_etag=False)
    site.answers["/book/oars"] = [busy, busy, page("Oars")]
    waits: list[float] = []

    _, book = download(sleep=waits.append)

    assert waits.count(30) == 2
    assert len(book.pages) == 3


@pytest.mark.parametrize("status", [403, 451, 500, 501, 522])
def test_page_that_fails_for_a_while_is_that_of_the_last_time(
    site: BookSite, download: Download, status: int
) -> None:
    """A fault of one night must not take a chapter from the readers; the report names it."""
    download()
    site.answers["/book/oars"] = Answer(status=status, has_etag=False)

    _, book = download(now=2_000_000.0)

    assert addresses(book) == ["", "oars", "sails/"]
    assert [file.path for file in book.skipped] == ["oars.html"]
    assert f"answers {status}; the page of the last time is used" in book.skipped[0].reason


def test_page_that_is_refused_for_long_is_left_out(site: BookSite, download: Download) -> None:
    """Its author has closed it."""
    download()
    site.answers["/book/oars"] = Answer(status=403, has_etag=False)

    _, book = download(now=5_000_000.0)

    assert addresses(book) == ["", "sails/"]
    assert book.skipped[0].reason == "The site answers 403."


@pytest.mark.parametrize("status", [502, 521, 526])
def test_site_that_stops_answering_ends_the_download(site: BookSite, download: Download, status: int) -> None:
    """Half a book is no book."""
    links = [f"page-{number}" for number in range(40)]
    site.answers = {
        "/book/": page("Boats", *links),
        **{f"/book/{link}": Answer(status=status, has_etag=False) for link in links},
    }

    with pytest.raises(BookError, match="stopped answering"):
        download()


def test_site_that_begins_to_refuse_ends_the_download(site: BookSite, download: Download) -> None:
    """A firewall that takes the command for an attack would leave half of the book."""
    links = [f"page-{number}" for number in range(40)]
    site.answers = {"/book/": page("Boats", *links), **{f"/book/{link}": page(link) for link in links}}
    download()
    for link in links[20:]:
        site.answers[f"/book/{link}"] = Answer(status=403, has_etag=False)

    with pytest.raises(BookError, match="stopped answering: it answers 403"):
        download(now=1_100_000.0)


def test_dead_links_files_and_large_pages_are_told(site: BookSite, download: Download) -> None:
    """What is not in the book should be known."""
    site.answers["/book/"] = page("Boats", "oars", "gone", "list", "large", "away", "api")
    site.answers["/book/list"] = Answer(b"a,b", content_type="text/csv")
    site.answers["/book/large"] = page("Large", text="long " * 30_000)
    site.answers["/book/away"] = redirect("https://elsewhere.test/book/away")
    site.answers["/book/api"] = Answer(status=401, has_etag=False)

    _, book = download()

    assert {left.reason for left in book.left_out} == {
        "The site has no page there (404).",
        "It is no HTML.",
        "It redirects to another place than the book.",
    }
    assert {file.path: file.reason for file in book.skipped} == {
        "large.html": "The page has more than 100,000 bytes (MAX_FILE_MB).",
        "api.html": "The site answers 401.",
    }


def test_site_that_is_too_large_is_refused(site: BookSite, download: Download) -> None:
    """Links may lead on for ever."""
    with pytest.raises(BookError, match="MAX_BOOK_MB"):
        download(limits=replace(LIMITS, max_bytes=300))


def test_download_that_takes_too_long_is_ended(download: Download) -> None:
    """A cron job must not meet its successor."""
    with pytest.raises(BookError, match="INGEST_TIME_LIMIT_S"):
        download(limits=replace(LIMITS, time_limit_s=0))


def test_chosen_pages_alone_are_asked_for(site: BookSite, download: Download) -> None:
    """--exclude is for what is large and not wanted."""
    _, book = download(choice=Choice(exclude=("sails/**",)))

    assert addresses(book) == ["", "oars"]
    assert "/book/sails/" not in site.asked()


def test_front_page_may_redirect_to_its_version_and_spelling(site: BookSite, download: Download) -> None:
    """Documentation is served below its language and version."""
    site.answers["/"] = redirect("/en/latest/")
    site.answers["/en/latest/"] = page("Boats", "oars.html", "/en/stable/oars.html")
    site.answers["/en/latest/oars.html"] = page("Oars")
    site.answers["/en/stable/oars.html"] = page("Old oars")

    copy, book = download(site.url)

    assert copy.root == f"{site.url}/en/latest/"
    assert addresses(book) == ["", "oars.html"]


@pytest.mark.parametrize("ending", ["", "/"])
@pytest.mark.parametrize("with_slash", [redirect("/book"), Answer(b"not there", 404, has_etag=False)])
@pytest.mark.parametrize("has_sitemap", [False, True])
def test_site_that_serves_its_front_page_without_a_slash_is_read(
    site: BookSite, download: Download, *, ending: str, with_slash: Answer, has_sitemap: bool
) -> None:
    """Many hosts serve clean addresses alone; relative links count from the address as it is served."""
    pages = {"/book": page("Boats", "/book/oars", "book/sails"), "/oars": page("Another book")}
    site.answers = {**pages, "/book/": with_slash, "/book/oars": page("Oars"), "/book/sails": page("Sails")}
    if has_sitemap:
        site.answers["/sitemap.xml"] = sitemap(
            *(f"{site.url}/book{path}" for path in ("", "/oars", "/sails"))
        )

    copy, book = download(f"{site.url}/book{ending}")

    assert copy.root == f"{site.url}/book/"
    assert sorted(addresses(book)) == ["", "oars", "sails"]
    assert book.skipped == ()


def test_front_page_without_a_slash_may_lead_to_a_version(site: BookSite, download: Download) -> None:
    """The front page of the folder is then no page of its own."""
    site.answers = {
        "/book/": redirect("/book"),
        "/book": redirect("/book/en/"),
        "/book/en/": page("Boats", "oars"),
    }
    site.answers["/book/en/oars"] = page("Oars")

    copy, book = download()

    assert (copy.root, addresses(book)) == (f"{site.url}/book/en/", ["", "oars"])


def test_front_page_that_leads_to_another_site_is_refused(site: BookSite, download: Download) -> None:
    """Whoever took over the name of the site must not choose the book."""
    site.answers["/book/"] = redirect("https://elsewhere.test/")

    with pytest.raises(BookError, match=r"redirects to https://elsewhere\.test/"):
        download()


@pytest.mark.parametrize("broken", ["http://[bad", "http://a.test:99999999/"])
def test_broken_redirects_are_told(site: BookSite, download: Download, broken: str) -> None:
    """They ended in a traceback."""
    site.answers["/book/oars"] = site.answers["/book/sitemap.xml"] = redirect(broken)

    _, book = download()

    assert addresses(book) == ["", "sails/"]
    site.answers["/book/"] = redirect(broken)
    with pytest.raises(BookError, match="redirects to http://"):
        download()


def test_charsets_are_decoded_as_browsers_do(site: BookSite, download: Download) -> None:
    """By the header, by the page's own declaration, and old pages by what Windows had."""
    html = "<!doctype html><html lang=en>{}<title>Größe</title><main><h1>Größe</h1><p>ein “Maß”</main>"
    for name, head, encoding, kind in (
        ("header", "", "utf-16-le", "text/html; charset=utf-16-le"),
        ("declared", '<meta http-equiv=x content="text/html; charset=ISO-8859-1">', "cp1252", "text/html"),
        ("none", "", "cp1252", "text/html"),
        ("mark", "", "utf-8-sig", "text/html; charset=latin-1"),
        ("unknown", "", "utf-8", "text/html; charset=nonsense"),
    ):
        site.answers[f"/book/{name}"] = Answer(html.format(head).encode(encoding), content_type=kind)
    site.answers["/book/"] = page("Boats", "header", "declared", "none", "mark", "unknown")

    _, book = download()

    assert [found.title for found in book.pages[1:]] == ["Größe"] * 5
    assert all("ein “Maß”" in found.source for found in book.pages[1:])


@pytest.mark.parametrize("encoding", ["utf-8", "shift_jis"])
def test_a_byte_that_does_not_fit_spoils_one_letter(
    site: BookSite, download: Download, encoding: str
) -> None:
    """Sites cut a page's description by bytes, and the whole page was read as Western European."""
    html = f"<!doctype html><meta charset={encoding}><title>T</title><main><h1>錨</h1><p>錨は船を留める。"
    site.answers["/book/"] = Answer(html.encode(encoding) + b"x\xe9</main>", content_type="text/html")

    _, book = download()

    assert "錨は船を留める。" in book.pages[0].source


def test_pages_that_would_share_a_file_or_leave_the_folder_do_no_harm(
    site: BookSite, download: Download, tmp_path: Path
) -> None:
    """Names of files are the site's choice."""
    links = ("a.html", "a.html/b", "%2e%2e/%2e%2e/up", "..%2f..%2fup2", ".hidden", "n%00l", "x" * 300)
    site.answers["/book/"] = page("Boats", *links)
    site.answers |= {f"/book/{link}": page(link[:9]) for link in links}

    _, book = download()

    assert addresses(book) == ["", "a.html"]
    assert {found.name for found in (tmp_path / "sites").iterdir()} == {
        found.name for found in (tmp_path / "sites").glob("127.0.0.1-*")
    }


COPIED = ("", "oars", "sails", "knots", "hulls", "masts")


@pytest.mark.parametrize("has_sitemap", [True, False])
def test_copies_of_a_site_are_not_asked_for(site: BookSite, download: Download, has_sitemap: bool) -> None:
    """A site with previews has hundreds of times its pages; the book is the released version."""
    names = [f"/book/{folder}{name}" for folder in ("", "dev/", "v1.2/", "pull357/") for name in COPIED]
    menu = ("/book/dev/", "/book/v1.2/", "/book/pull357/")
    for name in names:
        folder = name[: name.rfind("/") + 1]
        site.answers[name] = page(name, *(f"{folder}{inner}" for inner in COPIED), *menu)
    if has_sitemap:
        site.answers["/book/sitemap.xml"] = sitemap(*(f"{site.url}{name}" for name in names))

    copy, book = download()

    assert addresses(book) == ["", *COPIED[1:]]
    assert copy.pages == 6
    assert not [name for name in site.asked() if name.startswith("/book/dev/") and name != "/book/dev/"]
    assert {left.reason: left.files for left in book.left_out} == {
        "It is a copy of the site in development.": 6,
        "It is a copy of the site for another version.": 6,
        "It is a copy of the site for a pull request.": 6,
    }


def test_copy_that_the_front_page_sends_to_is_downloaded(site: BookSite, download: Download) -> None:
    """Such a site has pages in its copies alone."""
    names = [f"/book/{folder}{name}" for folder in ("stable/", "v2/") for name in COPIED]
    site.answers = {name: page(name) for name in names}
    site.answers["/book/"] = Answer(b'<meta http-equiv=refresh content="0; url=v2/"><p>Moved.</p>')
    site.answers["/book/sitemap.xml"] = sitemap(*(f"{site.url}{name}" for name in names))

    _, book = download()

    assert sorted(addresses(book)) == sorted(f"v2/{name}" for name in COPIED)


def test_chosen_copy_of_a_site_is_downloaded(site: BookSite, download: Download) -> None:
    """Who asks for it gets it."""
    names = [f"/book/{folder}{name}" for folder in ("", "dev/") for name in COPIED]
    site.answers |= {name: page(name) for name in names}
    site.answers["/book/sitemap.xml"] = sitemap(*(f"{site.url}{name}" for name in names))

    _, book = download(choice=Choice(include=("dev/**",)))

    assert sorted(addresses(book)) == sorted(f"dev/{name}" for name in COPIED)
