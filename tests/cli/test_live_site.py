"""Test `flask book` on a live site, which is on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask_openapi import OpenAPI

from ragbot.books.read_options import ReadOptions
from ragbot.cli.book_source import SiteOptions, opened_source
from tests.conftest import AppMaker, services_of
from tests.fakes.book_site import Answer, BookSite, page

ADMIN_KEY = "a-key-of-thirty-two-characters-00"


@pytest.fixture
def site() -> Iterator[BookSite]:
    """A site of two pages."""
    with BookSite() as server:
        server.answers = {
            "/book/": page("Boats", "oars"),
            "/book/oars": page("Oars", text="An oar has a blade and a grip."),
        }
        yield server


@pytest.fixture
def app(make_app: AppMaker, tmp_path: Path) -> OpenAPI:
    """An app that keeps the pages of sites in a folder of the test."""
    return make_app({"SITES_DIR": tmp_path / "sites"})


def flask(app: OpenAPI, *arguments: object) -> Result:
    return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])


def test_live_site_is_ingested_with_links_to_it(app: OpenAPI, site: BookSite) -> None:
    """The address of the book is all that its author has to know."""
    command = ("book", "ingest", f"{site.url}/book/", "--allow-private", "--pause", "0")

    first = flask(app, *command)
    second = flask(app, *command)

    assert first.exit_code == 0, first.stderr
    assert "2 pages, 4 sections" in first.stdout
    assert "read as a live site" in first.stdout
    assert f"middle link: {site.url}/book/oars" in first.stdout
    assert "2 of them unchanged" in second.stdout
    assert "download 2/2" in first.stderr
    published = services_of(app).editions.published()
    assert published is not None
    assert published.site_url == f"{site.url}/book/"


def test_live_site_is_checked_with_its_links(app: OpenAPI, site: BookSite) -> None:
    """A check publishes nothing."""
    result = flask(app, "book", "check", f"{site.url}/book", "--links", "--allow-private", "--pause", "0")

    assert result.exit_code == 0, result.stderr
    assert "pages alive: 2 of 2" in result.stdout
    assert "sections alive: 4 of 4" in result.stdout
    assert services_of(app).editions.published() is None


def test_links_are_asked_for_with_the_pause_that_the_site_wants(app: OpenAPI, site: BookSite) -> None:
    """A site that asks for ten seconds got five requests a second right after the download."""
    rules = Answer(b"User-agent: *\nCrawl-delay: 0.01\n", content_type="text/plain")
    site.answers["/robots.txt"] = rules

    with opened_source(
        f"{site.url}/book/",
        ReadOptions(),
        site_url="",
        site=SiteOptions(pause_s=0.0, allow_private=True),
        settings=services_of(app).settings,
        progress=lambda *_: None,
    ) as opened:
        assert opened.pause_s == 0.01


@pytest.mark.parametrize("command", ["ingest", "check"])
def test_private_site_is_refused_without_the_option(app: OpenAPI, site: BookSite, command: str) -> None:
    """An address that somebody else wrote into a script must not reach what only this machine does."""
    result = flask(app, "book", command, f"{site.url}/book/")

    assert result.exit_code == 1
    assert "--allow-private" in result.stderr
    assert site.calls() == []


def test_address_of_a_site_is_no_place_for_admin_calls(make_app: AppMaker, site: BookSite) -> None:
    """Callers of the API send the book itself; the service fetches nothing for them."""
    client = make_app({"ADMIN_API_KEY": ADMIN_KEY}).test_client()

    reply = client.post(
        "/admin/ingest",
        headers={"X-API-Key": ADMIN_KEY, "Content-Type": "application/zip"},
        data=f"{site.url}/book/".encode(),
    )

    assert reply.status_code == 415
    assert site.calls() == []


def test_options_of_a_project_are_refused(app: OpenAPI, site: BookSite) -> None:
    """An option that is ignored misleads."""
    result = flask(app, "book", "ingest", f"{site.url}/book/", "--built")

    assert result.exit_code == 2
    assert "not for a live site" in result.stderr
