"""The API's document says what the code does, and its viewers ask nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from ragbot.config import PROJECT_ROOT
from tests.conftest import RunningApp

COMMITTED = PROJECT_ROOT / "docs" / "openapi.json"
CHROMIUM = Path("/usr/bin/chromium")


def test_committed_document_is_the_one_that_the_code_makes(client: FlaskClient) -> None:
    """A change of the API must be seen by whoever reviews it."""
    made = client.get("/openapi.json").json

    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == made, "run: flask openapi > docs/openapi.json"


def test_document_tells_of_problems_and_events(client: FlaskClient) -> None:
    """Clients are written from it."""
    asked = client.get("/openapi.json").json["paths"]["/query"]["post"]["responses"]

    assert list(asked["422"]["content"]) == ["application/problem+json"]
    assert set(asked["200"]["content"]) == {"application/json", "text/event-stream"}


@pytest.mark.browser
@pytest.mark.parametrize(("path", "said"), [("/docs", "Ask a question"), ("/redoc", "Ask a question")])
def test_viewer_shows_the_document_and_asks_no_other_host(
    path: str, said: str, app: OpenAPI, run_app: Callable[[OpenAPI], RunningApp]
) -> None:
    """Readers of the documentation are told to nobody, and the strict policy holds."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no browser here")
    running = run_app(app)
    foreign: list[str] = []
    errors: list[str] = []

    with playwright.sync_playwright() as browsers:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = browsers.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        page = browser.new_page()
        page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith(running.url) else None)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(f"{running.url}{path}")
        page.locator(f"text={said} >> visible=true").first.wait_for(timeout=30_000)
        browser.close()

    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []
    assert errors == []
