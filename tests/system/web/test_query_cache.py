"""Test that workers share one model call among readers who ask the same question at once."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

from harness.gunicorn_process import GunicornProcess
from harness.openai_upstream import CHAT, OpenAIUpstream, Reply
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, services_of

CHEDDAR = {"query": "How long is the cheddar ripened?"}

READERS = 100


def test_hundred_readers_of_two_workers_cost_one_call(store: dict[str, str], tmp_path: Path) -> None:
    """On SQLite, PostgreSQL and Redis; to each worker the question's vector too."""
    with OpenAIUpstream() as upstream:
        upstream.always(Reply(text="Nine months in a cool cellar [1].", first_delay_s=1.0))
        settings = store | {
            "INDEX_DIR": str(tmp_path),
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": upstream.base_url,
            "MAX_STREAMS": str(READERS),
        }
        app = create_app(settings | {"ENVIRONMENT": "testing", "EMBEDDER": "none"})
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        with app.app_context():
            db.engine.dispose()
        together = Barrier(READERS)

        with (
            GunicornProcess({**settings, "EMBEDDER": "none"}, workers=2) as server,
            ThreadPoolExecutor(READERS) as pool,
        ):

            def ask(_: int) -> dict[str, Any]:
                together.wait()
                return ask_over_http(server.port)

            answers = list(pool.map(ask, range(READERS)))
        calls = len(upstream.calls(CHAT))

    assert {answer["answer"] for answer in answers} == {"Nine months in a cool cellar [1]."}
    assert Counter(answer["cache"] for answer in answers) == {"hit": READERS - 1, "miss": 1}
    assert calls == 1


def ask_over_http(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/query", json.dumps(CHEDDAR), {"Content-Type": "application/json"})
        response = connection.getresponse()
        body: dict[str, Any] = json.loads(response.read())
        assert response.status == 200, body
        return body
    finally:
        connection.close()
