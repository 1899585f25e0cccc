"""Call OpenAI, or a compatible server, with retries, time limits and errors of our own."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from ragbot.core.deadline import Deadline
from ragbot.core.errors import (
    AnswerEmpty,
    ContentFiltered,
    ContextOverflow,
    ProviderError,
    ProviderReason,
    ProviderRejected,
    ProviderUnavailable,
    RequestRejected,
)
from ragbot.core.ports import SharedState
from ragbot.providers.openai.dialect import DialectMemory, first_guess, state_name
from ragbot.providers.openai.http_client import (
    Address,
    CallFailed,
    CallTimedOut,
    HTTPClient,
    Request,
    Response,
    ResponseRefused,
)
from ragbot.providers.openai.interruptible_http import InterruptibleConnection
from ragbot.providers.openai.refusal_reasons import Refusal, RefusalKind, refusal_of
from ragbot.providers.openai.stream import LONGEST_BODY, RefusedInStream
from ragbot.version import __version__

T = TypeVar("T")

# A call is not retried if the provider asks for a longer pause: the next model answers sooner.
LONGEST_PAUSE_S = 2.0
# A book has no next model, and nobody waits for its vectors: they wait for a busy server so often, for so
# long at most, and twice as long each time where it does not say how long.
MOST_WAITS = 5
LONGEST_WAIT_S = 90.0
FIRST_WAIT_S = 2.0
# The pause before a retry if the provider names none; the jitter keeps callers from retrying all at once.
PAUSE_S = 0.25
JITTER_S = 0.25

OPENAI_URL = "https://api.openai.com/v1"

# Statuses of failures that may pass, besides those of 500 and more.
_PASSING = (408, 409, 429)
# Statuses of a server that has no time now.
_BUSY = (429, 503)
# Statuses that blame this request: another one may succeed.
_OF_THIS_REQUEST = (400, 413, 422)


@dataclass(frozen=True, slots=True)
class OpenAIAccess:
    """Describe how to reach the provider. `base_url` None means OpenAI itself.

    `organization` and `project` name the account that pays, where a key has several.
    """

    api_key: str
    base_url: str | None
    connect_timeout_s: float
    max_retries: int
    organization: str = ""
    project: str = ""


class OpenAIClient:
    """Send requests to the provider, over connections that all threads share. Safe to call from several.

    (Calls that are made for each answer do without the SDK: decision 021.)
    """

    def __init__(self, access: OpenAIAccess, states: SharedState | None = None) -> None:
        """Share what is learnt about servers by `states`; without, it stays in this process."""
        self.access = access
        self._states = states
        self._http = HTTPClient()
        self._headers = {
            "Accept": "application/json",
            # Compressing would hold words back.
            "Accept-Encoding": "identity",
            "User-Agent": f"ragbot/{__version__}",
        }
        account = {
            "Authorization": f"Bearer {access.api_key}",
            "OpenAI-Organization": access.organization,
            "OpenAI-Project": access.project,
        }
        self._private = {name: text for name, text in account.items() if text}
        # Held by the call of a book that waits for a busy server.
        self._turn = threading.Lock()
        self._gave_up_at = float("-inf")

    def dialect_of(self, model: str) -> DialectMemory:
        """Return what is known about a model's server."""
        return DialectMemory(state_name(self.access.base_url or "", model), first_guess(model), self._states)

    def refusal(self, error: Exception) -> Refusal | None:
        """Return what the server said against a request; None where it did not answer it."""
        if isinstance(error, RefusedInStream):
            return error.refusal
        if isinstance(error, ResponseRefused):
            return refusal_of(error.status, error.body, secret=self.access.api_key)
        return None

    def post(self, path: str, body: dict[str, Any], wire: InterruptibleConnection) -> Response:
        """Send a JSON body and return the response, which the caller closes.

        Raises ResponseRefused, CallTimedOut or CallFailed; `translated` makes them errors of ours.
        """
        headers = {**self._headers, "Content-Type": "application/json"}
        request = Request(
            "POST", _address(self.access.base_url, path), headers, self._private, _encoded(body)
        )
        return self._http.send(request, wire, connect_timeout_s=self.access.connect_timeout_s)

    def get(self, path: str, wire: InterruptibleConnection) -> bytes:
        """Return what is at a path. Raises as `post` does."""
        request = Request("GET", _address(self.access.base_url, path), self._headers, self._private)
        with self._http.send(request, wire, connect_timeout_s=self.access.connect_timeout_s) as response:
            return response.read(LONGEST_BODY)

    def close(self) -> None:
        """Close the connections that are kept; a later call opens one again."""
        self._http.close()

    @contextmanager
    def wire(self, limit_s: float, deadline: Deadline | None) -> Iterator[InterruptibleConnection]:
        """Yield a connection for one call that is shut down when the deadline passes or the reader leaves."""
        wire = InterruptibleConnection(limit_s)
        with nullcontext() if deadline is None else deadline.interrupting(wire.shut_down):
            yield wire

    def call(self, attempt: Callable[[], T], deadline: Deadline | None, *, single_try: bool = False) -> T:
        """Call `attempt` and return its result; retry temporary failures within the deadline.

        With `single_try` there is no retry; without a deadline, as for a book, a busy server is waited for.
        Raises ProviderUnavailable or ProviderRejected, and DeadlineExceeded or Cancelled if the deadline
        itself has ended.
        """
        has_time = deadline is None and not single_try
        for tries_left in range(0 if single_try else self.access.max_retries, -1, -1):
            if deadline is not None:
                deadline.check()
            try:
                return self._waiting_while_busy(attempt) if has_time else attempt()
            except Exception as error:
                if deadline is not None:
                    deadline.check()
                failure = self.translated(error)
                pause_s = _pause_s(error)
                too_late = deadline is not None and pause_s >= deadline.left_s() / 2
                may_pass = failure.retryable and _may_pass(error, failure.reason)
                if has_time and failure.reason.status in _BUSY:
                    may_pass = False
                if not tries_left or not may_pass or pause_s > LONGEST_PAUSE_S or too_late:
                    # What a provider says with a status may quote the key: it stays out of tracebacks too.
                    raise failure from (None if isinstance(error, ResponseRefused) else error)
            _wait(pause_s, deadline)
        raise AssertionError("unreachable")

    def _waiting_while_busy(self, attempt: Callable[[], T]) -> T:
        """Call `attempt`; where the server is busy, wait and ask again.

        No other call of a book asks meanwhile: it would use up what becomes free.
        """
        with self._turn:
            pass
        try:
            return attempt()
        except ResponseRefused as error:
            if not self._is_busy(error):
                raise
            busy, since = error, time.monotonic()
        with self._turn:
            for waits in range(MOST_WAITS):
                pause_s = _pause_s(busy, FIRST_WAIT_S * 2**waits)
                if not self._is_busy(busy) or pause_s > LONGEST_WAIT_S or self._gave_up_at > since:
                    raise busy
                _wait(since + pause_s - time.monotonic(), None)
                try:
                    return attempt()
                except ResponseRefused as error:
                    busy, since = error, time.monotonic()
            self._gave_up_at = since
            raise busy

    def _is_busy(self, error: ResponseRefused) -> bool:
        return error.status in _BUSY and _may_pass(error, self.translated(error).reason)

    def translated(self, error: Exception) -> ProviderError:
        """Return a wire's or a parser's error as ours; its text stays behind, for it may quote the key."""
        if isinstance(error, ProviderError):
            return error
        refusal = self.refusal(error)
        if refusal is not None:
            return _failure_of(refusal)
        kind = type(error).__name__
        return ProviderUnavailable(f"The provider cannot be asked now ({kind}).", ProviderReason(type=kind))


