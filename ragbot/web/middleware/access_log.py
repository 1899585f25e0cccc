"""Every request to one line in the log and to its numbers, when its last byte has gone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_network
from typing import Any

import structlog
from flask import Flask, Response, g, request

from ragbot.answering.turns import RunningTurn
from ragbot.core.domain import Status
from ragbot.observability.answer_metrics import stages_ms
from ragbot.observability.metrics import Metrics
from ragbot.observability.tracing import TracedTurn, Tracing, placed
from ragbot.server.early_errors import Refusal
from ragbot.services import current_services
from ragbot.web.middleware.client_address import parsed_address

log = structlog.get_logger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
QUESTIONS = "/query"
STREAM = "text/event-stream"

# Asked every few seconds by machines, which would be most of what is traced.
UNTRACED = ("/health", "/health/ready", "/metrics")

# Enough to find a talk again, too little to open it.
SHOWN_OF_ID = 8
_ID = re.compile(r"[A-Za-z0-9_-]{32}")

# An address without the part that tells one household from another.
_KEPT_OF_ADDRESS = {4: 24, 6: 48}


def log_requests(app: Flask) -> None:
    """Count and log each request; a stream when it ends, with how it ended."""

    @app.before_request
    def _begin() -> None:
        services = current_services()
        g.watched = RequestLog(services.metrics, services.tracing)

    @app.after_request
    def _end(response: Response) -> Response:
        watched: RequestLog | None = g.get("watched")
        if watched is not None:
            watched.error_code = g.get("problem_code")
            watched.answered(response)
        return response


def log_turn(running: RunningTurn) -> None:
    """Have the current request's line tell of this turn."""
    watched: RequestLog | None = g.get("watched")
    if watched is not None:
        watched.began(running)


