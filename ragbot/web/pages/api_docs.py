"""`/openapi.json`, `/docs`, `/redoc`: the API's document, made from the code, and two ways to look at it."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast

import orjson
from flask import Blueprint, Response, current_app, make_response, render_template
from flask_openapi import OpenAPI

from ragbot.server.early_errors import DETAILS
from ragbot.server.security_headers import ALWAYS
from ragbot.web.pages import api_examples as examples
from ragbot.web.problem_catalog import OF_NO_OPERATION, PROBLEMS, asks_to_wait, status_of
from ragbot.web.sse import HEADERS as STREAM_HEADERS
from ragbot.web.uploads import ARCHIVE_TYPES

# The newest that both viewers read.
OPENAPI_VERSION = "3.1.0"

_ABOUT = """Answers readers' questions from one book, with the passages that it answers from.

Errors are `application/problem+json` (RFC 9457); `code` is stable. Times are in UTC. An address says 404
`not_found` where there is nothing, and 405 `method_not_allowed`, with `Allow`, to a method that is not listed
here. What cannot be read as HTTP/1.1 is refused before it is looked at."""

_ID_HEADER, _WAIT_HEADER = "X-Request-ID", "Retry-After"
_REQUEST_ID = {
    "name": _ID_HEADER,
    "in": "header",
    "required": False,
    # Any text: one that is not taken is no error.
    "description": "Your own id for this request, 1 to 64 of `A-Za-z0-9._-`; it comes back, and stands in "
    "the log. In the place of anything else a new one is made.",
    "schema": {"type": "string", "examples": ["3f0c9d2b7a"]},
}
_COUNTED = {
    "Limit": "Calls that one address may make in the tightest window.",
    "Remaining": "How many of them are left.",
    "Reset": "Seconds until the window ends.",
}
_QUOTA = {
    f"{prefix}-{what}": {"description": said, "schema": {"type": "integer", "minimum": 0}}
    for prefix in ("RateLimit", "X-RateLimit")
    for what, said in _COUNTED.items()
}
_HEADERS: dict[str, dict[str, Any]] = {
    _ID_HEADER: {
        "description": "The caller's own id if it sent a sane one, else a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    **_QUOTA,
    _WAIT_HEADER: {
        "description": "Seconds after which asking again may help.",
        "schema": {"type": "integer", "minimum": 1},
    },
}
_OF_A_STREAM = {
    "Cache-Control": {
        "description": "The longer one of a stream, the other of JSON.",
        "required": True,
        "schema": {"type": "string", "enum": [STREAM_HEADERS["Cache-Control"], ALWAYS["Cache-Control"]]},
    },
    "X-Accel-Buffering": {
        "description": "Of a stream alone: has a proxy pass each event on at once.",
        "schema": {"type": "string", "const": STREAM_HEADERS["X-Accel-Buffering"]},
    },
}
_LOCATION = {
    "description": "Where to ask how the job stands.",
    "required": True,
    "schema": {"type": "string", "format": "uri-reference"},
}
_CHALLENGE = {"description": "Which kind of token is wanted.", "schema": {"type": "string"}}
_ALLOW = {"description": "The methods that the address takes.", "schema": {"type": "string"}}
_UNLIMITED = ("/health", "/metrics")

_KEY, _TOKEN = "adminKey", "metricsToken"
_SECURITY = {
    _KEY: {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The operator's key (ADMIN_API_KEY). Without one set, there are no admin calls: 404.",
    },
    _TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of whoever reads the metrics (METRICS_TOKEN), where one is set.",
    },
}

_COMPONENT = "#/components/schemas/"
_RESPONSE = "#/components/responses/"
_HEADER = "#/components/headers/"
_PARAMETER = "#/components/parameters/"
_PROBLEM = "application/problem+json"
_EVENT_DATA: dict[str, dict[str, Any]] = {
    "sources": {
        "type": "object",
        "required": ["session_id", "message_id", "sources"],
        "properties": {
            "session_id": {"type": ["string", "null"]},
            "message_id": {"type": ["string", "null"]},
            "sources": {"type": "array", "items": {"$ref": f"{_COMPONENT}SourceReply"}},
        },
    },
    "delta": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
    "done": {"$ref": f"{_COMPONENT}QueryReply"},
    "error": {"$ref": f"{_COMPONENT}Problem"},
}
_EVENTS = {
    "schema": {
        "type": "object",
        "description": "One server-sent event. `sources` comes first, then a `delta` for each piece of the "
        "answer, and last `done` (the whole JSON reply) or `error` (a problem). Comment lines keep the "
        "connection alive.",
        "required": ["event", "id", "data"],
        "properties": {
            "event": {"type": "string", "enum": list(_EVENT_DATA)},
            "id": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "Counts from 1."},
            "data": {"type": "string", "contentMediaType": "application/json"},
        },
        "oneOf": [
            {"properties": {"event": {"const": name}, "data": {"contentSchema": data}}}
            for name, data in _EVENT_DATA.items()
        ],
    },
    "examples": {
        "answered": {"value": examples.stream(ends_well=True)},
        "broken off": {"value": examples.stream(ends_well=False)},
    },
}

_METRICS: dict[str, Any] = {
    "tags": ["Service"],
    "summary": "Read the metrics",
    "description": "Everything that was counted since the server started, over all workers.",
    "operationId": "metrics",
    "security": [{}, {_TOKEN: []}],
    "responses": {
        "200": {
            "description": "As Prometheus reads them",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
    },
}

_ARCHIVE = {
    "required": True,
    "description": "The book as a zip or a gzipped tar, of at most `MAX_BOOK_MB`: a Docusaurus site, an "
    "mdBook, a folder of Markdown or of built HTML, or one EPUB or PDF. A single folder at the top is the "
    "book's. It holds files alone: an archive with links, devices, a password, names that lead out of it, or "
    "one that unpacks to far more than its size, makes the job fail. Which of the two it is, its first bytes "
    "say.",
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ARCHIVE_TYPES},
}

documentation = Blueprint("documentation", __name__)

# ReDoc makes two style elements as it draws, an empty one among them: they are known by their hashes.
_STYLES = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
_READING = (
    "default-src 'none'; script-src 'self'; style-src 'self' " + _STYLES + "; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self' data:; worker-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def api_document(app: OpenAPI) -> dict[str, Any]:
    """The OpenAPI document of an app's routes, with what their models cannot say: media types, headers,
    examples, events, and who may ask."""
    document = copy.deepcopy(cast("dict[str, Any]", app.api_doc))
    document["openapi"] = OPENAPI_VERSION
    document["info"]["description"] = _ABOUT
    components, paths = document["components"], document["paths"]
    paths["/metrics"] = {"get": copy.deepcopy(_METRICS)}
    for operation, told in _operations(paths):
        # The framework adds a status and a schema of its own, in which nothing here is ever said.
        told["responses"].pop(str(app.validation_error_status), None)
        _tell_of_replies(operation, told)
        _tell_of_problems(operation, told)
        told.setdefault("parameters", []).append({"$ref": f"{_PARAMETER}{_ID_HEADER}"})
        if _path(operation).startswith("/admin"):
            told["security"] = [{_KEY: []}]
    del components["schemas"][app.validation_error_model.__name__]
    components["securitySchemes"] = _SECURITY
    components["headers"] = _HEADERS
    components["parameters"] = {_ID_HEADER: _REQUEST_ID}
    components["responses"] = {**_of_no_operation(), **_shared(paths)}
    return document


def _operations(paths: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation as `GET /health`, with what is told of it."""
    for path, operations in paths.items():
        for method, told in operations.items():
            yield f"{method.upper()} {path}", told


