"""Give pages short-lived signed tokens, and refuse questions without one."""

from __future__ import annotations

import secrets
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, g, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.exceptions import HTTPException

from ragbot.config import Settings
from ragbot.services import current_services
from ragbot.web.errors import OriginNotAllowed, WidgetTokenRequired
from ragbot.web.middleware.requests import body_timeout

HEADER = "X-Ragbot-Token"
# The hidden field of a form, which cannot send a header, and whose Origin depends on the referrer policy. No
# page has this origin.
FIELD, FORM = "token", "form"

CONSOLE_COOKIE = "ragbot_console"
# An operator loads the console again after a night.
CONSOLE_HOURS = 12


class WidgetTokens:
    """Sign and check tokens. A token holds the origin of its page, and a session to count questions by."""

    def __init__(self, secret: str, lifetime_s: int) -> None:
        self.lifetime_s = lifetime_s
        self._pages = URLSafeTimedSerializer(secret, salt="ragbot.widget-token")
        self._console = URLSafeTimedSerializer(secret, salt="ragbot.console")

    def issue(self, origin: str, session: str | None = None) -> str:
        """Return a token for a page of the origin, in a new session if none is given."""
        token = self._pages.dumps([origin, session or secrets.token_urlsafe(12)])
        return token if isinstance(token, str) else token.decode()

    def session_of(self, token: str, origin: str) -> str | None:
        """Return the session of a token; None for one that is expired, forged, or of another origin."""
        try:
            held, session = self._pages.loads(token, max_age=self.lifetime_s)
        except (BadData, ValueError, TypeError):
            return None
        return str(session) if held == origin else None

    def issue_for_console(self) -> str:
        """Return the value of the console's cookie."""
        value = self._console.dumps("console")
        return value if isinstance(value, str) else value.decode()

    def is_of_console(self, value: str) -> bool:
        """Return whether a cookie's value was issued for the console and is not too old."""
        try:
            return bool(self._console.loads(value, max_age=CONSOLE_HOURS * 3600))
        except BadData:
            return False


def widget_tokens(settings: Settings) -> WidgetTokens | None:
    """Return the tokens of these settings; None if questions need none."""
    if not settings.widget_token_minutes or settings.secret_key is None:
        return None
    return _tokens(settings.secret_key.get_secret_value(), settings.widget_token_minutes * 60)


@lru_cache(8)
def _tokens(secret: str, lifetime_s: int) -> WidgetTokens:
    return WidgetTokens(secret, lifetime_s)


def require_widget_tokens(app: Flask, *, questions: tuple[Blueprint, ...]) -> None:
    """Refuse calls of these blueprints without a token, where tokens are on.

    Call this after `limit_calls`, so that whoever tries tokens is counted by address, and after
    `refuse_large_bodies`. The console has its own password, and a cookie that says so.
    """
    names = {blueprint.name for blueprint in questions}

    @app.before_request
    def _require() -> None:
        if request.blueprint not in names or request.method == "OPTIONS":
            return
        tokens = widget_tokens(current_services().settings)
        if tokens is None or page_session() is not None:
            return
        if not tokens.is_of_console(request.cookies.get(CONSOLE_COOKIE, "")):
            raise WidgetTokenRequired


def page_session() -> str | None:
    """Return the session of the current request's token; None without a valid one."""
    if "page_session" not in g:
        tokens = widget_tokens(current_services().settings)
        g.page_session = _session(tokens) if tokens else None
    session: str | None = g.page_session
    return session


def _session(tokens: WidgetTokens) -> str | None:
    if token := request.headers.get(HEADER):
        return tokens.session_of(token, sent_origin())
    return tokens.session_of(_in_form(), FORM)


def _in_form() -> str:
    if request.mimetype != "application/x-www-form-urlencoded":
        return ""
    try:
        with body_timeout(request.environ):
            return request.form.get(FIELD, "")
    except (HTTPException, OSError):
        # A body that is too large or broken has no token: the call counts, and is refused.
        return ""


def sent_origin() -> str:
    """Return the origin of the page that calls, as browsers write it; "" if the caller names none."""
    return request.headers.get("Origin", "").lower()


def allowed_origin() -> str:
    """Return the origin of the page that calls. Raises OriginNotAllowed unless it is ours or is allowed."""
    origin = sent_origin()
    allowed = current_services().settings.allowed_origins
    if origin and (origin in allowed or "*" in allowed or _is_ours(origin)):
        return origin
    raise OriginNotAllowed


def _is_ours(origin: str) -> bool:
    # Not the scheme: a proxy that ends TLS may not tell of it.
    try:
        return urlsplit(origin).netloc == request.host.lower()
    except ValueError:
        return False


def admit_console(response: Response) -> None:
    """Let the console that this response shows ask without a token, where tokens are on."""
    if (tokens := widget_tokens(current_services().settings)) is None:
        return
    response.set_cookie(
        CONSOLE_COOKIE,
        tokens.issue_for_console(),
        max_age=CONSOLE_HOURS * 3600,
        path=f"{request.script_root}/",
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
