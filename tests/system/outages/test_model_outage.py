"""Test every failure of a provider: readers get answers, it is called seldom, and it is used again."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import text

from harness.gunicorn_process import GunicornProcess
from harness.openai_upstream import (
    CHAT,
    EMBEDDINGS,
    Behaviour,
    Cut,
    Drip,
    EmptyAnswer,
    Garbage,
    Hang,
    OpenAIUpstream,
    Reply,
    Status,
)
from harness.prometheus import Scrape
from ragbot.core.circuit_breaker import FAILURES_TO_OPEN, FIRST_PAUSE_S, KNOWN_S
from ragbot.core.errors import ConfigurationError
from ragbot.extensions import db
from tests.conftest import services_of
from tests.databases import DatabaseMaker
from tests.system.outages.conftest import CHEDDAR, ask
from tests.system.test_gunicorn import Site, made_site
from tests.waiting import soon

pytestmark = pytest.mark.sqlite_is_enough

MakeApp = Callable[..., OpenAPI]
HASTY = {"OPENAI_FIRST_WORD_TIMEOUT_S": 1, "OPENAI_EMBEDDING_TIMEOUT_S": 1, "QUERY_DEADLINE_S": 60}
# A model that is not silent has its usual time, whatever else the machine does.
PATIENT = {"QUERY_DEADLINE_S": 60}
numbers = itertools.count(1)

BEFORE_THE_FIRST_WORD: list[Behaviour] = [
    Status(429, retry_after=1),
    Status(500),
    Status(503),
    Status(401),
    Hang("headers"),
    Hang("first_word"),
    Drip(0.05, "header"),
    Cut(0),
    Garbage("html"),
    Garbage("bad_json"),
]


def fresh() -> str:
    """Return a question that nobody has asked yet, so that it is embedded too."""
    return f"How long is the cheddar ripened, reader {next(numbers)}?"


@pytest.mark.parametrize("trouble", BEFORE_THE_FIRST_WORD, ids=str)
def test_next_model_answers_for_one_that_fails_before_its_first_word(
    make_app: MakeApp, upstream: OpenAIUpstream, trouble: Behaviour
) -> None:
    """After two calls in all."""
    app = make_app(**(HASTY if isinstance(trouble, Hang | Drip) else PATIENT))
    upstream.for_model("gpt-4o", trouble)
    upstream.forget()

    reply = ask(app, fresh())

    assert (reply.status, reply.body["model"], reply.degraded) == (200, "gpt-4o-mini", ["llm_fallback"])
    assert len(upstream.calls(CHAT)) == 2
    assert reply.seconds < 30


@pytest.mark.parametrize("trouble", BEFORE_THE_FIRST_WORD, ids=str)
def test_book_answers_for_a_provider_that_fails_altogether(
    make_app: MakeApp, upstream: OpenAIUpstream, trouble: Behaviour
) -> None:
    """After four calls at the most, embeddings among them."""
    app = make_app(**(HASTY if isinstance(trouble, Hang | Drip) else PATIENT))
    upstream.always(trouble)
    upstream.always(Status(503), EMBEDDINGS)
    upstream.forget()

    reply = ask(app, fresh())

    assert (reply.status, reply.body["model"]) == (200, "extractive")
    assert reply.degraded == ["llm_extractive", "dense_search"]
    assert len(upstream.calls(CHAT)) + len(upstream.calls(EMBEDDINGS)) <= 4
    assert reply.seconds < 30


def test_in_an_outage_nobody_waits_and_the_provider_is_left_alone(
    make_app: MakeApp, upstream: OpenAIUpstream
) -> None:
    """With the circuits open an answer takes as long as an extractive one."""
    app = make_app(**HASTY)
    upstream.always(Hang("first_word"))
    upstream.always(Hang("headers"), EMBEDDINGS)
    first = [ask(app, fresh()) for _ in range(3)]
    upstream.forget()
    began = time.monotonic()

    later = [ask(app, fresh()) for _ in range(8)]
    trials = 1 + (time.monotonic() - began) / FIRST_PAUSE_S

    assert max(reply.seconds for reply in first) > 1
    assert sorted(reply.seconds for reply in later)[5] < max(reply.seconds for reply in first)
    assert {reply.body["model"] for reply in later} == {"extractive"}
    # One trial of each circuit may have fallen due, and more in a longer time.
    assert len(upstream.calls(CHAT)) <= trials
    assert len(upstream.calls(EMBEDDINGS)) <= trials


def test_service_is_good_again_by_itself_when_the_provider_is(
    make_app: MakeApp, upstream: OpenAIUpstream
) -> None:
    """Within half a minute; here the pauses are still short."""
    app = make_app(**HASTY)
    upstream.always(Status(503))
    upstream.always(Status(503), EMBEDDINGS)
    for _ in range(4):
        ask(app, fresh())
    upstream.always(None)
    upstream.always(None, EMBEDDINGS)

    assert soon(lambda: ask(app, fresh()).degraded == [])


WHAT_A_QUESTION_PROVOKES: list[Behaviour] = [
    Reply(finish_reason="content_filter"),
    Reply(finish_reason="length"),
    EmptyAnswer("content_filter"),
    EmptyAnswer("length"),
    EmptyAnswer("stop"),
    Status(400),
    Status(400, code="content_filter"),
    Status(400, code="context_length_exceeded"),
    Status(413),
    Status(422),
]


@pytest.mark.parametrize("provoked", WHAT_A_QUESTION_PROVOKES, ids=str)
def test_one_reader_cannot_take_the_model_from_all(
    make_app: MakeApp, upstream: OpenAIUpstream, provoked: Behaviour
) -> None:
    """A question that the provider does not answer as wished is no failure of the provider."""
    app = make_app(**PATIENT)
    upstream.always(provoked)
    for _ in range(FAILURES_TO_OPEN + 1):
        ask(app, fresh())
    upstream.always(None)

    of_another_reader = ask(app, fresh())
    states = Scrape(app.test_client().get("/metrics").text)

    assert (of_another_reader.body["model"], of_another_reader.degraded) == ("gpt-4o", [])
    assert states.value("circuit_open") == 0


def test_dense_search_alone_is_missing_when_embeddings_hang(
    make_app: MakeApp, upstream: OpenAIUpstream
) -> None:
    """And soon nobody waits for them."""
    app = make_app(**HASTY)
    upstream.always(Hang("headers"), EMBEDDINGS)

    replies = [ask(app, fresh()) for _ in range(6)]

    assert all(reply.degraded == ["dense_search"] for reply in replies)
    assert all(reply.body["model"] == "gpt-4o" for reply in replies)
    assert replies[-1].seconds < replies[0].seconds


@pytest.mark.parametrize("trouble", [Cut(3), Cut(3, "reset"), Cut(3, "end")], ids=str)
def test_answer_that_breaks_off_is_kept_as_failed_and_may_be_asked_again(
    make_app: MakeApp, upstream: OpenAIUpstream, trouble: Behaviour
) -> None:
    """With the same idempotency key."""
    client = make_app(**HASTY).test_client()
    upstream.script(trouble)
    key = {"Idempotency-Key": "one"}

    broken = client.post("/query", json={"query": CHEDDAR, "stream": True}, headers=key).text
    session_id = json.loads(broken.partition("data: ")[2].partition("\n")[0])["session_id"]
    again = client.post("/query", json={"query": CHEDDAR}, headers=key)
    kept = client.get(f"/sessions/{session_id}").json["messages"]

    assert "event: error" in broken
    assert (kept[0]["status"], bool(kept[0]["answer"])) == ("failed", True)
    assert (again.status_code, again.json["status"]) == (200, "answered")


BREAKING_OFF: list[Behaviour] = [
    Cut(3),
    Cut(3, "reset"),
    Cut(3, "end"),
    Hang("middle"),
    Drip(0.05, "comment", after_tokens=3),
    Garbage("bad_sse_json"),
]


@pytest.mark.parametrize("trouble", BREAKING_OFF, ids=str)
def test_next_model_answers_a_reader_who_has_seen_nothing_yet(
    make_app: MakeApp, upstream: OpenAIUpstream, trouble: Behaviour
) -> None:
    """A JSON reply is sent as a whole: what the first model began need not be its end."""
    app = make_app(**HASTY)
    upstream.for_model("gpt-4o", trouble)

    reply = ask(app, fresh())

    assert (reply.status, reply.body["status"], reply.degraded) == (200, "answered", ["llm_fallback"])
    assert (reply.body["model"], reply.body["answer"]) == ("gpt-4o-mini", "Nine months [1].")


@pytest.mark.parametrize("trouble", BREAKING_OFF, ids=str)
def test_book_answers_where_every_model_breaks_off(
    make_app: MakeApp, upstream: OpenAIUpstream, trouble: Behaviour
) -> None:
    """And the reply says what the broken answers cost."""
    app = make_app(**HASTY)
    upstream.always(trouble)

    reply = ask(app)
    kept = app.test_client().get(f"/sessions/{reply.body['session_id']}").json["messages"]

    assert (reply.status, reply.body["model"], reply.degraded) == (200, "extractive", ["llm_extractive"])
    assert "nine months" in reply.body["answer"]
    assert reply.body["usage"]["output_tokens"] > 0
    assert (kept[0]["status"], kept[0]["answer"]) == ("answered", reply.body["answer"])


def test_model_that_speaks_until_the_deadline_is_not_waited_for(
    make_app: MakeApp, upstream: OpenAIUpstream
) -> None:
    """Some of the time is kept for the book's own sentences."""
    app = make_app(QUERY_DEADLINE_S=6)
    upstream.always(Reply(tokens=["Nine "] * 1000, delay_s=0.1))

    reply = ask(app)

    assert (reply.status, reply.body["model"], reply.degraded) == (200, "extractive", ["llm_extractive"])


