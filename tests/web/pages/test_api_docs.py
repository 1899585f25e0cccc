"""Test that the API document matches the code, and that its viewers call no other host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from flask.testing import FlaskClient

from ragbot.config import PROJECT_ROOT
from ragbot.core.answers import Degradation
from ragbot.server.early_errors import DETAILS
from ragbot.server.security_headers import ALWAYS
from ragbot.storage.ingest_jobs import DIED, DIED_MESSAGE
from ragbot.web import schemas as payloads
from ragbot.web.errors import HTTP_CODES, SHAPES
from ragbot.web.pages.api_docs import stream_examples
from ragbot.web.problem_catalog import OF_NO_OPERATION, PROBLEMS, Kind, example_problem, status_of
from ragbot.web.sse import HEADERS
from ragbot.web.uploads import ARCHIVE_TYPES
from tests.conftest import AppMaker, services_of
from tests.web.sent_events import events_in

pytestmark = pytest.mark.sqlite_is_enough

COMMITTED = PROJECT_ROOT / "docs" / "openapi.json"
PROBLEM = "application/problem+json"
KEY = "an-operators-key-of-23-x"
# What gunicorn says by itself, to whatever address.
UNREAD = {"invalid_request"}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """Return the committed document, which another test holds against the one that the app serves."""
    document: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return document


def operations(document: dict[str, Any]) -> dict[str, Any]:
    """Return each operation by its name, its replies with what they refer to in their places."""
    return {
        f"{method.upper()} {path}": operation
        | {"responses": {s: referred(document, reply) for s, reply in operation["responses"].items()}}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def referred(document: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in one:
        return one
    found = document
    for step in one["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every body that is told of: where, its media type, and its schema with its examples."""
    for name, operation in operations(document).items():
        sides = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for side, reply in sides.items():
            for media_type, content in reply.get("content", {}).items():
                yield f"{name} {side}", media_type, content


def public_code(kind: Kind) -> str:
    code: str = example_problem(kind)["code"]
    return code


def test_committed_document_is_the_one_that_the_code_makes(client: FlaskClient) -> None:
    """A change of the API must be seen by whoever reviews it."""
    made = client.get("/openapi.json").json

    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == made, "run: flask openapi > docs/openapi.json"


def test_document_is_of_a_size_that_a_browser_likes(client: FlaskClient) -> None:
    """What several operations say stands in it once."""
    assert len(client.get("/openapi.json").data) < 160_000


def test_answer_is_told_of_whole_and_as_events(told: dict[str, Any]) -> None:
    """Clients are written from it."""
    answered = operations(told)["POST /query"]["responses"]["200"]

    assert set(answered["content"]) == {"application/json", "text/event-stream"}
    assert {"Cache-Control", "X-Accel-Buffering"} <= set(answered["headers"])


def test_what_an_answer_was_made_without_is_one_of_a_few_words(client: FlaskClient) -> None:
    """Clients have a branch for each."""
    schemas = client.get("/openapi.json").json["components"]["schemas"]

    assert schemas["QueryReply"]["properties"]["degraded"]["items"]["$ref"].endswith("/Degradation")
    assert schemas["Degradation"]["enum"] == [str(kind) for kind in Degradation]


def test_every_error_is_a_problem_and_nothing_of_the_frameworks_is_told(told: dict[str, Any]) -> None:
    """The app never says a word in the framework's shape; only readiness has a shape of its own."""
    failed = [(where, kind) for where, kind, _ in bodies(told) if where[-3:].isdecimal() and where[-3] > "3"]

    assert [where for where, kind in failed if kind != PROBLEM] == ["GET /health/ready 503"]
    assert "ValidationErrorModel" not in json.dumps(told)


def test_each_operation_tells_of_its_own_problems_alone(told: dict[str, Any]) -> None:
    """A code that never comes is a branch that is written in vain; one that is left out is a crash."""
    assert set(operations(told)) == set(PROBLEMS)
    for name, operation in operations(told).items():
        problems = {
            (status, code)
            for status, reply in operation["responses"].items()
            for code in reply.get("content", {}).get(PROBLEM, {}).get("examples", ())
        }
        own = {(str(status_of(kind)), public_code(kind)) for kind in PROBLEMS[name]}
        unread = {(str(status), code) for status in DETAILS for code in UNREAD}
        assert problems == own | unread, name


def test_no_code_is_left_out(told: dict[str, Any]) -> None:
    """Whatever the app and its server can say stands in the document."""
    replies = [reply for one in operations(told).values() for reply in one["responses"].values()]
    replies += told["components"]["responses"].values()
    codes = {code for r in replies for code in r.get("content", {}).get(PROBLEM, {}).get("examples", ())}

    known = {public_code(kind) for kind in SHAPES} | set(HTTP_CODES.values()) | UNREAD | {"internal_error"}
    assert codes == known
    assert {public_code(kind) for kind in OF_NO_OPERATION} == {"method_not_allowed"}


