"""Test `POST /query` against its contract: fields, reply, refusals, and repeated requests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI
from werkzeug.test import TestResponse

from ragbot.core.answers import Mode
from ragbot.core.errors import AnswerCut, DeadlineExceeded, ProviderUnavailable
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app
from tests.web.sent_events import events_in

HOW_LONG = "How long is the cheddar ripened?"
SELECTION = "ripens the cheddar for nine months"


@pytest.fixture(scope="module")
def model() -> ScriptedGenerator:
    return ScriptedGenerator()


@pytest.fixture(scope="module")
def served(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory, model: ScriptedGenerator
) -> Iterator[OpenAPI]:
    with three_chapter_app(new_database, tmp_path_factory.mktemp("query"), generator=model) as app:
        yield app


@pytest.fixture
def reader(served: OpenAPI, model: ScriptedGenerator) -> FlaskClient:
    """Return a caller; the model says “Nine months [1].” unless the test has it say something else."""
    model.pieces = ["Nine ", "months ", "[1]."]
    model.prompts.clear()
    return served.test_client()


def asked(reader: FlaskClient, **fields: Any) -> TestResponse:
    return reader.post("/query", json={"query": HOW_LONG, **fields})


def sent(reader: FlaskClient, body: bytes | str, content_type: str = "application/json") -> TestResponse:
    return reader.post("/query", data=body, headers={"Content-Type": content_type})


# --- the reply ---------------------------------------------------------------------------------


def test_book_answers_without_a_model_with_a_verbatim_cited_source(client: FlaskClient) -> None:
    """It is what the service is for, with no key and no network."""
    reply = client.post("/query", json={"query": HOW_LONG})

    assert reply.status_code == 200
    assert "nine months" in reply.json["answer"]
    cited = [source for source in reply.json["sources"] if source["cited"]]
    assert cited[0]["path"] == "02-cheese.md"
    assert "Bob ripens the cheddar for nine months" in cited[0]["quote"]
    assert (reply.json["model"], reply.json["degraded"]) == ("extractive", [])


def test_reply_has_the_fields_of_the_contract_and_no_others(reader: FlaskClient) -> None:
    """Clients are written against them."""
    reply = asked(reader)

    assert reply.mimetype == "application/json"
    assert reply.json.keys() == {
        *("answer", "status", "sources", "citations", "session_id", "message_id", "created_at", "mode"),
        *("book", "book_version", "model", "degraded", "cache", "usage", "latency_ms", "grounding"),
    }
    assert reply.json["usage"].keys() == {"embedding_tokens", "input_tokens", "output_tokens", "cost_usd"}
    assert reply.json["latency_ms"].keys() == {"total", "embed", "search", "generate"}
    assert reply.json["sources"][0].keys() == {
        *("id", "chapter", "section", "heading_path", "path", "url", "quote", "quote_text"),
        *("score", "cited"),
    }
    assert reply.json["citations"][0].keys() == {"source", "start", "end", "text", "url"}


def test_reply_tells_the_answer_and_what_it_rests_on(reader: FlaskClient) -> None:
    """The reader can check each word."""
    reply = asked(reader).json

    assert (reply["answer"], reply["status"], reply["mode"]) == ("Nine months [1].", "answered", "full_book")
    assert (reply["book_version"], reply["model"], reply["cache"]) == ("first", "test/scripted", "bypass")
    first = reply["sources"][0]
    assert (first["chapter"], first["section"], first["path"]) == ("Cheese", "Ripening", "02-cheese.md")
    assert first["heading_path"] == ["Cheese", "Ripening"]
    assert first["url"] == "https://book.test/02-cheese.md#ripening:~:text=nine%20months"
    assert first["cited"] is True


def test_reply_tells_which_words_each_mark_rests_on(reader: FlaskClient) -> None:
    """A page that shows the quote can light them up."""
    reply = asked(reader).json

    (citation,) = reply["citations"]
    source = reply["sources"][citation["source"] - 1]
    assert source["quote"][citation["start"] : citation["end"]] == citation["text"] == "nine months"
    assert citation["url"] == source["url"]


def test_times_and_ids_are_in_the_form_of_the_contract(reader: FlaskClient) -> None:
    """Ids cannot be guessed; times are in UTC."""
    reply = asked(reader).json

    assert re.fullmatch(r"[\w-]{32}", reply["session_id"])
    assert re.fullmatch(r"[\w-]{32}", reply["message_id"])
    assert datetime.strptime(reply["created_at"], "%Y-%m-%dT%H:%M:%SZ")


def test_refusal_is_a_reply_and_not_an_error(reader: FlaskClient, model: ScriptedGenerator) -> None:
    """That the book does not say is an answer."""
    model.pieces = ["NOT_IN_BOOK The book does not tell."]

    reply = asked(reader)

    assert (reply.status_code, reply.json["status"]) == (200, "refused")
    assert reply.json["answer"] == (
        "The book does not tell.\n\nNearest in the book: [Cheese](<https://book.test/02-cheese.md>)"
    )
    assert reply.json["citations"] == []
    assert reply.json["sources"]
    assert not any(source["cited"] for source in reply.json["sources"])


# --- the table of fields -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"query": "x"},
        {"query": "é" * 2000},
        {"query": f"  {'x' * 2000}\n"},
        {"query": "🙂 and \u202e and \x07"},
        {"session_id": None},
        {"mode": "full_book"},
        {"mode": "full_book", "selected_text": None},
        {"mode": "selected_text", "selected_text": "x" * 10},
        {"mode": "selected_text", "selected_text": "字" * 10_000},
        {"page_url": None},
        {"page_url": "https://book.test/02-cheese#ripening"},
        {"page_url": "no address at all"},
        {"book_version": None},
        {"book_version": "first"},
        {"chapter_filter": None},
        {"chapter_filter": "Cheese"},
        {"top_k": 1},
        {"top_k": 20},
        {"stream": False},
    ],
    ids=lambda fields: repr(fields)[:60],
)
def test_field_inside_its_rule_is_taken(reader: FlaskClient, fields: dict[str, Any]) -> None:
    """The table of the contract, to its edges."""
    assert asked(reader, **fields).status_code == 200


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"query": ""}, "query"),
        ({"query": " \n\t "}, "query"),
        ({"query": "x" * 2001}, "query"),
        ({"query": None}, "query"),
        ({"query": 5}, "query"),
        ({"query": ["x"]}, "query"),
        ({"query": "a\x00b"}, "query"),
        ({"query": "\ud800"}, "query"),
        ({"query": "a\udfffb"}, "query"),
        ({"session_id": 5}, "session_id"),
        ({"mode": "book"}, "mode"),
        ({"mode": "FULL_BOOK"}, "mode"),
        ({"mode": None}, "mode"),
        ({"mode": 0}, "mode"),
        ({"mode": "selected_text"}, "selected_text"),
        ({"mode": "selected_text", "selected_text": None}, "selected_text"),
        ({"mode": "selected_text", "selected_text": "x" * 9}, "selected_text"),
        ({"mode": "selected_text", "selected_text": f"   {'x' * 9}   "}, "selected_text"),
        ({"mode": "selected_text", "selected_text": "x" * 10_001}, "selected_text"),
        ({"mode": "selected_text", "selected_text": "x" * 9 + "\ud800"}, "selected_text"),
        ({"mode": "full_book", "selected_text": SELECTION}, "selected_text"),
        ({"selected_text": SELECTION}, "selected_text"),
        ({"page_url": 5}, "page_url"),
        ({"page_url": "\x00"}, "page_url"),
        ({"page_url": "http://[broken"}, "page_url"),
        ({"book_version": 1}, "book_version"),
        ({"book_version": "\ud800"}, "book_version"),
        ({"chapter_filter": []}, "chapter_filter"),
        ({"chapter_filter": "\x00"}, "chapter_filter"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 21}, "top_k"),
        ({"top_k": -1}, "top_k"),
        ({"top_k": 5.0}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"top_k": None}, "top_k"),
        ({"top_k": 2**53}, "top_k"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream": None}, "stream"),
        ({"querry": "x"}, "querry"),
        ({"Query": "x"}, "Query"),
        ({"history": []}, "history"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_field_outside_its_rule_is_named(reader: FlaskClient, fields: dict[str, Any], named: str) -> None:
    """A typo is never ignored in silence, and the caller can mend what is named."""
    reply = sent(reader, json.dumps({"query": HOW_LONG, **fields}))

    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")
    assert [fault["field"] for fault in reply.json["errors"]] == [named]
    assert all(fault["message"] for fault in reply.json["errors"])


@pytest.mark.parametrize(
    "body", [b'{"query": "", "query": "How long is it ripened?"}', b'{"query": "x", "a": {"b": 1, "b": 2}}']
)
def test_field_that_is_given_twice_is_refused(reader: FlaskClient, body: bytes) -> None:
    """A decoder takes the last one, and nobody says so."""
    reply = reader.post("/query", data=body, content_type="application/json")

    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")
    assert reply.json["errors"][0]["message"] == "must be given once"


def test_refusal_is_not_larger_than_what_was_sent(reader: FlaskClient) -> None:
    """Of thousands of faults the first ones are named."""
    reply = reader.post("/query", json={f"field-{number}": 1 for number in range(3000)})

    assert reply.status_code == 422
    assert len(reply.json["errors"]) == 20


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/query"), ("POST", "/sessions"), ("DELETE", "/sessions/x"), ("GET", "/sessions/x/export")],
)
def test_word_behind_the_address_that_is_not_known_is_refused(
    reader: FlaskClient, method: str, path: str
) -> None:
    """As in a body: a slip is never ignored."""
    body = {"query": HOW_LONG} if path == "/query" else None

    reply = reader.open(f"{path}?top_k=3", method=method, json=body)

    assert (reply.status_code, reply.json["errors"][0]["field"]) == (422, "top_k")


def test_question_is_required(reader: FlaskClient) -> None:
    """There is nothing to answer."""
    reply = sent(reader, "{}")

    assert (reply.status_code, reply.json["errors"][0]["field"]) == (422, "query")


def test_each_fault_is_named_at_once(reader: FlaskClient) -> None:
    """One round of mending is enough."""
    reply = asked(reader, query="", top_k=99, stream="yes", unknown=1)

    assert {fault["field"] for fault in reply.json["errors"]} == {"query", "top_k", "stream", "unknown"}


def test_refused_question_leaves_no_trace(reader: FlaskClient, served: OpenAPI) -> None:
    """Neither a row nor a call of the model."""
    before = services_of(served).conversations.start_session()

    asked(reader, session_id=before.session_id, top_k=99)

    assert services_of(served).conversations.session(before.session_id).message_count == 0


@pytest.mark.parametrize(
    "session_id",
    ["unknown", "", "x" * 32, "x" * 5000, "a b", "a\x00b", "\ud800", "'; drop table sessions; --"],
)
def test_session_that_is_unknown_or_malformed_is_not_found(reader: FlaskClient, session_id: str) -> None:
    """A client never chooses an id."""
    reply = sent(reader, json.dumps({"query": HOW_LONG, "session_id": session_id}))

    assert (reply.status_code, reply.json["code"]) == (404, "session_not_found")


def test_session_goes_on_with_its_history(reader: FlaskClient, model: ScriptedGenerator) -> None:
    """A follow-up names nothing itself."""
    first = asked(reader)

    second = asked(reader, query="And where?", session_id=first.json["session_id"])

    assert second.json["session_id"] == first.json["session_id"]
    assert second.json["sources"][0]["path"] == "02-cheese.md"
    assert [role for role, _ in model.prompts[1].messages] == ["user", "assistant", "user"]


def test_edition_that_is_not_there_is_not_found(reader: FlaskClient) -> None:
    """An answer from another edition would quote what the reader does not see."""
    reply = asked(reader, book_version="second")

    assert (reply.status_code, reply.json["code"]) == (404, "edition_not_found")


def test_selection_is_what_is_answered_from(reader: FlaskClient, model: ScriptedGenerator) -> None:
    """And the book's place of it is the source."""
    reply = asked(reader, query="How long?", mode="selected_text", selected_text=f"  {SELECTION}  ")

    (prompt,) = model.prompts
    assert [passage.chunk.text for passage in prompt.passages] == [SELECTION]
    assert (prompt.mode, reply.json["mode"]) == (Mode.SELECTED_TEXT, "selected_text")
    assert [source["path"] for source in reply.json["sources"]] == ["02-cheese.md"]


