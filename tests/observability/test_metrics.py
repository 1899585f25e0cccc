"""Test what is counted, under which names, and who may read it."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from harness.prometheus import Scrape
from ragbot.core.answers import Answer, Degradation, Mode, Status, TurnOutcome, Usage
from ragbot.core.errors import AnswerCut, DatabaseUnavailable, ProviderUnavailable
from ragbot.extensions import db
from ragbot.observability.answer_metrics import AnswerMetrics, SpendingMetrics
from ragbot.observability.metrics import METRICS, GaugeSpec, HistogramSpec, Metrics
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.parts import ScriptedGenerator, WordCountEmbedder

QUESTION = {"query": "How long is the cheddar ripened?"}


def scraped(client: FlaskClient) -> Scrape:
    return Scrape(client.get("/metrics").text)


def a_turn(**told) -> TurnOutcome:
    usage = Usage(embedding_tokens=7, input_tokens=100, output_tokens=20, cost_usd=0.5)
    answer = {"text": "", "status": Status.ANSWERED, "sources": (), "mode": Mode.FULL_BOOK, "usage": usage}
    return TurnOutcome(Answer(**{**answer, "book_version": "first", "model": "gpt-4o", **told}))


def numbers_of(*turns: TurnOutcome) -> Scrape:
    from prometheus_client import generate_latest

    metrics = Metrics()
    watch = AnswerMetrics(metrics)
    for turn in turns:
        watch.ended(turn)
    return Scrape(generate_latest(metrics.registry).decode())


def test_every_metric_of_the_table_is_told(client: FlaskClient) -> None:
    """A dashboard that finds no series shows nothing, and nobody notices."""
    client.post("/query", json=QUESTION)

    text = client.get("/metrics").text

    for name, spec in METRICS.items():
        told = name.removesuffix("_total") if text.startswith("# EOF") else name
        assert f"# TYPE {told} " in text
        assert isinstance(spec, HistogramSpec | GaugeSpec) or name.endswith("_total")


def test_requests_are_counted_by_rule_and_never_by_path(client: FlaskClient) -> None:
    """A label for each session would fill the memory and tell who is here."""
    for name in ("alice", "bob"):
        client.get(f"/sessions/{name}")
        client.get(f"/nowhere/{name}")
        client.open(f"/sessions/{name}", method="BREW")

    numbers = scraped(client)

    one_rule = {"endpoint": "/sessions/<session_id>", "method": "GET", "status": "404"}
    assert numbers.value("http_requests_total", **one_rule) == 2
    assert numbers.value("http_requests_total", endpoint="none", method="GET", status="404") == 2
    assert numbers.value("http_requests_total", method="OTHER") == 2
    assert numbers.value("http_request_duration_seconds_count", endpoint="none", method="GET") == 2
    assert "alice" not in numbers.text


def test_answer_is_counted_with_its_stages(client: FlaskClient) -> None:
    """Where the time goes is the first question of whoever runs it."""
    client.post("/query", json=QUESTION)

    numbers = scraped(client)

    assert numbers.value("answers_total", status="answered", mode="full_book") == 1
    for stage in ("search", "first_token", "generate", "persist"):
        assert numbers.value("query_stage_duration_seconds_count", stage=stage) == 1
    assert numbers.value("query_stage_duration_seconds_count", stage="embed") == 0
    assert numbers.value("embedding_generation_duration_seconds_count") == 0


def test_embedding_is_timed_where_it_is_made(make_app: AppMaker) -> None:
    """The vectors of a question that came again are remembered, and took no time of the embedder."""
    app = make_app({"LOCAL_EMBEDDER_THREADS": 1}, embedder=WordCountEmbedder())
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    client = app.test_client()

    for _ in range(2):
        client.post("/query", json=QUESTION)

    numbers = scraped(client)
    assert numbers.value("embedding_generation_duration_seconds_count") == 1


def test_stream_is_counted_when_it_ends(client: FlaskClient) -> None:
    """Until then it is open."""
    with client.post("/query", json={**QUESTION, "stream": True}) as reply:
        first = next(reply.response)
        meanwhile = scraped(client)
        rest = list(reply.response)

    numbers = scraped(client)
    assert first.startswith(b"event: sources")
    assert b"event: done" in rest[-1]
    assert meanwhile.value("streams_open") == 1
    assert meanwhile.value("http_requests_total", endpoint="/query") == 0
    assert numbers.value("streams_open") == 0
    assert numbers.value("http_requests_total", endpoint="/query", status="200") == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [({"query": " "}, "invalid_request"), ({**QUESTION, "session_id": "x"}, "session_not_found")],
)
def test_refused_question_is_counted_by_its_code(client: FlaskClient, body, code: str) -> None:
    """So that a broken client shows, and an attack."""
    client.post("/query", json=body)

    assert scraped(client).value("query_errors_total", code=code) == 1


def test_errors_elsewhere_are_no_questions_errors(client: FlaskClient) -> None:
    """A crawler that finds nothing must not page anybody."""
    client.get("/sessions/x")

    assert scraped(client).value("query_errors_total") == 0


def test_errors_of_the_form_are_questions_errors(client: FlaskClient) -> None:
    """Its questions count as those of `POST /query`; the page that shows it is no question."""
    client.post("/ask", data={"query": QUESTION["query"], "book": "no-such-book"})
    client.get("/ask?book=no-such-book")

    assert scraped(client).value("query_errors_total", code="book_not_found") == 1


@pytest.mark.parametrize("stream", [False, True])
def test_answer_that_breaks_is_counted_by_its_code(make_app: AppMaker, stream: bool) -> None:
    """In a stream the status line says 200, whatever comes after it."""
    app = make_app(generator=ScriptedGenerator("Nine", AnswerCut("The model stopped.")))
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    client = app.test_client()

    with client.post("/query", json={**QUESTION, "stream": stream}) as reply:
        reply.get_data()

    numbers = scraped(client)
    assert numbers.value("query_errors_total") == 1
    assert numbers.value("answers_total", status="failed") == 1


def test_tokens_and_cost_are_counted_under_configured_names_alone() -> None:
    """A provider that names its model after the day would make a new series each day."""
    metrics = Metrics()
    from prometheus_client import generate_latest

    spending = SpendingMetrics(metrics, models={"gpt-4o", "openai/small"})
    usage = Usage(input_tokens=100, output_tokens=20, cost_usd=0.5)
    for model in ("gpt-4o", "gpt-4o", "gpt-4o-of-tuesday"):
        spending.charged(model, usage)
    spending.charged("openai/small", Usage(embedding_tokens=7, cost_usd=0.25))

    numbers = Scrape(generate_latest(metrics.registry).decode())
    assert numbers.value("llm_tokens_total", model="gpt-4o", kind="input") == 200
    assert numbers.value("llm_tokens_total", model="gpt-4o", kind="output") == 40
    assert numbers.value("llm_tokens_total", model="openai/small", kind="embedding") == 7
    assert numbers.value("llm_cost_usd_total", model="gpt-4o") == 1
    assert numbers.value("llm_cost_usd_total", model="openai/small") == 0.25
    assert numbers.value("llm_cost_usd_total", model="other") == 0.5


def test_finished_answers_are_counted_by_what_the_cache_had() -> None:
    """One that broke off was looked up, too, and counts as none."""
    numbers = numbers_of(a_turn(cache="hit"), a_turn(cache="miss"), a_turn(status=Status.FAILED))

    assert numbers.value("answer_cache_results_total", result="hit") == 1
    assert numbers.value("answer_cache_results_total", result="miss") == 1


def test_what_was_done_without_is_counted() -> None:
    """An outage that readers do not see must be seen here."""
    numbers = numbers_of(a_turn(degraded=(Degradation.LLM_EXTRACTIVE, Degradation.DENSE_SEARCH)))

    assert numbers.value("degradations_total", kind="llm_extractive") == 1
    assert numbers.value("degradations_total", kind="dense_search") == 1


def test_fallback_shows_in_the_numbers_of_a_real_question(make_app: AppMaker) -> None:
    """The way from the answer to the numbers is whole."""
    app = make_app(generator=ScriptedGenerator(ProviderUnavailable("down")))
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    client = app.test_client()

    status = client.post("/query", json=QUESTION).status_code

    assert status == 503
    assert scraped(client).value("http_requests_total", endpoint="/query", status="503") == 1


def test_refusals_of_the_limiter_are_counted(make_app: AppMaker) -> None:
    """A quota that is too small drives readers away silently."""
    client = make_app({"RATE_LIMIT_ENABLED": True, "RATE_LIMIT_QUERIES_PER_MINUTE": 1}).test_client()

    statuses = [client.post("/query", json=QUESTION).status_code for _ in range(3)]

    assert statuses.count(429) == 2
    assert scraped(client).value("limiter_refusals_total") == 2


def test_failures_of_the_quota_store_are_counted(make_app: AppMaker) -> None:
    """Questions go on then, so nobody would complain. Nobody listens on port 1."""
    client = make_app({"RATE_LIMIT_ENABLED": True, "REDIS_URL": "redis://127.0.0.1:1/0"}).test_client()

    client.post("/sessions")

    assert scraped(client).value("quota_store_failures_total") == 1


def test_no_request_asks_a_store_on_account_of_its_numbers(make_app: AppMaker) -> None:
    """A database that hangs must not hang `/health`, after which a host ends the process."""
    app = make_app({"OPENAI_API_KEY": "sk-test", "OPENAI_DAILY_BUDGET_USD": 1})
    asked: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    client = app.test_client()

    client.get("/health")
    by_health = list(asked)
    numbers = scraped(client)

    assert by_health == []
    assert numbers.value("budget_limit_usd") == 1
    assert numbers.value("circuit_open", circuit="gpt-4o") == 0


def test_levels_of_process_pool_and_book_are_told(client: FlaskClient) -> None:
    """What a leak of memory or of connections would show in."""
    client.post("/query", json=QUESTION)

    numbers = scraped(client)

    assert numbers.value("process_cpu_seconds_total") > 0
    assert numbers.value("process_resident_memory_bytes") > 10_000_000
    assert numbers.value("db_pool_connections", state="size") == 20
    assert numbers.value("db_pool_connections", state="in_use") == 0
    assert numbers.value("db_pool_connections", state="limit") == 60
    assert numbers.value("db_pool_wait_seconds_count") > 0
    assert numbers.value("workers") == 1
    assert numbers.value("process_resident_memory_bytes") < numbers.value("memory_limit_bytes")
    assert 0 < numbers.value("cpu_limit_cores") <= (os.cpu_count() or 1)
    assert numbers.value("index_chunks") == 3
    published = services_of(client.application).editions.published().published_at
    age_s = (datetime.now(UTC) - published).total_seconds()
    assert numbers.value("edition_age_seconds") == pytest.approx(age_s, abs=60)


def test_readiness_is_a_number_too(make_app: AppMaker) -> None:
    """An alert asks for it where nobody probes."""
    empty = make_app()

    before = scraped(empty.test_client())
    services_of(empty).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    # What was found a moment ago is still told, so another app looks.
    after = scraped(make_app().test_client())

    assert (before.value("ready"), before.value("index_chunks")) == (0, 0)
    assert (after.value("ready"), after.value("index_chunks")) == (1, 3)


def test_time_to_a_connection_that_never_comes_is_noted(make_app: AppMaker) -> None:
    """A pool that is used up shows in its waiting before it shows in errors."""
    app = make_app({"DB_POOL_SIZE": 1, "DB_MAX_OVERFLOW": 0, "DB_POOL_TIMEOUT_S": 1})
    services = services_of(app)

    with app.app_context(), db.engine.connect(), pytest.raises(DatabaseUnavailable):
        services.editions.published()

    from prometheus_client import generate_latest

    numbers = Scrape(generate_latest(services.metrics.registry).decode())
    assert numbers.value("db_pool_wait_seconds_count") == 1
    assert numbers.value("db_pool_wait_seconds_sum") >= 0.9


def test_apps_in_one_process_count_apart(make_app: AppMaker) -> None:
    """Tests, and whoever mounts two, must not read each other's numbers."""
    first, second = make_app().test_client(), make_app().test_client()

    first.get("/health")

    assert scraped(first).value("http_requests_total", endpoint="/health") == 1
    assert scraped(second).value("http_requests_total", endpoint="/health") == 0


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer é", 401),
        ("Bearer ", 401),
        ("Basic dG9rZW46dG9rZW4=", 401),
        ("Bearer let me in", 200),
    ],
)
def test_token_guards_the_numbers_where_it_is_set(make_app: AppMaker, header, status: int) -> None:
    """They tell how many readers there are and what is spent on them."""
    client = make_app({"METRICS_TOKEN": "let me in"}).test_client()

    reply = client.get("/metrics", headers={"Authorization": header} if header else {})

    assert reply.status_code == status
    if status == 401:
        assert reply.json["code"] == "unauthorized"
        assert reply.mimetype == "application/problem+json"
        assert reply.headers["WWW-Authenticate"].lower().startswith("bearer")


def test_numbers_are_no_part_of_the_contract(make_app: AppMaker) -> None:
    """The OpenAPI document is for clients."""
    paths = make_app().api_doc["paths"]

    assert "/health" in paths
    assert "/metrics" not in paths


def test_unknown_name_or_label_is_an_error() -> None:
    """A misspelt metric would be counted nowhere."""
    metrics = Metrics()

    with pytest.raises(KeyError):
        metrics.count("http_request_total")
    with pytest.raises(ValueError, match=r"[Ll]abel"):
        metrics.count("answers_total", session="x")
