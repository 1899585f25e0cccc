"""Visit pages that have the widget, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import RunningApp
from tests.system.web.console_fake_api import event
from tests.system.web.fresh_pages import fresh_page
from tests.system.web.widget_site import WidgetSite

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Locator, Page, expect

DESK = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}
MOTOR = "Is the fuse blown?"
CLOTHS = "Where is the cloths drawer?"
# Makes Chromium say that it has no `field-sizing`; the style itself is put out in the field.
NO_FIELD_SIZING = """{
  const supports = CSS.supports.bind(CSS);
  CSS.supports = (...asked) => asked[0] !== 'field-sizing' && supports(...asked);
}"""


class Visit:
    """A page with the widget, and what it asked of whom."""

    def __init__(self, page: Page, site: WidgetSite, service: RunningApp) -> None:
        self.page, self.site, self.service = page, site, service
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => "
            "{ throw new Error('policy: ' + e.violatedDirective) })"
        )

    def go(self, path: str = "/mkdocs/faults/", *, attributes: str = "", head: str = "") -> Visit:
        self.site.head = head or self.site.tag(self.service.url, attributes)
        self.page.goto(self.site.url + path)
        self.page.wait_for_function("window.Ragbot !== undefined")
        return self

    def open(self) -> Visit:
        self.page.locator("ragbot-widget .launch").click()
        expect(self.panel).to_be_visible()
        return self

    def ask(self, question: str = MOTOR) -> Locator:
        before = self.page.locator(".exchange").count()
        self.field.fill(question)
        self.field.press("Enter")
        exchange = self.page.locator(".exchange").nth(before)
        expect(exchange.locator(".tools button").first).to_be_visible(timeout=60_000)
        return exchange

    def lit(self) -> str:
        return str(
            self.page.evaluate(
                "() => [...(CSS.highlights.get('ragbot') ?? [])].map(range => range.toString()).join('|')"
            )
        )

    def wait_until_lit(self, words: str) -> None:
        self.page.wait_for_function(
            "words => [...(CSS.highlights.get('ragbot') ?? [])].map(range => range.toString())"
            ".join(' ').includes(words)",
            arg=words,
        )

    def show(self, question: str) -> Locator:
        """Ask as the page's own scripts do, in a new talk."""
        self.page.evaluate(
            """question => new Promise((resolve) => {
              document.querySelector('ragbot-widget').shadowRoot.querySelector('.head button').click();
              document.addEventListener('ragbot:answer', resolve, {once: true});
              Ragbot.ask(question);
            })""",
            question,
        )
        return self.page.locator(".exchange").last

    @property
    def panel(self) -> Locator:
        return self.page.locator("ragbot-widget .panel")

    @property
    def field(self) -> Locator:
        return self.page.get_by_label("Your question", exact=True)


def select_words(page: Page, words: str) -> None:
    """Select the element that holds words, in the middle of the window."""
    page.evaluate(
        """(words) => {
          const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
          while (walker.nextNode() && !walker.currentNode.data.includes(words));
          walker.currentNode.parentElement.scrollIntoView({block: 'center'});
          getSelection().selectAllChildren(walker.currentNode.parentElement);
        }""",
        words,
    )


def answer_with(page: Page, answer: str, *, sources: list[Any], citations: list[Any], status: str) -> None:
    """Let every later question be answered by just this."""
    reply_with(page, **reply_of(answer, sources=sources, citations=citations, status=status))


def reply_with(page: Page, **reply: Any) -> None:
    """Let every later question get this reply."""
    page.unroute("**/query")
    page.route("**/query", lambda route: route.fulfill(**reply))


def reply_of(answer: str, *, sources: list[Any], citations: list[Any], status: str) -> dict[str, Any]:
    told = {"session_id": "s", "message_id": "m", "sources": sources}
    done = told | {"answer": answer, "citations": citations, "status": status}
    body = event("sources", told, 0) + event("delta", {"text": answer}, 1) + event("done", done, 2)
    return {
        "headers": {"Access-Control-Allow-Origin": "*", "Content-Type": "text/event-stream"},
        "body": body,
    }


@contextmanager
def visiting(browser: Browser, site: WidgetSite, service: RunningApp, **context: Any) -> Iterator[Visit]:
    settings = {"viewport": DESK, "reduced_motion": "reduce"} | context
    with fresh_page(browser, **settings) as page:
        page.set_default_timeout(30_000)
        visit = Visit(page, site, service)
        site.policy = ""
        yield visit
    assert visit.complaints == []
    ours = (site.url, service.url, "data:", "about:")
    assert [url for url in visit.requests if not url.startswith(ours)] == []
