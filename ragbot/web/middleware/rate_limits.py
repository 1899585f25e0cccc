"""Limit the rate of calls by address, and report what is left in the headers of every response."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, cast

from flask import Blueprint, Flask, Response, g, request
from flask_limiter import Limiter, RequestLimit
from limits.storage import Storage

from ragbot.config import Settings
from ragbot.storage.keyvalue.rate_counters import FailoverRateCounters, MemoryRateCounters, WindowCount
from ragbot.web.middleware.client_address import caller

# Machines guess passwords; a person does not mistype hers more often than this in a minute.
WRONG_PASSWORDS_PER_MINUTE = 10

# Scopes of limits, which are parts of the counters' names.
QUESTIONS, PASSWORDS, PAGE_QUESTIONS = "questions", "passwords", "page-questions"

SCHEME = "ragbot"
_HEADERS = ("RateLimit", "X-RateLimit")


class LimitsStorageAdapter(Storage):
    """Adapt our counters to Flask-Limiter.

    The counts are kept for the request, so that the headers cost no second call. A call that cannot be
    counted is let through: its count is 0. Attempts at a password are counted in the process then.
    """

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 - the library's own convention

    def __init__(self, uri: str, *, counters: FailoverRateCounters, **_: Any) -> None:
        super().__init__(uri)
        self._counters = counters
        self._in_process = MemoryRateCounters()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Name an exception that is never raised: the library would wrap it."""
        return LookupError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count a call. Returns 0 if it could not be counted."""
        counted = self._counters.count(key, expiry, amount)
        if counted is None and f"/{PASSWORDS}/" in key:
            counted = self._in_process.count(key, expiry, amount)
        _counted_now()[key] = counted
        return counted.hits if counted else 0

    def get(self, key: str) -> int:
        """Return the count that this request's own call got."""
        counted = _counted_now().get(key)
        return counted.hits if counted else 0

    def get_expiry(self, key: str) -> float:
        """Return the end of the window in which this request's own call was counted."""
        counted = _counted_now().get(key)
        return counted.ends_at if counted else time.time()

    def check(self) -> bool:
        """Return True: each call finds out by itself."""
        return True

    def reset(self) -> None:
        """Do nothing: windows are never reset."""

    def clear(self, key: str) -> None:
        """Do nothing: windows end by themselves."""


def limit_calls(
    app: Flask,
    settings: Settings,
    counters: FailoverRateCounters,
    *,
    questions: tuple[Blueprint, ...],
    others: tuple[tuple[Blueprint, ...], ...],
    open_to_pages: tuple[Blueprint, ...],
    behind_password: tuple[Blueprint, ...],
    is_password_right: Callable[[], bool],
    page_session: Callable[[], str | None] | None = None,
) -> None:
    """Apply the rate limits of the settings. A blueprint that is not named has none.

    Blueprints are limited, not views: the framework refuses an invalid body before any view is called, and
    that must count. Each group in `others` shares one limit. CORS preflights are free where other pages may
    call (`open_to_pages`). Blueprints behind a password share a limit of a minute's wrong passwords, which
    holds whatever the settings say and whether or not the store of the counters works; above it the right one
    has to wait too, or guessing would go on. A right one below it counts nothing. Where pages have
    tokens, `page_session` returns the session of the request's token: a minute's questions are counted by it,
    and all of an address against a higher limit.
    """
    limiter = Limiter(
        caller,
        strategy="fixed-window",
        storage_uri=f"{SCHEME}://",
        storage_options=cast("dict[str, str | int]", {"counters": counters}),
        swallow_errors=True,
        headers_enabled=False,
    )
    if settings.rate_limit_enabled:
        _limit_questions(limiter, settings, questions, page_session)
        for group in others:
            per_minute = settings.rate_limit_others_per_minute
            _limit(limiter, group, f"{per_minute}/minute", group[0].name, "requests")
    _limit_guesses(limiter, behind_password, is_password_right)
    free = {blueprint.name for blueprint in open_to_pages}
    # The browser sends a preflight, not the reader.
    limiter.request_filter(lambda: request.method == "OPTIONS" and request.blueprint in free)
    limiter.init_app(app)
    app.after_request(_adding_headers(limiter))


