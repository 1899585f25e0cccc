"""Test what the operator may see and do over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from ragbot.ingestion.pipeline import IngestionPipeline
from tests.conftest import THREE_CHAPTERS, CopyMaker, ingested_once, services_of
from tests.databases import DatabaseMaker

KEY = "nE3-rQ8xv2LwZk5TbY1p"


@pytest.fixture(scope="module")
def new_database_with_book(
    new_database: DatabaseMaker, copies_of: CopyMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseMaker]:
    """Make databases with two editions, the second one published."""

    def ingest(ingestion: IngestionPipeline) -> None:
        ingestion.ingest_book(THREE_CHAPTERS, edition="first", title="One")
        ingestion.ingest_book(THREE_CHAPTERS, edition="second", title="Two")

    with ingested_once(ingest, new_database, copies_of, tmp_path_factory.mktemp("editions")) as made:
        yield made


@pytest.fixture
def operator(book_from_the_start: None, make_app: Callable[..., OpenAPI]) -> FlaskClient:
    """Return a caller of an app with an admin key and those two editions."""
    return make_app({"ADMIN_API_KEY": KEY}).test_client()


def test_there_are_no_admin_calls_without_a_key(client: FlaskClient) -> None:
    """What is not set up must not be there to be tried."""
    assert client.get("/admin/editions", headers={"X-API-Key": ""}).status_code == 404


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "wrong"}, {"X-API-Key": KEY[:-1]}, {"X-API-Key": "\xff"}]
)
def test_nobody_gets_in_without_the_key(operator: FlaskClient, headers: dict[str, str]) -> None:
    """The list of sessions is the key to every talk."""
    for path in ("/admin/editions", "/admin/sessions", "/admin/sessions?limit=wrong"):
        reply = operator.get(path, headers=headers)

        assert (reply.status_code, reply.json["code"]) == (401, "unauthorized")
    assert operator.post("/admin/editions/first/publish", headers=headers).status_code == 401


def test_nobody_learns_which_addresses_there_are(client: FlaskClient, operator: FlaskClient) -> None:
    """Nor which methods they take: no quota counts what is nowhere, so it tells nothing of the key."""
    asked = [("GET", "/admin/cache"), ("DELETE", "/admin/editions"), ("GET", "/admin/ingest")]
    asked.append(("GET", "/admin"))

    without = [client.open(path, method=method).status_code for method, path in asked]
    right = [operator.open(p, method=m, headers={"X-API-Key": KEY}).status_code for m, p in asked]

    assert without == right == [404] * 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/admin/sessions?before=%00", 404),
        ("POST", "/admin/editions/%00/publish", 422),
        ("GET", "/admin/editions?limit=1", 422),
        ("DELETE", "/admin/cache?edition=first", 422),
        ("POST", "/admin/editions/first/publish?now=1", 422),
        ("GET", "/admin/ingest/x?wait=1", 422),
    ],
)
def test_what_an_admin_call_does_not_know_is_refused(
    operator: FlaskClient, method: str, path: str, status: int
) -> None:
    """Also what a database would not take."""
    assert operator.open(path, method=method, headers={"X-API-Key": KEY}).status_code == status


def test_operator_publishes_an_earlier_edition(operator: FlaskClient) -> None:
    """It is the way back when a new edition turns out wrong."""
    before = operator.get("/admin/editions", headers={"X-API-Key": KEY}).json["editions"]

    reply = operator.post("/admin/editions/first/publish", headers={"X-API-Key": KEY})

    assert [(row["edition"], row["published"]) for row in before] == [("second", True), ("first", False)]
    assert (reply.status_code, reply.json["edition"], reply.json["published"]) == (200, "first", True)
    asked = operator.post("/query", json={"query": "How long is the cheddar ripened?"}).json
    assert asked["book_version"] == "first"


def test_edition_whose_name_has_a_slash_is_published_and_deleted(operator: FlaskClient) -> None:
    """Builds name an edition after their branch or tag."""
    headers = {"X-API-Key": KEY}
    services_of(operator.application).ingestion.ingest_book(THREE_CHAPTERS, edition="release/2.0")

    back = operator.post("/admin/editions/second/publish", headers=headers)
    again = operator.post("/admin/editions/release%2F2.0/publish", headers=headers)
    operator.post("/admin/editions/second/publish", headers=headers)
    gone = operator.delete("/admin/editions/release/2.0", headers=headers)

    assert [reply.status_code for reply in (back, again, gone)] == [200, 200, 204]
    assert again.json["edition"] == "release/2.0"
    editions = operator.get("/admin/editions", headers=headers).json["editions"]
    assert [row["edition"] for row in editions] == ["second", "first"]


def test_edition_that_is_not_there_cannot_be_published(operator: FlaskClient) -> None:
    """A typo must not take the book away."""
    reply = operator.post("/admin/editions/third/publish", headers={"X-API-Key": KEY})

    assert (reply.status_code, reply.json["code"]) == (404, "edition_not_found")


def test_operator_lists_sessions_page_by_page(operator: FlaskClient) -> None:
    """There are more than fit on a page."""
    started = [operator.post("/sessions").json["session_id"] for _ in range(3)]
    operator.post("/query", json={"query": "What is cheese made from?", "session_id": started[0]})
    headers = {"X-API-Key": KEY}

    first = operator.get("/admin/sessions?limit=2", headers=headers).json
    second = operator.get(f"/admin/sessions?limit=2&before={first['next_before']}", headers=headers).json

    listed = [row["session_id"] for row in first["sessions"] + second["sessions"]]
    counts = {row["session_id"]: row["message_count"] for row in first["sessions"] + second["sessions"]}
    assert sorted(listed) == sorted(started)
    assert second["next_before"] is None
    assert counts == {started[0]: 1, started[1]: 0, started[2]: 0}
