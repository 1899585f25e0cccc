"""List the problems that each operation of the API may answer with, and build an example of each."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

from ragbot.core import errors as core
from ragbot.core.errors import RagbotError
from ragbot.web.errors import (
    OPERATOR_PATHS,
    SHAPES,
    BodyTooLarge,
    InvalidRequest,
    MalformedJSON,
    NotAcceptable,
    OriginNotAllowed,
    UnsupportedArchive,
    WidgetTokenRequired,
    problem_of,
)

# What is raised, by us or by the framework. The class says more than the code: "no such message" and "no
# such address" are both `not_found`.
Kind = type[RagbotError] | type[HTTPException]

# An invalid Host and a body that is too large are refused before any view; an unexpected error may occur
# anywhere.
_ANYWHERE: tuple[Kind, ...] = (BadRequest, RequestEntityTooLarge, InternalServerError)
_LIMITED: tuple[Kind, ...] = (*_ANYWHERE, TooManyRequests)
_STORED: tuple[Kind, ...] = (*_LIMITED, core.DatabaseUnavailable)
_JSON: tuple[Kind, ...] = (MalformedJSON, UnsupportedMediaType, InvalidRequest)
# Without ADMIN_API_KEY there is no such address.
_ADMIN: tuple[Kind, ...] = (*_STORED, Unauthorized, NotFound, InvalidRequest)

# Of several kinds with one code the first is the document's example.
PROBLEMS: Mapping[str, tuple[Kind, ...]] = {
    "POST /query": (
        *_JSON,
        *_LIMITED,
        *(core.SessionNotFound, core.EditionNotFound, core.BookNotFound, core.SessionExpired),
        *(NotAcceptable, WidgetTokenRequired),
        *(core.IdempotencyInProgress, core.IdempotencyKeyReused),
        *(core.NoBook, core.SearchUnavailable, core.Overloaded),
        # Only before a stream begins, and of an answer that comes whole.
        *(core.DatabaseUnavailable, core.ProviderError, core.ContentFiltered, core.DeadlineExceeded),
    ),
    "POST /sessions": (*_STORED, InvalidRequest),
    "GET /sessions/{session_id}": (
        *_STORED,
        *(core.SessionNotFound, core.MessageNotFound, core.SessionExpired),
        InvalidRequest,
    ),
    "DELETE /sessions/{session_id}": (*_STORED, core.SessionNotFound, InvalidRequest),
    "GET /sessions/{session_id}/export": (
        *_STORED,
        *(core.SessionNotFound, core.SessionExpired),
        InvalidRequest,
    ),
    "GET /sessions/{session_id}/messages/{message_id}/stream": (
        *_STORED,
        *(core.SessionNotFound, core.MessageNotFound, core.SessionExpired, core.Overloaded),
        InvalidRequest,
    ),
    "DELETE /sessions/{session_id}/messages/{message_id}/stream": (
        *_STORED,
        *(core.SessionNotFound, core.MessageNotFound, core.SessionExpired),
        InvalidRequest,
    ),
    "PUT /sessions/{session_id}/messages/{message_id}/feedback": (
        *_JSON,
        *_STORED,
        *(core.SessionNotFound, core.MessageNotFound, core.SessionExpired),
    ),
    "GET /book": (
        *(*_STORED, core.BookNotFound, InvalidRequest),
        *(core.NoBook, core.SearchUnavailable, core.DeadlineExceeded),
    ),
    # Where no tokens are asked for, there is no such address.
    "POST /widget/token": (*_LIMITED, NotFound, OriginNotAllowed, InvalidRequest),
    "GET /health": _ANYWHERE,
    "GET /health/ready": _ANYWHERE,
    "GET /metrics": (*_ANYWHERE, Unauthorized),
    "POST /admin/ingest": (
        *_ADMIN,
        core.IngestInProgress,
        *(BodyTooLarge, UnsupportedArchive),
        core.JobNotStarted,
    ),
    "GET /admin/ingest/{job_id}": (core.JobNotFound, *_ADMIN),
    "GET /admin/editions": _ADMIN,
    "POST /admin/editions/{edition}/publish": (*_ADMIN, core.EditionNotFound, core.SearchUnavailable),
    "DELETE /admin/editions/{edition}": (
        *_ADMIN,
        *(core.EditionNotFound, core.EditionInUse, core.SearchUnavailable),
    ),
    "GET /books": _STORED,
    **{
        f"GET /admin/insights/{name}": (*_ADMIN, core.BookNotFound)
        for name in ("gaps", "questions", "groups", "groups/{group}", "map", "trends")
    },
    "GET /admin/sessions": (*_ADMIN, core.SessionNotFound),
    "DELETE /admin/cache": (*_LIMITED, Unauthorized, NotFound, InvalidRequest, core.CacheNotCleared),
}

# The answer of addresses to a method that is no operation.
OF_NO_OPERATION: tuple[Kind, ...] = (MethodNotAllowed,)


# What is wrong with the example of an invalid request; most operations refuse a query string.
UNKNOWN_FIELD = {"field": "verbose", "message": "Extra inputs are not permitted"}
INVALID_FIELDS = {
    "POST /query": {"field": "query", "message": "Field required"},
    "PUT /sessions/{session_id}/messages/{message_id}/feedback": {
        "field": "rating",
        "message": "Input should be 'up' or 'down'",
    },
}


def status_of(kind: Kind) -> int:
    """Return the status that callers see."""
    if issubclass(kind, HTTPException):
        return kind.code or HTTPStatus.INTERNAL_SERVER_ERROR
    return SHAPES[kind].status


def asks_to_wait(kind: Kind) -> bool:
    """Return whether a Retry-After header goes with it."""
    if issubclass(kind, HTTPException):
        return kind is TooManyRequests
    return SHAPES[kind].retry_after_s is not None


def example_problem(kind: Kind, operation: str = "") -> dict[str, Any]:
    """Build an example of the problem that callers of an operation see."""
    if issubclass(kind, HTTPException):
        return problem_of(kind())
    if issubclass(kind, InvalidRequest):
        return problem_of(kind([INVALID_FIELDS.get(operation, UNKNOWN_FIELD)]))
    return problem_of(kind(), for_operator=f" {OPERATOR_PATHS}" in operation)