@pytest.mark.parametrize("chapter", ["Tea", "tea", "03-tea.md"])
def test_chapter_filter_keeps_to_a_chapter_by_title_or_path(reader: FlaskClient, chapter: str) -> None:
    """The reader asks about the chapter he is in."""
    reply = asked(reader, query="How is tea or cheese or bread made?", chapter_filter=chapter)

    assert {source["path"] for source in reply.json["sources"]} == {"03-tea.md"}


def test_top_k_bounds_the_sources(reader: FlaskClient) -> None:
    """A narrow page shows few."""
    assert len(asked(reader, query="Bread, cheese and tea", top_k=1).json["sources"]) == 1


# --- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{'query': 'x'}",
        b'{"query": "x",}',
        b'{"query": "x"} {}',
        b'{"query": "x", "top_k": NaN}',
        b'{"query": "x", "top_k": Infinity}',
        b'{"query": "x", "top_k": 1e999}',
        b'{"query": "x", "top_k": %s}' % (b"9" * 6000),
        b'{"query": "\\ud800", "top_k": NaN}',
        b'{"query": "\\ud800", "top_k": %s}' % (b"9" * 6000),
        b'{"query": "\\ud800", "a": %s}' % (b"[" * 20_000 + b"]" * 20_000),
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"query": "x", "a": %s}' % (b"[" * 5_000 + b"]" * 5_000),
        '{"query": "x"}'.encode("utf-16"),
        '{"query": "x"}'.encode("utf-32"),
        '\ufeff{"query": "x"}'.encode(),
        b'{"query": "\xff"}',
        b'{"query": "\xed\xa0\x80"}',
        b'{"query": "\x01"}',
    ],
    ids=lambda body: repr(body)[:50],
)
def test_what_is_no_json_object_is_refused(reader: FlaskClient, body: bytes) -> None:
    """By the letter of the standard, and without an error of ours."""
    reply = sent(reader, body)

    assert (reply.status_code, reply.json["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("name", ["\\ud800", "\\u0000", "a.b", "", "__class__", "query "])
def test_field_of_any_name_is_refused_as_unknown(reader: FlaskClient, name: str) -> None:
    """Names go into the refusal, which must be sayable."""
    reply = sent(reader, f'{{"query": "x", "{name}": 1}}')

    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"],
)
def test_body_of_another_type_is_refused(reader: FlaskClient, content_type: str) -> None:
    """A form is what another site can have a browser send."""
    reply = sent(reader, json.dumps({"query": HOW_LONG}), content_type)

    assert (reply.status_code, reply.json["code"]) == (415, "unsupported_media_type")


def test_type_may_name_its_characters(reader: FlaskClient) -> None:
    """Many clients do."""
    reply = sent(reader, json.dumps({"query": HOW_LONG}), "application/json; charset=utf-8")

    assert reply.status_code == 200


def test_body_that_is_too_large_is_refused(reader: FlaskClient) -> None:
    """Before it is parsed."""
    reply = sent(reader, json.dumps({"query": "x" * 1_000_000}))

    assert (reply.status_code, reply.json["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_other_methods_are_refused_and_told_what_is_taken(reader: FlaskClient, method: str) -> None:
    """An address bar sends a GET."""
    reply = reader.open("/query", method=method)

    assert (reply.status_code, reply.json["code"]) == (405, "method_not_allowed")
    assert "POST" in reply.headers["Allow"]


# --- forms of the reply ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "mimetype"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream, application/json;q=0.5", "text/event-stream"),
        ("text/event-stream;q=0, application/json", "application/json"),
    ],
)
def test_form_is_what_the_caller_accepts(reader: FlaskClient, accepted: str | None, mimetype: str) -> None:
    """A browser's “anything” is no wish for a stream."""
    headers = {"Accept": accepted} if accepted else {}

    reply = reader.post("/query", json={"query": HOW_LONG}, headers=headers)

    assert (reply.status_code, reply.mimetype) == (200, mimetype)
    reply.close()


@pytest.mark.parametrize("accepted", ["text/html", "image/*", "application/xml", "application/json;q=0"])
def test_caller_who_accepts_neither_form_is_refused(
    reader: FlaskClient, model: ScriptedGenerator, accepted: str
) -> None:
    """Before a model is asked."""
    reply = reader.post("/query", json={"query": HOW_LONG}, headers={"Accept": accepted})

    assert (reply.status_code, reply.json["code"]) == (406, "not_acceptable")
    assert reply.mimetype == "application/problem+json"
    assert model.prompts == []


def test_stream_is_the_callers_wish(reader: FlaskClient) -> None:
    """By the field, whatever is accepted."""
    reply = reader.post(
        "/query", json={"query": HOW_LONG, "stream": True}, headers={"Accept": "application/json"}
    )

    assert reply.mimetype == "text/event-stream"
    assert events_in(reply.data)[-1].name == "done"


# --- the same again ----------------------------------------------------------------------------


def asked_with_key(reader: FlaskClient, key: str, **fields: Any) -> TestResponse:
    return reader.post("/query", json={"query": HOW_LONG, **fields}, headers={"Idempotency-Key": key})


def test_same_key_and_body_give_the_kept_answer(reader: FlaskClient, model: ScriptedGenerator) -> None:
    """A client that lost the reply asks again."""
    first = asked_with_key(reader, "kept")

    second = asked_with_key(reader, "kept")

    assert second.json == first.json
    assert len(model.prompts) == 1


def test_kept_answer_is_told_as_a_stream_too(reader: FlaskClient, model: ScriptedGenerator) -> None:
    """How it is told is no part of the question."""
    first = asked_with_key(reader, "streamed")

    second = asked_with_key(reader, "streamed", stream=True)

    events = events_in(second.data)
    assert [event.name for event in events] == ["sources", "delta", "done"]
    assert events[-1].data == first.json
    assert len(model.prompts) == 1


@pytest.mark.parametrize(
    "other",
    [{"query": "Another?"}, {"top_k": 4}, {"session_id": "x" * 32}, {"chapter_filter": "Tea"}],
    ids=str,
)
def test_same_key_with_another_body_is_refused(reader: FlaskClient, other: dict[str, Any]) -> None:
    """One of the two is a mistake."""
    key = f"reused {other}"
    asked_with_key(reader, key)

    reply = asked_with_key(reader, key, **other)

    assert (reply.status_code, reply.json["code"]) == (422, "idempotency_key_reused")


def test_same_key_of_another_caller_is_another_key(reader: FlaskClient, model: ScriptedGenerator) -> None:
    """Nobody is told what somebody else asked."""
    first = asked_with_key(reader, "shared")

    other = reader.post(
        "/query",
        json={"query": HOW_LONG},
        headers={"Idempotency-Key": "shared"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.7"},
    )

    assert other.json["session_id"] != first.json["session_id"]
    assert len(model.prompts) == 2


def test_same_key_is_refused_while_the_first_is_running(reader: FlaskClient) -> None:
    """Else both would be paid for."""
    running = asked_with_key(reader, "running", stream=True)

    reply = asked_with_key(reader, "running")

    assert (reply.status_code, reply.json["code"]) == (409, "idempotency_in_progress")
    assert int(reply.headers["Retry-After"]) >= 1
    running.close()


def test_key_is_free_again_after_a_failure(reader: FlaskClient, model: ScriptedGenerator) -> None:
    """The client asks again because there was no answer."""
    model.pieces = [ProviderUnavailable("down")]
    failed = asked_with_key(reader, "failing")
    model.pieces = ["Nine months [1]."]

    again = asked_with_key(reader, "failing")

    assert (failed.status_code, again.status_code) == (503, 200)


@pytest.mark.parametrize("key", ["8d0c7c1e-1f8b-4a5e", "x" * 128, "~!@#$%^&*()", "with a space"])
def test_key_may_be_of_any_printable_characters(reader: FlaskClient, key: str) -> None:
    """Clients make them in many ways."""
    assert asked_with_key(reader, key).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 129, "é", "a\tb"])
