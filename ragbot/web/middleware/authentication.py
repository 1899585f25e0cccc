"""Check the secrets that callers send: the operator's key, the metrics token, the console's password."""

from __future__ import annotations

from hmac import compare_digest

from flask import Flask, request
from pydantic import SecretStr
from werkzeug.datastructures import Authorization, WWWAuthenticate
from werkzeug.exceptions import NotFound, Unauthorized

from ragbot.services import current_services


def guard_admin(app: Flask) -> None:
    """Require the key for every address under /admin, before anything of the request is read.

    Addresses and methods that do not exist are guarded too: only the operator may learn which do.
    """
    app.before_request(_require_admin_key)


def _require_admin_key() -> None:
    if not f"{request.path}/".startswith("/admin/"):
        return
    key = current_services().settings.admin_api_key
    # A request for an address that does not exist counts in no rate limit, so it must not test the key.
    if request.url_rule is None or key is None:
        raise NotFound
    if not _is_secret(request.headers.get("X-API-Key"), key):
        raise Unauthorized


def require_metrics_token() -> None:
    """Require the bearer token where METRICS_TOKEN is set. Raises Unauthorized."""
    token = current_services().settings.metrics_token
    if token is not None and not _is_secret(_sent("bearer").token, token):
        raise Unauthorized(www_authenticate=WWWAuthenticate("bearer", {"realm": "metrics"}))


def require_console_password() -> None:
    """Require the password, with any user name, where CONSOLE_PASSWORD is set.

    Without one the console is open, but in production, where there is none then. Raises Unauthorized or
    NotFound.
    """
    settings = current_services().settings
    if settings.console_password is None:
        if settings.environment == "production":
            raise NotFound
        return
    if not is_console_password_right():
        raise Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "ragbot", "charset": "UTF-8"}))


def is_console_password_right() -> bool:
    """Return whether the request has the console's password, or none is set."""
    password = current_services().settings.console_password
    return password is None or _is_secret(_sent("basic").password, password)


def _sent(scheme: str) -> Authorization:
    """Return what the Authorization header says, if it is of this scheme and readable."""
    try:
        sent = request.authorization
    except ValueError:
        # Werkzeug lets base64 raise over letters that are not ASCII.
        sent = None
    return sent if sent is not None and sent.type == scheme else Authorization(scheme)


def _is_secret(given: str | None, secret: SecretStr) -> bool:
    # Bytes, as text that is not ASCII cannot be compared; in a time that says nothing of the secret.
    return compare_digest((given or "").encode(errors="replace"), secret.get_secret_value().encode())