@lru_cache(maxsize=64)
def _address(base_url: str | None, path: str) -> Address:
    # Behind a question mark stands what goes with each request, such as Azure's `api-version`.
    base, mark, query = (base_url or OPENAI_URL).partition("?")
    return Address.of(f"{base.rstrip('/')}{path}{mark}{query}")


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        # A lone surrogate, which JSON can write and UTF-8 cannot.
        return json.dumps(body).encode()


def _failure_of(refusal: Refusal) -> ProviderError:
    """Return a refusal as one of ours, by its kind and then by its status."""
    reason = refusal.reason
    status = reason.status
    said = f" ({reason})" if str(reason) else ""
    if refusal.kind is RefusalKind.FILTER and status not in (401, 429):
        return ContentFiltered(f"The provider's filter stopped this question{said}.", reason)
    if refusal.kind is RefusalKind.OVERFLOW and status not in (401, 403, 404, 429):
        return ContextOverflow(f"The prompt is longer than the model's context{said}.", reason)
    if status in _OF_THIS_REQUEST and refusal.kind is not RefusalKind.ACCESS:
        return RequestRejected(f"The provider refused this request{said}.", reason)
    if 400 <= status < 500 and status not in (408, 409, 429):
        return ProviderRejected(f"The provider refused the request{said}.", reason)
    return ProviderUnavailable(f"The provider failed{said}.", reason)


def _may_pass(error: Exception, reason: ProviderReason) -> bool:
    """Return whether a failure is temporary. A call that timed out is not retried: its time is used up."""
    if isinstance(error, CallTimedOut) or reason.code == "insufficient_quota":
        return False
    if isinstance(error, ResponseRefused):
        return error.status >= 500 or error.status in _PASSING
    return isinstance(error, (CallFailed, AnswerEmpty, ProviderUnavailable, RefusedInStream))


def _wait(seconds: float, deadline: Deadline | None) -> None:
    """Sleep for so many seconds, or until the deadline ends."""
    woken = threading.Event()
    with nullcontext() if deadline is None else deadline.interrupting(woken.set):
        woken.wait(seconds)


def _pause_s(error: Exception, otherwise_s: float = PAUSE_S) -> float:
    """Return the seconds to wait before a retry: the provider's Retry-After, or others, plus jitter.

    A date is far away: infinity.
    """
    asked = error.retry_after if isinstance(error, ResponseRefused) else None
    try:
        base_s = max(0.0, float(asked)) if asked else otherwise_s
    except ValueError:
        return float("inf")
    return base_s + random.uniform(0, JITTER_S)  # noqa: S311 - spreads callers, guards nothing
