"""Give each request an id, and decode or refuse its body strictly."""

from __future__ import annotations

import json
import re
import secrets
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
import structlog
from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, UnsupportedMediaType

from ragbot.core.sockets import shut_down
from ragbot.core.timers import TIMERS
from ragbot.web.errors import InvalidRequest, MalformedJSON

_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# A session's id would appear whole in the log. (32 hexadecimal digits are a UUID.)
_LIKE_A_SESSION = re.compile(r"(?![0-9a-fA-F]{32}\Z)[A-Za-z0-9_-]{32}")


# A question's body is some kilobytes; a slow sender holds a slot that others wait for.
BODY_TIMEOUT_S = 10.0


@contextmanager
def body_timeout(environ: Mapping[str, Any], timeout_s: float = BODY_TIMEOUT_S) -> Iterator[None]:
    """Limit how long the block may read the body: then it ends. Needs the server's socket in `environ`."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    timer = TIMERS.after(timeout_s, partial(shut_down, connection, socket.SHUT_RD))
    try:
        yield
    finally:
        timer.stop()


class StrictRequest(Request):
    """Decode JSON strictly by RFC 8259: no NaN, no unlimited nesting, UTF-8 alone."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ARG002
        """Decode the body. Raises UnsupportedMediaType or MalformedJSON, whatever `silent` says."""
        if "ragbot.json" not in self.environ:
            if self.mimetype != "application/json":
                raise UnsupportedMediaType
            self.environ["ragbot.json"] = _decoded(self._whole_body())
        return self.environ["ragbot.json"]

    def _whole_body(self) -> bytes:
        with body_timeout(self.environ):
            body = self.get_data(cache=False)
        # A chunked body has no length, and Werkzeug cuts it at the limit without an error.
        if len(body) == self.max_content_length and self.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge
        # With a limit set, Werkzeug takes the end of a connection for the end of the body.
        if self.content_length is not None and len(body) < self.content_length:
            raise ClientDisconnected
        return body


def identify_requests(app: Flask) -> None:
    """Give each request an id, the caller's own if it is valid. It is on the response and each log line."""

    @app.before_request
    def _identify() -> None:
        given = request.headers.get("X-Request-ID", "")
        is_valid = _VALID_ID.fullmatch(given) and not _LIKE_A_SESSION.fullmatch(given)
        g.request_id = given if is_valid else secrets.token_urlsafe(16)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def _add_id(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        return response


def refuse_large_bodies(app: Flask, *, exempt: Collection[str]) -> None:
    """Refuse a body that is too large even where no view reads it, except at the endpoints `exempt`."""

    @app.before_request
    def _refuse() -> None:
        length, limit = request.content_length, request.max_content_length
        if length is not None and limit is not None and length > limit and request.endpoint not in exempt:
            raise RequestEntityTooLarge


def _decoded(body: bytes) -> Any:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in str(error):
            raise MalformedJSON("The body is not JSON.") from error
        # Valid JSON with half a character in it: decoded, so that the error can name the field.
        decoded = _with_lone_surrogates(body)
    if not isinstance(decoded, dict):
        raise MalformedJSON("The body must be a JSON object.")
    if (name := _duplicate_field(body)) is not None:
        raise InvalidRequest([{"field": name, "message": "must be given once"}])
    return decoded


def _duplicate_field(body: bytes) -> str | None:
    """Return a field that occurs more than once, of which a decoder takes the last; None if none does."""

    def pairs(found: list[tuple[str, Any]]) -> Any:
        names = [name for name, _ in found]
        if len(set(names)) < len(names):
            raise _DuplicateField(next(name for name in names if names.count(name) > 1))
        return dict(found)

    try:
        json.loads(body, object_pairs_hook=pairs)
    except _DuplicateField as error:
        return str(error)
    except (ValueError, RecursionError):
        # It was decoded before, so a field's own validation refuses it.
        return None
    return None


class _DuplicateField(Exception):
    """Carry the name of a field that occurs twice."""


def _with_lone_surrogates(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedJSON("The body is not JSON.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
