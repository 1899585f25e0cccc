"""Test the widget on what Firefox and Safari do in other ways; Chromium does it here as they do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import RunningApp
from tests.system.web.conftest import CHROMIUM, CHROMIUM_ARGS
from tests.system.web.test_widget_browser import answer_with
from tests.system.web.widget_site import WidgetSite
from tests.system.web.widget_visit import NO_FIELD_SIZING, PHONE, Visit, select_words, visiting

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

NO_HIGHLIGHTS = "delete CSS.highlights; delete window.Highlight;"
LIT = "rgb(255, 224, 102)"


@pytest.fixture
def browser_with_scroll_bars(chromium: Browser) -> Iterator[Browser]:
    """Yield a browser whose scroll bars take their place from the page, as on most desks."""
    options: dict[str, Any] = {
        "executable_path": CHROMIUM,
        "args": CHROMIUM_ARGS,
        "ignore_default_args": ["--hide-scrollbars"],
    }
    browser = chromium.browser_type.launch(**options)
    yield browser
    browser.close()


def test_words_are_lit_up_without_the_highlight_api(visit: Visit) -> None:
    """Firefox before 140 and Safari before 17.2: the paragraph is lit up, and is as before in a new talk."""
    visit.page.add_init_script(NO_HIGHLIGHTS)
    visit.go().open()
    assert visit.page.evaluate("'highlights' in CSS") is False
    block = visit.page.locator("main p", has_text="The fuse is blown").first
    before = block.evaluate("one => getComputedStyle(one).backgroundColor")

    visit.ask().locator("a.mark").first.click()

    expect(block).to_have_css("background-color", LIT)
    visit.page.get_by_role("button", name="New talk").click()
    expect(block).to_have_css("background-color", before)


def test_words_are_lit_up_on_another_page_without_the_highlight_api(visit: Visit) -> None:
    """The paragraph is lit up once, and the page looks no further for it."""
    visit.page.add_init_script(NO_HIGHLIGHTS)
    visit.go().open()

    visit.ask("Where is the cloths drawer?").locator("a.mark").first.click()

    visit.page.wait_for_url("**/mkdocs/lighting/**")
    block = visit.page.locator("main :is(p, li)", has_text="Cloths are kept in the drawer").first
    expect(block).to_have_css("background-color", LIT)
    assert len(visit.page.evaluate("document.getAnimations().map(one => one.effect.target.tagName)")) == 1


def test_words_of_the_panel_are_not_asked_about(visit: Visit) -> None:
    """Firefox tells of a selection in a shadow root what is selected; others tell where the root is."""
    visit.go().open()
    visit.ask()
    select_words(visit.page, "The fuse is blown")
    offer = visit.page.get_by_role("button", name="Ask about this")
    expect(offer).to_be_visible()

    visit.page.evaluate(
        """() => {
          const { shadowRoot } = document.querySelector('ragbot-widget');
          const range = document.createRange();
          range.selectNodeContents(shadowRoot.querySelector('.answer p'));
          const selection = {rangeCount: 1, isCollapsed: false, getRangeAt: () => range};
          window.getSelection = () => ({...selection, toString: () => `${range}`});
          document.dispatchEvent(new Event('selectionchange'));
        }"""
    )

    expect(offer).to_be_hidden()


def test_panel_that_could_not_be_loaded_is_asked_for_at_another_address(visit: Visit) -> None:
    """Firefox remembers that a module could not be loaded, and does not try its address again."""
    visit.page.route("**/widget/assets/panel-*.js", lambda route: route.abort())
    visit.go()
    visit.page.locator("ragbot-widget .launch").click()
    elsewhere = visit.page.locator("ragbot-widget a.launch")
    expect(elsewhere).to_be_visible()

    with visit.page.expect_request("**/widget/assets/panel-*.js?again=*"):
        visit.page.keyboard.press("Control+i")

    expect(visit.panel).to_be_visible()
    expect(elsewhere).to_have_count(0)


def test_sheet_leaves_the_scroll_bar_its_place(
    browser_with_scroll_bars: Browser, site: WidgetSite, service: RunningApp
) -> None:
    """A width of `100vw` has the scroll bar in it: the sheet would stand out on the left."""
    with visiting(browser_with_scroll_bars, site, service, viewport=PHONE) as visit:
        visit.go().open()
        width = visit.page.evaluate("document.documentElement.clientWidth")
        assert width < PHONE["width"]

        box = visit.panel.bounding_box()
        visit.ask().locator("a.mark").first.focus()
        quote = visit.page.locator("ragbot-widget .quote").bounding_box()

        assert box is not None
        assert quote is not None
        assert (box["x"], box["width"]) == (0, width)
        assert quote["x"] >= 0
        assert quote["x"] + quote["width"] <= width


def test_field_grows_with_its_text_without_field_sizing(visit: Visit) -> None:
    """Safari before 26.2: a question of several lines is seen as a whole; then the field is small again."""
    visit.page.add_init_script(NO_FIELD_SIZING)
    visit.go().open()
    visit.field.evaluate("field => { field.style.fieldSizing = 'fixed'; }")
    height = "field => field.offsetHeight"
    small = visit.field.evaluate(height)

    visit.field.fill("Is\nthe\nfuse\nblown?")

    assert visit.field.evaluate("field => field.scrollHeight <= field.clientHeight")
    assert visit.field.evaluate(height) > small
    visit.field.press("Enter")
    expect(visit.field).to_have_value("")
    assert visit.field.evaluate(height) == small


def test_focus_stays_in_the_panel_when_a_pressed_button_goes_away(visit: Visit) -> None:
    """Esc and Tab go on from the panel after an example, after a reason was sent, and after a second try."""
    visit.go().open()
    talk = visit.page.locator("ragbot-widget .talk")

    visit.page.locator("ragbot-widget .examples button").first.click()
    expect(talk).to_be_focused()
    visit.page.get_by_role("button", name="Not helpful").click()
    visit.page.get_by_label("What was wrong? (optional)").fill("Too short.")
    visit.page.get_by_role("button", name="Send", exact=True).click()
    expect(visit.panel).to_contain_text("Thank you.")
    expect(talk).to_be_focused()

    visit.page.route("**/query", lambda route: route.abort())
    visit.ask()
    visit.page.unroute("**/query")
    visit.page.get_by_role("button", name="Ask again").click()
    expect(talk).to_be_focused()
    expect(visit.page.locator(".exchange .tools").last).to_contain_text("Helpful")
    visit.page.keyboard.press("Escape")
    expect(visit.panel).to_be_hidden()


def test_question_runs_from_left_to_right_in_an_arabic_panel(visit: Visit) -> None:
    """The words before it, which are for screen readers, do not tell its direction."""
    script = "<script>document.documentElement.lang = 'ar';</script>"
    visit.go(head=script + visit.site.tag(visit.service.url))

    visit.page.evaluate("Ragbot.ask('Is the fuse blown?')")

    expect(visit.page.locator("ragbot-widget .asked")).to_have_css("direction", "ltr")


def test_focus_goes_back_to_a_button_that_did_not_have_it(visit: Visit) -> None:
    """Safari on a Mac gives a pressed button no focus; the author's own one gets it in the end."""
    button = "<button class=mine onmousedown='event.preventDefault()'>Help me</button>"
    put = f"document.body.insertAdjacentHTML('afterbegin', `{button}`)"
    script = f"<script>addEventListener('load', () => {put});</script>"
    visit.go(head=script + visit.site.tag(visit.service.url, 'data-trigger=".mine"'))
    mine = visit.page.get_by_role("button", name="Help me")

    mine.click()
    expect(visit.field).to_be_focused()
    visit.page.keyboard.press("Escape")

    expect(mine).to_be_focused()


