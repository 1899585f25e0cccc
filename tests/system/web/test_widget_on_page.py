"""Test that the widget fits into the page around it: shortcuts, colours, layout, zoom, print and touch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunningApp
from tests.system.web.widget_site import WidgetSite
from tests.system.web.widget_visit import CLOTHS, Visit, visiting

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

DOCS = Path(__file__).resolve().parents[3] / "docs" / "widget.md"
WIDGET = DOCS.parents[1] / "static" / "widget" / "widget.js"
# Sites listen to either event, and take a text field in a shadow root for none.
LISTENER = """<script>window.heard = [];
  for (const name of ['keydown', 'keyup']) document.addEventListener(name, (event) => heard.push(event.key));
</script>"""
# 200 % of zoom halves the window that a page sees.
ZOOMED = {"width": 640, "height": 430}


def covered_text(page: Page) -> list[str]:
    """Return the beginnings of the paragraphs in the window that the panel lies over."""
    covered: list[str] = page.evaluate(
        """() => {
          const { shadowRoot } = document.querySelector('ragbot-widget');
          const edge = shadowRoot.querySelector('.panel').getBoundingClientRect().left;
          return [...document.querySelectorAll('main p')].filter((one) => {
            const box = one.getBoundingClientRect();
            return box.bottom > 0 && box.top < innerHeight && box.right > edge;
          }).map((one) => one.textContent.slice(0, 40));
        }"""
    )
    return covered


def test_page_does_not_shift_and_needs_no_unload_handler(visit: Visit) -> None:
    """A button that moves the text, or keeps the page out of the browser's cache, harms the author's page."""
    watch = """<script>
      window.shift = 0;
      new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shift += one.value; })
        .observe({type: 'layout-shift', buffered: true});
      window.listened = [];
      const listen = EventTarget.prototype.addEventListener;
      EventTarget.prototype.addEventListener = function (name, ...rest) {
        window.listened.push(name);
        return listen.call(this, name, ...rest);
      };
    </script>"""
    visit.go(head=watch + visit.site.tag(visit.service.url))
    expect(visit.page.locator("ragbot-widget .launch")).to_be_visible()
    visit.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    assert visit.page.evaluate("window.shift") == 0

    visit.open()
    visit.ask(CLOTHS)
    listened = set(visit.page.evaluate("window.listened"))
    assert "keydown" in listened
    assert listened.isdisjoint({"unload", "beforeunload"})


def test_shortcuts_of_the_site_work_but_not_while_a_question_is_typed(visit: Visit) -> None:
    """`s`, `/` and Ctrl+K open the search of many sites; a question has these letters, too."""
    visit.go(head=LISTENER + visit.site.tag(visit.service.url))
    for key in ("s", "/", "Control+k"):
        visit.page.keyboard.press(key)
    assert visit.page.evaluate("heard.splice(0)") == ["s", "s", "/", "/", "Control", "k", "k", "Control"]

    visit.open()
    visit.page.evaluate("heard.splice(0)")
    visit.field.press_sequentially("s/f")
    visit.field.press("Control+k")

    expect(visit.field).to_have_value("s/f")
    assert "".join(visit.page.evaluate("heard")).replace("Control", "") == "kk"


@pytest.mark.parametrize(
    ("shortcut", "pressed"),
    [
        ("mod+i", {"modifiers": 2, "key": "ш", "code": "KeyI"}),
        ("alt+k", {"modifiers": 1, "key": "˚", "code": "KeyK"}),
        ("alt+i", {"modifiers": 1, "key": "Dead", "code": "KeyI"}),
    ],
    ids=["Russian layout", "Option on a Mac", "accent on a Mac"],
)
def test_shortcut_works_on_keyboards_with_other_letters(
    visit: Visit, shortcut: str, pressed: dict[str, Any]
) -> None:
    """The widget speaks languages whose keyboards have no `i`; on a Mac, Option makes another sign of it."""
    visit.go(attributes=f'data-shortcut="{shortcut}"')
    keyboard = visit.page.context.new_cdp_session(visit.page)

    keyboard.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **pressed})

    expect(visit.panel).to_be_visible()


def test_page_makes_room_for_the_panel(visit: Visit) -> None:
    """A reader sees the text and the answer beside each other; the page is as before in the end."""
    visit.go("/mkdocs/lighting/").open()
    assert covered_text(visit.page) == []

    visit.ask(CLOTHS).locator("a.mark").first.click()
    visit.wait_until_lit("Cloths are kept in the drawer")
    assert covered_text(visit.page) == []
    visit.page.emulate_media(media="print")
    assert visit.page.evaluate("getComputedStyle(document.documentElement).marginRight") == "0px"
    visit.page.emulate_media(media="screen")
    visit.page.mouse.move(0, 0)  # Away from the mark: its quote may lie over the button.
    visit.page.get_by_role("button", name="Close").click()

    expect(visit.panel).to_be_hidden()
    assert visit.page.evaluate("getComputedStyle(document.documentElement).marginRight") == "0px"


SENTENCE = "The lamp of the lighthouse is lit at dusk and put out at dawn by whoever has the watch. " * 2
CONTENTS = {
    "list": f"<ul>{f'<li>{SENTENCE}</li>' * 40}</ul>",
    "table": f"<table>{f'<tr><td>1</td><td>{SENTENCE}</td></tr>' * 40}</table>",
    "lines": f"<div>{SENTENCE}</div>" * 40,
    "quote": f"<blockquote>{SENTENCE * 40}</blockquote>",
    "links": f"<ul>{f'<li><a href=#>{SENTENCE}</a></li>' * 40}</ul>",
}


# Counts the lines of the page's text that lie below the panel, in the part that is seen.
_COVERED_LINES = """() => {
  const { shadowRoot } = document.querySelector('ragbot-widget');
  const panel = shadowRoot.querySelector('.panel').getBoundingClientRect();
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const boxes = [];
  while (walker.nextNode()) {
    range.selectNodeContents(walker.currentNode);
    boxes.push(...range.getClientRects());
  }
  return boxes.filter((box) => box.bottom > 0 && box.top < innerHeight
    && box.right > panel.left + 1 && box.left < panel.right - 1).length;
}"""


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_page_without_paragraphs_makes_room_for_the_panel(visit: Visit, side: str, direction: str) -> None:
    """What counts is the text that a reader sees, and not the names of the elements that hold it."""
    visit.go(attributes=f'data-position="{side}" data-lang="en"')
    visit.page.evaluate("direction => { document.documentElement.dir = direction; }", direction)

    covered = {}
    for content, html in CONTENTS.items():
        visit.page.evaluate("html => { document.body.innerHTML = `<main>${html}</main>`; }", html)
        visit.open()
        covered[content] = visit.page.evaluate(_COVERED_LINES)
        visit.page.get_by_role("button", name="Close").click()
        expect(visit.panel).to_be_hidden()

    assert covered == dict.fromkeys(CONTENTS, 0)


@pytest.mark.parametrize(("before", "after"), [((800, 1280), (1280, 800)), ((1600, 900), (1280, 900))])
def test_room_is_made_anew_in_a_window_of_another_width(
    visit: Visit, before: tuple[int, int], after: tuple[int, int]
) -> None:
    """A reader turns the tablet, zooms, or puts the window beside another one while the panel is open."""
    visit.page.set_viewport_size({"width": before[0], "height": before[1]})
    # A column in the middle of a page that cannot be narrowed: how far it is pushed depends on the window.
    column = (
        "<style>html {width: 100vw} main {width: 760px; margin: auto} .md-sidebar {display: none}</style>"
    )
    visit.go("/mkdocs/lighting/", head=column + visit.site.tag(visit.service.url)).open()

    visit.page.set_viewport_size({"width": after[0], "height": after[1]})

    visit.page.wait_for_function(f"() => ({_COVERED_LINES})() === 0")


def test_esc_closes_the_panel_after_a_mark_was_followed(visit: Visit) -> None:
    """A new anchor in the address takes the focus away: a keyboard would have to look for the panel."""
    visit.go("/mkdocs/lighting/").open()
    mark = visit.ask(CLOTHS).locator("a.mark").first

    mark.focus()
    visit.page.keyboard.press("Enter")
    visit.wait_until_lit("Cloths are kept in the drawer")

    expect(mark).to_be_focused()
    expect(visit.page.locator(".quote")).to_be_hidden()
    visit.page.keyboard.press("Escape")
    expect(visit.panel).to_be_hidden()


@pytest.mark.parametrize(("side", "margin"), [("right", "0 0 0 400px"), ("left", "0")])
def test_page_that_cannot_be_narrowed_is_pushed_aside(visit: Visit, side: str, margin: str) -> None:
    """A column of a fixed width has its place beside the panel, where there is space on the other side."""
    style = f"<style>.md-sidebar {{display: none}} main {{width: 700px; margin: {margin}}}</style>"
    visit.go(head=style + visit.site.tag(visit.service.url, f'data-position="{side}"')).open()

    left, right, panel_left, panel_right = visit.page.evaluate(
        """() => {
          const { shadowRoot } = document.querySelector('ragbot-widget');
          const [text, panel] = [document.querySelector('main p'), shadowRoot.querySelector('.panel')]
            .map((one) => one.getBoundingClientRect());
          return [text.left, text.right, panel.left, panel.right];
        }"""
    )

    assert (left >= 0 and right <= panel_left) if side == "right" else (panel_right <= left and right <= 1280)


def test_author_may_keep_the_page_as_it_is(visit: Visit) -> None:
    """A site with a layout of its own may not want to be moved."""
    visit.go("/mkdocs/lighting/", attributes='data-room="off"').open()

    assert visit.page.evaluate("document.documentElement.getBoundingClientRect().width") == 1280
    assert covered_text(visit.page) != []


def test_page_without_a_dark_theme_has_a_light_widget(
    chromium: Browser, site: WidgetSite, service: RunningApp
) -> None:
    """What a page does not say is seen by its text, as it is, and after each press."""
    with visiting(chromium, site, service, color_scheme="dark") as visit:
        visit.go().open()
        host = visit.page.locator("ragbot-widget")
        expect(host).to_have_attribute("data-theme", "light")

        visit.page.evaluate("document.querySelector('main').style.color = 'oklch(0.9 0.02 200)'")
        visit.page.locator("main h1").click()

        expect(host).to_have_attribute("data-theme", "dark")


def test_front_page_of_a_preview_leads_into_the_preview(visit: Visit) -> None:
    """A site's front page may be no page of the book: its links tell that this is the same site."""
    links = "".join(f"<a href='/mkdocs/{page}/'>{page}</a> " for page in ("lighting", "faults"))
    replace = f"location.pathname === '/sphinx/' && (document.body.innerHTML = `{links}`)"
    script = f"<script>addEventListener('DOMContentLoaded', () => {replace});</script>"
    visit.go("/sphinx/", head=script + visit.site.tag(visit.service.url)).open()

    visit.ask(CLOTHS).locator("a.mark").first.click()

    visit.page.wait_for_url(f"{visit.site.url}/mkdocs/lighting/**")
    visit.wait_until_lit("Cloths are kept in the drawer")


