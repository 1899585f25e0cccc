"""What gunicorn itself says: a problem where no app has seen the request, and no name of a product."""

from __future__ import annotations

import json
import secrets
import socket

import structlog
from gunicorn import util
from gunicorn.http import wsgi

from ragbot.security_headers import ALWAYS

log = structlog.get_logger(__name__)

SERVER = "ragbot"

# The client's request cannot be read; that gunicorn calls one of them "not implemented" is no fault here.
_AS_BAD_REQUEST = {501: "Bad Request"}

DETAILS = {
    400: "The request cannot be read as HTTP/1.1.",
    414: "The address is too long.",
    431: "The headers are too long or too many.",
}


def refuse_with_problems() -> None:
    """Replace gunicorn's HTML pages, which quote the request, and its `Server: gunicorn`."""
    util.write_error = write_problem
    wsgi.SERVER = SERVER  # type: ignore[attr-defined]


def write_problem(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:  # noqa: ARG001
    """Send a problem and announce that the connection is closed. gunicorn's message is not for the client."""
    status = status_int
    if status in _AS_BAD_REQUEST:
        status, reason = 400, _AS_BAD_REQUEST[status]
    code = "internal_error" if status >= 500 else "invalid_request"
    request_id = secrets.token_urlsafe(16)
    problem = {
        "type": f"urn:ragbot:problem:{code}",
        "title": reason,
        "status": status,
        "detail": DETAILS.get(status, f"{reason}."),
        "code": code,
        "request_id": request_id,
    }
    body = json.dumps(problem).encode()
    headers = {
        "Server": SERVER,
        "Connection": "close",
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "X-Request-ID": request_id,
        **ALWAYS,
    }
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    util.write_nonblock(sock, "\r\n".join(lines).encode("latin-1") + body)
    log.info("unreadable_request", request_id=request_id, status=status)
