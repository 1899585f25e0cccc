"""Test that the widget gets on with the styles of a site: its themes and its layouts."""

from __future__ import annotations

import pytest

from tests.system.web.widget_visit import Visit

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
