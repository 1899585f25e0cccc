"""Test that cited words are found and lit up on the pages of four generators, in a real browser."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.answering.test_place import Site, citations_of
from tests.system.web.fresh_pages import fresh_page
from tests.system.web.widget_site import WidgetSite

pytest.importorskip("playwright")
from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

PANEL = next((Path(__file__).parents[3] / "static/widget/assets").glob("panel-*.js"))
LIT_UP = 0.95

_FIND = """async ({panel, wanted}) => {
  const {findOnPage} = await import(panel);
  return wanted.map(({text, anchor}) => findOnPage(text, anchor).map(range => range.toString()).join(' '));
}"""


def letters(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())


@pytest.mark.parametrize("generator", ["docusaurus", "mdbook", "mkdocs", "sphinx"])
def test_cited_words_are_lit_up(chromium: Browser, site: WidgetSite, generator: str) -> None:
    """A reader who follows a mark sees the very words of the citation."""
    wanted: dict[str, list[dict[str, str]]] = defaultdict(list)
    for citation in citations_of(Site(generator, "built")):
        address, _, fragment = citation.url.partition("#")
        if citation.has_fragment:
            wanted[urlsplit(address).path].append(
                {"text": citation.cited, "anchor": fragment.split(":~:")[0]}
            )
    missing = []
    with fresh_page(chromium) as page:
        page.route("**/panel.js", lambda route: route.fulfill(path=PANEL, content_type="text/javascript"))
        for address, of_page in wanted.items():
            page.goto(f"{site.url}/{generator}/{address.strip('/')}")
            lit = page.evaluate(_FIND, {"panel": f"{site.url}/panel.js", "wanted": of_page})
            missing += [
                one["text"]
                for one, words in zip(of_page, lit, strict=True)
                if letters(one["text"]) != letters(words)
            ]

    asked = sum(map(len, wanted.values()))
    assert asked >= 25
    assert len(missing) / asked <= 1 - LIT_UP, missing
