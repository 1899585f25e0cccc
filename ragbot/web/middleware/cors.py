"""Allow other origins' pages to ask, to use sessions and to read the health; never with credentials."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask import Flask
from flask_cors import CORS

# Anchored: the library matches the beginning alone. Console, documentation and admin calls are not here.
PATHS = (r"/query$", r"/sessions(/.*)?$", r"/health(/.*)?$", r"/books?$", r"/widget/token$")
METHODS = ("GET", "POST", "PUT", "DELETE")
ALLOWED_HEADERS = (
    *("Accept", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Ragbot-Token", "X-Request-ID"),
)
EXPOSED_HEADERS = (
    "Retry-After",
    "X-Request-ID",
    *(f"{name}-{what}" for name in ("RateLimit", "X-RateLimit") for what in ("Limit", "Remaining", "Reset")),
)

# The most that Chromium caches a preflight; Firefox takes a day.
PREFLIGHT_MAX_AGE_S = 7200


def _exactly(origin: str) -> re.Pattern[str]:
    # The library takes a text with a bracket, such as an IPv6 address, for a regular expression.
    return re.compile(re.escape(origin) + r"\Z", re.IGNORECASE)


def allow_origins(app: Flask, origins: Sequence[str]) -> None:
    """Let pages of these origins call the API from a browser; `*` means any, an empty list none."""
    if not origins:
        return
    CORS(
        app,
        resources={path: {} for path in PATHS},
        origins="*" if "*" in origins else [_exactly(origin) for origin in origins],
        methods=list(METHODS),
        allow_headers=list(ALLOWED_HEADERS),
        expose_headers=list(EXPOSED_HEADERS),
        max_age=PREFLIGHT_MAX_AGE_S,
        always_send=False,
        send_wildcard="*" in origins,
        supports_credentials=False,
        allow_private_network=False,
    )
