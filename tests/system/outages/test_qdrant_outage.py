"""Test Qdrant unavailable or slow: the embedded index, cached answers or a clear error replace it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask_openapi import OpenAPI

from harness.pipe import Pipe
from tests.fakes.qdrant_server import QdrantServer
from tests.system.outages.conftest import CHEDDAR, STARTER, ask
from tests.waiting import soon

pytestmark = pytest.mark.sqlite_is_enough

MakeApp = Callable[..., OpenAPI]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Yield a pipe before a Qdrant server."""
    with QdrantServer() as server, Pipe(server.port) as pipe:
        yield pipe


@pytest.fixture
def make(make_app: MakeApp, pipe: Pipe) -> MakeApp:
    def make(**overrides: Any) -> OpenAPI:
        return make_app(
            **{
                "QDRANT_URL": f"http://127.0.0.1:{pipe.port}",
                "QDRANT_TIMEOUT_S": 1,
                "EDITION_POLL_S": 60,
                **overrides,
            }
        )

    return make


@pytest.mark.parametrize("mood", ["refuse", "hang"])
def test_embedded_index_stands_in_and_finds_the_same(make: MakeApp, pipe: Pipe, mood: str) -> None:
    """It is built from the database, and nothing is worse for the reader."""
    app = make()
    before = ask(app)

    pipe.be(mood)
    during = [ask(app) for _ in range(5)]
    finding = app.test_client().get("/health/ready")

    assert [reply.status for reply in during] == [200] * 5
    assert [reply.degraded for reply in during] == [[]] * 5
    assert {tuple(s["id"] for s in reply.body["sources"]) for reply in during} == {
        tuple(s["id"] for s in before.body["sources"])
    }
    # Nobody waits for the server any more.
    assert not circuit_is_closed(app)
    assert finding.status_code == 200
    assert finding.json["components"]["vector_store"]["status"] == "degraded"


def test_server_is_asked_again_when_it_is_back(make: MakeApp, pipe: Pipe) -> None:
    """By itself."""
    app = make()
    ask(app)
    pipe.be("refuse")
    for _ in range(4):
        ask(app)
    pipe.be("pass")

    def is_asked() -> bool:
        connections = pipe.connections
        ask(app)
        return pipe.connections > connections or circuit_is_closed(app)

    assert soon(is_asked)
    assert soon(lambda: circuit_is_closed(app) or bool(ask(app).status != 200))


def circuit_is_closed(app: OpenAPI) -> bool:
    return 'circuit_open{circuit="qdrant"} 0.0' in app.test_client().get("/metrics").text


def test_worker_that_starts_while_the_server_is_away_answers(make: MakeApp, pipe: Pipe) -> None:
    """A deployment in the middle of an outage."""
    app = make(EDITION_POLL_S=0)
    pipe.be("refuse")

    reply = ask(app)

    assert (reply.status, reply.degraded) == (200, [])


def test_kept_answers_are_told_where_there_is_no_room_for_an_index(make: MakeApp, pipe: Pipe) -> None:
    """And what was not asked before is refused honestly."""
    app = make(STAND_IN_CHUNKS=1, CACHE_TTL_HOURS=24, EDITION_POLL_S=0)
    ask(app)
    pipe.be("refuse")

    kept = ask(app)
    new = app.test_client().post("/query", json={"query": STARTER})

    ready = app.test_client().get("/health/ready").json["components"]["vector_store"]

    assert (kept.status, kept.body["cache"]) == (200, "hit")
    assert (ready["status"], ready["detail"]) == ("degraded", "cached answers only")
    assert (new.status_code, new.json["code"]) == (503, "search_unavailable")
    assert new.headers["Retry-After"]


def test_without_a_stand_in_the_reader_is_told(make: MakeApp, pipe: Pipe) -> None:
    """STAND_IN_CHUNKS=0."""
    app = make(STAND_IN_CHUNKS=0)
    ask(app)
    pipe.be("refuse")

    reply = app.test_client().post("/query", json={"query": CHEDDAR})

    assert (reply.status_code, reply.json["code"]) == (503, "search_unavailable")
    assert app.test_client().get("/health/ready").status_code == 503
