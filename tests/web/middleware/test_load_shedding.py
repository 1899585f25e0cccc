"""Test that a question reserves its slot before any work, and that a full worker refuses at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from ragbot.core.answers import Question
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of

pytestmark = pytest.mark.sqlite_is_enough

QUESTION = {"query": "How long does bread rise?"}


@pytest.fixture
def app(book_from_the_start: None, make_app: AppMaker) -> OpenAPI:
    """Return one that answers one question at a time, and lets one address ask twice a minute."""
    return make_app({"MAX_STREAMS": 1, "RATE_LIMIT_ENABLED": True, "RATE_LIMIT_QUERIES_PER_MINUTE": 2})


@pytest.fixture
def full(app: OpenAPI) -> Iterator[FlaskClient]:
    """Yield a caller while the only place is taken."""
    running = services_of(app).turns.begin(Question("How long is the cheddar ripened?"), None)
    yield app.test_client()
    running.events.close()


def test_refusal_says_when_to_come_back_and_is_not_counted(full: FlaskClient) -> None:
    """Counting is work, just when there is no time for it."""
    refused = [full.post("/query", json=QUESTION) for _ in range(5)]

    assert {reply.status_code for reply in refused} == {503}
    assert {reply.get_json()["code"] for reply in refused} == {"overloaded"}
    assert all(int(reply.headers["Retry-After"]) > 0 for reply in refused)
    assert not any("RateLimit-Limit" in reply.headers for reply in refused)


def test_everything_but_questions_goes_on(full: FlaskClient) -> None:
    """A reader may still look at his talk, and a browser ask whether it may ask."""
    preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}

    statuses = [
        full.post("/sessions").status_code,
        full.get("/health").status_code,
        full.options("/query", headers=preflight).status_code,
    ]

    assert statuses == [201, 200, 200]


def test_whoever_comes_when_a_place_is_free_again_has_his_whole_quota(app: OpenAPI) -> None:
    """What was refused before does not count."""
    client = app.test_client()
    running = services_of(app).turns.begin(Question("How long is the cheddar ripened?"), None)
    refused = [client.post("/query", json=QUESTION).status_code for _ in range(3)]

    running.events.close()

    answered = client.post("/query", json=QUESTION)
    assert refused == [503, 503, 503]
    assert (answered.status_code, answered.headers["RateLimit-Remaining"]) == (200, "1")


@pytest.mark.parametrize(
    ("body", "status"),
    [({"wrong": 1}, 422), ({"query": "What?", "session_id": "unknown"}, 404), (QUESTION, 200)],
)
def test_place_is_given_back_however_the_question_ends(make_app: AppMaker, body: dict, status: int) -> None:
    """Nonsense must not use the places up."""
    app = make_app({"MAX_STREAMS": 1})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    client = app.test_client()

    statuses = [client.post("/query", json=body).status_code for _ in range(3)]

    assert statuses == [status] * 3
    assert client.post("/query", json={**QUESTION, "stream": True}).status_code == 200


def test_place_of_a_question_that_is_over_its_quota_is_given_back(app: OpenAPI) -> None:
    """It had one while it was counted."""
    client = app.test_client()

    statuses = [client.post("/query", json=QUESTION).status_code for _ in range(5)]

    assert statuses == [200, 200, 429, 429, 429]