@pytest.mark.parametrize("tokens", [["mony " * 40_000], ["mony "] * 20_000], ids=["one piece", "many"])
def test_answer_without_end_is_cut_and_says_so(
    make_app: MakeApp, upstream: OpenAIUpstream, tokens: list[str]
) -> None:
    """Five megabytes went to a reader, into the cache and into the database."""
    app = make_app(ANSWER_TOKENS=200, CACHE_TTL_HOURS=1, **PATIENT)
    client = app.test_client()
    upstream.always(Reply(tokens=["Nine months [1]. ", *tokens]))

    reply = ask(app)
    streamed = client.post("/query", json={"query": CHEDDAR, "stream": True}).text
    kept = client.get(f"/sessions/{reply.body['session_id']}").json["messages"]

    assert (reply.status, reply.degraded, reply.body["cache"]) == (200, ["llm_length"], "miss")
    assert 1000 < len(reply.body["answer"]) < 200 * 8 + 200
    assert kept[0]["answer"] == reply.body["answer"]
    assert '"llm_length"' in streamed
    # (Once in its pieces, and once in `done`.)
    assert streamed.count("mony") < 2 * 400
    assert len(upstream.calls(CHAT)) == 2


def test_garbage_in_the_middle_is_told_in_band(make_app: MakeApp, upstream: OpenAIUpstream) -> None:
    """With a code; the answer is kept as failed."""
    client = make_app(**HASTY).test_client()
    upstream.script(Garbage("bad_sse_json"))

    said = client.post("/query", json={"query": CHEDDAR, "stream": True}).text
    session_id = json.loads(said.partition("data: ")[2].partition("\n")[0])["session_id"]

    assert '"code":"search_unavailable"' in said.rpartition("event: error")[2]
    assert client.get(f"/sessions/{session_id}").json["messages"][0]["status"] == "failed"


