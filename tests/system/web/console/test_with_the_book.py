"""Test the console with the shipped app and the shipped book."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.system.web.console.console_page import (
    ANSWERED,
    FOLLOW_UP,
    PHONE,
    SELECTION,
    ask,
    has_focus,
    in_one_line,
    is_in_view,
    named,
    opened,
    press_until,
)

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

UNANSWERABLE = "Who painted the ceiling of the Sistine Chapel?"


def test_answer_comes_with_marks_that_open_their_quotes(live: Page) -> None:
    """The citation is the promise of the product: one click from a claim to the book's own words."""
    exchange = ask(live, ANSWERED)

    expect(exchange).to_have_attribute("data-state", "answered")
    mark = exchange.locator(".cite").first
    mark.click()

    source = exchange.locator(f'.source[data-source="{mark.get_attribute("data-cite")}"]')
    expect(source).to_have_class(re.compile(r"\blit\b"))
    expect(named(source, "quote")).to_be_in_viewport()
    assert named(source, "quote").inner_text().strip()
    assert has_focus(source)
    cited = source.locator("mark.lit").first
    expect(cited).to_be_in_viewport()
    assert is_in_view(cited, named(source, "quote"))


def test_marked_words_are_those_that_the_reply_cites(live: Page) -> None:
    """A reader sees at a glance which of the book's words an answer rests on."""
    exchange = ask(live, ANSWERED)

    exchange.locator(".inside summary").click()
    raw = named(exchange, "raw")
    # It is written when the browser has opened its place.
    expect(raw).not_to_be_empty()
    reply = json.loads(raw.inner_text())
    assert reply["citations"]
    for number in {given["source"] for given in reply["citations"]}:
        source = exchange.locator(f'.source[data-source="{number}"]')
        cited = [in_one_line(given["text"]) for given in reply["citations"] if given["source"] == number]
        marked = [in_one_line(text) for text in source.locator("mark").all_text_contents()]
        assert marked == cited
        assert "**" not in named(source, "quote").inner_text()


def test_follow_up_stays_in_the_session(live: Page) -> None:
    """A second question is understood by the first only if both are in one session."""
    ask(live, ANSWERED)
    session = live.locator("#export").get_attribute("href")

    second = ask(live, FOLLOW_UP)

    expect(second).to_have_attribute("data-state", "answered")
    assert live.locator("#export").get_attribute("href") == session
    expect(live.locator(".exchange")).to_have_count(2)


def test_reload_shows_the_history(live: Page) -> None:
    """Who closes the page by mistake finds the talk again, word for word."""
    ask(live, ANSWERED)
    ask(live, FOLLOW_UP)
    said = live.locator(".exchange .answer").all_inner_texts()

    live.reload()

    expect(live.locator(".exchange")).to_have_count(2)
    assert live.locator(".exchange .question").all_inner_texts() == [ANSWERED, FOLLOW_UP]
    assert live.locator(".exchange .answer").all_inner_texts() == said
    expect(live.locator(".exchange").last.locator(".cite").first).to_be_visible()


def test_new_session_clears_the_talk(live: Page) -> None:
    """A fresh start must not carry the old questions along, not even after a reload."""
    ask(live, ANSWERED)
    session = live.locator("#export").get_attribute("href")

    live.click("#new-session")

    expect(live.locator(".exchange")).to_have_count(0)
    live.reload()
    expect(live.locator("#title-page")).to_be_visible()
    expect(live.locator(".exchange")).to_have_count(0)
    ask(live, ANSWERED)
    assert live.locator("#export").get_attribute("href") != session


def test_selected_text_is_what_the_answer_is_made_of(live: Page) -> None:
    """In this mode nothing but the reader's own selection may be told."""
    live.get_by_role("radio", name="Selected text").check()
    live.fill("#selection", SELECTION)

    exchange = ask(live, "What do nodes publish messages to?")

    expect(exchange).to_have_attribute("data-state", "answered")
    expect(named(exchange, "about")).to_be_visible()
    assert re.sub(r"\s*\[\d+\]", "", exchange.locator(".answer").inner_text()).strip() in SELECTION


def test_refusal_is_calm_and_in_words(live: Page) -> None:
    """That the book does not say is an answer and not an error."""
    exchange = ask(live, UNANSWERABLE)

    expect(exchange).to_have_attribute("data-state", "refused")
    expect(exchange.locator('[data-chip="status"]')).to_have_text("Not in the book")
    expect(named(exchange, "problem")).to_be_hidden()
    assert len(exchange.locator(".answer").inner_text()) > 20


def test_thumb_is_kept_and_shown_again(live: Page) -> None:
    """Feedback that a reload forgets was never given."""
    exchange = ask(live, ANSWERED)

    exchange.locator('[data-rating="down"]').click()

    expect(named(exchange, "feedback-note")).to_have_text("Noted: not helpful")
    live.reload()
    expect(live.locator('.exchange [data-rating="down"]')).to_have_attribute("aria-pressed", "true")
    expect(live.locator('.exchange [data-rating="up"]')).to_have_attribute("aria-pressed", "false")


def test_keyboard_alone_asks_opens_a_quote_and_comes_back(live: Page) -> None:
    """Whoever uses no mouse must reach every step, and see where they are."""
    assert has_focus(live.locator("#question"))
    press_until(live, "Shift+Tab", ".skip")
    live.keyboard.press("Enter")
    assert has_focus(live.locator("#question"))
    live.keyboard.type(ANSWERED)
    live.keyboard.press("Enter")
    expect(live.locator(".exchange")).to_have_attribute("data-state", "answered", timeout=60_000)

    press_until(live, "Shift+Tab", ".thumb")
    press_until(live, "Shift+Tab", ".cite")
    live.keyboard.press("Enter")

    assert live.evaluate("document.activeElement.matches('.source.lit')")
    press_until(live, "Tab", '[data-part="back"]')
    live.keyboard.press("Enter")
    assert live.evaluate("document.activeElement.matches('.cite')")


def test_phone_never_scrolls_sideways(chromium: Browser, live_console: Any) -> None:
    """On 360 pixels a page that slides sideways cannot be read with one hand."""
    with opened(chromium, live_console.url, viewport=PHONE) as (page, watch):
        ask(page, ANSWERED)
        for summary in page.locator(".exchange summary:visible").all():
            summary.click()
        for more in page.locator('[data-part="more"]:visible').all():
            more.click()
        page.locator("#options summary").click()

        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], scheme
        assert watch.foreign == []
        assert watch.complaints == []


def test_dark_mode_is_dark(live: Page) -> None:
    """Who reads at night asked their system for dark, and text must still stand out from it."""
    colours = {}
    for scheme in ("light", "dark"):
        live.emulate_media(color_scheme=scheme)
        colours[scheme] = live.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
            ".map(rgb => rgb.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3)"
        )

    assert colours["light"][0] > 200 > 80 > colours["light"][1]
    assert colours["dark"][0] < 60 < 200 < colours["dark"][1]


def test_bar_fits_with_wide_letters(live: Page) -> None:
    """Another system has a wider font: the bar takes a second line, and the page does not scroll sideways."""
    ask(live, ANSWERED)
    live.evaluate("document.querySelector('.bar').style.letterSpacing = '0.15em'")

    for width in (360, 447, 600):
        live.set_viewport_size({"width": width, "height": PHONE["height"]})
        assert live.evaluate("document.documentElement.scrollWidth") <= width
        for button in ("#export", "#talks-button", "#new-session"):
            box = live.locator(button).bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width
