"""Add the security headers to every response."""

from __future__ import annotations

from flask import Flask, Response, request

from ragbot.server.security_headers import ALWAYS, CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY


def secure_headers(app: Flask) -> None:
    """Add the headers after each request, except those that a view has set."""

    @app.after_request
    def _add(response: Response) -> Response:
        policy = response.headers.get("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        for name, value in ALWAYS.items():
            # The old header cannot name the pages that may show this one in a frame; the policy does.
            if name != "X-Frame-Options" or "frame-ancestors 'none'" in policy:
                response.headers.setdefault(name, value)
        if request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY)
        return response
