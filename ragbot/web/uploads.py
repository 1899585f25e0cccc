"""Save an uploaded archive to a file: in pieces, with a size limit, never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flask import Request
from werkzeug.exceptions import ClientDisconnected

from ragbot.core.errors import JobNotStarted
from ragbot.core.file_types import archive_kind
from ragbot.web.errors import BodyTooLarge, UnsupportedArchive

# The media types in use for a zip and a gzipped tar. The first bytes decide which of them it is.
ARCHIVE_TYPES = ("application/zip", "application/gzip", "application/x-gzip", "application/x-tar+gzip")

PIECE_BYTES = 1 << 18

# A sender that has vanished without closing its connection would keep its thread for ever.
READ_TIMEOUT_S = 30.0


def check_headers(request: Request, max_bytes: int) -> None:
    """Refuse a body that is no archive, or too large a one, by its headers alone.

    Raises UnsupportedArchive or BodyTooLarge.
    """
    # The app's own limit is for questions; the size is counted below.
    request.max_content_length = None
    if request.mimetype not in ARCHIVE_TYPES:
        raise UnsupportedArchive(f"Send a zip or tar.gz as the body, with {' or '.join(ARCHIVE_TYPES[:2])}.")
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)


def save_archive(request: Request, to: Path, max_bytes: int) -> None:
    """Write the body to a file. Raises UnsupportedArchive, BodyTooLarge, JobNotStarted or ClientDisconnected.

    The caller deletes what was written by then.
    """
    with _read_timeout(request), to.open("xb") as file:
        received = 0
        for piece in _pieces(request):
            if not received and archive_kind(piece) is None:
                raise UnsupportedArchive
            received += len(piece)
            if received > max_bytes:
                raise _too_large(max_bytes)
            try:
                file.write(piece)
            except OSError as error:
                raise JobNotStarted("The archive cannot be saved now; try again later.") from error
    if not received:
        raise UnsupportedArchive("The body is empty; send a zip or tar.gz as the body.")
    if request.content_length is not None and received < request.content_length:
        raise ClientDisconnected


def _pieces(request: Request) -> Iterator[bytes]:
    # Not Werkzeug's stream: with a limit it cuts a chunked body without an error, and takes the end of a
    # connection for the end of the body.
    stream = request.environ["wsgi.input"]
    left = request.content_length
    if left is None and not request.environ.get("wsgi.input_terminated"):
        return
    while left is None or left > 0:
        try:
            piece = stream.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left))
        except OSError as error:
            # A reset, or a timeout.
            raise ClientDisconnected from error
        if not piece:
            return
        left = None if left is None else left - len(piece)
        yield piece


@contextmanager
def _read_timeout(request: Request) -> Iterator[None]:
    """Limit the wait for each piece of the body. Needs the server's socket in the environment."""
    connection: Any = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    before = connection.gettimeout()
    connection.settimeout(READ_TIMEOUT_S)
    try:
        yield
    finally:
        with suppress(OSError):
            connection.settimeout(before)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The archive is larger than {max_bytes / 1_000_000:g} MB (MAX_BOOK_MB).")
