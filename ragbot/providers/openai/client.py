"""Call OpenAI, or a compatible server, with retries, time limits and errors of our own."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import httpx2

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
from ragbot.providers.openai.http_transport import HTTPClientTransport
from ragbot.providers.openai.interruptible_http import InterruptibleConnection
from ragbot.providers.openai.refusals import Refusal, RefusalKind, refusal_of
from ragbot.providers.openai.stream import RefusedInStream

T = TypeVar("T")

# A call is not retried if the provider asks for a longer pause: the next model answers sooner.
LONGEST_PAUSE_S = 2.0
# The pause before a retry if the provider names none; the jitter keeps callers from retrying all at once.
PAUSE_S = 0.25
JITTER_S = 0.25

# Statuses that blame this request: another one may succeed.
_OF_THIS_REQUEST = (400, 413, 422)


@dataclass(frozen=True, slots=True)
class OpenAIAccess:
    """Describe how to reach the provider. `base_url` None means OpenAI itself."""

    api_key: str
    base_url: str | None
    connect_timeout_s: float
    max_retries: int


class OpenAIClient:
    """Share one SDK client between all threads, created on first use. Safe to call from several threads."""

    def __init__(self, access: OpenAIAccess, states: SharedState | None = None) -> None:
        """Share what is learnt about servers by `states`; without, it stays in this process."""
        self._access = access
        self._states = states
        self._lock = threading.Lock()
        self._opened: Any = None

    @property
    def secret(self) -> str:
        """Return the key, for those who keep it out of logs."""
        return self._access.api_key

    def dialect_of(self, model: str) -> DialectMemory:
        """Return what is known about a model's server."""
        return DialectMemory(state_name(self._access.base_url or "", model), first_guess(model), self._states)

    def refusal(self, error: Exception) -> Refusal | None:
        """Return what the server said against a request; None where it did not answer it."""
        if isinstance(error, RefusedInStream):
            return error.refusal
        return _refusal(error, self.secret)

    @property
    def sdk(self) -> Any:
        """Return the SDK's client. It never retries by itself: `call` does."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def timeout(self, read_s: float) -> httpx2.Timeout:
        """Return the time limits of one call: to connect, and between two bytes."""
        connect = min(self._access.connect_timeout_s, read_s)
        return httpx2.Timeout(read_s, connect=connect, pool=connect)

    @contextmanager
    def wire(self, limit_s: float, deadline: Deadline | None) -> Iterator[InterruptibleConnection]:
        """Yield a connection for one call that is shut down when the deadline passes or the reader leaves."""
        wire = InterruptibleConnection(limit_s)
        with nullcontext() if deadline is None else deadline.interrupting(wire.shut_down):
            yield wire

    def call(self, attempt: Callable[[], T], deadline: Deadline | None, *, single_try: bool = False) -> T:
        """Call `attempt` and return its result; retry temporary failures within the deadline.

        With `single_try` there is no retry. Raises ProviderUnavailable or ProviderRejected, and
        DeadlineExceeded or Cancelled if the deadline itself has ended.
        """
        for tries_left in range(0 if single_try else self._access.max_retries, -1, -1):
            if deadline is not None:
                deadline.check()
            try:
                return attempt()
            except Exception as error:
                if deadline is not None:
                    deadline.check()
                failure = self.translated(error)
                pause_s = _pause_s(error)
                too_late = deadline is not None and pause_s >= deadline.left_s() / 2
                may_pass = failure.retryable and _may_pass(error)
                if not tries_left or not may_pass or pause_s > LONGEST_PAUSE_S or too_late:
                    # What a provider says with a status may quote the key: it stays out of tracebacks too.
                    raise failure from (None if hasattr(error, "status_code") else error)
            _wait(pause_s, deadline)
        raise AssertionError("unreachable")

    def translated(self, error: Exception) -> ProviderError:
        """Return an SDK's or a parser's error as ours; its text stays behind, for it may quote the key."""
        if isinstance(error, ProviderError):
            return error
        refusal = self.refusal(error)
        if refusal is not None:
            return _failure_of(refusal)
        kind = type(error).__name__
        return ProviderUnavailable(f"The provider cannot be asked now ({kind}).", ProviderReason(type=kind))

    def _open(self) -> Any:
        # Importing the SDK takes 0.8 s, which a service without a key saves.
        import openai

        http_client = httpx2.Client(
            transport=HTTPClientTransport(),
            timeout=self.timeout(30),
            follow_redirects=True,
        )
        address, _, query = (self._access.base_url or "").partition("?")
        return openai.OpenAI(
            api_key=self._access.api_key,
            base_url=address or None,
            # Such as Azure's `api-version`.
            default_query=dict(parse_qsl(query)),
            max_retries=0,
            http_client=http_client,
        )


def _refusal(error: Exception, secret: str) -> Refusal | None:
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return None
    try:
        body: bytes = error.response.content  # type: ignore[attr-defined]
    except (AttributeError, httpx2.StreamError):
        body = b""
    return refusal_of(status, body, secret=secret)


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


def _may_pass(error: Exception) -> bool:
    """Return whether a failure is temporary. A call that timed out is not retried: its time is used up."""
    import openai

    if isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException)):
        return False
    if isinstance(error, openai.RateLimitError):
        return getattr(error, "code", None) != "insufficient_quota"
    # A failure inside a body is raised as the HTTP client's own error.
    passing = (
        openai.APIConnectionError,
        openai.InternalServerError,
        httpx2.TransportError,
        AnswerEmpty,
        ProviderUnavailable,
        RefusedInStream,
    )
    return isinstance(error, passing)


def _wait(seconds: float, deadline: Deadline | None) -> None:
    """Sleep for so many seconds, or until the deadline ends."""
    woken = threading.Event()
    with nullcontext() if deadline is None else deadline.interrupting(woken.set):
        woken.wait(seconds)


def _pause_s(error: Exception) -> float:
    """Return the seconds to wait before a retry: the provider's Retry-After or `PAUSE_S`, plus jitter."""
    response = getattr(error, "response", None)
    asked = response.headers.get("retry-after") if response is not None else None
    try:
        base = max(0.0, float(asked)) if asked else PAUSE_S
    except ValueError:
        # A date is too far in the future for a reader.
        return LONGEST_PAUSE_S + 1
    return base + random.uniform(0, JITTER_S)  # noqa: S311 - spreads callers, guards nothing
