"""Test questions over HTTP with OpenAI's embeddings and models, faked by a loopback server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from harness.openai_upstream import (
    CHAT,
    EMBEDDINGS,
    Behaviour,
    Cut,
    Garbage,
    Hang,
    OpenAIUpstream,
    Refusal,
    Reply,
    Status,
)
from ragbot.core.ports import SharedState
from ragbot.providers.openai import client as openai_client
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient
from tests.databases import DatabaseMaker
from tests.served import three_chapter_app
from tests.web.sent_events import events_in

HOW_LONG = "How long is the cheddar ripened?"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenAIUpstream]:
    with OpenAIUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def served(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory, provider: OpenAIUpstream
) -> Iterator[OpenAPI]:
    """Yield an app whose book was embedded by the provider, as an operator with a key has it."""
    settings = {
        "OPENAI_API_KEY": "sk-alice-and-bob",
        "OPENAI_BASE_URL": provider.base_url,
        "OPENAI_LLM_FALLBACK_MODEL": "gpt-4o-mini",
        "EMBEDDER": "openai",
    }
    clients: list[OpenAIClient] = []

    def kept(access: OpenAIAccess, states: SharedState | None = None) -> OpenAIClient:
        clients.append(OpenAIClient(access, states))
        return clients[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ragbot.providers.openai.client.OpenAIClient", kept)
        # One test's trouble must not open the next one's circuit.
        patch.setattr("ragbot.core.circuit_breaker.FAILURES_TO_OPEN", 1000)
        with three_chapter_app(new_database, tmp_path_factory.mktemp("openai"), settings) as app:
            yield app
    # (A process keeps its connections to the end; the test run's end would complain of them.)
    for client in clients:
        client.close()


@pytest.fixture
def reader(
    served: OpenAPI, provider: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """Yield a caller; the provider behaves unless the test says otherwise."""
    monkeypatch.setattr(openai_client, "PAUSE_S", 0.01)
    monkeypatch.setattr(openai_client, "JITTER_S", 0.01)
    provider.reset()
    yield served.test_client()
    provider.reset()


def asked(reader: FlaskClient, query: str = HOW_LONG) -> dict[str, Any]:
    reply = reader.post("/query", json={"query": query})
    assert reply.status_code == 200
    answer: dict[str, Any] = reply.json
    return answer


def test_model_answers_from_the_passages(reader: FlaskClient, provider: OpenAIUpstream) -> None:
    """The whole way, with the real SDK."""
    provider.script(Reply(text="Nine months [1]."))

    answer = asked(reader)

    assert (answer["answer"], answer["model"], answer["degraded"]) == ("Nine months [1].", "gpt-4o", [])
    assert answer["sources"][0]["cited"]
    assert "nine months in a cool cellar" in provider.calls(CHAT)[0].body["messages"][-1]["content"]


def test_usage_counts_the_question_and_the_answer(reader: FlaskClient, provider: OpenAIUpstream) -> None:
    """The operator pays for both."""
    tokens = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    provider.script(Reply(text="Nine months [1].", usage=tokens))

    usage = asked(reader, "How long, then, is the cheddar ripened?")["usage"]

    assert (usage["embedding_tokens"], usage["input_tokens"], usage["output_tokens"]) == (7, 1000, 100)
    assert usage["cost_usd"] == pytest.approx(0.0035 + 7 * 0.02 / 1_000_000)


def test_refusal_of_the_model_is_told_as_one(reader: FlaskClient, provider: OpenAIUpstream) -> None:
    """In its own words, with where the reader may look."""
    provider.script(Refusal("I cannot help with that."))

    answer = asked(reader)

    assert (answer["status"], answer["answer"]) == (
        "refused",
        "I cannot help with that.\n\nNearest in the book: [Cheese](<https://book.test/02-cheese.md>)",
    )


def test_answer_at_its_limit_is_told_as_such(reader: FlaskClient, provider: OpenAIUpstream) -> None:
    """The page can say that there is more; degraded answers are cached for nobody."""
    provider.script(Reply(text="Nine months [1], and", finish_reason="length"))

    answer = asked(reader)

    assert (answer["status"], answer["degraded"]) == ("answered", ["llm_length"])


def test_answer_that_a_filter_stopped_has_a_code_and_no_invitation_to_retry(
    reader: FlaskClient, provider: OpenAIUpstream
) -> None:
    """The same question meets the same filter."""
    provider.script(Reply(text="Nine months [1], and", finish_reason="content_filter"))

    reply = reader.post("/query", json={"query": HOW_LONG})

    assert (reply.status_code, reply.json["code"]) == (422, "content_filtered")
    assert reply.json["detail"] == "This question cannot be answered; please ask it in another way."
    assert "Retry-After" not in reply.headers


@pytest.mark.parametrize("trouble", [Status(401), Status(429, retry_after=30)], ids=str)
def test_other_model_answers_for_the_first(
    reader: FlaskClient, provider: OpenAIUpstream, trouble: Behaviour
) -> None:
    """And the reply says so."""
    provider.for_model("gpt-4o", trouble)

    answer = asked(reader)

    assert (answer["model"], answer["degraded"]) == ("gpt-4o-mini", ["llm_fallback"])


@pytest.mark.parametrize("trouble", [Status(401), Status(500), Garbage("html"), Cut(0)], ids=str)
def test_book_itself_answers_for_both(
    reader: FlaskClient, provider: OpenAIUpstream, trouble: Behaviour
) -> None:
    """With the book's own sentence, at no cost but the question's."""
    provider.always(trouble)

    answer = asked(reader)

    assert "Bob ripens the cheddar for nine months" in answer["answer"]
    assert (answer["model"], answer["degraded"]) == ("extractive", ["llm_extractive"])
    assert answer["usage"]["output_tokens"] == 0


@pytest.mark.parametrize(
    "trouble", [Status(401), Status(429, retry_after=30), Garbage("empty_embeddings")], ids=str
)
def test_words_alone_are_searched_when_nothing_is_embedded(
    reader: FlaskClient, provider: OpenAIUpstream, trouble: Behaviour
) -> None:
    """The search is worse then, not gone."""
    provider.always(trouble, EMBEDDINGS)

    answer = asked(reader, f"How long is the cheddar ripened, with {trouble}?")

    assert answer["degraded"] == ["dense_search"]
    assert answer["sources"][0]["path"] == "02-cheese.md"


def test_reader_who_leaves_ends_the_models_stream(reader: FlaskClient, provider: OpenAIUpstream) -> None:
    """The provider stops, and stops to charge."""
    provider.script(Reply(tokens=["word "] * 10_000, delay_s=0.01))
    reply = reader.post("/query", json={"query": HOW_LONG, "stream": True})
    stream = iter(reply.response)
    while b"event: delta" not in next(stream):
        pass

    reply.close()

    assert provider.wait_for_disconnect()
    assert provider.wait_until_idle()


def test_answer_that_breaks_off_is_told_in_band(reader: FlaskClient, provider: OpenAIUpstream) -> None:
    """After what was said."""
    provider.script(Cut(after_tokens=3))

    events = events_in(reader.post("/query", json={"query": HOW_LONG, "stream": True}).data)

    assert [event.name for event in events][-2:] == ["delta", "error"]
    assert (events[-1].data["status"], events[-1].data["code"]) == (503, "search_unavailable")


def test_questions_at_once_are_not_held_up_by_one_that_hangs(
    reader: FlaskClient, provider: OpenAIUpstream
) -> None:
    """Each has a connection and a place of its own."""
    provider.script(Hang("middle"))
    hanging = reader.post("/query", json={"query": HOW_LONG, "stream": True})
    stream = iter(hanging.response)
    while b"event: delta" not in next(stream):
        pass
    answers: list[str] = []

    def ask() -> None:
        answers.append(asked(reader.application.test_client())["status"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == ["answered"] * 4
    hanging.close()


def test_follow_up_is_restated_by_the_small_model_before_the_search(
    reader: FlaskClient, provider: OpenAIUpstream
) -> None:
    """Its passages are those of the whole question, and both calls are paid for."""
    tokens = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    session_id = reader.post("/sessions").json["session_id"]
    provider.script(Reply(text="Nine months [1]."))
    reader.post("/query", json={"query": HOW_LONG, "session_id": session_id})
    provider.forget()
    provider.script(
        Reply(text="QUESTION: At how many degrees is green tea brewed?", usage=tokens),
        Reply(text="Green tea is brewed at 80 degrees [1].", usage=tokens),
    )

    reply = reader.post("/query", json={"query": "And the drink?", "session_id": session_id}).json

    small, large = provider.calls(CHAT)
    assert (small.body["model"], large.body["model"]) == ("gpt-4o-mini", "gpt-4o")
    assert reply["sources"][0]["chapter"] == "Tea"
    assert reply["answer"] == "Green tea is brewed at 80 degrees [1]."
    assert (reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]) == (200, 20)
