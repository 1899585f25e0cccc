"""Limits on blueprints: who asks too often is told so, and everyone what is left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

from flask import Blueprint, Flask, Response, g, request
from flask_limiter import Limiter, RequestLimit
from limits.storage import Storage

from ragbot.config import Settings
from ragbot.storage.keyvalue.rate_counters import MemoryRateCounters, WindowCount
from ragbot.web.middleware.client_address import caller

# Wrong passwords are tried by machines; a person does not open the console more often than this.
PASSWORD_TRIES_PER_MINUTE = 10

PASSWORDS = "passwords"

SCHEME = "ragbot"
_NAMES = ("RateLimit", "X-RateLimit")


class RateCounterStorage(Protocol):
    """What counts a call, or gives None if nothing can count now."""

    def count(self, counter: str, window_s: int, amount: int = 1) -> WindowCount | None:
        """The open window of the counter, with this call in it."""
        ...


class LimitsStorageAdapter(Storage):
    """Flask-Limiter's view of our counters.

    What was counted is kept for the request, so that the headers cost no second look. A call that nobody
    could count goes on: its count is 0. Tries of a password are counted in the process then.
    """

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 - the library's own convention

    def __init__(self, uri: str, *, counters: RateCounterStorage, **_: Any) -> None:
        super().__init__(uri)
        self._counters = counters
        self._in_process = MemoryRateCounters()

    @property
    def base_exceptions(self) -> type[Exception]:
        """None that is to be wrapped."""
        return LookupError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count a call; 0 if it could not be counted."""
        counted = self._counters.count(key, expiry, amount)
        if counted is None and f"/{PASSWORDS}/" in key:
            counted = self._in_process.count(key, expiry, amount)
        _counted_now()[key] = counted
        return counted.hits if counted else 0

    def get(self, key: str) -> int:
        """What this request's own call was told."""
        counted = _counted_now().get(key)
        return counted.hits if counted else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends that this request's own call was counted in."""
        counted = _counted_now().get(key)
        return counted.ends_at if counted else time.time()

    def check(self) -> bool:
        """Say yes: each call finds out for itself."""
        return True

    def reset(self) -> None:
        """Do nothing: nobody resets all windows."""

    def clear(self, key: str) -> None:
        """Do nothing: windows end by themselves."""


def limit_calls(
    app: Flask,
    settings: Settings,
    counters: RateCounterStorage,
    *,
    questions: Blueprint,
    others: tuple[tuple[Blueprint, ...], ...],
    open_to_pages: tuple[Blueprint, ...],
    behind_password: tuple[Blueprint, ...],
) -> None:
    """Hold callers to the settings' quotas. A blueprint that is not named has none.

    Blueprints are limited, not views: the framework refuses a bad body before any view is called, and that
    has to count. Those of `others` that stand together share one quota. Preflights are free where other
    pages may call (`open_to_pages`). A blueprint behind a password counts tries of one in a quota of their
    own, which holds whatever the settings say and whether or not the store of the counters is well.
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
        asked = settings.rate_limit_queries_per_minute, settings.rate_limit_queries_per_day_per_ip
        limiter.shared_limit("{}/minute;{}/day".format(*asked), scope="questions")(questions)
        for together in others:
            limit = f"{settings.rate_limit_others_per_minute}/minute"
            for blueprint in together:
                limiter.shared_limit(limit, scope=together[0].name)(blueprint)
    for blueprint in behind_password:
        limit = f"{PASSWORD_TRIES_PER_MINUTE}/minute"
        limiter.shared_limit(limit, scope=PASSWORDS, exempt_when=_tries_no_password)(blueprint)
    free = {blueprint.name for blueprint in open_to_pages}
    # A browser sends it, not the reader.
    limiter.request_filter(lambda: request.method == "OPTIONS" and request.blueprint in free)
    limiter.init_app(app)
    app.after_request(_telling(limiter))


def _tries_no_password() -> bool:
    return "Authorization" not in request.headers


def _counted_now() -> dict[str, WindowCount | None]:
    counts: dict[str, WindowCount | None] = g.setdefault("quota_counts", {})
    return counts


def _telling(limiter: Limiter) -> Callable[[Response], Response]:
    def tell(response: Response) -> Response:
        """Put what is left of the tightest quota on the response."""
        counts = _counted_now()
        known = [(limit, counted) for limit in limiter.current_limits if (counted := counts.get(limit.key))]
        if known:
            limit, counted = min(known, key=lambda pair: (not pair[0].breached, _left(*pair)))
            reset_s = str(max(1, math.ceil(counted.ends_at - time.time())))
            for name in _NAMES:
                response.headers[f"{name}-Limit"] = str(limit.limit.amount)
                response.headers[f"{name}-Remaining"] = str(_left(limit, counted))
                response.headers[f"{name}-Reset"] = reset_s
            if limit.breached:
                response.headers["Retry-After"] = reset_s
        return response

    return tell


def _left(limit: RequestLimit, counted: WindowCount) -> int:
    return max(0, limit.limit.amount - counted.hits)
