"""`/openapi.json`, `/docs`, `/redoc`: the API's document, made from the code, and two ways to look at it."""

from __future__ import annotations

import copy
from typing import Any, cast

import orjson
from flask import Blueprint, Response, current_app, make_response, render_template
from flask_openapi import OpenAPI

# The newest that both viewers read.
OPENAPI_VERSION = "3.1.0"

_REQUEST_ID = {
    "description": "The caller's own id if it sent a sane one, else a new one.",
    "schema": {"type": "string"},
}
_EVENTS = {
    "schema": {
        "type": "string",
        "description": "Server-sent events, each with an `id` counting from 1: `sources` (session_id, "
        "message_id, sources), then `delta` (text) for each piece of the answer, and last `done` (the whole "
        "JSON reply) or `error` (a problem). Comment lines keep the connection alive.",
    },
    "example": 'event: sources\nid: 1\ndata: {"session_id": "...", "message_id": "...", '
    '"sources": []}\n\nevent: delta\nid: 2\ndata: {"text": "Colcon is "}\n\n',
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
    """The OpenAPI document of an app's routes, with what their models cannot say: media types and events."""
    document = copy.deepcopy(cast("dict[str, Any]", app.api_doc))
    document["openapi"] = OPENAPI_VERSION
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status >= "400" and "application/json" in response.get("content", {}):
                    response["content"] = {
                        "application/problem+json": response["content"]["application/json"]
                    }
                response.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID
    answered = document["paths"]["/query"]["post"]["responses"]["200"]
    answered["content"]["text/event-stream"] = _EVENTS
    exported = document["paths"]["/sessions/{session_id}/export"]["get"]["responses"]
    exported["200"] = {
        "description": "The talk",
        "content": {"text/markdown": {"schema": {"type": "string"}}},
        "headers": {"X-Request-ID": _REQUEST_ID},
    }
    return document


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