def test_model_that_hangs_in_the_middle_is_cut_at_the_deadline(
    make_app: MakeApp, upstream: OpenAIUpstream
) -> None:
    """The stream ends with an error that has a code."""
    client = make_app(**{**HASTY, "QUERY_DEADLINE_S": 3}).test_client()
    upstream.script(Hang("middle"))

    said = client.post("/query", json={"query": CHEDDAR, "stream": True}).text

    assert '"code":"search_unavailable"' in said or '"code":"deadline_exceeded"' in said


@pytest.mark.parametrize("budget", [{"OPENAI_DAILY_BUDGET_USD": 0}, {"OPENAI_QUESTIONS_PER_SESSION": 0}])
def test_past_the_budget_the_book_answers_and_no_model_is_asked(
    make_app: MakeApp, upstream: OpenAIUpstream, budget: dict[str, Any]
) -> None:
    """Never with an error."""
    app = make_app(**budget)
    upstream.forget()

    reply = ask(app)

    assert (reply.status, reply.body["model"], reply.degraded) == (200, "extractive", ["budget"])
    assert upstream.calls(CHAT) == []


def test_budget_is_spent_by_answers_and_shown(make_app: MakeApp, upstream: OpenAIUpstream) -> None:
    """The operator sees it coming."""
    app = make_app(OPENAI_DAILY_BUDGET_USD=0.002, OPENAI_QUESTIONS_PER_SESSION=None)
    upstream.script(Reply(text="Nine months [1].", usage={"prompt_tokens": 800, "completion_tokens": 50}))

    first, second = ask(app, fresh()), ask(app, fresh())
    metrics = app.test_client().get("/metrics").text

    assert (first.degraded, second.degraded) == ([], ["budget"])
    assert "budget_limit_usd 0.002" in metrics
    assert "budget_left_usd 0.0\n" in metrics
    assert 'degradations_total{kind="budget"} 1.0' in metrics


