"""Which problems each call of the API may end in: one table, for the views and for their document."""

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
    SHAPES,
    BodyTooLarge,
    InvalidRequest,
    MalformedJSON,
    NotAcceptable,
    UnsupportedArchive,
    problem_of,
)

# What is raised, by us or by the framework. The class tells more than the code: "no such message" and "no
# such address" are both `not_found`.
Kind = type[RagbotError] | type[HTTPException]

# A Host that is none and a body that is too large are refused before any view; and what nobody has foreseen
# may come anywhere.
_ANYWHERE: tuple[Kind, ...] = (BadRequest, RequestEntityTooLarge, InternalServerError)
_COUNTED: tuple[Kind, ...] = (*_ANYWHERE, TooManyRequests)
_KEPT: tuple[Kind, ...] = (*_COUNTED, core.DatabaseUnavailable)
_JSON: tuple[Kind, ...] = (MalformedJSON, UnsupportedMediaType, InvalidRequest)
# Without an operator's key there is no such address.
_ADMIN: tuple[Kind, ...] = (*_KEPT, Unauthorized, NotFound, InvalidRequest)

# Of kinds with the same code the first one is the document's example.
PROBLEMS: Mapping[str, tuple[Kind, ...]] = {
    "POST /query": (
        *_JSON,
        *_COUNTED,
        *(core.SessionNotFound, core.EditionNotFound, core.SessionExpired),
        NotAcceptable,
        *(core.IdempotencyInProgress, core.IdempotencyKeyReused),
        *(core.NoBook, core.SearchUnavailable, core.Overloaded),
        # Only before a stream begins, and of an answer that comes whole.
        *(core.DatabaseUnavailable, core.ProviderError, core.DeadlineExceeded),
    ),
    "POST /sessions": (*_KEPT, InvalidRequest),
    "GET /sessions/{session_id}": (
        *_KEPT,
        *(core.SessionNotFound, core.MessageNotFound, core.SessionExpired),
        InvalidRequest,
    ),
    "DELETE /sessions/{session_id}": (*_KEPT, core.SessionNotFound, InvalidRequest),
    "GET /sessions/{session_id}/export": (
        *_KEPT,
        *(core.SessionNotFound, core.SessionExpired),
        InvalidRequest,
    ),
    "PUT /sessions/{session_id}/messages/{message_id}/feedback": (
        *_JSON,
        *_KEPT,
        *(core.SessionNotFound, core.MessageNotFound, core.SessionExpired),
    ),
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
    "GET /admin/sessions": (*_ADMIN, core.SessionNotFound),
    "DELETE /admin/cache": (*_COUNTED, Unauthorized, NotFound, InvalidRequest, core.CacheNotCleared),
}

# What addresses say to a method that no operation stands for.
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
    """The status that callers see."""
    if issubclass(kind, HTTPException):
        return kind.code or HTTPStatus.INTERNAL_SERVER_ERROR
    return SHAPES[kind].status


def asks_to_wait(kind: Kind) -> bool:
    """Whether a Retry-After goes with it."""
    if issubclass(kind, HTTPException):
        return kind is TooManyRequests
    return SHAPES[kind].retry_after_s is not None


def example_problem(kind: Kind, operation: str = "") -> dict[str, Any]:
    """Build an example of the problem that callers of an operation see."""
    if issubclass(kind, HTTPException):
        return problem_of(kind())
    if issubclass(kind, InvalidRequest):
        return problem_of(kind([INVALID_FIELDS.get(operation, UNKNOWN_FIELD)]))
    return problem_of(kind(kind.example_detail))
