"""Test the widget on pages that the browser keeps as they are for the way back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import RunningApp
from tests.system.web.conftest import CHROMIUM_ARGS, WHOLE_CHROMIUM
from tests.system.web.console_fake_api import event
from tests.system.web.widget_site import WidgetSite
from tests.system.web.widget_visit import CLOTHS, MOTOR, Visit, visiting

pytest.importorskip("playwright")
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

TOLD: dict[str, Any] = {"session_id": "s", "message_id": "m", "sources": []}
BEGINNING = event("sources", TOLD, 0) + event("delta", {"text": "One "}, 4)
REST = event("done", TOLD | {"answer": "One two.", "citations": [], "status": "answered"}, 8)
# The beginning of an answer that goes on for ever, and its rest where that is asked for.
ENDLESS_ANSWER = """([beginning, rest]) => {
  const fetched = window.fetch.bind(window);
  const bytes = (text) => new TextEncoder().encode(text);
  const headers = {'Content-Type': 'text/event-stream'};
  window.fetch = async (address, options) => {
    if (String(address).endsWith('/stream')) {
      window.wanted = options.headers['Last-Event-ID'];
      return new Response(rest, {headers});
    }
    if (!String(address).endsWith('/query')) return fetched(address, options);
    const endless = {
      start: (stream) => stream.enqueue(bytes(beginning)),
      cancel: () => { window.letGo = true; },
    };
    return new Response(new ReadableStream(endless), {headers});
  };
}"""


@pytest.fixture(scope="module")
def keeping_browser(chromium: Browser) -> Iterator[Browser]:
    """Start a Chromium that keeps pages, as readers' browsers do; Playwright's and the shell do not."""
    if not os.path.exists(WHOLE_CHROMIUM):
        pytest.skip(f"no browser at {WHOLE_CHROMIUM}")
    options: dict[str, Any] = {
        "executable_path": WHOLE_CHROMIUM,
        "args": CHROMIUM_ARGS,
        "ignore_default_args": ["--disable-back-forward-cache"],
    }
    browser = chromium.browser_type.launch(**options)
    yield browser
    browser.close()


@pytest.fixture
def visit(keeping_browser: Browser, site: WidgetSite, service: RunningApp) -> Iterator[Visit]:
    with visiting(keeping_browser, site, service) as visit:
        yield visit


def go_back(visit: Visit) -> None:
    """Go to the page before, which must be the very one that was left."""
    visit.page.go_back(wait_until="commit")
    visit.page.wait_for_function("window.wasKept === true")


def go(visit: Visit) -> None:
    visit.go()
    visit.page.evaluate("addEventListener('pageshow', (event) => { window.wasKept = event.persisted; })")


def test_talk_that_went_on_elsewhere_is_shown_on_the_way_back(visit: Visit) -> None:
    """Else the page would show the old talk, and write it over the new one with the next question."""
    go(visit)
    visit.open()
    visit.ask(MOTOR)
    visit.page.goto(f"{visit.site.url}/mkdocs/lighting/")
    expect(visit.panel).to_be_visible()
    visit.ask(CLOTHS)

    go_back(visit)

    asked = visit.page.locator(".exchange .asked")
    expect(asked).to_have_count(2)
    expect(asked.last).to_contain_text(CLOTHS)
    visit.ask("How much does the lamp weigh?")
    visit.page.reload()
    expect(asked).to_have_count(3)


def test_panel_that_was_closed_elsewhere_is_closed_on_the_way_back(visit: Visit) -> None:
    """The panel is open or closed in all pages of a tab alike."""
    go(visit)
    visit.open()
    visit.page.goto(f"{visit.site.url}/mkdocs/lighting/")
    visit.page.get_by_role("button", name="Close").click()

    go_back(visit)

    expect(visit.panel).to_be_hidden()


def test_answer_that_was_left_lets_its_connection_go_and_is_complete_on_the_way_back(visit: Visit) -> None:
    """An open connection keeps some browsers from keeping the page."""
    go(visit)
    visit.page.evaluate(ENDLESS_ANSWER, [BEGINNING, REST])
    visit.open()
    visit.field.fill(MOTOR)
    visit.field.press("Enter")
    expect(visit.page.locator(".answer")).to_have_text("One")
    visit.page.goto("about:blank")

    go_back(visit)

    assert visit.page.evaluate("window.letGo") is True
    expect(visit.page.locator(".answer")).to_have_text("One two.")
    assert visit.page.evaluate("window.wanted") == "4"