def test_zoom_of_200_percent_hides_nothing(chromium: Browser, site: WidgetSite, service: RunningApp) -> None:
    """The field, the buttons and some lines of the answer are in the window, and nothing scrolls sideways."""
    with visiting(chromium, site, service, viewport=ZOOMED, device_scale_factor=2) as visit:
        visit.go().open()
        exchange = visit.ask(CLOTHS)

        for one in (
            visit.field,
            visit.page.get_by_role("button", name="Close"),
            exchange.locator("a.mark").first,
        ):
            one.scroll_into_view_if_needed()
            box = one.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= ZOOMED["width"]
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= ZOOMED["height"]
        talk = visit.page.locator("ragbot-widget .talk")
        assert talk.evaluate("one => one.clientHeight") >= 150
        assert talk.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_forced_colours_leave_edges_and_states(
    chromium: Browser, site: WidgetSite, service: RunningApp
) -> None:
    """Where the system sets all colours, buttons have a border, and a pressed one is told from another."""
    with visiting(chromium, site, service, forced_colors="active") as visit:
        visit.go()
        border = "one => [getComputedStyle(one).borderTopStyle, getComputedStyle(one).borderTopColor]"
        style, color = visit.page.locator("ragbot-widget .launch").evaluate(border)
        assert style == "solid"
        assert color not in {"rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"}

        exchange = visit.open().ask(CLOTHS)
        helpful = exchange.get_by_role("button", name="Helpful", exact=True)
        helpful.click()
        expect(helpful).to_have_attribute("aria-pressed", "true")
        colour = "one => getComputedStyle(one).backgroundColor"
        other = exchange.get_by_role("button", name="Not helpful")
        assert helpful.evaluate(colour) != other.evaluate(colour)
        exchange.locator("a.mark").first.click()
        visit.wait_until_lit("Cloths are kept in the drawer")
        shown = visit.page.evaluate(
            "() => { const style = getComputedStyle(document.body, '::highlight(ragbot)');"
            " const mark = document.body.appendChild(document.createElement('mark'));"
            " return [style.backgroundColor, getComputedStyle(mark).backgroundColor]; }"
        )
        assert shown[0] == shown[1]


