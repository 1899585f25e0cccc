"""Test what a trace has, what it never has, and that no request waits for a collector."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

from ragbot.observability import opentelemetry as collector_module
from ragbot.observability.tracing import NoTracing, Stage, place_stages
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.otlp_collector import OTLPCollector, Span
from tests.fakes.parts import ScriptedGenerator, WordCountEmbedder

pytestmark = pytest.mark.sqlite_is_enough

QUESTION = {"query": "How long is the cheddar ripened?"}
KEY = "sk-a-key-that-must-not-be-seen"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SERVER, INTERNAL = 2, 1


@pytest.fixture
def collector() -> Iterator[OTLPCollector]:
    """Yield a collector that takes everything."""
    with OTLPCollector() as collector:
        yield collector


@pytest.fixture
def traced(make_app: AppMaker, collector: OTLPCollector) -> Callable[[], FlaskClient]:
    """Make a caller of an app that knows the three-chapter book and sends its traces to the collector.

    From then on standard output is its log.
    """

    def make() -> FlaskClient:
        app = make_app(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OPENAI_API_KEY": KEY},
            embedder=WordCountEmbedder(),
            generator=ScriptedGenerator("Nine ", "months [1]."),
        )
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        return app.test_client()

    return make


def spans_of(client: FlaskClient, collector: OTLPCollector) -> list[Span]:
    """Return what was sent, once all is sent."""
    services_of(client.application).tracing.close()
    return collector.spans()


def root_of(spans: list[Span]) -> Span:
    (root,) = [span for span in spans if span.kind == SERVER]
    return root


def lines_of(text: str) -> list[dict]:
    return [line for line in map(json.loads, text.splitlines()) if line["event"] == "request"]


@pytest.mark.parametrize("stream", [False, True])
def test_question_is_a_span_and_each_of_its_stages_one_inside(traced, collector, capsys, stream) -> None:
    """Where the time went, on one picture with what the caller did before."""
    client = traced()
    with client.post("/query", json={**QUESTION, "stream": stream}) as reply:
        reply.get_data()

    spans = spans_of(client, collector)
    (line,) = lines_of(capsys.readouterr().out)
    root = root_of(spans)
    stages = {span.name: span for span in spans if span is not root}
    assert (root.name, root.parent_id, root.failed) == ("POST /query", "", False)
    assert set(stages) == {"embed", "search", "first_token", "generate", "persist"}
    assert {(stage.trace_id, stage.parent_id, stage.kind) for stage in stages.values()} == {
        (root.trace_id, root.span_id, INTERNAL)
    }
    for name, stage in stages.items():
        assert root.begins_s <= stage.begins_s <= stage.ends_s <= root.ends_s
        assert (stage.ends_s - stage.begins_s) * 1000 == pytest.approx(line[f"{name}_ms"], abs=0.06)
    assert stages["embed"].ends_s <= stages["search"].begins_s + 1e-6
    assert stages["search"].ends_s <= stages["generate"].begins_s + 1e-6
    assert stages["generate"].ends_s <= stages["persist"].begins_s + 1e-6
    assert (root.ends_s - root.begins_s) * 1000 == pytest.approx(line["latency_ms"], abs=300)
    assert line["trace_id"] == root.trace_id


def test_trace_tells_the_outcome_under_the_names_of_the_convention(traced, collector) -> None:
    """What dashboards of others know to read."""
    client = traced()
    client.post("/query", json=QUESTION)

    root = root_of(spans_of(client, collector))

    told = root.attributes
    assert (told["http.request.method"], told["http.route"]) == ("POST", "/query")
    assert told["http.response.status_code"] == 200
    assert (told["ragbot.outcome"], told["ragbot.mode"]) == ("answered", "full_book")
    assert told["gen_ai.response.model"] == "test/scripted"
    assert told["gen_ai.usage.output_tokens"] > 0
    assert set(told) <= set(collector_module.ATTRIBUTES.values())
    assert root.resource["service.name"] == "ragbot"
    assert root.resource["deployment.environment.name"] == "testing"


def test_trace_goes_on_with_the_callers(traced, collector, capsys) -> None:
    """One id from the page that asked to the answer, and on each line of the log."""
    client = traced()
    client.get("/nowhere", headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "a=cheddar"})

    root = root_of(spans_of(client, collector))
    (line,) = lines_of(capsys.readouterr().out)
    assert (root.trace_id, root.parent_id) == (TRACE, CALLER)
    assert line["trace_id"] == TRACE
    assert b"cheddar" not in collector.raw()


@pytest.mark.parametrize("header", ["", "cheddar", f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}", "00-" * 9000])
def test_malformed_trace_of_a_caller_begins_a_new_one(traced, collector, header: str) -> None:
    """Anybody may send anything."""
    client = traced()
    reply = client.get("/nowhere", headers={"traceparent": header})

    root = root_of(spans_of(client, collector))
    assert reply.status_code == 404
    assert root.trace_id not in (TRACE, "0" * 32)
    assert root.parent_id == ""


def test_caller_who_does_not_want_a_trace_gets_none(traced, collector) -> None:
    """The last two digits say so."""
    client = traced()
    client.get("/nowhere", headers={"traceparent": f"00-{TRACE}-{CALLER}-00"})

    assert spans_of(client, collector) == []


def test_probes_are_not_traced(traced, collector) -> None:
    """They would be most of it."""
    client = traced()
    for path in ("/health", "/health/ready", "/metrics"):
        client.get(path)

    assert spans_of(client, collector) == []


def test_traces_tell_nothing_of_the_reader(traced, collector) -> None:
    """They leave the house."""
    client = traced()
    reader = {"REMOTE_ADDR": "192.0.2.77"}
    headers = {"Cookie": "my-cookie", "X-Request-ID": "my-request", "Authorization": "Basic my-password"}
    session = client.post("/sessions").json["session_id"]
    asked = {**QUESTION, "session_id": session}

    reply = client.post("/query", json=asked, headers=headers, environ_base=reader)
    client.get(f"/sessions/{session}?limit=cheddar", headers=headers, environ_base=reader)
    spans = spans_of(client, collector)

    secrets = ("cheddar", "months", KEY, session, session[:8], reply.json["message_id"][:8], "192.0.2")
    sent = collector.raw().decode(errors="replace")
    assert len([span for span in spans if span.kind == SERVER]) == 3
    assert not [secret for secret in (*secrets, "my-cookie", "my-request", "my-password") if secret in sent]


def test_request_that_fails_is_marked(make_app: AppMaker, collector: OTLPCollector) -> None:
    """So that failures can be asked for."""
    app = make_app({"OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/"})
    client = app.test_client()

    client.post("/query", json=QUESTION)

    root = root_of(spans_of(client, collector))
    assert root.failed
    assert root.attributes["error.type"] == "no_book"
    assert root.attributes["http.response.status_code"] == 503


@pytest.mark.parametrize("how", ["down", "hangs"])
def test_collector_that_is_away_is_waited_for_by_nobody(make_app: AppMaker, capsys, monkeypatch, how) -> None:
    """A worker ends in time, a request is not slower, and the log is not filled."""
    monkeypatch.setattr(collector_module, "EXPORT_LIMIT_S", 1.0)
    monkeypatch.setattr(collector_module, "EXPORT_EVERY_S", 0.01)
    with OTLPCollector() as collector:
        collector.hangs = how == "hangs"
        if how == "down":
            collector.go_down()
        app = make_app({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        client = app.test_client()
        client.get("/nowhere")

        started = time.monotonic()
        for _ in range(50):
            client.get("/nowhere")
            time.sleep(0.01)
        took_s = time.monotonic() - started
        # While the background is still at it: each of these must end in its own time.
        services_of(app).tracing.close()
        closed_s = time.monotonic() - started - took_s

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    usual_ms = statistics.median(line["latency_ms"] for line in lines if line["event"] == "request")
    assert usual_ms < 500
    assert closed_s < 60
    assert [line["event"] for line in lines if line["event"] != "request"] == ["trace_export_failed"]


def test_collector_that_comes_back_is_told_again(make_app: AppMaker, capsys, monkeypatch) -> None:
    """Nobody has to start anything anew."""
    monkeypatch.setattr(collector_module, "EXPORT_LIMIT_S", 1.0)
    monkeypatch.setattr(collector_module, "EXPORT_EVERY_S", 0.01)
    with OTLPCollector() as collector:
        collector.go_down()
        app = make_app({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        client = app.test_client()
        client.get("/nowhere")
        while "trace_export_failed" not in (said := capsys.readouterr().out):
            assert "trace_export_resumed" not in said
            time.sleep(0.01)

        collector.come_up()
        client.get("/sessions/nobody")

        assert root_of(spans_of(client, collector)).name == "GET /sessions/<session_id>"
    assert "trace_export_resumed" in capsys.readouterr().out


def test_missing_packages_are_told_and_the_service_goes_on(make_app: AppMaker, capsys, monkeypatch) -> None:
    """A line at the start says why no trace comes, and how one would."""
    monkeypatch.delitem(sys.modules, "ragbot.observability.opentelemetry")
    monkeypatch.delattr("ragbot.observability.opentelemetry")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    app = make_app({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["event"], line["level"]) == ("tracing_disabled", "warning")
    assert "requirements-otel.txt" in line["remedy"]
    assert isinstance(services_of(app).tracing, NoTracing)
    assert app.test_client().get("/health").status_code == 200


@pytest.mark.parametrize(
    ("stages_ms", "total_ms", "expected"),
    [
        ({}, 100, []),
        (
            {"cache": 1, "embed": 10, "search": 5, "first_token": 60, "generate": 80, "persist": 4},
            100,
            [
                Stage("cache", 0, 0.001),
                Stage("embed", 0.001, 0.011),
                Stage("search", 0.011, 0.016),
                Stage("first_token", 0, 0.06),
                Stage("generate", 0.02, 0.1),
                Stage("persist", 0.1, 0.104),
            ],
        ),
        # A turn that broke knows its first word and its writing alone.
        (
            {"first_token": 7, "persist": 2},
            30,
            [Stage("first_token", 0, 0.007), Stage("persist", 0.03, 0.032)],
        ),
    ],
)
def test_stages_are_placed_by_their_order(stages_ms, total_ms, expected) -> None:
    """Their lengths are measured, their places are not."""
    found = place_stages(stages_ms, total_ms)

    assert [stage.name for stage in found] == [stage.name for stage in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.begins_s, one.ends_s) == pytest.approx((other.begins_s, other.ends_s))
