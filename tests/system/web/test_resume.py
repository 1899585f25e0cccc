"""Test over real connections, workers and a model's server that a broken stream is resumed, and stopped."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.gunicorn_process import GunicornProcess
from harness.openai_upstream import CHAT, OpenAIUpstream, Reply
from ragbot import create_app
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, services_of
from tests.web.sent_events import Sent, events_in

pytestmark = pytest.mark.sqlite_is_enough

WORDS = ["Nine ", "months ", "in ", "a ", "cool ", "cellar ", "[1]."]
QUESTION = {"query": "How long is the cheddar ripened?", "stream": True, "resumable": True}
PATIENCE_S = 60


@contextmanager
def served(database: str, folder: Path, upstream: OpenAIUpstream) -> Iterator[GunicornProcess]:
    settings = {
        "DATABASE_URL": database,
        "INDEX_DIR": str(folder),
        "EMBEDDER": "none",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": upstream.base_url,
    }
    app = create_app(settings | {"ENVIRONMENT": "testing"})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    with app.app_context():
        db.engine.dispose()
    with GunicornProcess(settings, workers=2) as server:
        yield server


def cut_off(port: int) -> list[Sent]:
    """Ask, read until the first word, and hang up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("POST", "/query", json.dumps(QUESTION), {"Content-Type": "application/json"})
    response = connection.getresponse()
    came: list[Sent] = []
    lines: list[bytes] = []
    while not came or came[-1].name != "delta":
        lines.append(response.readline())
        if lines[-1] == b"\n":
            came += events_in(b"".join(lines))
            lines.clear()
    response.close()
    connection.close()
    return came


def called(port: int, method: str, events: list[Sent]) -> tuple[int, bytes]:
    """Call the stream's address on a connection of its own, which either worker may take."""
    path = "/sessions/{session_id}/messages/{message_id}/stream".format(**events[0].data)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, headers={"Last-Event-ID": str(events[-1].id)})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def said(events: list[Sent]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "delta")


def test_answer_is_whole_after_the_connection_broke_and_cost_one_call(
    app_database: str, tmp_path: Path
) -> None:
    """With the real SDK, whose stream must not end with the reader's."""
    with OpenAIUpstream() as upstream:
        upstream.always(Reply(tokens=WORDS, delay_s=0.2))
        with served(app_database, tmp_path, upstream) as server:
            before = cut_off(server.port)

            rests = [events_in(called(server.port, "GET", before)[1]) for _ in range(4)]
        calls = len(upstream.calls(CHAT))

    assert {said(before) + said(rest) for rest in rests} == {"".join(WORDS)}
    assert {rest[-1].name for rest in rests} == {"done"}
    assert calls == 1


def test_stop_ends_the_model_s_stream_from_any_worker(app_database: str, tmp_path: Path) -> None:
    """The tokens after it are not paid."""
    with OpenAIUpstream() as upstream:
        upstream.always(Reply(tokens=["and so on "] * 2000, delay_s=0.05))
        with served(app_database, tmp_path, upstream) as server:
            before = cut_off(server.port)

            status, _ = called(server.port, "DELETE", before)
            rest = events_in(called(server.port, "GET", before)[1])

    assert status == 204
    # The words would go on until the question's deadline; then the code would be another one.
    assert (rest[-1].name, rest[-1].data["code"]) == ("error", "search_unavailable")
