"""Serve a WSGI app from a thread of the test's own process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from harness.loopback import ACCEPT_POLL_S

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@contextmanager
def wsgi_server(
    app: WSGIApplication, *, handler: type[WSGIRequestHandler] | None = None
) -> Iterator[BaseWSGIServer]:
    """Serve `app` on a free port of the loopback address until the block ends."""
    server = make_server("127.0.0.1", 0, _closing(app), threaded=True, request_handler=handler)
    thread = threading.Thread(target=server.serve_forever, args=[ACCEPT_POLL_S], daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


def _closing(app: WSGIApplication) -> WSGIApplication:
    """Wrap an app such that each body is closed, also where the client has gone.

    Werkzeug's server leaves a body open when the connection is reset while it looks for what is
    left to read; the file of a static asset is then closed by the interpreter alone, with a warning.
    """

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return _ClosedBody(app(environ, start_response))

    return wrapped


class _ClosedBody:
    """Pass a body on, and close it at the latest when nobody holds it any more."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        if hasattr(self._body, "close"):
            self._body.close()

    __del__ = close
