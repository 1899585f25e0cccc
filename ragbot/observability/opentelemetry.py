"""Traces to an OpenTelemetry collector: the only file that imports its library."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping, Sequence

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ragbot.observability.tracing import Trace, TracedTurn
from ragbot.version import __version__

log = structlog.get_logger(__name__)

# A collector that is away must not hold a worker up, neither at its work nor at its end.
EXPORT_LIMIT_S = 3.0
EXPORT_EVERY_S = 2.0

# What of a request's line goes out, and under which name. Nothing else does: a line also has beginnings of
# ids and a shortened address.
ATTRIBUTES: Mapping[str, str] = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "outcome": "ragbot.outcome",
    "mode": "ragbot.mode",
    "cache": "ragbot.cache",
    "degraded": "ragbot.degraded",
    "model": "gen_ai.response.model",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "embedding_tokens": "ragbot.embedding_tokens",
    "cost_usd": "ragbot.cost_usd",
    "error": "error.type",
}


class OpenTelemetryTracing:
    """Sends spans by OTLP over HTTP, from a thread that the first request starts.

    Headers for the collector, the sampler and the service's name come from OpenTelemetry's own variables
    (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME and so on).
    """

    def __init__(self, endpoint: str, environment: str) -> None:
        self._url = f"{endpoint.rstrip('/')}/v1/traces"
        self._environment = environment
        self._opening = threading.Lock()
        self._sending: _Sending | None = None
        self._provider: TracerProvider | None = None
        # It tells of each try that fails; we tell when it begins to fail and when that is over.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def begin(self, traceparent: str | None) -> Trace:
        """A trace whose first span begins now."""
        # What the caller sends is taken if it is well formed; his tracestate, which is free text, is not.
        carried = {"traceparent": traceparent} if traceparent else {}
        parent = TraceContextTextMapPropagator().extract(carried, context=Context())
        tracer = self._opened().get_tracer("ragbot", __version__)
        return _CollectorTrace(tracer, tracer.start_span("request", context=parent, kind=SpanKind.SERVER))

    def close(self) -> None:
        """Send what is there, as far as there is time, and stop."""
        with self._opening:
            if self._sending and self._provider:
                self._sending.hurry()
                self._provider.shutdown()

    def _opened(self) -> TracerProvider:
        # Not before gunicorn has forked: threads do not come along.
        with self._opening:
            if self._provider is None:
                self._sending = _Sending(self._url)
                self._provider = _provider(self._environment, self._sending)
                # A worker that ends sends what it has.
                atexit.register(self.close)
            return self._provider


def _provider(environment: str, sending: SpanExporter) -> TracerProvider:
    ours = {
        "service.name": "ragbot",
        "service.version": __version__,
        "deployment.environment.name": environment,
    }
    # What the operator names in a variable comes last and holds.
    resource = Resource.create(ours).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(sending, schedule_delay_millis=EXPORT_EVERY_S * 1000))
    return provider


class _CollectorTrace:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    def end(self, told: TracedTurn) -> None:
        ended_at = time.time_ns()
        self._span.update_name(f"{told.line['method']} {told.line['route']}")
        for name, attribute in ATTRIBUTES.items():
            if told.line.get(name) not in (None, "", []):
                self._span.set_attribute(attribute, told.line[name])
        if told.failed:
            self._span.set_status(StatusCode.ERROR)
        inside = set_span_in_context(self._span, Context())
        for stage in told.stages:
            begins, ends = (told.turn_at + round(s * 1e9) for s in (stage.begins_s, stage.ends_s))
            self._tracer.start_span(stage.name, context=inside, start_time=begins).end(min(ends, ended_at))
        self._span.end(ended_at)


class _Sending(SpanExporter):
    """Sends within a time limit, and logs changes alone."""

    def __init__(self, url: str) -> None:
        self._sender = OTLPSpanExporter(url, timeout=EXPORT_LIMIT_S)
        self._fails = False
        self._ends_at = float("inf")

    def hurry(self) -> None:
        """From now on there is time for one or two batches."""
        self._ends_at = time.monotonic() + EXPORT_LIMIT_S

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; it is lost if the collector does not take it."""
        if time.monotonic() > self._ends_at:
            return SpanExportResult.FAILURE
        result = self._sender.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails != self._fails:
            self._fails = fails
            log.log(logging.WARNING if fails else logging.INFO, "traces_not_sent" if fails else "traces_sent")
        return result

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._sender.shutdown()  # type: ignore[no-untyped-call]
