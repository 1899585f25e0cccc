"""Test the place of a page on its book's site."""

from __future__ import annotations

import pytest

from ragbot.core.page_links import place_on_site


@pytest.mark.parametrize(
    ("url", "site_url", "address"),
    [
        ("https://x.test/book/ch1.html", "https://x.test/book/", "ch1.html"),
        ("https://x.test/book/ch1.html", "https://x.test/book/index.html", "ch1.html"),
        ("https://x.test/book/", "https://x.test/book/index.html", "index.html"),
        ("https://x.test/book/a/?q=1#b", "https://x.test/book", "a/index.html"),
        ("https://x.test/docs/genindex", "https://x.test/docs/", "genindex.html"),
        ("https://x.test/index.html", "https://x.test/", ""),
        ("https://x.test/files/book.pdf#page=3", "https://x.test/files/book.pdf", ""),
    ],
)
def test_readers_page_is_that_of_the_book(url: str, site_url: str, address: str) -> None:
    """What it holds comes first among equals, and its examples are shown."""
    assert place_on_site(url, site_url) == place_on_site(address, "")


def test_other_pages_are_others() -> None:
    """A page of another site, or a file whose name only ends in "index"."""
    assert place_on_site("https://x.test/docs/gen", "https://x.test/docs/") != place_on_site(
        "genindex.html", ""
    )
    assert place_on_site("https://x.test/other/ch1.html", "https://x.test/book/") == "other/ch1"
