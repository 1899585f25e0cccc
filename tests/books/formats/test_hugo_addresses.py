"""Compare the addresses of Hugo's pages with those that Hugo itself made, under several settings."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import pytest

from ragbot.books.loader import load_book
from tests.sites.hugo_addresses import PAGES, PLACE, SETTINGS, write_sources

BUILT: dict[str, dict[str, str]] = json.loads(PLACE.read_text())


@pytest.mark.parametrize("name", SETTINGS)
def test_pages_have_the_addresses_that_hugo_gives_them(tmp_path: Path, name: str) -> None:
    """A link to another place is dead."""
    write_sources(tmp_path, SETTINGS[name])

    book = load_book(tmp_path)

    found = {page.path.removeprefix("content/"): unquote(page.address) for page in book.pages}
    assert found == BUILT[name]
    assert found.keys() == PAGES.keys()


def test_settings_may_have_files_of_their_own(tmp_path: Path) -> None:
    """Many projects split their configuration."""
    write_sources(tmp_path, "")
    folder = tmp_path / "config" / "_default"
    folder.mkdir(parents=True)
    (tmp_path / "hugo.toml").rename(folder / "hugo.toml")
    (folder / "permalinks.yaml").write_text("page:\n  posts: /articles/:slug/\n")

    addresses = [page.address for page in load_book(tmp_path).pages]

    assert "articles/two-words/" in addresses


@pytest.mark.parametrize("glob", ["}{", "/{posts", "**a" * 100])
def test_absurd_globs_match_nothing_and_harm_nothing(tmp_path: Path, glob: str) -> None:
    """The configuration comes with the book, from whoever uploads it."""
    rule = f'[[permalinks]]\npattern="/x/:slug/"\n[permalinks.target]\npath="{glob}"\n'
    write_sources(tmp_path, rule)

    found = {page.path: page.address for page in load_book(tmp_path).pages}

    assert found["content/posts/first.md"] == "letters/first/"
