"""Open the console in a browser, watch what it does, and ask there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.system.web.fresh_pages import fresh_page

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Locator, Page, expect

DESK = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}
ANSWERED = "What is a node in ROS 2?"
FOLLOW_UP = "How do nodes use topics to talk to each other?"
SELECTION = (
    "Nodes are independent programs that communicate by publishing messages to topics and subscribing "
    "to topics to receive messages. Publishers don't need to know who's listening."
)


@dataclass
class Watch:
    """What a page must never do: call another host, complain in its console, break its own policy."""

    origin: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    posted: list[Any] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("popup", lambda popup: self.foreign.append(popup.url))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => "
            "console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`))"
        )

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.origin, "data:")):
            self.foreign.append(request.url)
        if request.method == "POST":
            self.posted.append(request.post_data_json)

    def _console(self, said: Any) -> None:
        if said.type in {"error", "warning"}:
            self.complaints.append(said.text)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def opened(browser: Browser, url: str, **context: Any) -> Iterator[tuple[Page, Watch]]:
    parts = urlsplit(url)
    watch = Watch(origin=f"{parts.scheme}://{parts.netloc}/")
    settings = {"viewport": DESK, "reduced_motion": "reduce"} | context
    with fresh_page(browser, **settings) as page:
        page.set_default_timeout(10_000)
        watch.on(page)
        page.goto(url)
        yield page, watch


def send(page: Page, question: str) -> Locator:
    """Ask, and give the exchange as it begins."""
    before = page.locator(".exchange").count()
    page.fill("#question", question)
    page.press("#question", "Enter")
    exchange = page.locator(".exchange").nth(before)
    expect(exchange).to_be_visible()
    return exchange


def ask(page: Page, question: str) -> Locator:
    """Ask, and give the exchange when it is over."""
    exchange = send(page, question)
    expect(exchange).not_to_have_attribute("data-state", "running", timeout=60_000)
    return exchange


def named(exchange: Locator, part: str) -> Locator:
    return exchange.locator(f'[data-part="{part}"]')


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def is_in_view(inner: Locator, outer: Locator) -> bool:
    """Whether the upper part of an element lies within another, which may hide what lies beyond its edges."""
    words, window = inner.bounding_box(), outer.bounding_box()
    assert words
    assert window
    return bool(window["y"] <= words["y"] + 4 and words["y"] + 12 <= window["y"] + window["height"])


def has_focus(locator: Locator) -> bool:
    return bool(locator.evaluate("node => node === document.activeElement"))


def press_until(page: Page, key: str, selector: str, *, at_most: int = 120) -> None:
    """Press a key until the focus is on what the selector names, which must then be seen to have it."""
    for _ in range(at_most):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"no visible focus on {selector}"
            return
    pytest.fail(f"{key} never reaches {selector}")
