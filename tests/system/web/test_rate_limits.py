"""Test quotas over two workers, in each store."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from harness.gunicorn_process import GunicornProcess
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, services_of

QUESTION = {"query": "How long does bread rise?"}

AT_ONCE = 60

QUOTA = 20

FORGED = [f"203.0.113.{n}" for n in range(10)]


def test_exactly_the_quota_passes_over_two_workers_whatever_the_headers_say(
    store: dict[str, str], tmp_path: Path
) -> None:
    """RateCounters of each worker's own would let twice as many through, forged addresses ten times."""
    settings = store | {"INDEX_DIR": str(tmp_path), "EMBEDDER": "none"}
    ingest(settings)
    quota = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_QUERIES_PER_MINUTE": str(QUOTA)}
    # All of them find a place, or some would be refused before they are counted.
    quota["MAX_STREAMS"] = str(AT_ONCE)
    together = Barrier(AT_ONCE)

    with GunicornProcess(settings | quota, workers=2) as server, ThreadPoolExecutor(AT_ONCE) as pool:

        def ask(n: int) -> int:
            together.wait()
            return ask_over_http(server.port, FORGED[n % len(FORGED)])

        statuses = Counter(pool.map(ask, range(AT_ONCE)))

    assert statuses == {200: QUOTA, 429: AT_ONCE - QUOTA}


def ingest(settings: dict[str, str]) -> None:
    app = create_app(settings | {"ENVIRONMENT": "testing"})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    with app.app_context():
        db.engine.dispose()


def ask_over_http(port: int, forged: str) -> int:
    headers = {"Content-Type": "application/json", "X-Forwarded-For": forged, "X-Real-IP": forged}
    headers |= {"Forwarded": f"for={forged}", "X-Client-IP": forged}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/query", json.dumps(QUESTION), headers)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