def test_every_request_may_bring_its_id_and_every_reply_does(told: dict[str, Any]) -> None:
    """With it the operator finds the request in the log."""
    for name, operation in operations(told).items():
        parameters = [referred(told, parameter) for parameter in operation["parameters"]]
        assert ("X-Request-ID", "header") in {(p["name"], p["in"]) for p in parameters}, name
        assert all("X-Request-ID" in reply["headers"] for reply in operation["responses"].values()), name


def test_every_body_has_examples_and_they_keep_to_its_schema(told: dict[str, Any]) -> None:
    """An example that the schema refuses misleads whoever copies it."""
    assert [w for w, _, content in bodies(told) if not content.get("examples")] == [
        "POST /admin/ingest request"
    ] * 4
    for where, media_type, content in bodies(told):
        schema = {**content["schema"], "components": told["components"]}
        checker = jsonschema.Draft202012Validator(schema)
        for name, example in content.get("examples", {}).items():
            # A stream is a text of events, each of which the schema describes.
            is_stream = media_type == "text/event-stream"
            checked = events_of(example["value"]) if is_stream else [example["value"]]
            assert [error.message for value in checked for error in checker.iter_errors(value)] == [], (
                where,
                name,
            )


def test_data_of_each_event_keep_to_their_schema(told: dict[str, Any]) -> None:
    """It stands within the event's, where no validator looks by itself."""
    stream = operations(told)["POST /query"]["responses"]["200"]["content"]["text/event-stream"]
    schemas = {
        kind["properties"]["event"]["const"]: kind["properties"]["data"]["contentSchema"]
        for kind in referred(told, stream["schema"])["oneOf"]
    }
    events = [event for example in stream["examples"].values() for event in events_of(example["value"])]

    assert (
        {event["event"] for event in events}
        == set(schemas)
        == {"sources", "thinking", "delta", "done", "error"}
    )
    for event in events:
        schema = {**schemas[event["event"]], "components": told["components"]}
        jsonschema.Draft202012Validator(schema).validate(json.loads(event["data"]))


def events_of(stream: str) -> list[dict[str, str]]:
    """Return the events of a stream as their fields."""
    return [
        dict(line.split(": ", 1) for line in event.splitlines()) for event in stream.strip().split("\n\n")
    ]


RATE = "PUT /sessions/{session_id}/messages/{message_id}/feedback"
JSON = {"content_type": "application/json"}
# The operation, the address, what is sent besides, and the code that comes.
TRIES: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST /query", "/query", {"json": {}}, "invalid_request"),
    ("POST /query", "/query", {"data": "x"}, "unsupported_media_type"),
    ("POST /query", "/query", {"data": "x" * 70_000, **JSON}, "body_too_large"),
    ("POST /query", "/query", {"data": "[]", **JSON}, "malformed_json"),
    ("POST /query", "/query", {"json": {"query": "x"}, "headers": {"Accept": "a/b"}}, "not_acceptable"),
    ("POST /query", "/query", {"json": {"query": "x", "book_version": "no"}}, "edition_not_found"),
    ("POST /query", "/query", {"json": {"query": "x", "session_id": "no"}}, "session_not_found"),
    ("POST /query", "/query", {"json": {"query": "x"}}, "no_book"),
    ("POST /sessions", "/sessions", {"headers": {"Host": "a..b"}}, "malformed_json"),
    ("GET /sessions/{session_id}", "/sessions/no", {}, "session_not_found"),
    ("GET /sessions/{session_id}", "/sessions/no?verbose=1", {}, "invalid_request"),
    ("DELETE /sessions/{session_id}", "/sessions/no", {}, "session_not_found"),
    ("GET /sessions/{session_id}/export", "/sessions/no/export", {}, "session_not_found"),
    (RATE, "/sessions/no/messages/no/feedback", {"json": {"rating": "good"}}, "invalid_request"),
    (RATE, "/sessions/no/messages/no/feedback", {"json": {"rating": "up"}}, "session_not_found"),
    ("GET /health", "/health", {"headers": {"Host": "a..b"}}, "malformed_json"),
    ("GET /admin/editions", "/admin/editions", {"headers": {"X-API-Key": "no"}}, "unauthorized"),
    ("GET /admin/editions", "/admin/editions?verbose=1", {}, "invalid_request"),
    ("POST /admin/editions/{edition}/publish", "/admin/editions/no/publish", {}, "edition_not_found"),
    ("GET /admin/sessions", "/admin/sessions?before=no", {}, "session_not_found"),
    ("GET /admin/ingest/{job_id}", "/admin/ingest/no", {}, "not_found"),
    ("POST /admin/ingest", "/admin/ingest", {"data": "x"}, "unsupported_media_type"),
    (
        "POST /admin/ingest",
        "/admin/ingest",
        {
            "data": b"PK\x03\x04 and no more",
            "content_type": "application/zip",
            "environ_overrides": {"CONTENT_LENGTH": "1000"},
        },
        "malformed_json",
    ),
]