def _path(operation: str) -> str:
    return operation.partition(" ")[2]


def _tell_of_replies(operation: str, told: dict[str, Any]) -> None:
    """What the body is where no model tells it, and examples."""
    responses = told["responses"]
    match operation:
        case "POST /query":
            told["requestBody"]["content"]["application/json"]["examples"] = _named(examples.QUESTIONS)
            responses["200"]["headers"] = _OF_A_STREAM
        case "PUT /sessions/{session_id}/messages/{message_id}/feedback":
            told["requestBody"]["content"]["application/json"]["examples"] = _named({"good": examples.RATING})
        case "GET /sessions/{session_id}/export":
            markdown = {"text/markdown": {"schema": {"type": "string"}}}
            responses["200"] = {"description": "The talk", "content": markdown}
        case "POST /admin/ingest":
            told["requestBody"] = _ARCHIVE
            responses["202"]["headers"] = {"Location": _LOCATION}
    for status, values in examples.REPLIES.get(operation, {}).items():
        for content in responses[status]["content"].values():
            content["examples"] = _named(values)
    if operation == "POST /query":
        responses["200"]["content"]["text/event-stream"] = _EVENTS
    for response in responses.values():
        response["headers"] = {**response.get("headers", {}), **_usual_headers(operation)}


def _tell_of_problems(operation: str, told: dict[str, Any]) -> None:
    """The problems of the operation, and those of every request."""
    kinds = PROBLEMS[operation]
    waiting = {status_of(kind) for kind in kinds if asks_to_wait(kind)}
    for status, values in examples.problems(operation, kinds).items():
        headers = _usual_headers(operation) | (_referred(_WAIT_HEADER) if status in waiting else {})
        told["responses"][str(status)] = _problem(HTTPStatus(status).phrase, headers, values)
    for status in DETAILS:
        known = told["responses"].get(str(status))
        if known is None:
            told["responses"][str(status)] = _unread(status)
        else:
            known["content"][_PROBLEM]["examples"] |= _named(examples.unreadable(status))
    if operation == "GET /metrics":
        told["responses"]["401"]["headers"]["WWW-Authenticate"] = _CHALLENGE


