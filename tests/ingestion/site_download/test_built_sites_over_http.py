"""Serve what each generator builds, and read it as a live site: the same book as from the folder."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from harness.loopback import Call, Connection, LoopbackServer
from ragbot.books.files import Choice
from ragbot.books.loader import load_book
from ragbot.books.read_options import ReadOptions
from ragbot.ingestion.site_download.download import DownloadLimits, downloaded_site
from ragbot.ingestion.site_download.site_client import SiteClient
from tests.conftest import TESTS

SITES = TESTS / "sites"

# Asciidoctor's pages do not link to each other.
GENERATORS = sorted(path.parent.name for path in SITES.glob("*/built") if path.parent.name != "asciidoctor")


class FolderServer(LoopbackServer):
    """Serve a folder as hosts of static sites do: `/oars` is `oars.html` or `oars/`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def respond(self, call: Call, connection: Connection) -> None:
        """Answer a request with a file."""
        name = unquote(call.path).lstrip("/")
        if name and not call.path.endswith("/") and (self._folder / name).is_dir():
            connection.reply(301, b"", {"Location": f"{call.path}/"})
            return
        for path in (name, f"{name}.html", f"{name.rstrip('/')}/index.html".lstrip("/")):
            file = self._folder / path
            if path and file.is_file():
                connection.reply(200, file.read_bytes(), {"Content-Type": "text/html"})
                return
        connection.reply(404, b"")


def copy_site(built: Path, folder: Path, url: str) -> None:
    """Copy a site for its address: some generators write all links as whole addresses."""
    for path in built.rglob("*.html"):
        copy = folder / path.relative_to(built)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text().replace("https://book.test", url))


@pytest.mark.parametrize("generator", GENERATORS)
def test_live_site_is_the_same_book_as_its_folder(generator: str, tmp_path: Path) -> None:
    """The way of a book to the bot must not change what it says."""
    folder = tmp_path / "site"
    with FolderServer(folder) as server:
        copy_site(SITES / generator / "built", folder, server.url)
        expected = load_book(folder)
        client = SiteClient(pause_s=0, allow_private=True, sleep=lambda _: None)
        with downloaded_site(
            server.url,
            tmp_path,
            client=client,
            limits=DownloadLimits(1_000_000, 10_000_000, 600),
            choice=Choice(),
            progress=lambda *_: None,
        ) as copy:
            book = load_book(copy.folder, options=ReadOptions(downloaded=copy.downloaded))

    assert book.title == expected.title
    assert [page.title for page in book.pages] == [page.title for page in expected.pages]
    assert [page.source for page in book.pages] == [page.source for page in expected.pages]
    assert [unquote(page.address).removesuffix("index.html") for page in book.pages] == [
        unquote(page.address) for page in expected.pages
    ]
