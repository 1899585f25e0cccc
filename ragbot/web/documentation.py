"""`/openapi.json`, `/docs`, `/redoc`: the API's document, made from the code, and two ways to look at it."""

from __future__ import annotations

import copy
from typing import Any, cast

import orjson
from flask import Blueprint, Response, current_app, make_response, render_template
from flask_openapi import OpenAPI

from ragbot.records.ingest_jobs import DIED, DIED_SAID
from ragbot.web.uploads import ARCHIVE_TYPES

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

ADMIN_KEY = "AdminKey"
_ADMIN_KEY = {
    "type": "apiKey",
    "in": "header",
    "name": "X-API-Key",
    "description": "The server's `ADMIN_API_KEY`. Where none is set, these addresses are 404.",
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
_RETRY_AFTER = {"description": "Seconds.", "schema": {"type": "integer"}}
_JOB: dict[str, Any] = {
    "job_id": "1pNncDZhJgRiEycAywG3wmd0DKi8wGZe",
    "status": "running",
    "stage": "embed",
    "done": 320,
    "total": 545,
    "created_at": "2026-01-31T09:30:00Z",
    "started_at": "2026-01-31T09:30:02Z",
    "finished_at": None,
    "report": None,
    "error": None,
}
_JOBS = {
    "running": {"value": _JOB},
    "succeeded": {
        "value": {
            **_JOB,
            "status": "succeeded",
            "stage": "published",
            "done": 545,
            "finished_at": "2026-01-31T09:30:24Z",
            "report": {
                "edition": "00e634d1c957",
                "title": "Physical AI",
                "pages": 44,
                "sections": 703,
                "chunks": 545,
                "new": 12,
                "unchanged": 533,
                "removed": 9,
                "embedded": 12,
                "skipped": [{"path": "docs/figure.md", "reason": "The file is a PNG image, not text."}],
                "skipped_count": 1,
                "published": True,
                "seconds": 21.6,
            },
        }
    },
    "failed": {
        "value": {
            **_JOB,
            "status": "failed",
            "finished_at": "2026-01-31T09:30:20Z",
            "error": {
                "code": DIED,
                "detail": DIED_SAID,
            },
        }
    },
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
    document["components"]["securitySchemes"] = {ADMIN_KEY: _ADMIN_KEY}
    for address, path in document["paths"].items():
        for operation in path.values():
            if address.startswith("/admin/"):
                operation["security"] = [{ADMIN_KEY: []}]
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
    _tell_of_jobs(document["paths"])
    return document


def _tell_of_jobs(paths: dict[str, Any]) -> None:
    """A body that is no JSON, the headers of its answers, and jobs at each end."""
    sent = paths["/admin/ingest"]["post"]
    sent["requestBody"] = _ARCHIVE
    sent["responses"]["202"]["headers"]["Location"] = _LOCATION
    sent["responses"]["409"]["headers"]["Retry-After"] = _RETRY_AFTER
    begun = {**_JOB, "status": "queued", "stage": "queued", "done": 0, "total": 0, "started_at": None}
    sent["responses"]["202"]["content"]["application/json"]["example"] = begun
    shown = paths["/admin/ingest/{job_id}"]["get"]["responses"]["200"]
    shown["content"]["application/json"]["examples"] = _JOBS


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
