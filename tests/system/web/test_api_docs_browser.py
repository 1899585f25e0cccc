"""Test the API documentation in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask_openapi import OpenAPI

from tests.conftest import RunningApp
from tests.system.web.fresh_pages import fresh_page

pytestmark = pytest.mark.sqlite_is_enough


@pytest.mark.browser
@pytest.mark.parametrize(("path", "said"), [("/docs", "Ask a question"), ("/redoc", "Ask a question")])
def test_viewer_shows_the_document_and_asks_no_other_host(
    path: str, said: str, app: OpenAPI, run_app: Callable[[OpenAPI], RunningApp], chromium: Any
) -> None:
    """Readers of the documentation are told to nobody, and the strict policy holds."""
    running = run_app(app)
    foreign: list[str] = []
    errors: list[str] = []

    with fresh_page(chromium) as page:
        page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith(running.url) else None)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(f"{running.url}{path}")
        page.locator(f"text={said} >> visible=true").first.wait_for(timeout=60_000)

    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []
    assert errors == []
