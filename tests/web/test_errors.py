"""Test that every error is a problem (RFC 9457) of the contract, without internal details."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI
from gunicorn.http.errors import InvalidChunkSize
from structlog.testing import capture_logs
from werkzeug.exceptions import ServiceUnavailable, Unauthorized

from ragbot.core import errors as core
from ragbot.web.errors import SHAPES, TRY_AGAIN, problem_of, shape_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app

# The table of the contract.
CODES = {
    400: {"malformed_json"},
    401: {"unauthorized"},
    403: {"widget_token_required", "origin_not_allowed"},
    404: {"not_found", "session_not_found", "edition_not_found", "book_not_found"},
    405: {"method_not_allowed"},
    406: {"not_acceptable"},
    409: {"idempotency_in_progress", "ingest_in_progress", "edition_in_use"},
    410: {"session_expired"},
    413: {"body_too_large"},
    415: {"unsupported_media_type"},
    422: {"invalid_request", "idempotency_key_reused", "content_filtered"},
    429: {"rate_limited", "budget_exhausted"},
    500: {"internal_error"},
    503: {"overloaded", "search_unavailable", "no_book", "cache_unavailable"},
    504: {"deadline_exceeded"},
}
KEY = "nE3-rQ8xv2LwZk5TbY1p"
OF_AN_OPERATOR = "The embedded index cannot be written below /srv/index."
SECRET = "sk-secret at /srv/ragbot/answerer.py: select * from messages"


@pytest.fixture(scope="module")
def served(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAPI]:
    folder = tmp_path_factory.mktemp("errors")
    with three_chapter_app(new_database, folder, generator=ScriptedGenerator("Nine.")) as app:
        yield app


@pytest.fixture
def reader(served: OpenAPI) -> FlaskClient:
    return served.test_client()


def every_error() -> list[type[core.RagbotError]]:
    """Return all classes of the tree."""
    found, left = [], [core.RagbotError]
    while left:
        kind = left.pop()
        found.append(kind)
        left.extend(kind.__subclasses__())
    return found


@pytest.mark.parametrize(
    "kind", sorted(SHAPES, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__
)
def test_error_that_gets_out_has_a_code_of_the_contract(kind: type[core.RagbotError]) -> None:
    """Clients act on it."""
    error = kind([]) if kind.__name__ == "InvalidRequest" else kind("A sentence.")  # type: ignore[arg-type]

    problem = problem_of(error)

    assert problem["code"] in CODES[problem["status"]]
    assert problem["type"].endswith(problem["code"])
    assert problem["title"]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_error_without_a_shape_is_one_of_ours_and_says_nothing(kind: type[core.RagbotError]) -> None:
    """A new class of errors must not get out by accident."""
    error = kind([]) if kind.__name__ == "InvalidRequest" else kind(SECRET)  # type: ignore[arg-type]

    problem = problem_of(error)

    assert problem["code"] in CODES[problem["status"]]
    if shape_of(error) is None:
        assert (problem["status"], problem["code"]) == (500, "internal_error")
        assert SECRET not in json.dumps(problem)


@pytest.mark.parametrize(
    "kind", [core.Overloaded, core.NoBook, core.SearchUnavailable, core.ProviderUnavailable]
)
def test_error_that_passes_says_when_to_come_back(kind: type[core.RagbotError]) -> None:
    """Clients would hammer otherwise."""
    shape = shape_of(kind("A sentence."))

    assert shape is not None
    assert shape.retry_after_s


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/sessions/unknown", 404, "session_not_found"),
        ("GET", "/query", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("POST", "/query", 415, "unsupported_media_type"),
        ("GET", "/static/../wsgi.py", 404, "not_found"),
        ("GET", "/static/nothing.js", 404, "not_found"),
        ("GET", "/%00", 404, "not_found"),
        ("GET", "/sessions/", 404, "not_found"),
    ],
)
def test_frameworks_own_errors_are_problems_too(
    reader: FlaskClient, method: str, address: str, status: int, code: str
) -> None:
    """A client parses one form alone."""
    reply = reader.open(address, method=method, headers={"X-Request-ID": "r-9"})

    assert (reply.status_code, reply.mimetype) == (status, "application/problem+json")
    assert reply.json.keys() == {"type", "title", "status", "detail", "code", "request_id"}
    assert (reply.json["status"], reply.json["code"], reply.json["request_id"]) == (status, code, "r-9")
    assert reply.json["detail"].endswith(".")


@pytest.fixture(scope="module")
def breaking(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Yield a caller of an app with addresses that fail in every way."""
    ways: dict[str, Exception] = {
        "bug": RuntimeError(SECRET),
        "lookup": KeyError(SECRET),
        "recursion": RecursionError(SECRET),
        "unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, SECRET),
        "ours": core.RagbotError(SECRET),
        "cancelled": core.Cancelled(SECRET),
        "unauthorized": Unauthorized(SECRET),
        "unavailable": ServiceUnavailable(SECRET),
        "chunks": InvalidChunkSize(SECRET),  # type: ignore[arg-type]
        "search": core.SearchUnavailable(OF_AN_OPERATOR),
        "model": core.ProviderRejected(OF_AN_OPERATOR),
        "database": core.DatabaseUnavailable(OF_AN_OPERATOR),
        "book": core.NoBook(OF_AN_OPERATOR),
        "cut": core.AnswerCut(OF_AN_OPERATOR),
    }
    folder = tmp_path_factory.mktemp("breaking")
    settings = {"ADMIN_API_KEY": KEY}
    with three_chapter_app(new_database, folder, settings, generator=ScriptedGenerator()) as app:

        def fail(way: str) -> None:
            raise ways[way]

        app.add_url_rule("/fail/<way>", "fail", fail)
        app.add_url_rule("/admin/fail/<way>", "fail_for_operator", fail)
        yield app.test_client()


