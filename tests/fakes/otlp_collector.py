"""Collect OpenTelemetry spans on the loopback, by OTLP over HTTP as protobuf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from harness.loopback import Call, Connection, LoopbackServer


@dataclass(frozen=True)
class Span:
    """A span as it came over the wire. Times are seconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    failed: bool
    begins_s: float
    ends_s: float
    attributes: dict[str, Any]
    resource: dict[str, Any]


class OTLPCollector(LoopbackServer):
    """Answers as the protocol says. `hangs` makes it take requests and never answer."""

    hangs = False

    def respond(self, call: Call, connection: Connection) -> None:
        """Take spans, at the one address for them."""
        if self.hangs:
            connection.pause(None)
        if call.path != "/v1/traces" or call.headers.get("content-type") != "application/x-protobuf":
            connection.reply(404, b"")
            return
        body = ExportTraceServiceResponse().SerializeToString()
        connection.reply(200, body, {"Content-Type": "application/x-protobuf"})

    def spans(self) -> list[Span]:
        """Return all that came so far, in the order in which they ended."""
        return [
            span
            for call in self.calls("/v1/traces")
            for group in ExportTraceServiceRequest.FromString(call.raw).resource_spans
            for scope in group.scope_spans
            for span in (_span(raw, group.resource.attributes) for raw in scope.spans)
        ]

    def raw(self) -> bytes:
        """Everything that was sent, headers and all."""
        return b"".join(call.raw + repr(call.headers).encode() for call in self.calls())


def _span(raw: Any, resource: Any) -> Span:
    return Span(
        name=raw.name,
        trace_id=raw.trace_id.hex(),
        span_id=raw.span_id.hex(),
        parent_id=raw.parent_span_id.hex(),
        kind=raw.kind,
        failed=raw.status.code == 2,
        begins_s=raw.start_time_unix_nano / 1e9,
        ends_s=raw.end_time_unix_nano / 1e9,
        attributes=_plain(raw.attributes),
        resource=_plain(resource),
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
