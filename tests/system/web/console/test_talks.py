"""Test what the console does with talks and with a question that was asked, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.web.console.console_page import ANSWERED, FOLLOW_UP, SELECTION, ask, named, opened
from tests.system.web.widget_visit import NO_FIELD_SIZING

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Locator, Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
HOSTILE = "<img src=x onerror=alert(1)> What is a joint?"


@pytest.fixture
def console(chromium: Browser, live_console: Any) -> Iterator[Page]:
    """Yield the shipped console, whose page may write to the clipboard."""
    permissions = ["clipboard-read", "clipboard-write"]
    with opened(chromium, live_console.url, permissions=permissions) as (page, watch):
        yield page

        # The browser itself reports a call that failed; that is no fault of the page.
        assert [text for text in watch.complaints if "Failed to load resource" not in text] == []
        assert watch.foreign == []


def listed(page: Page) -> Locator:
    return page.locator("#talks-list li")


def open_list(page: Page) -> None:
    page.get_by_role("button", name="Talks").click()
    expect(page.locator("#talks")).to_be_visible()


def axe_finds(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [one["id"] for one in found["violations"]]


def test_escape_closes_the_list_right_after_its_button_was_pressed(console: Page) -> None:
    """The focus is on the button then, which is outside of the list."""
    open_list(console)

    console.keyboard.press("Escape")

    expect(console.locator("#talks")).to_be_hidden()
    expect(console.locator("#talks-button")).to_be_focused()


def test_question_field_grows_without_field_sizing(chromium: Browser, live_console: Any) -> None:
    """Safari before 26.2 has no such style: one line of a longer question would be seen."""
    with opened(chromium, live_console.url) as (page, _):
        page.add_init_script(NO_FIELD_SIZING)
        page.goto(live_console.url)
        field = page.locator("#question")
        field.evaluate("field => { field.style.fieldSizing = 'fixed'; }")
        small = field.evaluate("field => field.offsetHeight")

        field.fill("What\nis a\nnode?")

        assert field.evaluate("field => field.scrollHeight <= field.clientHeight")
        assert field.evaluate("field => field.offsetHeight") > small
        field.press("Enter")
        expect(field).to_have_value("")
        assert field.evaluate("field => field.offsetHeight") == small


def test_talks_are_listed_and_open_again(console: Page) -> None:
    """The newest first, by their first questions, also after the page was closed."""
    ask(console, ANSWERED)
    ask(console, FOLLOW_UP)
    console.click("#new-session")
    ask(console, HOSTILE)
    console.reload()

    open_list(console)
    titles = listed(console).locator(".talk-title").all_inner_texts()
    current = listed(console).locator("[aria-current=true]").all_inner_texts()
    found = axe_finds(console)
    console.get_by_role("button", name=ANSWERED, exact=True).click()

    assert (titles, current) == ([HOSTILE, ANSWERED], [HOSTILE])
    assert found == []
    expect(console.locator("#talks")).to_be_hidden()
    expect(console.locator(".exchange .question")).to_have_text([ANSWERED, FOLLOW_UP])


def test_talk_is_deleted_after_a_second_press(console: Page) -> None:
    """On the server too, and the other talks stay."""
    ask(console, ANSWERED)
    deleted = str(console.locator("#export").get_attribute("href"))
    console.click("#new-session")
    ask(console, FOLLOW_UP)
    open_list(console)

    button = listed(console).nth(1).locator("button").nth(1)
    button.click()
    expect(button).to_have_text("Really delete?")
    still_there = console.request.get(deleted).status
    button.click()

    expect(listed(console)).to_have_count(1)
    assert (still_there, console.request.get(deleted).status) == (200, 404)
    expect(console.locator(".exchange .question")).to_have_text([FOLLOW_UP])


def test_talk_that_is_open_is_cleared_when_it_is_deleted(console: Page) -> None:
    """And the first press alone deletes nothing once the reader has gone elsewhere."""
    ask(console, ANSWERED)
    open_list(console)
    button = listed(console).first.locator("button").nth(1)

    button.click()
    console.focus("#question")
    expect(button).to_have_text("Delete")
    button.click()
    button.click()

    expect(console.locator(".exchange")).to_have_count(0)
    expect(listed(console)).to_have_count(0)
    expect(console.locator("#talks-empty")).to_be_visible()
    expect(console.locator("#export")).to_be_hidden()


def test_talk_that_the_server_does_not_delete_stays_in_the_list(console: Page) -> None:
    """Else nobody could delete it any more."""
    ask(console, ANSWERED)
    open_list(console)
    console.route("**/sessions/*", lambda route: route.abort())
    button = listed(console).first.locator("button").nth(1)

    button.click()
    button.click()

    expect(console.locator("#notice")).to_contain_text("not deleted")
    expect(listed(console)).to_have_count(1)


def test_answer_is_copied_as_it_was_written(console: Page) -> None:
    """With its marks, as Markdown."""
    exchange = ask(console, ANSWERED)

    named(exchange, "copy").click()

    expect(named(exchange, "copy")).to_have_text("Copied")
    copied = console.evaluate("navigator.clipboard.readText()")
    assert "[1]" in copied
    assert copied.split("[1]")[0].strip()[:20] in exchange.locator(".answer").inner_text()


def test_question_is_asked_again(console: Page) -> None:
    """In the same talk, as it was asked."""
    exchange = ask(console, ANSWERED)

    named(exchange, "repeat").click()

    expect(console.locator(".exchange .question")).to_have_text([ANSWERED, ANSWERED])
    expect(console.locator(".exchange").last).to_have_attribute("data-state", "answered", timeout=60_000)


def test_question_is_edited_with_the_selection_that_it_was_about(console: Page) -> None:
    """And the next one is what stands in the field then."""
    console.get_by_role("radio", name="Selected text").check()
    console.fill("#selection", SELECTION)
    exchange = ask(console, ANSWERED)
    expect(console.get_by_role("radio", name="Whole book")).to_be_checked()

    named(exchange, "edit").click()

    expect(console.locator("#question")).to_have_value(ANSWERED)
    expect(console.locator("#question")).to_be_focused()
    expect(console.get_by_role("radio", name="Selected text")).to_be_checked()
    expect(console.locator("#selection")).to_have_value(SELECTION)


@pytest.mark.parametrize("clipboard", ["undefined", "{writeText: () => Promise.reject(new Error('no'))}"])
def test_answer_that_may_not_be_copied_is_selected(console: Page, clipboard: str) -> None:
    """Pages without https have no clipboard, and a reader may forbid it: the button must not do nothing."""
    exchange = ask(console, ANSWERED)
    console.evaluate(f"Object.defineProperty(navigator, 'clipboard', {{value: {clipboard}}})")

    named(exchange, "copy").click()

    expect(named(exchange, "copy-note")).to_have_text(
        "This page may not copy. The text is selected now: copy it by hand."
    )
    expect(console.locator("#announce")).to_contain_text("copy it by hand")
    expect(named(exchange, "copy")).to_have_text("Copy")
    selected = console.evaluate("getSelection().toString()")
    assert selected.split() == exchange.locator(".answer").inner_text().split()


@pytest.mark.parametrize("is_there", [True, False])
def test_talk_that_arrives_late_is_not_mixed_into_another(console: Page, *, is_there: bool) -> None:
    """A reader opens a second talk before the first one's questions are there, or known to be gone."""
    ask(console, ANSWERED)
    slow = str(console.locator("#export").get_attribute("href")).rsplit("/", 2)[1]
    console.click("#new-session")
    ask(console, FOLLOW_UP)
    held: list[Route] = []
    console.route(f"**/sessions/{slow}?**", lambda route: held.append(route))
    open_list(console)
    console.get_by_role("button", name=ANSWERED, exact=True).click()
    open_list(console)
    console.get_by_role("button", name=FOLLOW_UP, exact=True).click()
    expect(console.locator(".exchange .question")).to_have_text([FOLLOW_UP])

    with console.expect_response(f"**/sessions/{slow}?**"):
        held[0].continue_() if is_there else held[0].fulfill(status=404, json={"code": "session_not_found"})

    console.evaluate("new Promise((done) => setTimeout(done, 200))")
    expect(console.locator(".exchange .question")).to_have_text([FOLLOW_UP])
    expect(console.locator("#notice")).to_be_empty()
    open_list(console)
    titles = [FOLLOW_UP, ANSWERED] if is_there else [FOLLOW_UP]
    assert listed(console).locator(".talk-title").all_inner_texts() == titles


def test_escape_that_closes_the_list_does_not_stop_an_answer(console: Page) -> None:
    """One press does one thing; the next one stops the answer."""
    console.route("**/query", lambda route: None)
    console.fill("#question", ANSWERED)
    console.press("#question", "Enter")
    stop = console.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    open_list(console)

    console.keyboard.press("Escape")
    expect(console.locator("#talks")).to_be_hidden()
    expect(stop).to_be_visible()

    console.keyboard.press("Escape")
    expect(stop).to_be_hidden()
