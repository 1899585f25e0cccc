"""Answer every error with a problem (RFC 9457). The table of HTTP statuses is here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import structlog
from flask import Flask, Response, g, has_request_context, make_response, request
from flask_limiter import RateLimitExceeded
from gunicorn.http.errors import ParseException
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from ragbot.core import errors as core
from ragbot.server.problem_details import PROBLEM_JSON, problem_details

log = structlog.get_logger(__name__)

# Of more invalid fields than these the first ones are reported.
MAX_FAULTS = 20
# Calls of operators, who see an error's own message.
OPERATOR_PATHS = "/admin/"


class MalformedJSON(core.RagbotError):
    """Report that the body is not a JSON object."""

    code = "malformed_json"
    example_detail = "The body is not a JSON object."


class InvalidRequest(core.RagbotError):
    """Report a body or an address that breaks the contract; `faults` names each field."""

    code = "invalid_request"

    def __init__(self, faults: Sequence[dict[str, str]]) -> None:
        super().__init__("The request is not valid; see `errors`.")
        self.faults = list(faults)


class BodyTooLarge(core.RagbotError):
    """Report a body that is larger than this address accepts."""

    code = "body_too_large"
    example_detail = "The body is larger than this address accepts."


class UnsupportedArchive(core.RagbotError):
    """Report a body that is no archive of a book."""

    code = "unsupported_media_type"
    example_detail = "The body is neither a zip nor a gzipped tar archive."


class NotAcceptable(core.RagbotError):
    """Report that the caller accepts no media type of the answer."""

    code = "not_acceptable"
    example_detail = "Answers come as application/json or text/event-stream."


class OriginNotAllowed(core.RagbotError):
    """Report a page of an origin that is not allowed to ask."""

    code = "origin_not_allowed"
    example_detail = "Pages of this origin may not ask; its owner has to allow it in ALLOWED_ORIGINS_STR."


class WidgetTokenRequired(core.RagbotError):
    """Report a question without a token of this service that is good for the page."""

    code = "widget_token_required"
    retryable = True
    example_detail = "This page has no valid token any more; load it again and ask once more."


@dataclass(frozen=True, slots=True)
class ProblemShape:
    """Describe the problem of an error class. `retry_after_s` is None where waiting does not help."""

    status: int
    title: str
    retry_after_s: int | None = None


SHAPES: Mapping[type[core.RagbotError], ProblemShape] = {
    MalformedJSON: ProblemShape(400, "Malformed JSON"),
    InvalidRequest: ProblemShape(422, "Invalid request"),
    NotAcceptable: ProblemShape(406, "Not acceptable"),
    BodyTooLarge: ProblemShape(413, "Body too large"),
    OriginNotAllowed: ProblemShape(403, "Origin not allowed"),
    WidgetTokenRequired: ProblemShape(403, "Token required"),
    UnsupportedArchive: ProblemShape(415, "Unsupported media type"),
    core.EditionNotFound: ProblemShape(404, "Edition not found"),
    core.BookNotFound: ProblemShape(404, "Book not found"),
    core.EditionInUse: ProblemShape(409, "Edition in use"),
    core.SessionNotFound: ProblemShape(404, "Session not found"),
    core.MessageNotFound: ProblemShape(404, "Not found"),
    core.SessionExpired: ProblemShape(410, "Session expired"),
    core.IdempotencyKeyReused: ProblemShape(422, "Idempotency key reused"),
    core.IdempotencyInProgress: ProblemShape(409, "Idempotency in progress", 1),
    core.JobNotFound: ProblemShape(404, "Not found"),
    core.IngestInProgress: ProblemShape(409, "Ingest in progress", 10),
    core.JobNotStarted: ProblemShape(503, "Overloaded", 30),
    core.Overloaded: ProblemShape(503, "Overloaded", 2),
    core.NoBook: ProblemShape(503, "No book", 30),
    core.SearchUnavailable: ProblemShape(503, "Search unavailable", 5),
    core.DatabaseUnavailable: ProblemShape(503, "Search unavailable", 5),
    core.CacheNotCleared: ProblemShape(503, "Cache unavailable", 5),
    core.StoreUnavailable: ProblemShape(503, "Search unavailable", 5),
    core.ContentFiltered: ProblemShape(422, "Content filtered"),
    core.ProviderError: ProblemShape(503, "Search unavailable", 5),
    core.DeadlineExceeded: ProblemShape(504, "Deadline exceeded"),
}

# Errors whose own codes are for the log alone; callers see `search_unavailable`.
_INTERNAL = (core.DatabaseUnavailable, core.StoreUnavailable, core.ProviderError)

HTTP_CODES = {
    400: "malformed_json",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "rate_limited",
}

HTTP_DETAILS = {
    400: "The request could not be read.",
    401: "This address needs a password, a token or a key, and the right one was not sent.",
    404: "There is nothing at this address.",
    405: "This address does not support this method; see the Allow header.",
    413: "The body is larger than 64 KiB.",
    415: "Send the body as application/json.",
    429: "Too many requests just now; try again in 40 seconds.",
}


INTERNAL_ERROR = "Something went wrong here. It has been logged; please try again later."

# The messages of these errors are for the operator: they name servers, models, folders and commands. Readers
# get a sentence that says what they can do; an error's nearest class decides.
TRY_AGAIN = "The service cannot answer just now; please try again in a few seconds."
READER_DETAILS: Mapping[type[core.RagbotError], str] = {
    core.NoBook: "There is no book to ask yet; please come back later.",
    core.SearchUnavailable: TRY_AGAIN,
    core.DatabaseUnavailable: TRY_AGAIN,
    core.StoreUnavailable: TRY_AGAIN,
    core.ProviderError: TRY_AGAIN,
    core.ContentFiltered: "This question cannot be answered; please ask it in another way.",
    core.AnswerCut: "The answer broke off; please ask again.",
}


def problem_of(error: Exception, *, for_operator: bool = False) -> dict[str, Any]:
    """Build the problem that callers see of an error, without anything that the error's cause says.

    Without `for_operator` an error whose message is for the operator has a sentence for readers instead.
    """
    if isinstance(error, core.RagbotError) and (shape := shape_of(error)):
        is_internal = isinstance(error, _INTERNAL) and not isinstance(error, core.ContentFiltered)
        code = core.SearchUnavailable.code if is_internal else error.code
        faults = {"errors": error.faults} if isinstance(error, InvalidRequest) else {}
        detail = str(error) if for_operator else _reader_detail(error)
        return _problem(code, shape.title, shape.status, detail) | faults
    if isinstance(error, HTTPException) and error.code not in (None, 500):
        status = error.code or 500
        title = HTTPStatus(status).phrase
        code = HTTP_CODES.get(status, "internal_error" if status >= 500 else "invalid_request")
        detail = HTTP_DETAILS.get(status, f"{title}.")
        if isinstance(error, RateLimitExceeded) and error.description:
            detail = error.description
        return _problem(code, title, status, detail)
    return _problem("internal_error", "Internal error", 500, INTERNAL_ERROR)


def _reader_detail(error: core.RagbotError) -> str:
    kinds = type(error).__mro__
    return next((READER_DETAILS[kind] for kind in kinds if kind in READER_DETAILS), str(error))


def shape_of(error: core.RagbotError) -> ProblemShape | None:
    """Return the shape of the nearest class in the table; None for an error that callers must not see."""
    return next((SHAPES[kind] for kind in type(error).__mro__ if kind in SHAPES), None)


def register_error_handlers(app: Flask) -> None:
    """Answer every error with a problem, the framework's own among them."""
    app.register_error_handler(core.RagbotError, _handle_own)
    app.register_error_handler(HTTPException, _handle_http)
    app.register_error_handler(ParseException, _handle_unreadable)
    app.register_error_handler(Exception, _handle_unexpected)