def test_key_that_breaks_the_rule_is_named(reader: FlaskClient, key: str) -> None:
    """A key that was cut would not be the same key."""
    reply = asked_with_key(reader, key)

    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")
    assert [fault["field"] for fault in reply.json["errors"]] == ["Idempotency-Key"]


# --- trouble -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "status", "code"),
    [
        ([ProviderUnavailable("down")], 503, "search_unavailable"),
        (["Nine ", AnswerCut("cut")], 503, "search_unavailable"),
        ([DeadlineExceeded("late")], 504, "deadline_exceeded"),
        (["Nine ", DeadlineExceeded("late")], 504, "deadline_exceeded"),
        ([RuntimeError("a bug at /srv/secret.py")], 500, "internal_error"),
        (["Nine ", KeyError("sk-secret")], 500, "internal_error"),
    ],
    ids=str,
)
def test_failure_has_an_honest_status_and_a_code_of_the_contract(
    reader: FlaskClient, model: ScriptedGenerator, pieces: list[Any], status: int, code: str
) -> None:
    """Half an answer is none in one piece; and no exception's text gets out."""
    model.pieces = pieces

    reply = asked(reader)

    assert (reply.status_code, reply.json["code"]) == (status, code)
    assert reply.mimetype == "application/problem+json"
    assert "secret" not in reply.text


def test_no_book_is_told_as_such(make_app: AppMaker) -> None:
    """A service that was just set up has none."""
    reply = asked(make_app().test_client())

    assert (reply.status_code, reply.json["code"]) == (503, "no_book")
    assert int(reply.headers["Retry-After"]) > 0


def test_service_without_a_free_place_says_so(make_app: AppMaker) -> None:
    """And when to come back."""
    model = ScriptedGenerator("Nine ", "months.")
    app = make_app({"MAX_STREAMS": 1}, generator=model)
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    reader = app.test_client()
    streaming = asked(reader, stream=True)

    reply = asked(reader)

    assert (reply.status_code, reply.json["code"]) == (503, "overloaded")
    assert int(reply.headers["Retry-After"]) > 0
    streaming.close()
    assert asked(reader).status_code == 200