def _limit_guesses(
    limiter: Limiter, behind_password: tuple[Blueprint, ...], is_password_right: Callable[[], bool]
) -> None:
    _limit(
        limiter,
        behind_password,
        f"{WRONG_PASSWORDS_PER_MINUTE}/minute",
        PASSWORDS,
        "wrong passwords",
        exempt_when=_has_no_password,
        cost=lambda: int(not is_password_right()),
    )


def _limit_questions(
    limiter: Limiter,
    settings: Settings,
    questions: tuple[Blueprint, ...],
    page_session: Callable[[], str | None] | None,
) -> None:
    per_minute = settings.rate_limit_queries_per_minute
    per_day = settings.rate_limit_queries_per_day_per_ip
    if page_session is None:
        _limit(limiter, questions, f"{per_minute}/minute;{per_day}/day", QUESTIONS, "questions")
        return
    # The page's own first: a question that it refuses costs the other pages of the address nothing.
    _limit(
        limiter,
        questions,
        f"{per_minute}/minute",
        PAGE_QUESTIONS,
        "questions",
        key=lambda: page_session() or caller(),
    )
    network = settings.rate_limit_queries_per_minute_per_network
    _limit(limiter, questions, f"{network}/minute;{per_day}/day", QUESTIONS, "questions")


def _limit(
    limiter: Limiter,
    blueprints: tuple[Blueprint, ...],
    limit: str,
    scope: str,
    what: str,
    *,
    key: Callable[[], str] = caller,
    exempt_when: Callable[[], bool] | None = None,
    cost: Callable[[], int] | int = 1,
) -> None:
    for blueprint in blueprints:
        limiter.shared_limit(
            limit,
            scope=scope,
            key_func=key,
            exempt_when=exempt_when,
            error_message=_refusal(what),
            cost=cost,
        )(blueprint)


def _has_no_password() -> bool:
    return "Authorization" not in request.headers


def _refusal(what: str) -> Callable[[], str]:
    def sentence() -> str:
        # The limit that was exceeded is the one that counted last.
        exceeded = [counted for counted in _counted_now().values() if counted][-1]
        return f"Too many {what} just now; try again in {wait_of(_seconds_left(exceeded))}."

    return sentence


def wait_of(seconds: int) -> str:
    """Format a wait in seconds, minutes or hours, rounded up."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds > 2 * length:
            return f"{math.ceil(seconds / length)} {unit}s"
    return f"{seconds} second{'s' if seconds != 1 else ''}"


def _seconds_left(counted: WindowCount) -> int:
    return max(1, math.ceil(counted.ends_at - time.time()))


def _counted_now() -> dict[str, WindowCount | None]:
    counts: dict[str, WindowCount | None] = g.setdefault("rate_limit_counts", {})
    return counts


def _adding_headers(limiter: Limiter) -> Callable[[Response], Response]:
    def add_headers(response: Response) -> Response:
        counts = _counted_now()
        # Of the limits that counted, the one that was exceeded or has least left.
        known = [(limit, counted) for limit in limiter.current_limits if (counted := counts.get(limit.key))]
        if known:
            limit, counted = min(known, key=lambda pair: (not pair[0].breached, _left(*pair)))
            reset_s = str(_seconds_left(counted))
            for name in _HEADERS:
                response.headers[f"{name}-Limit"] = str(limit.limit.amount)
                response.headers[f"{name}-Remaining"] = str(_left(limit, counted))
                response.headers[f"{name}-Reset"] = reset_s
            if limit.breached:
                response.headers["Retry-After"] = reset_s
        return response

    return add_headers


def _left(limit: RequestLimit, counted: WindowCount) -> int:
    return max(0, limit.limit.amount - counted.hits)
