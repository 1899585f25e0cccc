"""Test questions in the console about a selected text."""

from __future__ import annotations

import re

import pytest

from tests.system.web.console.console_page import SELECTION, ask, has_focus, named, press_until, send
from tests.system.web.console_fake_api import SOURCES, FakeApi

pytest.importorskip("playwright")
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]


def use_as_selection(page: Page) -> Locator:
    """Ask, use the first quote as the selection, and give the chip."""
    ask(page, "What is a node?").locator('.source[data-source="1"] [data-part="use"]').click()
    chip = page.locator("#selection-chip")
    expect(chip).to_be_visible()
    return chip


def test_quote_is_the_selection_of_the_next_question_only(page: Page, fake: FakeApi) -> None:
    """The next question is often about the lines just read, and the one after it about the book again."""
    use_as_selection(page)
    assert has_focus(page.locator("#question"))

    second = ask(page, "What does it mean?")
    third = ask(page, "What is a topic?")

    expect(named(second, "about")).to_be_visible()
    expect(named(third, "about")).to_be_hidden()
    expect(page.locator("#selection-field")).to_be_hidden()
    expect(page.get_by_role("radio", name="Whole book")).to_be_checked()
    assert [asked["mode"] for asked in fake.asked] == ["full_book", "selected_text", "full_book"]
    assert fake.asked[1]["selected_text"] == SOURCES[0]["quote_text"]
    assert "selected_text" not in fake.asked[2]


def test_selection_can_be_taken_away(page: Page, fake: FakeApi) -> None:
    """A reader who changed their mind goes back to the book, with the mouse or the keyboard."""
    use = ask(page, "What is a node?").locator('.source[data-source="1"] [data-part="use"]')
    for by in ("mouse", "Enter", "Delete"):
        use.click()
        expect(page.locator("#selection-chip")).to_be_visible()

        if by == "mouse":
            page.get_by_role("button", name="Remove the selected text").click()
        else:
            press_until(page, "Shift+Tab", "#selection-remove", at_most=3)
            page.keyboard.press(by)

        expect(page.locator("#selection-chip")).to_be_hidden()
        assert has_focus(page.locator("#question"))
        expect(page.locator("#announce")).to_have_text(
            "The selected text is removed. Questions go to the whole book."
        )
        ask(page, "What is a topic?")
        assert fake.asked[-1]["mode"] == "full_book"


def test_text_of_the_selection_can_be_seen_and_changed(page: Page, fake: FakeApi) -> None:
    """One must be able to read what an answer will be made from."""
    chip = use_as_selection(page)
    toggle = chip.get_by_role("button", name="Selected text: Nodes are independent programs")
    expect(page.locator("#selection")).to_be_hidden()

    toggle.click()

    expect(toggle).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#selection")).to_have_value(SOURCES[0]["quote_text"])
    page.fill("#selection", "Messages have a type.")
    expect(page.locator("#selection-words")).to_have_text("Messages have a type.")
    ask(page, "What has a message?")
    assert fake.asked[1]["selected_text"] == "Messages have a type."


def test_selection_of_an_earlier_question_can_be_used_again(page: Page, fake: FakeApi) -> None:
    """Two questions about the same lines must not mean to copy them twice, not even after a reload."""
    use_as_selection(page)
    ask(page, "What does it mean?")
    page.reload()

    page.locator(".about summary:visible").click()
    page.locator('[data-part="use-again"]:visible').click()
    ask(page, "And what else?")

    assert fake.asked[2]["selected_text"] == SOURCES[0]["quote_text"]


def test_selection_of_a_question_that_was_not_taken_comes_back(page: Page, fake: FakeApi) -> None:
    """A wrong option beside it must not cost the reader the text they chose."""
    use_as_selection(page)

    exchange = ask(page, "reject What does it mean?")

    expect(page.locator("#selection-chip")).to_be_visible()
    named(exchange, "again").click()
    expect(page.locator(".exchange")).to_have_count(2)
    expect(page.locator(".exchange").last).to_have_attribute("data-state", "failed")
    assert [asked.get("selected_text") for asked in fake.asked[1:]] == [SOURCES[0]["quote_text"]] * 2


def test_selection_chosen_while_an_answer_arrives_is_for_the_next_question(page: Page, fake: FakeApi) -> None:
    """Only the selection that was sent is used up."""
    send(page, "wait What is a node?")
    page.get_by_role("radio", name="Selected text").check()
    page.fill("#selection", SELECTION)

    fake.gate.set()
    expect(page.locator(".exchange")).to_have_attribute("data-state", "answered")

    expect(page.locator("#selection")).to_have_value(SELECTION)
    ask(page, "What do nodes publish?")
    assert fake.asked[1]["selected_text"] == SELECTION


def test_selection_that_is_too_short_is_told_before_it_is_sent(page: Page, fake: FakeApi) -> None:
    """A rule known to the page need not cost a round trip."""
    page.get_by_role("radio", name="Selected text").check()
    page.fill("#selection", "too short")
    page.click("#selection-toggle")
    expect(page.locator("#selection")).to_be_hidden()
    page.fill("#question", "What does it mean?")
    page.press("#question", "Enter")

    expect(page.locator("#ask-problem")).to_have_text(re.compile("9 characters; it must have 10 to 10,000"))
    assert has_focus(page.locator("#selection"))
    assert fake.asked == []
