"""Test the pages of what readers asked in a real browser: without scripts, by keyboard, with axe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import insert

from ragbot.extensions import db
from ragbot.storage.asked_questions import asked_questions, question_groups
from tests.conftest import THREE_CHAPTERS, AppMaker, RunningApp, services_of
from tests.insights.rows import question_row
from tests.system.web.fresh_pages import fresh_page
from tests.system.web.script_payloads import SCRIPT_PAYLOADS

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_is_enough]

AXE = Path(__file__).with_name("vendor") / "axe-core" / "axe.min.js"
PHONE = {"width": 360, "height": 740}
VIEWS = ("", "/gaps", "/questions", "/map?sections=1", "/groups/1", "/groups/999")

Run = Callable[[OpenAPI], RunningApp]


@pytest.fixture
def served(make_app: AppMaker, run_app: Run) -> RunningApp:
    return run_app(make_app())


@pytest.fixture
def visit(chromium: Browser, served: RunningApp) -> Iterator[Callable[..., Page]]:
    """Open pages of the service; whatever a test does there, the browser must have no complaint."""
    pages, complaints = ExitStack(), list[str]()

    def opened(path: str, **options: Any) -> Page:
        page = pages.enter_context(fresh_page(chromium, reduced_motion="reduce", **options))
        page.on("console", lambda said: said.type in {"error", "warning"} and complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message) or dialog.dismiss())
        page.on("request", lambda asked: served.url in asked.url or complaints.append(asked.url))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', one => console.error(one.violatedDirective))"
        )
        page.goto(f"{served.url}/insights{path}")
        return page

    with pages:
        yield opened
    # The browser itself reports each status of 400 and above; that is no fault of the page.
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def with_demo(path: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}demo=1"


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")


def test_author_finds_a_gap_and_its_questions_without_scripts(visit: Callable[..., Page]) -> None:
    """Tables, forms and links are plain HTML; the time stays in the address."""
    page = visit("?demo=1&days=90", java_script_enabled=False)

    page.get_by_role("link", name="All gaps").click()
    page.wait_for_url(re.compile("/insights/gaps"))
    page.get_by_role("link", name="Can I run Isaac Sim on a laptop").click()
    page.wait_for_url(re.compile("/insights/groups/1"))
    page.get_by_text("Copy as an issue").click()
    expect(page.get_by_label("The gap as Markdown")).to_have_value(re.compile("^# `Can I run Isaac Sim"))
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()

    page.get_by_role("link", name="Questions", exact=True).click()
    page.wait_for_url(re.compile("/insights/questions"))
    page.get_by_label("Words").fill("colcon")
    page.get_by_label("Outcome").select_option("unsupported")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("words=colcon"))
    expect(page.locator("table.questions tbody tr")).to_have_count(1)
    assert {"days=90", "demo=1", "words=colcon"} <= set(page.url.partition("?")[2].split("&"))


def test_issue_is_copied_by_keyboard(visit: Callable[..., Page]) -> None:
    """And the copy is announced."""
    page = visit("/gaps?demo=1", permissions=["clipboard-read", "clipboard-write"])

    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").filter(has_text="Copied.")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()").startswith("# `Can I run Isaac Sim")


def faults_of(page: Page, **options: Any) -> list[str]:
    """Return what axe finds, by the rules of WCAG 2.2 AA and axe's best practices."""
    found = page.evaluate(
        "async options => (await axe.run({resultTypes: ['violations'], ...options})).violations", options
    )
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def test_axe_finds_nothing_on_any_page(visit: Callable[..., Page]) -> None:
    """With everything unfolded, on the pages of trouble and of no question, and in the dark."""
    faults = {}
    for path in (*map(with_demo, VIEWS), ""):
        page = visit(path)
        unfold(page)
        page.evaluate(AXE.read_text())
        faults[path] = faults_of(page)
        page.emulate_media(color_scheme="dark")
        faults[f"{path} in the dark"] = faults_of(page, runOnly=["color-contrast"])
        page.close()

    assert {path: found for path, found in faults.items() if found} == {}


def test_pages_fit_on_a_phone(visit: Callable[..., Page]) -> None:
    """Wide tables scroll within themselves."""
    for path in map(with_demo, VIEWS):
        page = visit(path, viewport=PHONE)
        unfold(page)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), path
        page.close()


def test_hostile_words_run_nothing(visit: Callable[..., Page], served: RunningApp) -> None:
    """In a question, in what it came with, and in the search."""
    hostile = "\n".join(SCRIPT_PAYLOADS)
    services_of(served.app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    words = dict.fromkeys(("words", "page", "language", "reason", "book_version", "cited"), hostile)
    group = {"book": "default", "space": "words", "centroid": b"", "members": 1}
    row = question_row(**words, asked_at=datetime.now(UTC), rating="down", group_id=1)
    with served.app.app_context(), db.engine.begin() as connection:
        connection.execute(insert(question_groups).values(id=1, **group))
        connection.execute(insert(asked_questions).values(row))

    for path in ("", "/gaps", "/questions", "/map?sections=1", "/groups/1"):
        page = visit(path)
        unfold(page)
        assert "evil.example" in page.inner_text("body")
        assert page.evaluate("() => window.pwned") is None
        page.close()
    page = visit("/questions")
    page.get_by_label("Words").fill("'\"><script>window.pwned=1</script>")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("Words")).to_have_value("'\"><script>window.pwned=1</script>")
    assert page.evaluate("() => window.pwned") is None
