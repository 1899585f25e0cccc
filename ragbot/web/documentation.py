"""`/openapi.json`, `/docs`, `/redoc`: the API's document, made from the code, and two ways to look at it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import orjson
from flask import Blueprint, Response, current_app, make_response, render_template
from flask_openapi import OpenAPI

from ragbot.raw_refusals import DETAILS
from ragbot.web import examples
from ragbot.web.uploads import ARCHIVE_TYPES

# The newest that both viewers read.
OPENAPI_VERSION = "3.1.0"

_REQUEST_ID = {
    "X-Request-ID": {
        "description": "The caller's own id if it sent a sane one, else a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    }
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
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which asking again may help.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
# Where waiting helps.
_WAITING = ("409", "429", "503")
_UNLIMITED = "/health"

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
        "401": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        "500": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
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
_LOCATION = {
    "description": "Where to ask how the job stands.",
    "schema": {"type": "string", "format": "uri-reference"},
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
    document["components"]["securitySchemes"] = _SECURITY
    document["components"]["responses"] = {str(status): _refused_unread(status) for status in DETAILS}
    document["paths"]["/metrics"] = {"get": copy.deepcopy(_METRICS)}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/admin"):
                operation["security"] = [{_KEY: []}]
            for status, response in operation["responses"].items():
                _complete(response, status, is_counted=not path.startswith((_UNLIMITED, "/metrics")))
            for unreadable in DETAILS:
                operation["responses"].setdefault(str(unreadable), {"$ref": f"{_RESPONSE}{unreadable}"})
    asking = document["paths"]["/query"]["post"]
    asking["requestBody"]["content"]["application/json"]["examples"] = _named(examples.QUESTIONS)
    answered = asking["responses"]["200"]
    answered["content"]["application/json"]["example"] = examples.ANSWER
    answered["content"]["text/event-stream"] = _EVENTS
    rating = document["paths"]["/sessions/{session_id}/messages/{message_id}/feedback"]["put"]
    rating["requestBody"]["content"]["application/json"]["example"] = examples.RATING
    exported = document["paths"]["/sessions/{session_id}/export"]["get"]["responses"]
    exported["200"] = {
        "description": "The talk",
        "content": {"text/markdown": {"schema": {"type": "string"}}},
    }
    _complete(exported["200"], "200", is_counted=True)
    _tell_of_jobs(document["paths"])
    return document


def _tell_of_jobs(paths: dict[str, Any]) -> None:
    """A body that is no JSON, where to ask for the job, and jobs at each end."""
    sent = paths["/admin/ingest"]["post"]
    sent["requestBody"] = _ARCHIVE
    sent["responses"]["202"]["headers"]["Location"] = _LOCATION
    sent["responses"]["202"]["content"]["application/json"]["example"] = examples.JOB_BEGUN
    shown = paths["/admin/ingest/{job_id}"]["get"]["responses"]["200"]
    shown["content"]["application/json"]["examples"] = _named(examples.JOBS)


def _complete(response: dict[str, Any], status: str, *, is_counted: bool) -> None:
    """Tell the response's headers, and of a problem its media type and what it may say."""
    waiting = _RETRY_AFTER if status in _WAITING else {}
    response.setdefault("headers", {}).update(_REQUEST_ID | (_QUOTA if is_counted else {}) | waiting)
    response.setdefault("description", HTTPStatus(int(status)).phrase)
    content = response.get("content", {})
    is_problem = content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/Problem")
    if is_problem:
        problem = content.pop("application/json")
        content["application/problem+json"] = problem | {"examples": _named(examples.problems(int(status)))}


def _refused_unread(status: int) -> dict[str, Any]:
    """What any request may hear before an app has seen it."""
    problem = {"schema": {"$ref": f"{_COMPONENT}Problem"}, "examples": _named(examples.unreadable(status))}
    return {
        "description": DETAILS[status],
        "headers": dict(_REQUEST_ID),
        "content": {"application/problem+json": problem},
    }


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
