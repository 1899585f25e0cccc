"""Test the widget in windows, on networks and in browsers that are not the usual ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import RunningApp
from tests.system.web.console_fake_api import event
from tests.system.web.widget_site import WidgetSite
from tests.system.web.widget_visit import CLOTHS, PHONE, Visit, answer_with, select_words, visiting

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]


def test_zoom_of_400_percent_leaves_the_field_beside_a_selection(
    chromium: Browser, site: WidgetSite, service: RunningApp
) -> None:
    """Of a window of 1280 by 860 pixels 320 by 215 are left: the field was below its edge."""
    with visiting(chromium, site, service, viewport={"width": 320, "height": 215}) as visit:
        visit.go()
        visit.page.evaluate("Ragbot.open({selection: 'Cloths are kept in the drawer. '.repeat(9)})")
        expect(visit.page.locator(".chip")).to_be_visible()
        visit.field.fill("Where is the drawer, and what else is in it? " * 3)

        for one in (visit.field, visit.page.locator(".send").first, visit.page.get_by_label("Close")):
            box = one.bounding_box()
            assert box is not None
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 215


def test_page_to_ask_on_is_printed(visit: Visit) -> None:
    """It holds nothing but the talk: the paper was empty."""
    visit.page.goto(f"{visit.service.url}/ask?q=Is+the+fuse+blown%3F")
    expect(visit.page.locator(".tools button").first).to_be_visible()

    visit.page.emulate_media(media="print", color_scheme="dark")

    expect(visit.page.locator(".answer")).to_be_visible()
    expect(visit.page.locator(".answer")).to_have_css("color", "rgb(0, 0, 0)")
    for part in ("form.ask", ".tools", ".head button"):
        expect(visit.page.locator(part)).to_be_hidden()


@pytest.mark.parametrize("sent", ["by key", "by button"])
def test_keyboard_of_a_phone_goes_away_when_a_question_is_asked(
    chromium: Browser, site: WidgetSite, service: RunningApp, sent: str
) -> None:
    """It covers half of the sheet, and stays as long as the field has the focus."""
    with visiting(chromium, site, service, viewport=PHONE, has_touch=True, is_mobile=True) as visit:
        visit.go().open()
        expect(visit.field).to_be_focused()

        visit.field.fill(CLOTHS)
        if sent == "by key":
            visit.field.press("Enter")
        else:
            visit.page.get_by_role("button", name="Ask", exact=True).tap()

        expect(visit.page.locator(".tools button").first).to_be_visible()
        expect(visit.page.locator(".talk")).to_be_focused()


def test_page_to_ask_on_shows_the_last_answer_and_the_field(
    chromium: Browser, site: WidgetSite, service: RunningApp
) -> None:
    """In a long talk the field was at the end of the page, and the answer began at the edge of the window."""
    with visiting(chromium, site, service, viewport=PHONE) as visit:
        visit.page.goto(f"{visit.service.url}/ask?q=Is+the+fuse+blown%3F")
        expect(visit.page.locator(".tools button").first).to_be_visible()
        answer_with(visit.page, "A line.\n\n" * 60, sources=[], citations=[], status="answered")

        exchange = visit.ask(CLOTHS)

        expect(visit.field).to_be_in_viewport(ratio=1)
        expect(exchange.locator(".asked")).to_be_in_viewport()
        assert exchange.evaluate("one => one.getBoundingClientRect().top") < 20


def test_language_is_known_as_programs_write_it(visit: Visit) -> None:
    """`zh_CN` is what a locale is called; the widget spoke English there."""
    head = "<script>document.documentElement.lang = 'zh_CN';</script>" + visit.site.tag(visit.service.url)

    visit.go(head=head)

    expect(visit.page.locator("ragbot-widget .launch")).to_have_text("向本书提问")


def test_italics_in_an_editor_of_the_page_do_not_open_the_panel(visit: Visit) -> None:
    """Ctrl+I is for italics where text is edited, such as in a field for comments."""
    visit.go()
    visit.page.evaluate(
        "document.querySelector('main').innerHTML = '<div contenteditable><p>My comment</p></div>'"
    )

    visit.page.get_by_text("My comment").click()
    visit.page.keyboard.press("Control+i")
    visit.page.evaluate("document.activeElement.blur()")
    assert [url for url in visit.requests if "/assets/" in url] == []
    visit.page.keyboard.press("Control+i")

    expect(visit.panel).to_be_visible()


def test_button_shows_that_the_panel_is_on_its_way(visit: Visit) -> None:
    """On a slow network a reader saw nothing for seconds after a press, and pressed again."""
    held: list[Route] = []
    visit.page.route("**/assets/panel-*.js", lambda route: held.append(route))
    visit.go()
    button = visit.page.locator("ragbot-widget .launch")

    button.click()

    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_have_css("cursor", "progress")
    held[0].continue_()
    expect(visit.panel).to_be_visible()
    visit.page.get_by_label("Close").click()
    expect(button).not_to_have_attribute("aria-busy", "true")


def test_answer_goes_on_when_the_network_is_back(visit: Visit) -> None:
    """A tunnel, or a laptop that wakes up, takes longer than a few tries; the service keeps the answer."""
    stream = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/event-stream"}
    told: dict[str, Any] = {"session_id": "s", "message_id": "m", "sources": []}
    first = event("sources", told, 0) + event("delta", {"text": "One "}, 4)
    done = event("done", told | {"answer": "One two.", "citations": [], "status": "answered"}, 8)
    visit.go().open()
    asked: list[Route] = []
    visit.page.route("**/query", lambda route: asked.append(route))
    visit.page.route("**/stream", lambda route: route.fulfill(headers=stream, body=done))
    visit.field.fill(CLOTHS)
    with visit.page.expect_request("**/query"):
        visit.field.press("Enter")

    visit.page.context.set_offline(True)
    asked[0].fulfill(headers=stream, body=first)
    expect(visit.page.locator(".exchange .state")).to_contain_text("The answer goes on when")
    assert [url for url in visit.requests if url.endswith("/stream")] == []
    visit.page.context.set_offline(False)

    expect(visit.page.locator(".exchange .answer")).to_have_text("One two.")
    expect(visit.page.locator(".exchange .state")).to_be_hidden()


def test_room_is_made_on_a_page_that_a_router_draws(visit: Visit) -> None:
    """A front page has little text, which the panel does not cover; the next page has more."""
    visit.go()
    visit.page.evaluate(
        "document.body.innerHTML = '<main><p style=\\'width: 400px\\'>Begin here.</p></main>'"
    )
    visit.open()
    margin = "getComputedStyle(document.documentElement).marginRight"
    assert visit.page.evaluate(margin) == "0px"

    visit.page.evaluate(
        """() => {
          history.pushState({}, '', '/mkdocs/lighting/');
          document.querySelector('main').innerHTML = `<p>${'The lamp is lit at dusk. '.repeat(99)}</p>`;
        }"""
    )

    visit.page.wait_for_function(f"{margin} === '420px'")


def test_room_does_not_put_the_text_under_the_bar_on_the_other_side(visit: Visit) -> None:
    """A column that is centred beside a fixed bar went too far: the first letter of each line was hidden."""
    visit.go()
    visit.page.evaluate(
        """() => { document.body.innerHTML = `
          <style>body {margin: 0} main {margin-left: 272px} p {width: 576px; margin-left: calc(50% - 304px)}
            nav {position: fixed; inset: 0 auto 0 0; width: 272px; z-index: 1; background: #ccc}</style>
          <nav></nav><main>${`<p>${'The lamp is lit at dusk. '.repeat(20)}</p>`.repeat(6)}</main>`; }"""
    )

    visit.open()

    left, right = visit.page.locator("main p").first.evaluate(
        "one => { const { left, right } = one.getBoundingClientRect(); return [left, right]; }"
    )
    assert left >= 272
    assert right <= 860


@pytest.mark.parametrize("enlarged", ["body", "html"])
def test_page_that_is_enlarged_by_its_own_buttons_has_room_and_the_offer_in_place(
    visit: Visit, enlarged: str
) -> None:
    """The widget is enlarged with the body; room was made for a panel of its usual width."""
    visit.page.set_viewport_size({"width": 1400, "height": 860})
    text = "<p style='margin-left: 300px; width: 200px'>The fuse is blown, says the book.</p>" * 9
    visit.go(head=f"<style>{enlarged} {{zoom: 1.5}}</style>" + visit.site.tag(visit.service.url))
    visit.page.evaluate("html => { document.body.innerHTML = `<main>${html}</main>`; }", text)
    select_words(visit.page, "The fuse is blown")
    offer = visit.page.get_by_role("button", name="Ask about this")
    expect(offer).to_be_visible()
    place = "getSelection().getRangeAt(0).getBoundingClientRect()"
    left, bottom = visit.page.evaluate(f"[{place}.left, {place}.bottom]")
    box = offer.bounding_box()
    assert box is not None
    assert abs(box["x"] - left) < 2
    assert 0 <= box["y"] - bottom < 20

    visit.page.evaluate(f"document.querySelector('main').innerHTML = '<p>{'The lamp is lit. ' * 99}</p>'")
    visit.open()

    panel = visit.panel.bounding_box()
    words = visit.page.locator("main p").bounding_box()
    assert panel is not None
    assert words is not None
    assert panel["x"] - 60 < words["x"] + words["width"] <= panel["x"]


LOADED_AHEAD = """
  Object.defineProperty(document, 'prerendering', {value: true, configurable: true});
  window.show = () => {
    delete document.prerendering;
    document.dispatchEvent(new Event('prerenderingchange'));
  };
"""


def test_page_that_is_loaded_ahead_goes_on_with_the_talk_when_it_is_shown(visit: Visit) -> None:
    """Till then the talk goes on in another page, which would be forgotten, and nobody has asked `?q=`."""
    visit.go().open()
    visit.page.add_init_script(LOADED_AHEAD)
    visit.go("/mkdocs/lighting/")
    kept = "Object.keys(sessionStorage).find((key) => key.startsWith('ragbot'))"
    visit.page.evaluate(
        f"sessionStorage[{kept}] = JSON.stringify({{open: true, draft: {{text: '{CLOTHS}'}}}})"
    )
    expect(visit.panel).to_have_count(0)

    visit.page.evaluate("show()")

    expect(visit.field).to_have_value(CLOTHS)

    visit.page.goto(f"{visit.service.url}/ask?q=Why")
    expect(visit.page.locator("#ragbot-page > form")).to_be_visible()
    assert [url for url in visit.requests if url.endswith("/query")] == []
    visit.page.evaluate("show()")
    expect(visit.page.locator(".exchange")).to_have_count(1)
