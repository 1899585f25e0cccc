"""Test traces of requests to real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.gunicorn_process import GunicornProcess, inherited_environment
from ragbot.config import PROJECT_ROOT
from tests.fakes.otlp_collector import OTLPCollector

# The kind of a span that OTLP gives to a request which was served.
SERVER = 2


@pytest.fixture
def collector() -> Iterator[OTLPCollector]:
    """Run a collector that takes everything."""
    with OTLPCollector() as collector:
        yield collector


def test_without_a_collector_nothing_is_imported() -> None:
    """An extra must cost nothing where it is not used. (redis-py imports a part of its own accord.)"""
    script = """
import sys
from ragbot import create_app
app = create_app({"EMBEDDER": "none", "DATABASE_URL": "sqlite:///" + sys.argv[1]})
app.test_client().get("/nowhere")
extras = {"opentelemetry.exporter",
    "opentelemetry.sdk.trace.export", "ragbot.observability.opentelemetry", "sentry_sdk"}
print(sorted(extras & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "/nowhere.db"],
        capture_output=True,
        text=True,
        env=inherited_environment(),
        cwd=PROJECT_ROOT,
        timeout=300,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_workers_that_end_send_what_they_have(
    migrated_database: Path, tmp_path: Path, collector: OTLPCollector
) -> None:
    """Each makes its own thread after the fork, and its last requests are not lost at TERM."""
    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'nothing.db'}",
        "INDEX_DIR": str(tmp_path),
        "EMBEDDER": "none",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_SERVICE_NAME": "book-of-cheese",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=let-me-in",
    }
    with GunicornProcess(environment, workers=2) as server:
        names = [f"/nowhere/{number}" for number in range(10)]
        replies = [asked(server.port, name) for name in names]
        exit_code = server.terminate(60)

    roots = [span for span in collector.spans() if span.kind == SERVER]
    assert replies == [404] * 10
    assert exit_code == 0
    assert len(roots) == 10
    assert {span.resource["service.name"] for span in roots} == {"book-of-cheese"}
    assert {call.headers["api-key"] for call in collector.calls()} == {"let-me-in"}


def asked(port: int, path: str) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
