"""Test cached answers over HTTP: fast, deleted on demand, and one call for a hundred readers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import text

from harness.openai_upstream import EMBEDDINGS, OpenAIUpstream
from ragbot.extensions import db
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of, wait_for_background_threads
from tests.fakes.parts import ScriptedGenerator

CHEDDAR = {"query": "How long is the cheddar ripened?"}
ADMIN = {"X-API-Key": "an admin's key"}


@pytest.fixture
def make_cached(book_from_the_start: None, make_app: AppMaker) -> Callable[..., OpenAPI]:
    """Make apps that keep answers."""

    def make(**parts: Any) -> OpenAPI:
        return make_app({"CACHE_TTL_HOURS": 24, "ADMIN_API_KEY": ADMIN["X-API-Key"]}, **parts)

    return make


def test_hit_is_twenty_times_faster_than_a_model_of_a_second(make_cached: Callable[..., OpenAPI]) -> None:
    """In processor time; and it is kept in the talk like any other answer."""
    client = make_cached(generator=ScriptedGenerator("Nine months [1].")).test_client()

    def timed() -> tuple[float, dict[str, Any]]:
        began = time.thread_time()
        reply = client.post("/query", json=CHEDDAR).json
        return time.thread_time() - began, reply

    _, first = timed()
    hits = [timed() for _ in range(5)]

    assert (first["cache"], {reply["cache"] for _, reply in hits}) == ("miss", {"hit"})
    assert statistics.median(taken for taken, _ in hits) < 1 / 20
    kept = client.get(f"/sessions/{hits[0][1]['session_id']}").json["messages"]
    assert [message["answer"] for message in kept] == ["Nine months [1]."]


def test_hit_costs_nothing_and_is_counted_as_one(make_cached: Callable[..., OpenAPI]) -> None:
    """What it cost was counted when it was made."""
    client = make_cached(generator=ScriptedGenerator("Nine months [1].")).test_client()

    usages = [client.post("/query", json=CHEDDAR).json["usage"]["cost_usd"] for _ in range(3)]
    metrics = client.get("/metrics").text

    assert usages == [0.001, 0.0, 0.0]
    assert 'answer_cache_results_total{result="hit"} 2.0' in metrics
    assert 'answer_cache_results_total{result="miss"} 1.0' in metrics
    assert 'query_stage_duration_seconds_count{stage="cache"} 3.0' in metrics


def test_operator_can_forget_what_is_kept(make_cached: Callable[..., OpenAPI]) -> None:
    """From the command line and over HTTP."""
    app = make_cached()
    client = app.test_client()
    client.post("/query", json=CHEDDAR)

    said = app.test_cli_runner().invoke(args=["cache", "clear"]).stdout
    again = client.post("/query", json=CHEDDAR).json["cache"]
    cleared = client.delete("/admin/cache", headers=ADMIN)
    once_more = client.post("/query", json=CHEDDAR).json["cache"]

    assert said == "Deleted 1 cache entries.\n"
    assert (again, once_more) == ("miss", "miss")
    assert (cleared.status_code, cleared.json) == (200, {"entries": 1})


def test_what_was_kept_before_the_cache_was_switched_off_can_be_forgotten(
    make_cached: Callable[..., OpenAPI], make_app: AppMaker
) -> None:
    """It would come back when it is switched on again."""
    app = make_cached()
    app.test_client().post("/query", json=CHEDDAR)
    off = make_app({"DATABASE_URL": services_of(app).settings.database_url, "CACHE_TTL_HOURS": 0})

    assert off.test_cli_runner().invoke(args=["cache", "clear"]).stdout == "Deleted 1 cache entries.\n"


def test_nobody_forgets_without_the_key(make_cached: Callable[..., OpenAPI]) -> None:
    """Each answer costs money."""
    client = make_cached().test_client()

    assert client.delete("/admin/cache").status_code == 401


def test_question_is_embedded_once_for_all_who_ask_at_once(make_app: AppMaker) -> None:
    """And not again after a restart: its vector is kept beside the answers."""
    with OpenAIUpstream(answer=lambda _: "Nine months [1].") as upstream:
        settings = {
            "CACHE_TTL_HOURS": 24,
            "EMBEDDER": "openai",
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": upstream.base_url,
        }
        first = make_app(settings)
        services_of(first).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        upstream.forget()
        with ThreadPoolExecutor(8) as readers:
            list(readers.map(lambda _: first.test_client().post("/query", json=CHEDDAR), range(8)))
        # Vectors are written some moments later.
        wait_for_background_threads()
        with first.app_context(), db.engine.begin() as connection:
            connection.execute(text("DELETE FROM cache_entries WHERE key LIKE 'answer:%'"))
        restarted = make_app(settings)

        again = restarted.test_client().post("/query", json=CHEDDAR).json

        assert (again["cache"], again["degraded"]) == ("miss", [])
        assert len(upstream.calls(EMBEDDINGS)) == 1
        for app in (first, restarted):
            embedder: Any = services_of(app).retriever._embedder
            while hasattr(embedder, "_embedder"):
                embedder = embedder._embedder
            embedder._client.close()
