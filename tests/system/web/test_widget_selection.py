"""Test the offer to ask about what a reader has selected: where it stands, and when."""

from __future__ import annotations

import pytest

from tests.conftest import RunningApp
from tests.system.web.widget_site import WidgetSite
from tests.system.web.widget_visit import PHONE, Visit, select_words, visiting

pytest.importorskip("playwright")
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]


def test_text_selected_by_touch_can_be_asked_about(
    chromium: Browser, site: WidgetSite, service: RunningApp
) -> None:
    """The offer stands below the selection, where the phone's own menu is not; a tap keeps it."""
    with visiting(chromium, site, service, viewport=PHONE, has_touch=True, is_mobile=True) as visit:
        visit.go()
        select_words(visit.page, "The fuse is blown")
        offer = visit.page.get_by_role("button", name="Ask about this")
        expect(offer).to_be_visible()
        box = offer.bounding_box()
        bottom = visit.page.evaluate("getSelection().getRangeAt(0).getBoundingClientRect().bottom")
        assert box is not None
        assert box["y"] >= bottom
        assert box["height"] >= 24

        offer.tap()

        expect(visit.page.locator(".chip")).to_contain_text("The fuse is blown")


@pytest.mark.parametrize("scrolled_to", ["bottom", "top"])
def test_offer_is_in_the_window_where_the_selection_is_not(visit: Visit, scrolled_to: str) -> None:
    """A selection may reach out of the window, or be made by keys or a script outside of it."""
    visit.go()
    visit.page.evaluate(
        """(end) => {
          const space = '<div style="height: 3000px"></div>';
          document.querySelector('main').insertAdjacentHTML('beforebegin', space);
          document.querySelector('main').insertAdjacentHTML('afterend', space);
          scrollTo(0, end === 'top' ? 0 : document.documentElement.scrollHeight);
          getSelection().selectAllChildren(document.querySelector('main p'));
        }""",
        scrolled_to,
    )

    visit.page.get_by_role("button", name="Ask about this").click(timeout=5000)

    expect(visit.page.locator(".chip")).to_be_visible()


def test_offer_goes_with_the_selection_when_the_page_is_scrolled(visit: Visit) -> None:
    """A reader selects, scrolls on to see the rest, and asks; an offer that was taken does not come back."""
    visit.go()
    select_words(visit.page, "The fuse is blown")
    offer = visit.page.get_by_role("button", name="Ask about this")
    expect(offer).to_be_visible()
    visit.page.evaluate("document.querySelector('main').style.paddingBottom = '2000px'")

    visit.page.mouse.move(400, 400)
    visit.page.mouse.wheel(0, 120)

    bottom = "getSelection().getRangeAt(0).getBoundingClientRect().bottom"
    visit.page.wait_for_function(
        f"() => {{ const box = document.querySelector('ragbot-widget').shadowRoot.querySelector('.offer')"
        f".getBoundingClientRect(); return box.height && Math.abs(box.top - {bottom} - 8) < 1; }}"
    )
    offer.click()
    expect(visit.page.locator(".chip")).to_contain_text("The fuse is blown")
    visit.page.mouse.move(400, 400)
    visit.page.mouse.wheel(0, 120)
    visit.page.wait_for_timeout(600)
    expect(offer).to_be_hidden()


def test_selection_that_is_cut_says_so(visit: Visit) -> None:
    """A reader who selects a whole chapter would take the answer for one from all of it."""
    visit.go()
    visit.page.evaluate(
        "document.querySelector('main').innerHTML = `<p>${'The lamp is lit at dusk. '.repeat(500)}</p>`"
    )
    select_words(visit.page, "The lamp is lit")
    visit.page.get_by_role("button", name="Ask about this").click()

    expect(visit.page.locator(".chip")).to_contain_text("only its first 10,000 characters are used")
    with visit.page.expect_request("**/query") as asked:
        visit.ask("When is the lamp lit?")
    assert len(asked.value.post_data_json["selected_text"]) <= 10_000

    select_words(visit.page, "The lamp is lit")
    visit.page.evaluate("Ragbot.open({selection: 'The lamp is lit at dusk.'})")
    expect(visit.page.locator(".chip")).not_to_contain_text("only its first")


def test_question_that_is_too_long_is_not_cut_but_told(visit: Visit) -> None:
    """What is pasted stays whole: the end of it may be what the reader wants to know."""
    visit.go().open()
    question = "Is the fuse blown, or is it not? " * 80
    visit.field.fill("")

    visit.page.keyboard.insert_text(question)
    expect(visit.page.get_by_text("longer than 2,000 characters")).to_be_visible()
    visit.field.press("Enter")

    expect(visit.field).to_have_value(question)
    expect(visit.page.locator(".exchange")).to_have_count(0)
    visit.field.fill("Is the fuse blown?")
    expect(visit.page.get_by_text("longer than 2,000 characters")).to_be_hidden()