class RequestLog:
    """A request under way. Needs no app once it is made: a stream ends outside of one."""

    def __init__(self, metrics: Metrics, tracing: Tracing) -> None:
        rule = request.url_rule
        self._metrics = metrics
        self._started = time.perf_counter()
        self._request_id = g.request_id
        self._method = request.method if request.method in METHODS else "OTHER"
        self._route = rule.rule if rule else "none"
        self._client = shortened(request.remote_addr)
        self._session = (request.view_args or {}).get("session_id")
        self._trace = None if self._route in UNTRACED else tracing.begin(request.headers.get("traceparent"))
        if self._trace:
            # From here on each line of the request has it, and its last one.
            structlog.contextvars.bind_contextvars(trace_id=self._trace.trace_id)
        self._status = 0
        self._ended = False
        self._streams = False
        self.sent_bytes = 0
        self.error_code: str | None = None
        self._running: RunningTurn | None = None
        self._turn_at = 0

    def began(self, running: RunningTurn) -> None:
        """Note a turn that begins now."""
        self._running, self._turn_at = running, time.time_ns()

    def answered(self, response: Response) -> None:
        """Note the status; the rest now, or when a streamed body ends."""
        self._status = response.status_code
        # What tells its length lies ready, and is as good as sent.
        if response.is_streamed and "Content-Length" not in response.headers:
            self._streams = response.mimetype == STREAM
            if self._streams:
                self._metrics.add("streams_open", 1)
            response.response = _Body(iter(response.response), self)
            return
        self.sent_bytes = response.content_length or 0
        self.end()

    def end(self) -> None:
        """Count and log it. Twice is once."""
        if self._ended:
            return
        self._ended = True
        if self._streams:
            self._metrics.add("streams_open", -1)
        seconds = time.perf_counter() - self._started
        told = self._told_of_turn()
        # The turn knows its own cause; what the reader is told may be less exact.
        error = told.get("error") or self.error_code
        self._count(seconds, error)
        line = {
            "request_id": self._request_id,
            "method": self._method,
            "route": self._route,
            "status": self._status,
            "latency_ms": round(seconds * 1000, 1),
            "bytes": self.sent_bytes,
            "client": self._client,
            "session": _shown(self._session),
            **told,
            "error": error,
            "trace_id": self._trace.trace_id if self._trace else None,
        }
        failed = self._status >= 500 or (error is not None and self._status < 400)
        self._end_trace(line, failed=failed)
        level = log.warning if failed else log.info
        level("request", **{name: value for name, value in line.items() if value not in (None, "", [])})

    def _count(self, seconds: float, error: str | None) -> None:
        method, endpoint = self._method, self._route
        status = str(self._status)
        self._metrics.count("http_requests_total", method=method, endpoint=endpoint, status=status)
        self._metrics.observe("http_request_duration_seconds", seconds, method=method, endpoint=endpoint)
        if error and self._route == QUESTIONS:
            self._metrics.count("query_errors_total", code=error)
        if self._status == 429:
            self._metrics.count("limiter_refusals_total")
        self._metrics.sample()

    def _end_trace(self, line: dict[str, Any], *, failed: bool) -> None:
        if self._trace is None:
            return
        if self._running is None or self._running.turn.replayed:
            self._trace.end(TracedTurn(line, failed))
            return
        ended = self._running.ending.ended()
        stages = placed(stages_ms(ended), ended.answer.latency_ms.total)
        self._trace.end(TracedTurn(line, failed, self._turn_at, stages))

    def _told_of_turn(self) -> dict[str, Any]:
        if self._running is None:
            return {}
        turn = self._running.turn
        told: dict[str, Any] = {"session": _shown(turn.session_id), "message": _shown(turn.message_id)}
        if turn.replayed:
            return {**told, "replayed": True}
        ended = self._running.ending.ended()
        answer = ended.answer
        return {
            **told,
            # Not closed yet: its model is being hung up on in another thread, for the reader has left.
            "outcome": "stopped" if ended.persist_ms is None else str(answer.status),
            "mode": str(answer.mode),
            "model": answer.model,
            "cache": answer.cache if answer.status in (Status.ANSWERED, Status.REFUSED) else None,
            "degraded": [str(kind) for kind in answer.degraded],
            "embedding_tokens": answer.usage.embedding_tokens or None,
            "input_tokens": answer.usage.input_tokens or None,
            "output_tokens": answer.usage.output_tokens or None,
            "cost_usd": answer.usage.cost_usd,
            **{f"{stage}_ms": round(taken, 1) for stage, taken in stages_ms(ended).items()},
            "error": ended.error_code if answer.status is Status.FAILED else None,
        }


class _Body:
    """A streamed body that is counted as it goes and closed with what it came from."""

    def __init__(self, pieces: Iterator[Any], watched: RequestLog) -> None:
        self._pieces = pieces
        self._watched = watched

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            piece = next(self._pieces)
        except BaseException:
            self._watched.end()
            raise
        self._watched.sent_bytes += len(piece)
        return piece

    def close(self) -> None:
        try:
            close = getattr(self._pieces, "close", None)
            if close is not None:
                close()
        finally:
            self._watched.end()


def note_unread(metrics: Metrics, refusal: Refusal) -> None:
    """Count and log a request that no app has seen, for gunicorn could not read it."""
    metrics.count("http_requests_total", method="OTHER", endpoint="none", status=str(refusal.status))
    log.info(
        "request",
        request_id=refusal.request_id,
        status=refusal.status,
        bytes=refusal.sent_bytes,
        client=shortened(refusal.address),
        error=refusal.code,
    )


def shortened(address: str | None) -> str:
    """An address's network: an IPv4 address's /24, an IPv6 address's /48; empty for what is neither."""
    parsed = parsed_address(address or "")
    if parsed is None:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ip_network((int(parsed), _KEPT_OF_ADDRESS[parsed.version]), strict=False))


def _shown(identifier: str | None) -> str | None:
    """The beginning of an id; nothing of what only stands in its place."""
    if identifier is None or not _ID.fullmatch(identifier):
        return None
    return identifier[:SHOWN_OF_ID]
