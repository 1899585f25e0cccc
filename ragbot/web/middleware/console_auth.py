"""The console's door: HTTP Basic with one password, under any user name."""

from __future__ import annotations

from hmac import compare_digest

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import NotFound, Unauthorized

from ragbot.services import current_services

REALM = "ragbot"


def demand_password() -> None:
    """Let the request on if it may see the console.

    Where a password is set it is demanded; where none is, production has no console and the rest of the
    world an open one. Raises NotFound or Unauthorized.
    """
    settings = current_services().settings
    if settings.console_password is None:
        if settings.environment == "production":
            raise NotFound
        return
    if not _is_right(settings.console_password.get_secret_value()):
        raise Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": REALM, "charset": "UTF-8"}))


def _is_right(password: str) -> bool:
    try:
        asked = request.authorization
        given = asked.password if asked is not None and asked.type == "basic" else None
    except ValueError:
        # Werkzeug lets base64 raise over letters that are not ASCII.
        return False
    # Bytes, for text that is not ASCII cannot be compared; in a time that tells nothing of the password.
    return compare_digest((given or "").encode(errors="replace"), password.encode())
