"""Log one line for each request, and count it, when its last byte has been sent."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import structlog
from flask import Flask, Response, g, request

from ragbot.answering.turns import RunningTurn
from ragbot.core.answers import Status
from ragbot.observability.answer_metrics import stages_ms
from ragbot.observability.metrics import Metrics
from ragbot.observability.tracing import TracedTurn, Tracing, place_stages
from ragbot.server.early_errors import EarlyRefusal
from ragbot.services import current_services
from ragbot.web.middleware.client_address import parsed_address

log = structlog.get_logger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
QUESTIONS = ("/query", "/ask")
STREAM = "text/event-stream"

# Machines call these every few seconds, which would be most of the traces.
UNTRACED = ("/health", "/health/ready", "/metrics")

# Enough to find a session again, too little to open it.
ID_PREFIX_LENGTH = 8
_ID = re.compile(r"[A-Za-z0-9_-]{32}")

# An address without the part that identifies one connection.
_NETWORK_BITS = {4: 24, 6: 48}


def log_requests(app: Flask) -> None:
    """Count and log each request; a stream when it ends, with its outcome."""

    @app.before_request
    def _begin() -> None:
        services = current_services()
        g.request_log = RequestLog(services.metrics, services.tracing)

    @app.after_request
    def _end(response: Response) -> Response:
        request_log: RequestLog | None = g.get("request_log")
        if request_log is not None:
            request_log.error_code = g.get("problem_code")
            request_log.reason = g.get("problem_reason")
            request_log.finish(response)
        return response


def log_turn(running: RunningTurn) -> None:
    """Add this turn to the line of the current request."""
    request_log: RequestLog | None = g.get("request_log")
    if request_log is not None:
        request_log.begin_turn(running)


class RequestLog:
    """Collect what is logged of a request. Needs no app context later: a stream ends outside of one."""

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
            # From here on each line of the request has it.
            structlog.contextvars.bind_contextvars(trace_id=self._trace.trace_id)
        self._status = 0
        self._ended = False
        self._streams = False
        self.sent_bytes = 0
        self.error_code: str | None = None
        self.reason: str | None = None
        self._running: RunningTurn | None = None
        self._turn_at = 0
        self._turn_goes_on = False

    def begin_turn(self, running: RunningTurn) -> None:
        """Note a turn that begins now."""
        self._running, self._turn_at = running, time.time_ns()

    def hand_over_turn(self) -> None:
        """Note that the turn goes on without its reader, unless it has ended. Its end has its own line."""
        running = self._running
        has_ended = running is None or running.turn.replayed or running.ending.ended().persist_ms is not None
        self._turn_goes_on = not has_ended

    def end_turn(self) -> None:
        """Count and log the end of a turn that was handed over."""
        if not self._turn_goes_on:
            return
        fields = self._ended_fields()
        error = fields.get("error")
        if error:
            self._metrics.count("query_errors_total", code=error)
        level = log.warning if error else log.info
        line = {"request_id": self._request_id, "client": self._client, **fields}
        level("unread_answer_ended", **_filled(line))

    def finish(self, response: Response) -> None:
        """Note the status, and log the request now or when its streamed body ends."""
        self._status = response.status_code
        # A body with a length is complete, and as good as sent.
        if response.is_streamed and "Content-Length" not in response.headers:
            self._streams = response.mimetype == STREAM
            if self._streams:
                self._metrics.add("streams_open", 1)
            response.response = _LoggedBody(iter(response.response), self)
            return
        self.sent_bytes = response.content_length or 0
        self.end()

    def end(self) -> None:
        """Count and log the request. A second call does nothing."""
        if self._ended:
            return
        self._ended = True
        if self._streams:
            self._metrics.add("streams_open", -1)
        seconds = time.perf_counter() - self._started
        of_turn = self._turn_fields()
        # The turn knows the cause; the code that the reader gets may be less exact.
        error = of_turn.get("error") or self.error_code
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
            **of_turn,
            "error": error,
            "reason": self.reason,
            "trace_id": self._trace.trace_id if self._trace else None,
        }
        failed = self._status >= 500 or (error is not None and self._status < 400)
        self._end_trace(line, failed=failed)
        level = log.warning if failed else log.info
        level("request", **_filled(line))

    def _count(self, seconds: float, error: str | None) -> None:
        method, endpoint = self._method, self._route
        status = str(self._status)
        self._metrics.count("http_requests_total", method=method, endpoint=endpoint, status=status)
        self._metrics.observe("http_request_duration_seconds", seconds, method=method, endpoint=endpoint)
        if error and self._method == "POST" and self._route in QUESTIONS:
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
        stages = place_stages(stages_ms(ended), ended.answer.latency_ms.total)
        self._trace.end(TracedTurn(line, failed, self._turn_at, stages))

    def _turn_fields(self) -> dict[str, Any]:
        if self._turn_goes_on:
            return {**self._ids(), "outcome": "goes_on"}
        return self._ended_fields()

    def _ids(self) -> dict[str, Any]:
        turn = self._running.turn if self._running else None
        return {"session": _shown(turn.session_id), "message": _shown(turn.message_id)} if turn else {}

    def _ended_fields(self) -> dict[str, Any]:
        if self._running is None:
            return {}
        if self._running.turn.replayed:
            return {**self._ids(), "replayed": True}
        ended = self._running.ending.ended()
        answer = ended.answer
        return {
            **self._ids(),
            # Not closed yet: another thread is interrupting the model, as the reader has left.
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


class _LoggedBody:
    """Pass a streamed body on, count its bytes, and log the request when it ends."""

    def __init__(self, pieces: Iterator[Any], request_log: RequestLog) -> None:
        self._pieces = pieces
        self._request_log = request_log

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            piece = next(self._pieces)
        except BaseException:
            self._request_log.end()
            raise
        self._request_log.sent_bytes += len(piece)
        return piece

    def close(self) -> None:
        try:
            close = getattr(self._pieces, "close", None)
            if close is not None:
                close()
        finally:
            self._request_log.end()


def _filled(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if value not in (None, "", [])}


def log_early_error(metrics: Metrics, refusal: EarlyRefusal) -> None:
    """Count and log a request that gunicorn could not read, so that it never reached the app."""
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
    """Return the /24 network of an IPv4 address, the /48 of an IPv6 address, else an empty text."""
    parsed = parsed_address(address or "")
    if parsed is None:
        return ""
    return str(ip_network((int(parsed), _NETWORK_BITS[parsed.version]), strict=False))


def _shown(identifier: str | None) -> str | None:
    """Return the beginning of an id; None for a text that is no id of ours."""
    if identifier is None or not _ID.fullmatch(identifier):
        return None
    return identifier[:ID_PREFIX_LENGTH]