def selected_in_panel(page: Page) -> str:
    """Return the text that the reader has selected, also where it is in the panel's shadow root."""
    return str(
        page.evaluate(
            "() => (document.querySelector('ragbot-widget').shadowRoot.getSelection?.() ?? getSelection())"
            ".toString()"
        )
    )


def test_answer_that_may_not_be_copied_is_selected(visit: Visit) -> None:
    """Pages without https have no clipboard: the reader is told, and copies the selected text himself."""
    visit.go().open()
    answer_with(visit.page, "Do so:\n\n```sh\nlamp --on\n```\n", sources=[], citations=[], status="answered")
    exchange = visit.ask("code")
    visit.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")

    exchange.locator(".code button").click()

    told = "This page may not copy. The text is selected now: copy it by hand."
    expect(exchange.locator(".note")).to_have_text(told)
    assert selected_in_panel(visit.page).strip() == "lamp --on"
    exchange.locator(".tools button").first.click()
    assert selected_in_panel(visit.page).startswith("Do so:")
    expect(visit.page.locator("ragbot-widget .offer")).to_have_count(0)


def test_talk_goes_on_where_a_browser_does_not_tell_how_a_page_was_reached(visit: Visit) -> None:
    """Firefox and Safari had no `navigation` before 2026: the tab's storage is asked on each page."""
    visit.page.add_init_script("delete window.navigation")
    visit.go().open()
    assert visit.page.evaluate("'navigation' in window") is False
    visit.ask()

    visit.page.reload()

    expect(visit.panel).to_be_visible()
    expect(visit.page.locator(".exchange")).to_have_count(1)
