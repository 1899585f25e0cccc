"""Answer requests that gunicorn cannot read with problem details, and without the name of a product."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gunicorn import util
from gunicorn.http import wsgi

from ragbot.server.problem_details import PROBLEM_JSON, problem_details
from ragbot.server.security_headers import ALWAYS

SERVER = "ragbot"

# gunicorn answers one kind of unreadable request with "not implemented", which would count as our fault.
_AS_BAD_REQUEST = {501: "Bad Request"}

DETAILS = {
    400: "The request cannot be read as HTTP/1.1.",
    414: "The address is too long.",
    431: "The headers are too long or too many.",
}


@dataclass(frozen=True, slots=True)
class EarlyRefusal:
    """Describe a request that could not be read, as far as it is known."""

    request_id: str
    status: int
    code: str
    address: str
    sent_bytes: int


def refuse_with_problems(observe: Callable[[EarlyRefusal], None] = lambda _refusal: None) -> None:
    """Replace gunicorn's HTML pages, which quote the request, and its name. `observe` gets each refusal."""
    util.write_error = partial(write_problem, observe=observe)
    wsgi.SERVER = SERVER  # type: ignore[attr-defined]


def write_problem(
    sock: socket.socket,
    status_int: int,
    reason: str,
    mesg: str,  # noqa: ARG001
    *,
    observe: Callable[[EarlyRefusal], None],
) -> None:
    """Send a problem and close the connection. gunicorn's own message is not for the client."""
    status = status_int
    if status in _AS_BAD_REQUEST:
        status, reason = 400, _AS_BAD_REQUEST[status]
    code = "internal_error" if status >= 500 else "invalid_request"
    request_id = secrets.token_urlsafe(16)
    detail = DETAILS.get(status, f"{reason}.")
    problem = problem_details(code, reason, status, detail, request_id=request_id)
    body = json.dumps(problem).encode()
    headers = {
        "Server": SERVER,
        "Connection": "close",
        "Content-Type": PROBLEM_JSON,
        "Content-Length": str(len(body)),
        "X-Request-ID": request_id,
        **ALWAYS,
    }
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    util.write_nonblock(sock, "\r\n".join(lines).encode("latin-1") + body)
    observe(EarlyRefusal(request_id, status, code, _peer(sock), len(body)))


def _peer(connection: socket.socket) -> str:
    try:
        name = connection.getpeername()
    except OSError:
        return ""
    return str(name[0]) if isinstance(name, tuple) else ""