def test_answer_that_was_cut_is_charged_in_the_metrics_and_on_its_line(
    make_app: MakeApp, upstream: OpenAIUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in the table that is held against the provider's bill."""
    app = make_app(CACHE_TTL_HOURS=24)
    upstream.script(Cut(2))
    app.test_client().post("/query", json={"query": fresh(), "stream": True}).get_data()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line["event"] == "request" and line["route"] == "/query"]
    scrape = Scrape(app.test_client().get("/metrics").text)
    services_of(app).budget.write_waiting()
    with app.app_context(), db.engine.connect() as connection:
        rows = connection.execute(text("SELECT model, input_tokens, cost_usd FROM spending")).all()
    written = {model: (tokens, cost) for model, tokens, cost in rows}
    assert (line["outcome"], line["model"]) == ("failed", "gpt-4o")
    assert line["input_tokens"] == written["gpt-4o"][0] > 0
    assert line["cache_ms"] >= 0.0
    assert line["embed_ms"] > 0 < line["generate_ms"]
    assert scrape.value("llm_tokens_total", model="gpt-4o", kind="input") == written["gpt-4o"][0]
    assert scrape.value("llm_cost_usd_total", model="gpt-4o") == pytest.approx(written["gpt-4o"][1])
    assert scrape.value("llm_cost_usd_total", model="openai/text-embedding-3-small") > 0


def test_book_s_vectors_are_charged_too(make_app: MakeApp) -> None:
    """They are on the bill."""
    app = make_app()

    with app.app_context(), db.engine.connect() as connection:
        rows = connection.execute(text("SELECT model, input_tokens FROM spending")).all()

    assert [model for model, _tokens in rows] == ["openai/text-embedding-3-small"]
    assert rows[0][1] > 100


def test_command_writes_what_its_vectors_cost_before_it_ends(make_app: MakeApp, tmp_path: Path) -> None:
    """Costs are written some seconds apart; those since the last time end with the process else."""
    app = make_app()
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "brine.md").write_text(
        "# Brine\n\nA brine of twenty percent salt keeps for weeks.\n"
    )
    charged = "SELECT input_tokens FROM spending"
    with app.app_context(), db.engine.connect() as connection:
        before = connection.scalar(text(charged))

    command = ["book", "ingest", str(tmp_path / "second"), "--force"]
    assert app.test_cli_runner().invoke(args=command).exit_code == 0

    with app.app_context(), db.engine.connect() as connection:
        assert connection.scalar(text(charged)) > before


@pytest.mark.parametrize("setting", ["OPENAI_LLM_MODEL", "OPENAI_EMBEDDING_MODEL"])
def test_budget_needs_the_price_of_each_model(make_app: MakeApp, setting: str) -> None:
    """What costs nothing by our count would never be held against it."""
    with pytest.raises(ConfigurationError, match="my-own"):
        make_app(OPENAI_DAILY_BUDGET_USD=1, **{setting: "my-own"})


def test_session_has_a_number_of_questions_for_the_model(make_app: MakeApp) -> None:
    """One talk cannot spend what is there for all."""
    app = make_app(OPENAI_QUESTIONS_PER_SESSION=2)
    first = ask(app)
    later = [ask(app, fresh(), session_id=first.body["session_id"]) for _ in range(2)]

    assert [first.degraded, *(reply.degraded for reply in later)] == [[], [], ["budget"]]


def test_price_of_a_model_can_be_given(make_app: MakeApp, upstream: OpenAIUpstream) -> None:
    """Prices change, and other servers have their own."""
    app = make_app(MODEL_PRICES={"gpt-4o": [1000, 0]})
    upstream.script(Reply(text="Nine months [1].", usage={"prompt_tokens": 1000, "completion_tokens": 9}))

    assert ask(app).body["usage"]["cost_usd"] == pytest.approx(1.0, abs=0.001)


# --- over two workers ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, new_database: DatabaseMaker) -> Any:
    with made_site(tmp_path_factory.mktemp("outage"), new_database) as site:
        yield site


def test_circuit_is_shared_by_all_workers(site: Site) -> None:
    """What three readers waited for, nobody waits for on another worker either."""
    settings = {**site.environment, "OPENAI_LLM_FALLBACK_MODEL": "", "CACHE_TTL_HOURS": "0"}
    site.upstream.always(Status(503))
    with GunicornProcess(settings, workers=2) as server:
        for _ in range(4):
            question(server)
        # A worker trusts its copy of the circuit for so long, and all who ask it meanwhile wait.
        time.sleep(KNOWN_S)
        site.upstream.forget()
        began = time.monotonic()

        with ThreadPoolExecutor(8) as readers:
            answers = list(readers.map(lambda _: question(server), range(40)))
        trials = 1 + (time.monotonic() - began) / FIRST_PAUSE_S
        calls = len(site.upstream.calls(CHAT))
        site.upstream.always(None)
        again = soon(lambda: question(server)["degraded"] == [])

    assert {answer["model"] for answer in answers} == {"extractive"}
    # The worker that did not see the failures may ask until it hears of them; then there are trials, more of
    # them in a longer time.
    assert calls <= 3 + trials
    assert again


def question(server: GunicornProcess) -> dict[str, Any]:

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/query", json.dumps({"query": fresh()}), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body: dict[str, Any] = json.loads(response.read())
    connection.close()
    assert response.status == 200, body
    return body