@pytest.mark.parametrize(
    ("way", "status"),
    [
        ("bug", 500),
        ("lookup", 500),
        ("recursion", 500),
        ("unicode", 500),
        ("ours", 500),
        ("cancelled", 500),
        ("unauthorized", 401),
        ("unavailable", 503),
        ("chunks", 400),
    ],
)
def test_no_exceptions_text_gets_out(breaking: FlaskClient, way: str, status: int) -> None:
    """It may hold a path, a query or a key."""
    reply = breaking.get(f"/fail/{way}")

    assert (reply.status_code, reply.mimetype) == (status, "application/problem+json")
    assert "secret" not in reply.text
    assert reply.json["request_id"] == reply.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("search", TRY_AGAIN),
        ("model", TRY_AGAIN),
        ("database", TRY_AGAIN),
        ("book", "There is no book to ask yet; please come back later."),
        ("cut", "The answer broke off; please ask again."),
    ],
)
def test_reader_gets_a_readers_sentence_and_the_log_gets_the_reason(
    breaking: FlaskClient, way: str, sentence: str
) -> None:
    """A reader can do nothing about a server or a folder, and need not know its name."""
    with capture_logs() as lines:
        reply = breaking.get(f"/fail/{way}")

    assert (reply.status_code, reply.json["detail"]) == (503, sentence)
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["reason"] == OF_AN_OPERATOR


def test_operator_gets_the_errors_own_sentence(breaking: FlaskClient) -> None:
    """It says what to do."""
    with capture_logs() as lines:
        reply = breaking.get("/admin/fail/search", headers={"X-API-Key": KEY})

    assert (reply.status_code, reply.json["detail"]) == (503, OF_AN_OPERATOR)
    (line,) = [line for line in lines if line["event"] == "request"]
    assert "reason" not in line


# --- the request's id --------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/health", "/nowhere", "/sessions/unknown", "/static/console.css"])
def test_each_response_carries_an_id(reader: FlaskClient, address: str) -> None:
    """With it a reader's complaint is found in the log."""
    one, other = reader.get(address), reader.get(address)

    assert re.fullmatch(r"[\w.-]{1,64}", one.headers["X-Request-ID"])
    assert one.headers["X-Request-ID"] != other.headers["X-Request-ID"]
    one.close()
    other.close()


@pytest.mark.parametrize("given", ["a", "r-1.2_3", "A" * 64, "0", "0123456789abcdef" * 2])
def test_sane_id_of_the_caller_is_kept(reader: FlaskClient, given: str) -> None:
    """His log and ours then say the same."""
    reply = reader.get("/nowhere", headers={"X-Request-ID": given})

    assert reply.headers["X-Request-ID"] == given
    assert reply.json["request_id"] == given


OF_A_SESSION = "jc8fWnKxZ0vJ9bq1mP3rT5uYtR7eL2aD"


@pytest.mark.parametrize(
    "given", ["", "A" * 65, "a b", "é", "a;b", "<script>", "a\tb", '"', "a/b", OF_A_SESSION]
)
def test_other_id_of_the_caller_is_replaced(reader: FlaskClient, given: str) -> None:
    """It goes into the log and into pages."""
    reply = reader.get("/nowhere", headers={"X-Request-ID": given})

    assert reply.headers["X-Request-ID"] != given
    assert reply.json["request_id"] == reply.headers["X-Request-ID"]
