"""Test quotas: who asks too often, what they see, and that the count is exact over all workers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from ragbot.extensions import db
from ragbot.web.middleware.client_address import key_of
from ragbot.web.middleware.rate_limits import wait_of
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of

QUESTION = {"query": "How long does bread rise?"}

Ask = Callable[..., TestResponse]


@pytest.fixture
def limited(make_app: AppMaker) -> Callable[..., FlaskClient]:
    """Make callers of an app with quotas; settings by name."""

    def make(**settings: Any) -> FlaskClient:
        return make_app({"RATE_LIMIT_ENABLED": True, **settings}).test_client()

    return make


def asked_from(client: FlaskClient, address: str, **headers: str) -> int:
    environ = {"REMOTE_ADDR": address}
    return client.post("/query", json=QUESTION, environ_base=environ, headers=headers).status_code


def test_every_limited_answer_says_what_is_left(limited) -> None:
    """A polite client can slow down before it is told to."""
    client = limited(RATE_LIMIT_QUERIES_PER_MINUTE=3)

    replies = [client.post("/query", json=QUESTION) for _ in range(4)]

    for name in ("RateLimit", "X-RateLimit"):
        assert [reply.headers[f"{name}-Limit"] for reply in replies] == ["3"] * 4
        assert [reply.headers[f"{name}-Remaining"] for reply in replies] == ["2", "1", "0", "0"]
        assert all(0 < int(reply.headers[f"{name}-Reset"]) <= 60 for reply in replies)


def test_refusal_is_a_problem_and_alone_says_when_to_come_back(limited) -> None:
    """`Retry-After` on an answer that succeeded would make clients wait for nothing."""
    client = limited(RATE_LIMIT_OTHERS_PER_MINUTE=1)

    passed, refused = client.post("/sessions"), client.post("/sessions")

    assert (passed.status_code, "Retry-After" in passed.headers) == (201, False)
    assert (refused.status_code, refused.mimetype) == (429, "application/problem+json")
    assert refused.get_json()["code"] == "rate_limited"
    assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]


def test_refusal_tells_the_reader_how_long_to_wait(limited) -> None:
    """Readers see the sentence, not the header."""
    client = limited(
        RATE_LIMIT_QUERIES_PER_MINUTE=1, RATE_LIMIT_QUERIES_PER_DAY_PER_IP=1, RATE_LIMIT_OTHERS_PER_MINUTE=1
    )

    of_the_day = [client.post("/query", json=QUESTION) for _ in range(2)][1]
    of_the_minute = [client.post("/sessions") for _ in range(2)][1]

    seconds = of_the_minute.headers["Retry-After"]
    unit = "second" if seconds == "1" else "seconds"
    assert of_the_minute.json["detail"] == f"Too many requests just now; try again in {seconds} {unit}."
    assert re.fullmatch(r"Too many questions just now; try again in \d+ \w+\.", of_the_day.json["detail"])


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [(1, "1 second"), (40, "40 seconds"), (120, "120 seconds"), (121, "3 minutes"), (86_400, "24 hours")],
)
def test_wait_is_told_in_a_unit_that_fits(seconds: int, wait: str) -> None:
    """Nobody counts 86,400 seconds."""
    assert wait_of(seconds) == wait


def test_refused_bodies_count_like_good_ones(limited) -> None:
    """Or nonsense could be sent without end."""
    client = limited(RATE_LIMIT_QUERIES_PER_MINUTE=4)
    bodies: list[dict[str, Any]] = [
        {"json": {"wrong": 1}},
        {"data": "{", "content_type": "application/json"},
        {"data": "a=b", "content_type": "application/x-www-form-urlencoded"},
        {"data": "x" * 70_000, "content_type": "application/json"},
        {"json": QUESTION},
    ]

    statuses = [client.post("/query", **body).status_code for body in bodies]

    assert statuses == [422, 400, 415, 413, 429]


def test_the_tightest_quota_is_told_and_a_refused_call_costs_no_day(limited) -> None:
    """Nine left this minute help nobody who has none left today."""
    client = limited(RATE_LIMIT_QUERIES_PER_MINUTE=5, RATE_LIMIT_QUERIES_PER_DAY_PER_IP=2)

    replies = [client.post("/query", json=QUESTION) for _ in range(3)]

    assert [reply.headers["RateLimit-Limit"] for reply in replies] == ["2", "2", "2"]
    assert replies[2].status_code == 429
    assert int(replies[2].headers["Retry-After"]) > 86_000


def test_questions_and_sessions_have_quotas_of_their_own(limited) -> None:
    """Reading a talk must not use questions up, nor one route of it another's name."""
    client = limited(RATE_LIMIT_QUERIES_PER_MINUTE=1, RATE_LIMIT_OTHERS_PER_MINUTE=2)

    asked = client.post("/query", json=QUESTION).status_code
    others = [client.get("/sessions/x").status_code, client.post("/sessions").status_code]
    one_more = client.get("/sessions/x/export").status_code

    assert (asked != 429, others, one_more) == (True, [404, 201], 429)


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/metrics", "/static/console.css", "/nothing"])
def test_what_has_no_quota_says_nothing_of_one(limited, path: str) -> None:
    """A monitor that asks every second is no stranger."""
    client = limited(RATE_LIMIT_OTHERS_PER_MINUTE=1, RATE_LIMIT_QUERIES_PER_MINUTE=1)

    replies = [client.get(path, buffered=True) for _ in range(15)]

    assert not any(reply.status_code == 429 or "RateLimit-Limit" in reply.headers for reply in replies)


