"""Test that the widget gets on with the styles of a site: its themes and its layouts."""

from __future__ import annotations

import pytest

from tests.system.web.widget_visit import DESK, Visit

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

# `class` of the body, and the theme that it names.
THEMES = {
    "antialiased text-slate-500 dark:text-slate-400 bg-white dark:bg-slate-900": None,
    "bg-white text-slate-900": None,
    "text-dark bg-light": None,
    "dark": "dark",
    "wide theme-dark": "dark",
    "dark-mode": "dark",
    "navy": "dark",
    "quarto-light": "light",
}


def test_classes_of_colours_are_no_theme(visit: Visit) -> None:
    """A light page made with Tailwind has `slate` and `dark` among its classes."""
    visit.go()
    visit.page.evaluate("document.body.removeAttribute('data-md-color-scheme')")
    host = visit.page.locator("ragbot-widget")

    shown = {}
    for classes in THEMES:
        visit.page.evaluate("classes => { document.body.className = classes; }", classes)
        visit.page.evaluate("new Promise((done) => requestAnimationFrame(done))")
        shown[classes] = host.get_attribute("data-theme")

    assert shown == THEMES
    visit.page.evaluate("document.body.setAttribute('data-md-color-scheme', 'slate')")
    expect(host).to_have_attribute("data-theme", "dark")


# Where the parts of a page are.
BOXES = """() => [...document.querySelectorAll('header, main, footer')].map((one) => {
  const { left, top, width, height } = one.getBoundingClientRect();
  return [left, top, width, height].map(Math.round).join(' ');
})"""


@pytest.mark.parametrize(
    "layout",
    [
        "display: grid; grid-template-rows: auto 1fr auto; gap: 2rem; min-height: 100vh",
        "display: flex; flex-direction: column; justify-content: space-between; min-height: 100vh",
        "display: flex; gap: 2rem",
    ],
)
def test_body_that_is_a_grid_or_a_flex_box_does_not_shift(visit: Visit, layout: str) -> None:
    """The widget is a child of the body, and not a part of its layout: closed and open."""
    visit.go(attributes='data-room="off"')
    visit.page.evaluate(
        """(layout) => {
          const { body } = document;
          body.replaceChildren(...['header', 'main', 'footer'].map((name) => document.createElement(name)));
          body.style = `margin: 0; ${layout}`;
          document.querySelector('ragbot-widget')?.remove();
        }""",
        layout,
    )
    launch = visit.page.locator("ragbot-widget .launch")
    expect(launch).to_be_visible()
    hide = "isHidden => { document.querySelector('ragbot-widget').style.display = isHidden ? 'none' : ''; }"
    visit.page.evaluate(hide, True)
    before = visit.page.evaluate(BOXES)

    visit.page.evaluate(hide, False)
    assert visit.page.evaluate(BOXES) == before
    visit.open()
    assert visit.page.evaluate(BOXES) == before


def test_button_can_stand_above_one_of_the_site(visit: Visit) -> None:
    """Docusaurus has its way back to the top in the same corner."""
    style = "<style>ragbot-widget { --ragbot-offset: 84px }</style>"
    visit.go(head=style + visit.site.tag(visit.service.url))
    launch = visit.page.locator("ragbot-widget .launch")
    expect(launch).to_be_visible()

    box = launch.bounding_box()

    assert box is not None
    assert box["y"] + box["height"] == pytest.approx(DESK["height"] - 84, abs=1)


def test_rule_for_all_elements_does_not_reach_into_the_panel(visit: Visit) -> None:
    """Such a rule holds for the widget's own element, whose text the panel would inherit."""
    rule = """<style>* { letter-spacing: 4px; word-spacing: 9px; text-transform: uppercase;
      text-align: center; text-indent: 30px; font: italic 700 16px/3 serif; white-space: pre; }</style>"""
    visit.go(head=rule + visit.site.tag(visit.service.url)).open()

    styles = visit.page.locator(".intro").evaluate(
        """(intro) => {
          const style = getComputedStyle(intro);
          return ['letterSpacing', 'wordSpacing', 'textTransform', 'lineHeight', 'textAlign', 'textIndent',
            'fontStyle', 'fontWeight', 'whiteSpace'].map((name) => style[name]);
        }"""
    )

    assert styles == ["normal", "0px", "none", "24px", "start", "0px", "normal", "400", "normal"]


def test_page_with_vertical_lines_has_a_widget_with_horizontal_ones(visit: Visit) -> None:
    """Books in Japanese are set so at times; the button was a bar across the top of the page."""
    visit.go()
    before = visit.page.locator("ragbot-widget .launch").bounding_box()

    visit.page.evaluate("document.body.style.writingMode = 'vertical-rl'")

    assert visit.page.locator("ragbot-widget .launch").bounding_box() == before