def invalid(error: ValidationError) -> Response:
    """Answer a request that a model refused with a problem that names each field."""
    faults = [
        {"field": ".".join(str(step) for step in fault["loc"]) or "body", "message": _sentence(fault["msg"])}
        for fault in error.errors(include_input=False, include_url=False)[:MAX_FAULTS]
    ]
    return _handle_own(InvalidRequest(faults))


def _handle_own(error: core.RagbotError) -> Response:
    shape = shape_of(error)
    if shape is None:
        return _handle_unexpected(error)
    headers = {} if shape.retry_after_s is None else {"Retry-After": str(shape.retry_after_s)}
    problem = problem_of(error, for_operator=request.path.startswith(OPERATOR_PATHS))
    if problem["detail"] != str(error):
        # For the access log: a reader is not told the reason.
        g.problem_reason = str(error)
    return _response(problem, shape.status, headers)


def _handle_http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None:
        return make_response(error.response)
    if isinstance(error, RequestRedirect):
        # Without the framework's page, and not to a host that the caller names.
        place = urlsplit(error.new_url)
        response = make_response("", status)
        response.headers["Location"] = urlunsplit(("", "", place.path, place.query, ""))
        return response
    # Such as Allow; the headers that describe the framework's own page do not hold for ours.
    headers = {n: v for n, v in error.get_headers() if n.lower() not in ("content-type", "content-length")}
    return _response(problem_of(error), status, headers)


def _handle_unreadable(error: Exception) -> Response:
    log.info("unreadable_request", kind=type(error).__name__)
    return _response(_problem("malformed_json", "Bad request", 400, HTTP_DETAILS[400]), 400, {})


def _handle_unexpected(error: Exception) -> Response:
    log.error("unhandled_error", exc_info=error)
    return _response(problem_of(error), 500, {})


def _problem(code: str, title: str, status: int, detail: str) -> dict[str, Any]:
    request_id = g.get("request_id", "") if has_request_context() else ""
    return problem_details(code, title, status, detail, request_id=request_id)


def _response(problem: dict[str, Any], status: int, headers: Mapping[str, str]) -> Response:
    if has_request_context():
        # For the access log and the metrics.
        g.problem_code = problem["code"]
    response = make_response(orjson.dumps(problem), status)
    response.headers.update(headers)
    response.mimetype = PROBLEM_JSON
    return response


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")