def test_pages_share_a_quota_of_their_own(limited) -> None:
    """The document is made anew for each caller, and the console asks the database."""
    client = limited(RATE_LIMIT_OTHERS_PER_MINUTE=3)

    pages = ("/", "/docs", "/redoc", "/openapi.json")
    statuses = [client.get(page, buffered=True).status_code for page in pages]

    assert statuses == [200, 200, 200, 429]
    assert client.post("/sessions").status_code == 201


def test_keys_of_the_operator_are_tried_in_one_quota(limited) -> None:
    """Not in one for each of its blueprints."""
    client = limited(RATE_LIMIT_OTHERS_PER_MINUTE=2, ADMIN_API_KEY="an-operators-key-of-23-x")

    tries = [client.get(f"/admin/{path}").status_code for path in ("editions", "ingest/x", "ingest/y")]

    assert tries == [401, 401, 429]


def test_preflights_are_answered_and_not_counted(limited) -> None:
    """The browser sends them, not the reader."""
    client = limited(RATE_LIMIT_QUERIES_PER_MINUTE=1)
    preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}

    before = [client.options("/query", headers=preflight).status_code for _ in range(5)]

    assert before == [200] * 5
    assert client.post("/query", json=QUESTION).headers["RateLimit-Remaining"] == "0"


def test_quotas_can_be_switched_off(limited) -> None:
    """A proxy may do it instead."""
    client = limited(RATE_LIMIT_ENABLED=False, RATE_LIMIT_QUERIES_PER_MINUTE=1)

    replies = [client.post("/query", json=QUESTION) for _ in range(3)]

    assert not any(reply.status_code == 429 or "RateLimit-Limit" in reply.headers for reply in replies)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:50123", "192.0.2.7"),
        ("[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("not an address", "unknown"),
    ],
)
def test_key_is_the_address_or_its_network(address: str, key: str) -> None:
    """One IPv6 household has more addresses than a quota has questions."""
    assert key_of(address) == key


def test_ipv6_callers_count_by_their_network(limited) -> None:
    """Two of one /64 are one caller, two of two are two."""
    client = limited(RATE_LIMIT_QUERIES_PER_MINUTE=1)

    statuses = [
        asked_from(client, f"2001:db8:0:{network}::{host}") for network, host in ((1, 1), (1, 2), (2, 1))
    ]

    assert [status == 429 for status in statuses] == [False, True, False]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "refused"),
    [
        # No proxy is ours: whatever stands in the header, the socket counts.
        (0, ["203.0.113.1", "203.0.113.2"], [False, True]),
        # One is ours: what it wrote last counts, what the caller wrote before it does not.
        (1, ["203.0.113.1", "203.0.113.2", "203.0.113.9, 203.0.113.2"], [False, False, True]),
        # Two are ours: the entry before the last.
        (2, ["203.0.113.1, 10.0.0.1", "203.0.113.1, 10.0.0.2"], [False, True]),
        # Fewer entries than proxies: nobody is believed.
        (2, ["203.0.113.1", "203.0.113.2"], [False, True]),
    ],
)
def test_only_as_many_hops_as_are_ours_are_believed(
    limited, proxies: int, forwarded: list[str], refused: list[bool]
) -> None:
    """Anyone can write a header."""
    client = limited(RATE_LIMIT_QUERIES_PER_MINUTE=1, TRUSTED_PROXIES=proxies)

    statuses = [asked_from(client, "192.0.2.1", **{"X-Forwarded-For": header}) for header in forwarded]

    assert [status == 429 for status in statuses] == refused


def test_questions_go_on_when_nothing_can_count(make_app, caplog) -> None:
    """A quota is not worth an answer; the operator is told."""
    app = make_app({"RATE_LIMIT_ENABLED": True, "RATE_LIMIT_QUERIES_PER_MINUTE": 1, "LOG_LEVEL": "WARNING"})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE quota_counts"))

    replies = [app.test_client().post("/query", json=QUESTION) for _ in range(5)]

    assert [reply.status_code for reply in replies] == [200] * 5
    assert "RateLimit-Limit" not in replies[0].headers
    assert "quota_store_failures_total 1.0" in app.test_client().get("/metrics").text
    assert "store_failed" in caplog.text


def test_without_redis_the_database_counts(limited) -> None:
    """Nobody listens on port 1; the quota holds all the same."""
    client = limited(RATE_LIMIT_QUERIES_PER_MINUTE=2, REDIS_URL="redis://127.0.0.1:1/0")

    statuses = [client.post("/query", json=QUESTION).status_code == 429 for _ in range(3)]

    assert statuses == [False, False, True]


# --- over two workers --------------------------------------------------------------------------