def test_widget_is_not_printed(visit: Visit) -> None:
    """A printed page is the book's alone, without the panel and without the colour of the cited words."""
    visit.go("/mkdocs/lighting/").open()
    visit.ask(CLOTHS).locator("a.mark").first.click()
    visit.wait_until_lit("Cloths are kept in the drawer")
    colour = "getComputedStyle(document.body, '::highlight(ragbot)').backgroundColor"
    assert visit.page.evaluate(colour) == "rgb(255, 224, 102)"

    visit.page.emulate_media(media="print")

    expect(visit.panel).to_be_hidden()
    assert visit.page.locator("ragbot-widget").evaluate("one => one.getClientRects().length") == 0
    assert visit.page.evaluate(colour) == "rgba(0, 0, 0, 0)"


def test_pinned_tag_finds_its_service(visit: Visit) -> None:
    """A tag with a hash takes the script from another address, and a browser checks it."""
    documented = re.search(r'/widget/assets/widget-[^>]+"', DOCS.read_text())
    assert documented is not None
    visit.go(head=f'<script async crossorigin="anonymous" src="{visit.service.url}{documented[0]}></script>')

    visit.open().ask()

    expect(visit.page.locator(".exchange .answer")).to_contain_text("fuse is blown")


@pytest.mark.parametrize("end", ["", "/", "/?a=/b/#c"])
def test_service_may_be_elsewhere_than_the_script(visit: Visit, end: str) -> None:
    """A site may serve the script itself, and name the service as its author writes it."""
    script = WIDGET.read_text()
    visit.page.route("**/its-own/*", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    tag = f'<script async src="/its-own/widget.js?v=1" data-api="{visit.service.url}{end}"></script>'
    visit.go(head=tag)

    visit.open().ask()

    expect(visit.page.locator(".exchange .answer")).to_contain_text("fuse is blown")


BODY_STYLE = (
    "font: italic 700 30px/3 monospace; letter-spacing: 4px; text-transform: uppercase; text-align: right"
)
TEXT_STYLE = """(one) => {
  const style = getComputedStyle(one);
  return [style.fontFamily, style.fontSize, style.fontStyle, style.letterSpacing, style.textTransform];
}"""


def test_widget_has_the_typeface_of_the_page_and_nothing_else_of_its_text(visit: Visit) -> None:
    """It looks at home; spaced or slanted letters of a page would make it hard to read."""
    style = f"<style>body {{{BODY_STYLE}}}</style>"
    visit.go(head=style + visit.site.tag(visit.service.url))
    launch, intro = (visit.page.locator(f"ragbot-widget {part}") for part in (".launch", ".intro"))
    plain = ["monospace", "16px", "normal", "normal", "none"]

    assert launch.evaluate(TEXT_STYLE) == plain
    visit.open()
    assert [part.evaluate(TEXT_STYLE) for part in (launch, intro)] == [plain, plain]

    visit.page.locator("ragbot-widget").evaluate("one => one.style.setProperty('--ragbot-font', 'serif')")
    assert [part.evaluate(TEXT_STYLE)[0] for part in (launch, intro)] == ["serif", "serif"]


def test_button_stays_where_a_site_draws_its_whole_page_anew(visit: Visit) -> None:
    """Some routers put another body, or all of a page, in the place of the old one, and empty it again."""
    visit.go()
    expect(visit.page.locator("ragbot-widget .launch")).to_be_visible()

    for step in (
        "document.body.replaceWith(document.createElement('body'))",
        "document.body.innerHTML = ''",
        "document.documentElement.replaceWith(document.implementation.createHTMLDocument().documentElement)",
        "document.documentElement.remove()",
        "document.append(document.createElement('html'))",
        "document.documentElement.append(document.createElement('body'))",
    ):
        visit.page.evaluate(step)
        if visit.page.evaluate("document.body === null"):
            continue
        expect(visit.page.locator("ragbot-widget .launch")).to_be_visible()
        expect(visit.page.locator("ragbot-widget")).to_have_count(1)

    for theme in ("dark", "light"):
        visit.page.evaluate("theme => { document.body.dataset.theme = theme; }", theme)
        expect(visit.page.locator("ragbot-widget")).to_have_attribute("data-theme", theme)

    visit.open()
    visit.ask()
