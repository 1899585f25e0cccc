"""What every request gets: an id, and a body that is decoded strictly or refused."""

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

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# A session's id would be logged whole. (32 hexadecimal digits are how many write a UUID.)
_LIKE_A_SESSION = re.compile(r"(?![0-9a-fA-F]{32}\Z)[A-Za-z0-9_-]{32}")


# A question's body is some kilobytes; whoever takes longer for it holds a place that others want.
BODY_S = 10.0


@contextmanager
def hurried(environ: Mapping[str, Any], limit_s: float = BODY_S) -> Iterator[None]:
    """Within the block, read for so long at most where the server lends its socket: then the body ends."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    alarm = TIMERS.after(limit_s, partial(shut_down, connection, socket.SHUT_RD))
    try:
        yield
    finally:
        alarm.stop()


class StrictRequest(Request):
    """Decodes JSON by the letter of RFC 8259: no NaN, no bottomless nesting, UTF-8 alone."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ARG002
        """The decoded body. Raises UnsupportedMediaType or MalformedJSON, whatever `silent` says."""
        if "ragbot.json" not in self.environ:
            if self.mimetype != "application/json":
                raise UnsupportedMediaType
            self.environ["ragbot.json"] = _decoded(self._whole_body())
        return self.environ["ragbot.json"]

    def _whole_body(self) -> bytes:
        with hurried(self.environ):
            body = self.get_data(cache=False)
        # A chunked body does not tell its length, and Werkzeug cuts it at the limit without a word.
        if len(body) == self.max_content_length and self.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge
        # With a limit set it takes the end of a connection for the end of the body.
        if self.content_length is not None and len(body) < self.content_length:
            raise ClientDisconnected
        return body


def identify_requests(app: Flask) -> None:
    """Give each request an id, the caller's own if it is sane; it is on the response and each log line."""

    @app.before_request
    def _identify() -> None:
        asked = request.headers.get("X-Request-ID", "")
        sane = _SANE_ID.fullmatch(asked) and not _LIKE_A_SESSION.fullmatch(asked)
        g.request_id = asked if sane else secrets.token_urlsafe(16)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def _answer(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        return response


def refuse_large_bodies(app: Flask, *, taken: Collection[str]) -> None:
    """Refuse a body that is too large also where nobody reads it; the endpoints `taken` count their own."""

    @app.before_request
    def _refuse() -> None:
        sent, most = request.content_length, request.max_content_length
        if sent is not None and most is not None and sent > most and request.endpoint not in taken:
            raise RequestEntityTooLarge


def _decoded(body: bytes) -> Any:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in str(error):
            raise MalformedJSON("The body is not JSON.") from error
        # Valid JSON with half a character in it: decoded, so that the refusal can name the field.
        decoded = _with_lone_surrogates(body)
    if not isinstance(decoded, dict):
        raise MalformedJSON("The body must be a JSON object.")
    if (name := _given_twice(body)) is not None:
        raise InvalidRequest([{"field": name, "message": "must be given once"}])
    return decoded


def _given_twice(body: bytes) -> str | None:
    """The name of a field that stands there more than once, of which a decoder takes the last."""

    def pairs(found: list[tuple[str, Any]]) -> Any:
        names = [name for name, _ in found]
        if len(set(names)) < len(names):
            raise _Twice(next(name for name in names if names.count(name) > 1))
        return dict(found)

    try:
        json.loads(body, object_pairs_hook=pairs)
    except _Twice as twice:
        return str(twice)
    except (ValueError, RecursionError):
        # It is JSON, as has been seen, and of a kind that a field's own check refuses.
        return None
    return None


class _Twice(Exception):
    """A field's name that stands there twice."""


def _with_lone_surrogates(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedJSON("The body is not JSON.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
