"""Origins to what their pages may do: ask, read sessions, look at health; never with credentials."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask import Flask
from flask_cors import CORS

# Anchored: the library only looks at the beginning. Console, documentation and admin calls are not here.
PATHS = (r"/query$", r"/sessions(/.*)?$", r"/health(/.*)?$")
METHODS = ("GET", "POST", "PUT", "DELETE")
TAKEN = ("Accept", "Content-Type", "Idempotency-Key", "X-Request-ID")
SHOWN = (
    "Retry-After",
    "X-Request-ID",
    *(f"{name}-{what}" for name in ("RateLimit", "X-RateLimit") for what in ("Limit", "Remaining", "Reset")),
)

# As long as Chromium believes an answer at all; Firefox takes a day.
PREFLIGHT_KEPT_S = 7200


def _exactly(origin: str) -> re.Pattern[str]:
    # The library takes what has a bracket in it, as an IPv6 address does, for a pattern of ours.
    return re.compile(re.escape(origin) + r"\Z", re.IGNORECASE)


def allow_origins(app: Flask, origins: Sequence[str]) -> None:
    """Let pages of these origins call from a browser; `*` is any of them. None at all for none."""
    if not origins:
        return
    CORS(
        app,
        resources={path: {} for path in PATHS},
        origins="*" if "*" in origins else [_exactly(origin) for origin in origins],
        methods=list(METHODS),
        allow_headers=list(TAKEN),
        expose_headers=list(SHOWN),
        max_age=PREFLIGHT_KEPT_S,
        always_send=False,
        send_wildcard="*" in origins,
        supports_credentials=False,
        allow_private_network=False,
    )
