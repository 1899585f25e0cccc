"""What calls to a model's server share, and what they do not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from flask_openapi import OpenAPI

from harness.server_accents import AccentedServer, Response, refused, streamed
from ragbot.core.ports import SharedState
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of


@pytest.fixture(autouse=True)
def _closed_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    clients: list[OpenAIClient] = []

    def kept(access: OpenAIAccess, states: SharedState | None = None) -> OpenAIClient:
        clients.append(OpenAIClient(access, states))
        return clients[-1]

    monkeypatch.setattr("ragbot.providers.openai.client.OpenAIClient", kept)
    yield
    for client in clients:
        client.close()


def test_model_that_cannot_restate_questions_still_answers(make_app: AppMaker) -> None:
    """It has three seconds for that; a reader must not get the book's own sentences for it."""

    all_restate = threading.Barrier(3)

    def answer(_path: str, body: Mapping[str, Any]) -> Response:
        if "QUESTION:" in json.dumps(body):
            with suppress(threading.BrokenBarrierError):
                all_restate.wait(60)
            return refused(503, {"error": {"message": "Busy."}})
        return streamed("Nine months [1].")

    def asked(app: OpenAPI, number: int) -> Any:
        query = f"How long is cheddar number {number} ripened? And where?"
        reply = app.test_client().post("/query", json={"query": query})
        return reply.json["answer"], reply.json["degraded"]

    with AccentedServer(answer) as server:
        app = make_app(
            {
                "OPENAI_BASE_URL": server.base_url,
                "OPENAI_API_KEY": "any",
                "OPENAI_LLM_MODEL": "some-model",
                "OPENAI_LLM_FALLBACK_MODEL": "some-model",
                "CACHE_TTL_HOURS": 0,
            }
        )
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        with ThreadPoolExecutor(3) as readers:
            under_way = [readers.submit(asked, app, number) for number in range(3)]
            replies = [reply.result() for reply in under_way]

    assert replies == [("Nine months [1].", [])] * 3
