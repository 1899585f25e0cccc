"""The API's document says what the code does, and its viewers ask nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from ragbot.config import PROJECT_ROOT
from ragbot.core.domain import Degradation
from ragbot.web import examples, payloads
from tests.conftest import RunningApp
from tests.web.sent_events import events_in

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


def test_what_an_answer_was_made_without_is_one_of_a_few_words(client: FlaskClient) -> None:
    """Clients have a branch for each."""
    schemas = client.get("/openapi.json").json["components"]["schemas"]

    assert schemas["QueryReply"]["properties"]["degraded"]["items"]["$ref"].endswith("/Degradation")
    assert schemas["Degradation"]["enum"] == [str(kind) for kind in Degradation]


def test_document_tells_who_may_ask_and_what_is_left(client: FlaskClient) -> None:
    """The operator's key, the metrics' token, the quotas, and when to come back."""
    document = client.get("/openapi.json").json
    paths = document["paths"]

    quotas = [
        name
        for name in paths["/query"]["post"]["responses"]["200"]["headers"]
        if name.startswith("RateLimit")
    ]
    assert set(document["components"]["securitySchemes"]) == {"adminKey", "metricsToken"}
    assert all(
        operation["security"] == [{"adminKey": []}]
        for path, operations in paths.items()
        if path.startswith("/admin")
        for operation in operations.values()
    )
    assert {"metricsToken": []} in paths["/metrics"]["get"]["security"]
    assert quotas == ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
    assert "Retry-After" in paths["/query"]["post"]["responses"]["429"]["headers"]
    assert not any("RateLimit" in name for name in paths["/health"]["get"]["responses"]["200"]["headers"])


def test_examples_are_what_the_code_takes_and_gives() -> None:
    """Clients are written from examples, too."""
    asked = [payloads.QueryBody.model_validate(question) for question in examples.QUESTIONS.values()]
    events = events_in(examples.stream(ends_well=True).encode())

    assert len(asked) == 4
    assert payloads.FeedbackBody.model_validate(examples.RATING)
    assert payloads.QueryReply.model_validate(examples.ANSWER).answer == "".join(
        event.data["text"] for event in events if event.name == "delta"
    )
    assert [event.name for event in events] == ["sources", "delta", "delta", "done"]
    assert events[-1].data == examples.ANSWER
    assert events_in(examples.stream(ends_well=False).encode())[-1].data["code"] == "search_unavailable"


@pytest.mark.parametrize("status", [400, 401, 404, 405, 406, 409, 410, 413, 415, 422, 429, 500, 503, 504])
def test_each_status_has_an_example_of_each_of_its_problems(status: int) -> None:
    """Whoever handles a code wants to see it."""
    told = examples.problems(status)

    assert told
    for code, problem in told.items():
        assert payloads.Problem.model_validate(problem).code == code
        assert problem["status"] == status


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