@pytest.mark.parametrize(("operation", "path", "sent", "code"), TRIES)
def test_problem_comes_as_it_is_told_of(
    make_app: AppMaker, told: dict[str, Any], *, operation: str, path: str, sent: dict[str, Any], code: str
) -> None:
    """An example is what the app really says; only the sentences of our own errors may be longer."""
    reader = make_app({"ADMIN_API_KEY": KEY}).test_client()
    headers = {"X-API-Key": KEY, **sent.get("headers", {})}

    reply = reader.open(path, method=operation.split()[0], **{**sent, "headers": headers})

    told_of_it = operations(told)[operation]["responses"][str(reply.status_code)]["content"]
    example = told_of_it[reply.mimetype]["examples"][code]["value"]
    varies = {"detail": "", "request_id": ""}
    assert {**reply.get_json(), **varies} == {**example, **varies}


def test_unforeseen_error_is_told_of_everywhere(
    make_app: AppMaker, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the parts are looked at, which has another 503 of its own."""
    app = make_app()

    def broken() -> None:
        raise LookupError

    monkeypatch.setattr(services_of(app).readiness, "report", broken)
    reply = app.test_client().get("/health/ready")

    assert reply.status_code == 500
    assert reply.mimetype == PROBLEM
    assert all("500" in operation["responses"] for operation in operations(told).values())


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
    asked = operations(document)["POST /query"]["responses"]
    assert {s for s, reply in asked.items() if "Retry-After" in reply["headers"]} == {"409", "429", "503"}
    assert "Retry-After" not in paths["/health/ready"]["get"]["responses"]["503"]["headers"]
    assert not any("RateLimit" in name for name in paths["/health"]["get"]["responses"]["200"]["headers"])


def test_examples_are_what_the_code_takes_and_gives(told: dict[str, Any]) -> None:
    """Clients are written from examples, too."""
    query, rate = operations(told)["POST /query"], operations(told)[RATE]
    asked = [
        payloads.QueryBody.model_validate(question)
        for question in values(query["requestBody"]["content"]["application/json"])
    ]
    answer = values(query["responses"]["200"]["content"]["application/json"])[0]
    ends_well, breaks_off = (events_in(text.encode()) for text in stream_examples(answer).values())

    assert len(asked) == 4
    assert all(
        payloads.FeedbackBody.model_validate(rating)
        for rating in values(rate["requestBody"]["content"]["application/json"])
    )
    assert payloads.QueryReply.model_validate(answer).answer == "".join(
        event.data["text"] for event in ends_well if event.name == "delta"
    )
    assert [event.name for event in ends_well] == ["sources", "delta", "delta", "done"]
    assert ends_well[-1].data == answer
    assert breaks_off[-1].data["code"] == "search_unavailable"


def values(content: dict[str, Any]) -> list[Any]:
    """Return the examples of a body."""
    return [example["value"] for example in content["examples"].values()]


@pytest.mark.parametrize("operation", PROBLEMS)
def test_each_problem_of_an_operation_has_an_example(told: dict[str, Any], operation: str) -> None:
    """Whoever handles a code wants to see it."""
    responses = operations(told)[operation]["responses"]
    for kind in PROBLEMS[operation]:
        example = responses[str(status_of(kind))]["content"][PROBLEM]["examples"][public_code(kind)]["value"]
        assert payloads.Problem.model_validate(example).code == public_code(kind)
        assert example["status"] == status_of(kind)


def test_literals_of_the_overlay_are_those_of_the_code(told: dict[str, Any]) -> None:
    """What is written down in OpenAPI's notation must follow a change of the code."""
    query, send = operations(told)["POST /query"], operations(told)["POST /admin/ingest"]
    headers = query["responses"]["200"]["headers"]
    failed = operations(told)["GET /admin/ingest/{job_id}"]["responses"]["200"]

    assert headers["Cache-Control"]["schema"]["enum"] == [HEADERS["Cache-Control"], ALWAYS["Cache-Control"]]
    assert headers["X-Accel-Buffering"]["schema"]["const"] == HEADERS["X-Accel-Buffering"]
    assert set(send["requestBody"]["content"]) == set(ARCHIVE_TYPES)
    error = failed["content"]["application/json"]["examples"]["failed"]["value"]["error"]
    assert error == {"code": DIED, "detail": DIED_MESSAGE}
