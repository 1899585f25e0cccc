"""Send traces to an OpenTelemetry collector. The only module that imports its library."""

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

# A collector that is unavailable must not delay a worker, neither at its work nor at its end.
EXPORT_LIMIT_S = 3.0
EXPORT_EVERY_S = 2.0

# The fields of a request's line that are sent, and their names there. Nothing else is sent: a line also has
# beginnings of ids and a shortened address.
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
    """Send spans by OTLP over HTTP, from a thread that the first request starts.

    Headers for the collector, the sampler and the service's name come from OpenTelemetry's own variables
    (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME and so on).
    """

    def __init__(self, endpoint: str, environment: str) -> None:
        self._url = f"{endpoint.rstrip('/')}/v1/traces"
        self._environment = environment
        self._lock = threading.Lock()
        self._exporter: _Exporter | None = None
        self._provider: TracerProvider | None = None
        # It logs each attempt that fails; we log when it begins to fail and when it works again.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def begin(self, traceparent: str | None) -> Trace:
        """Begin a trace whose first span begins now."""
        # The caller's traceparent is used if it is well formed; tracestate, which is free text, is not.
        carried = {"traceparent": traceparent} if traceparent else {}
        parent = TraceContextTextMapPropagator().extract(carried, context=Context())
        tracer = self._open().get_tracer("ragbot", __version__)
        return _CollectorTrace(tracer, tracer.start_span("request", context=parent, kind=SpanKind.SERVER))

    def close(self) -> None:
        """Send what is queued, within a time limit, and stop."""
        with self._lock:
            if self._exporter and self._provider:
                self._exporter.hurry()
                self._provider.shutdown()

    def _open(self) -> TracerProvider:
        # Not before gunicorn has forked: threads do not survive a fork.
        with self._lock:
            if self._provider is None:
                self._exporter = _Exporter(self._url)
                self._provider = _provider(self._environment, self._exporter)
                # A worker that ends sends what is queued.
                atexit.register(self.close)
            return self._provider


def _provider(environment: str, exporter: SpanExporter) -> TracerProvider:
    ours = {
        "service.name": "ragbot",
        "service.version": __version__,
        "deployment.environment.name": environment,
    }
    # What the operator sets in a variable comes last and wins.
    resource = Resource.create(ours).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_EVERY_S * 1000))
    return provider


class _CollectorTrace:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    def end(self, traced: TracedTurn) -> None:
        ended_at = time.time_ns()
        self._span.update_name(f"{traced.line['method']} {traced.line['route']}")
        for name, attribute in ATTRIBUTES.items():
            if traced.line.get(name) not in (None, "", []):
                self._span.set_attribute(attribute, traced.line[name])
        if traced.failed:
            self._span.set_status(StatusCode.ERROR)
        inside = set_span_in_context(self._span, Context())
        for stage in traced.stages:
            begins, ends = (traced.turn_at + round(s * 1e9) for s in (stage.begins_s, stage.ends_s))
            self._tracer.start_span(stage.name, context=inside, start_time=begins).end(min(ends, ended_at))
        self._span.end(ended_at)


class _Exporter(SpanExporter):
    """Send spans within a time limit, and log only when it begins or ceases to fail."""

    def __init__(self, url: str) -> None:
        self._sender = OTLPSpanExporter(url, timeout=EXPORT_LIMIT_S)
        self._fails = False
        self._ends_at = float("inf")

    def hurry(self) -> None:
        """Limit the time that is left to that of one or two batches."""
        self._ends_at = time.monotonic() + EXPORT_LIMIT_S

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch. It is lost if the collector does not accept it."""
        if time.monotonic() > self._ends_at:
            return SpanExportResult.FAILURE
        result = self._sender.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails != self._fails:
            self._fails = fails
            log.log(
                logging.WARNING if fails else logging.INFO,
                "trace_export_failed" if fails else "trace_export_resumed",
            )
        return result

    def shutdown(self) -> None:
        """Close the connection."""
        self._sender.shutdown()  # type: ignore[no-untyped-call]