def _unread(status: int) -> dict[str, Any]:
    """What any request may hear before an app has seen it."""
    return _problem(DETAILS[status], _referred(_ID_HEADER), examples.unreadable(status))


def _of_no_operation() -> dict[str, Any]:
    """What only those hear who ask for what is not listed."""
    found = examples.problems("", OF_NO_OPERATION)
    headers = _referred(_ID_HEADER) | {"Allow": _ALLOW}
    return {
        str(status): _problem(HTTPStatus(status).phrase, headers, values) for status, values in found.items()
    }


def _problem(description: str, headers: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"{_COMPONENT}Problem"}
    return {
        "description": description,
        "headers": headers,
        "content": {_PROBLEM: {"schema": schema, "examples": _named(values)}},
    }


def _usual_headers(operation: str) -> dict[str, Any]:
    is_counted = not _path(operation).startswith(_UNLIMITED)
    return _referred(_ID_HEADER, *(_QUOTA if is_counted else ()))


def _referred(*headers: str) -> dict[str, Any]:
    return {name: {"$ref": f"{_HEADER}{name}"} for name in headers}


def _shared(paths: dict[str, Any]) -> dict[str, Any]:
    """The replies that several operations have, by names, which stand in their places from now on."""
    replies = [told["responses"] for _operation, told in _operations(paths)]
    written = Counter(_written(status, reply) for one in replies for status, reply in one.items())
    named: dict[str, str] = {}
    for text, count in written.most_common():
        # Where two would be called the same, the one that is told more often has the name.
        if count > 1 and (name := _name(*json.loads(text))) not in named.values():
            named[text] = name
    shared: dict[str, Any] = {}
    for one in replies:
        for status, reply in one.items():
            if name := named.get(_written(status, reply), ""):
                shared[name] = reply
                one[status] = {"$ref": f"{_RESPONSE}{name}"}
    return shared


def _written(status: str, reply: dict[str, Any]) -> str:
    return json.dumps([status, reply], sort_keys=True)


def _name(status: str, reply: dict[str, Any]) -> str:
    codes: Iterable[str] = reply.get("content", {}).get(_PROBLEM, {}).get("examples", {})
    return "-".join((status, *codes))


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in values.items()}


@documentation.get("/openapi.json")
def document() -> Response:
    """The document itself."""
    body = orjson.dumps(api_document(cast(OpenAPI, current_app)), option=orjson.OPT_SORT_KEYS)
    return Response(body, mimetype="application/json")


@documentation.get("/docs")
def swagger() -> Response:
    """The document to try by hand."""
    return _page("swagger.html")


@documentation.get("/redoc")
def redoc() -> Response:
    """The document to read."""
    return _page("redoc.html")


def _page(template: str) -> Response:
    response = make_response(render_template(template))
    response.headers["Content-Security-Policy"] = _READING
    return response
