"""Test the public page in a real browser: without scripts, and in a frame; and the console with tokens on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask_openapi import OpenAPI

from tests.conftest import THREE_CHAPTERS, AppMaker, RunningApp, services_of
from tests.system.web.fresh_pages import fresh_page

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

HOW_LONG = "How long is the cheddar ripened?"
TOKENS = {"WIDGET_TOKEN_MINUTES": 5, "SECRET_KEY": "q8Zr-2Lw9-Xk47-uTn3"}

Run = Callable[[OpenAPI], RunningApp]


@pytest.fixture
def serve(make_app: AppMaker, run_app: Run) -> Callable[..., RunningApp]:
    def make(**settings: Any) -> RunningApp:
        app = make_app({**TOKENS, **settings})
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first", site_url="https://book.test/")
        return run_app(app)

    return make


@pytest.fixture
def without_scripts(chromium: Browser) -> Iterator[Page]:
    with fresh_page(chromium, java_script_enabled=False, viewport={"width": 360, "height": 740}) as page:
        yield page


def test_form_answers_without_scripts(serve: Callable[..., RunningApp], without_scripts: Page) -> None:
    """With its token, its style sheet and its sources, under the page's own policy."""
    page = without_scripts
    page.goto(f"{serve().url}/ask")

    page.get_by_label("Ask a question.").fill(HOW_LONG)
    page.get_by_role("button", name="Ask").click()

    expect(page.locator(".answer")).to_contain_text("nine months")
    page.locator(".answer a.mark").first.click()
    expect(page.locator("#source-1")).to_be_in_viewport()
    expect(page.locator("#source-1 blockquote")).to_contain_text("Bob ripens the cheddar")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("() => getComputedStyle(document.querySelector('main')).maxWidth") != "none"


@pytest.mark.parametrize("is_allowed", [True, False])
def test_frame_shows_the_page_on_allowed_origins_alone(
    serve: Callable[..., RunningApp], run_app: Run, without_scripts: Page, *, is_allowed: bool
) -> None:
    """The browser keeps the policy; the old header must not stand in its way."""
    site = OpenAPI("site", doc_ui=False)
    site.add_url_rule("/", view_func=lambda: f'<iframe src="{framed.url}/ask"></iframe>')
    origin = run_app(site).url
    framed = serve(ALLOWED_ORIGINS_STR=origin if is_allowed else "https://other.example")
    page = without_scripts

    with page.expect_response(f"{framed.url}/ask") as response:
        page.goto(origin)

    assert response.value.status == 200
    expect(page.frame_locator("iframe").locator("form")).to_have_count(1 if is_allowed else 0)


def test_console_asks_without_a_token_in_a_browser(
    serve: Callable[..., RunningApp], chromium: Browser
) -> None:
    """Its calls carry the cookie that the page has set."""
    with fresh_page(chromium) as page:
        page.goto(serve(CONSOLE_PASSWORD=None).url)

        page.get_by_label("Question", exact=True).fill(HOW_LONG)
        page.get_by_role("button", name="Ask", exact=True).click()

        expect(page.locator('[data-part="answer"]').first).to_contain_text("nine months")


@pytest.mark.parametrize("asked", ["", "?q=Why"])
def test_page_around_a_frame_keeps_its_focus_and_its_place(
    serve: Callable[..., RunningApp], run_app: Run, chromium: Browser, asked: str
) -> None:
    """A reader who opens a page with the frame at its end reads the beginning first."""
    site = OpenAPI("site", doc_ui=False)
    frame = '<iframe src="{}/ask{}" width="100%" height="700"></iframe>'
    site.add_url_rule("/", view_func=lambda: "<p>Read this.</p>" * 80 + frame.format(framed.url, asked))
    origin = run_app(site).url
    framed = serve(ALLOWED_ORIGINS_STR=origin)
    with fresh_page(chromium) as page:
        page.goto(origin)

        question = page.frame_locator("iframe").get_by_label("Your question", exact=True)
        expect(question).to_have_count(1)
        page.wait_for_timeout(300)
        assert page.evaluate("[scrollY, document.activeElement.tagName]") == [0, "BODY"]
        question.click()
        expect(question).to_be_focused()
