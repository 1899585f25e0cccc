"""Test `/sessions`: read in pages, exported, rated, deleted completely, and expired in time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI
from sqlalchemy import inspect, text, update

from ragbot.core.errors import AnswerCut
from ragbot.extensions import db
from ragbot.storage.models import SessionRow
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app

HOW_LONG = "How long is the cheddar ripened?"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def model() -> ScriptedGenerator:
    return ScriptedGenerator()


@pytest.fixture(scope="module")
def served(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory, model: ScriptedGenerator
) -> Iterator[OpenAPI]:
    with three_chapter_app(new_database, tmp_path_factory.mktemp("sessions"), generator=model) as app:
        yield app


@pytest.fixture
def reader(served: OpenAPI, model: ScriptedGenerator) -> FlaskClient:
    model.pieces = ["Nine months [1]."]
    return served.test_client()


@pytest.fixture
def session_id(reader: FlaskClient) -> str:
    """Return an empty session of this test's own."""
    return str(reader.post("/sessions").json["session_id"])


def ask(reader: FlaskClient, session_id: str, query: str = HOW_LONG, **fields: Any) -> dict[str, Any]:
    reply: dict[str, Any] = reader.post(
        "/query", json={"query": query, "session_id": session_id, **fields}
    ).json
    return reply


def talk(reader: FlaskClient, session_id: str, **query: Any) -> dict[str, Any]:
    reply: dict[str, Any] = reader.get(f"/sessions/{session_id}", query_string=query).json
    return reply


def expire(served: OpenAPI, session_id: str) -> None:
    """Let the session's time have run out a moment ago."""
    with served.app_context(), db.engine.begin() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(
            update(SessionRow.__table__)
            .where(SessionRow.__table__.c.id == session_id)
            .values(expires_at=past)
        )


# --- starting ----------------------------------------------------------------------------------


def test_session_is_started_with_an_id_that_cannot_be_guessed(reader: FlaskClient) -> None:
    """It is the only key to the talk."""
    reply = reader.post("/sessions")

    assert reply.status_code == 201
    assert reply.json.keys() == {"session_id", "created_at", "expires_at"}
    assert re.fullmatch(r"[\w-]{32}", reply.json["session_id"])
    assert TIME.fullmatch(reply.json["created_at"])
    assert reader.post("/sessions").json["session_id"] != reply.json["session_id"]


def test_session_lasts_as_long_as_is_set(reader: FlaskClient) -> None:
    """24 hours unless the operator says otherwise."""
    reply = reader.post("/sessions").json

    lasts = datetime.fromisoformat(reply["expires_at"]) - datetime.fromisoformat(reply["created_at"])
    assert lasts == timedelta(hours=24)


def test_question_without_a_session_starts_one(reader: FlaskClient) -> None:
    """Nobody needs to ask for one first."""
    session_id = reader.post("/query", json={"query": HOW_LONG}).json["session_id"]

    assert talk(reader, session_id)["message_count"] == 1


# --- reading -----------------------------------------------------------------------------------


def test_empty_session_has_no_messages(reader: FlaskClient, session_id: str) -> None:
    """It has the fields of any other."""
    reply = talk(reader, session_id)

    assert reply.keys() == {
        *("session_id", "created_at", "last_activity_at", "expires_at"),
        *("message_count", "messages", "next_before"),
    }
    assert (reply["message_count"], reply["messages"], reply["next_before"]) == (0, [], None)


def test_message_tells_what_was_asked_and_answered(reader: FlaskClient, session_id: str) -> None:
    """As it was told."""
    told = ask(reader, session_id)

    (message,) = talk(reader, session_id)["messages"]

    assert message.keys() == {
        *("message_id", "query", "mode", "selected_text", "answer", "status", "sources"),
        *("citations", "book", "model", "created_at", "feedback", "latency_ms", "grounding"),
    }
    assert (message["query"], message["mode"], message["selected_text"]) == (HOW_LONG, "full_book", None)
    for name in ("message_id", "answer", "status", "sources", "citations"):
        assert message[name] == told[name]
    for name in ("model", "created_at", "latency_ms"):
        assert message[name] == told[name]
    assert message["feedback"] is None


def test_selection_is_kept_with_its_question(reader: FlaskClient, session_id: str) -> None:
    """The question makes no sense without it."""
    ask(reader, session_id, mode="selected_text", selected_text="ripens the cheddar for nine months")

    (message,) = talk(reader, session_id)["messages"]

    assert (message["mode"], message["selected_text"]) == (
        "selected_text",
        "ripens the cheddar for nine months",
    )


def test_message_that_failed_is_there_with_what_was_said(
    reader: FlaskClient, session_id: str, model: ScriptedGenerator
) -> None:
    """Nothing that the reader typed is lost."""
    model.pieces = ["Nine ", AnswerCut("cut")]
    ask(reader, session_id)

    (message,) = talk(reader, session_id)["messages"]

    assert (message["status"], message["answer"], message["model"]) == ("failed", "Nine", "test/scripted")


def test_message_under_way_is_pending(reader: FlaskClient, session_id: str) -> None:
    """Another window of the reader's may look."""
    running = reader.post("/query", json={"query": HOW_LONG, "session_id": session_id, "stream": True})

    (message,) = talk(reader, session_id)["messages"]

    assert (message["status"], message["answer"], message["latency_ms"]) == ("pending", "", {})
    running.close()


def test_talk_is_read_in_pages_from_its_end(reader: FlaskClient, session_id: str) -> None:
    """The newest is what is wanted first, and within a page one reads downwards."""
    for number in range(5):
        ask(reader, session_id, f"Question {number} on cheddar?")

    newest = talk(reader, session_id, limit=2)
    middle = talk(reader, session_id, limit=2, before=newest["next_before"])
    oldest = talk(reader, session_id, limit=2, before=middle["next_before"])

    pages = [[message["query"][9] for message in page["messages"]] for page in (newest, middle, oldest)]
    assert pages == [["3", "4"], ["1", "2"], ["0"]]
    assert oldest["next_before"] is None
    assert {page["message_count"] for page in (newest, middle, oldest)} == {5}


def test_page_that_is_just_full_has_none_before_it(reader: FlaskClient, session_id: str) -> None:
    """An empty page would be a useless call."""
    for _ in range(2):
        ask(reader, session_id)

    assert talk(reader, session_id, limit=2)["next_before"] is None


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("page=2", "page"),
    ],
)
def test_part_that_cannot_be_given_is_named(
    reader: FlaskClient, session_id: str, query: str, named: str
) -> None:
    """A typo is never ignored in silence."""
    reply = reader.get(f"/sessions/{session_id}?{query}")

    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")
    assert [fault["field"] for fault in reply.json["errors"]] == [named]


@pytest.mark.parametrize("before", ["unknown", "", "%00", "%ED%A0%80", "x" * 3000])
def test_page_before_an_unknown_message_is_not_found(
    reader: FlaskClient, session_id: str, before: str
) -> None:
    """It would be a page of some other talk."""
    reply = reader.get(f"/sessions/{session_id}?before={before}")

    assert (reply.status_code, reply.json["code"]) == (404, "not_found")


def test_page_before_another_sessions_message_is_not_found(reader: FlaskClient, session_id: str) -> None:
    """Ids of one talk open nothing of another."""
    other = reader.post("/query", json={"query": HOW_LONG}).json

    reply = reader.get(f"/sessions/{session_id}?before={other['message_id']}")

    assert reply.status_code == 404


ADDRESSES = [
    ("get", "/sessions/{}"),
    ("get", "/sessions/{}/export"),
    ("delete", "/sessions/{}"),
    ("put", "/sessions/{}/messages/x/feedback"),
]


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
@pytest.mark.parametrize(
    "unknown", ["unknown", "x" * 32, "x" * 3000, "%00", "%ED%A0%80", "%F0%9F%99%82", "a%20b"]
)
def test_unknown_session_is_not_found(reader: FlaskClient, method: str, address: str, unknown: str) -> None:
    """Whatever its id looks like, and by each address."""
    reply = reader.open(
        address.format(unknown), method=method, json={"rating": "up"} if method == "put" else None
    )

    assert (reply.status_code, reply.json["code"]) == (404, "session_not_found")


def test_nobody_can_list_sessions(reader: FlaskClient) -> None:
    """Each is its reader's alone."""
    reply = reader.get("/sessions")

    assert reply.status_code == 405
    assert "GET" not in reply.headers["Allow"]


# --- export ------------------------------------------------------------------------------------


def test_export_is_the_talk_as_markdown(reader: FlaskClient, session_id: str) -> None:
    """To keep, or to send to somebody."""
    told = ask(reader, session_id, "How long\nis the cheddar ripened?")

    reply = reader.get(f"/sessions/{session_id}/export")

    assert (reply.status_code, reply.mimetype) == (200, "text/markdown")
    assert reply.text == (
        "## How long is the cheddar ripened?\n\n"
        f"*{told['created_at']}, answered*\n\n"
        "Nine months [1].\n\n"
        f"[1] Cheese > Ripening <{told['sources'][0]['url']}>\n"
    )


def test_export_holds_every_message_in_order(reader: FlaskClient, session_id: str, served: OpenAPI) -> None:
    """More than one page of them."""
    with served.app_context(), db.engine.begin() as connection:
        connection.execute(
            text(
                "insert into messages (message_id, session_id, created_at, query, mode, status, answer,"
                " sources, degraded, usage, latency_ms) values (:id, :session, :at, :query, 'full_book',"
                " 'answered', 'Yes.', '[]', '[]', '{}', '{}')"
            ),
            [
                {
                    "id": f"{session_id[:20]}{number}",
                    "session": session_id,
                    "at": "2026-01-01 00:00:00",
                    "query": f"Question {number}?",
                }
                for number in range(205)
            ],
        )

    exported = reader.get(f"/sessions/{session_id}/export").text

    assert re.findall(r"## Question (\d+)\?", exported) == [str(number) for number in range(205)]


def test_export_of_an_empty_session_is_empty(reader: FlaskClient, session_id: str) -> None:
    """And no error."""
    assert reader.get(f"/sessions/{session_id}/export").text.strip() == ""


# --- feedback ----------------------------------------------------------------------------------


def rate(reader: FlaskClient, session_id: str, message_id: str, body: object) -> Any:
    return reader.put(
        f"/sessions/{session_id}/messages/{message_id}/feedback",
        data=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )


def test_last_verdict_on_an_answer_wins(reader: FlaskClient, session_id: str) -> None:
    """Readers change their minds."""
    message_id = ask(reader, session_id)["message_id"]

    first = rate(reader, session_id, message_id, {"rating": "up"})
    first_kept = talk(reader, session_id)["messages"][0]["feedback"]
    second = rate(reader, session_id, message_id, {"rating": "down", "comment": "  It was ten.  "})

    assert (first.status_code, first.data, second.status_code) == (204, b"", 204)
    assert first_kept == {"rating": "up", "comment": None}
    assert talk(reader, session_id)["messages"][0]["feedback"] == {
        "rating": "down",
        "comment": "It was ten.",
    }


@pytest.mark.parametrize("comment", [None, "", "x" * 2000, "é🙂"])
def test_comment_inside_its_rule_is_kept(reader: FlaskClient, session_id: str, comment: str | None) -> None:
    """It is the author's best hint."""
    message_id = ask(reader, session_id)["message_id"]

    assert rate(reader, session_id, message_id, {"rating": "down", "comment": comment}).status_code == 204
    assert talk(reader, session_id)["messages"][0]["feedback"]["comment"] == comment


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "rating"),
        ({"rating": "sideways"}, "rating"),
        ({"rating": 1}, "rating"),
        ({"rating": None}, "rating"),
        ({"rating": "up", "comment": "x" * 2001}, "comment"),
        ({"rating": "up", "comment": "a\x00b"}, "comment"),
        ({"rating": "up", "comment": "\ud800"}, "comment"),
        ({"rating": "up", "comment": 5}, "comment"),
        ({"rating": "up", "stars": 5}, "stars"),
    ],
    ids=str,
)
def test_verdict_outside_its_rule_is_named(
    reader: FlaskClient, session_id: str, body: dict[str, Any], named: str
) -> None:
    """And changes nothing."""
    message_id = ask(reader, session_id)["message_id"]

    reply = rate(reader, session_id, message_id, body)

    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")
    assert [fault["field"] for fault in reply.json["errors"]] == [named]
    assert talk(reader, session_id)["messages"][0]["feedback"] is None


def test_message_of_another_session_cannot_be_rated(reader: FlaskClient, session_id: str) -> None:
    """Ids of one talk open nothing of another."""
    other = reader.post("/query", json={"query": HOW_LONG}).json

    reply = rate(reader, session_id, other["message_id"], {"rating": "up"})

    assert (reply.status_code, reply.json["code"]) == (404, "not_found")
    assert talk(reader, other["session_id"])["messages"][0]["feedback"] is None


# --- deleting ----------------------------------------------------------------------------------


def test_deleted_session_leaves_no_word_in_the_database(
    reader: FlaskClient, session_id: str, served: OpenAPI
) -> None:
    """The reader was promised that it is gone."""
    secret = "zwieback"
    answer = reader.post(
        "/query",
        json={
            "query": f"What of {secret} and cheddar?",
            "session_id": session_id,
            "mode": "selected_text",
            "selected_text": f"A selection on {secret}.",
        },
        headers={"Idempotency-Key": "deleted"},
    ).json
    rate(reader, session_id, answer["message_id"], {"rating": "up", "comment": f"More {secret}!"})
    assert secret in everything(served)

    reply = reader.delete(f"/sessions/{session_id}")

    assert (reply.status_code, reply.data) == (204, b"")
    assert secret not in everything(served)
    assert session_id not in everything(served)
    assert answer["message_id"] not in everything(served)


def everything(served: OpenAPI) -> str:
    """Return all rows of all tables."""
    with served.app_context(), db.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return "\n".join(str(connection.execute(text(f"select * from {name}")).all()) for name in tables)


def test_deleted_session_is_not_found(reader: FlaskClient, session_id: str) -> None:
    """By any address; the second time too."""
    reader.delete(f"/sessions/{session_id}")

    assert reader.get(f"/sessions/{session_id}").status_code == 404
    assert reader.delete(f"/sessions/{session_id}").status_code == 404
    assert reader.post("/query", json={"query": HOW_LONG, "session_id": session_id}).status_code == 404


def test_other_sessions_are_left_alone(reader: FlaskClient, session_id: str) -> None:
    """A reader deletes his own."""
    kept = reader.post("/query", json={"query": HOW_LONG}).json["session_id"]

    reader.delete(f"/sessions/{session_id}")

    assert talk(reader, kept)["message_count"] == 1


def test_session_that_is_deleted_under_way_is_gone_all_the_same(
    reader: FlaskClient, session_id: str, served: OpenAPI
) -> None:
    """The answer has no row to be written to, and the reader of the stream gets it nevertheless."""
    running = reader.post("/query", json={"query": HOW_LONG, "session_id": session_id, "stream": True})

    deleted = reader.delete(f"/sessions/{session_id}")

    assert deleted.status_code == 204
    assert b"event: done" in running.data
    assert session_id not in everything(served)


# --- expiry ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "address"), [a for a in ADDRESSES if a[0] != "delete"])
def test_session_whose_time_has_run_out_has_ended(
    reader: FlaskClient, served: OpenAPI, session_id: str, method: str, address: str
) -> None:
    """It is told apart from one that never was."""
    expire(served, session_id)

    reply = reader.open(
        address.format(session_id), method=method, json={"rating": "up"} if method == "put" else None
    )

    assert (reply.status_code, reply.json["code"]) == (410, "session_expired")


def test_question_in_a_session_that_has_ended_is_refused(
    reader: FlaskClient, served: OpenAPI, session_id: str
) -> None:
    """Its history is no longer the reader's context."""
    expire(served, session_id)

    reply = reader.post("/query", json={"query": HOW_LONG, "session_id": session_id})

    assert (reply.status_code, reply.json["code"]) == (410, "session_expired")


def test_session_that_has_ended_can_be_deleted(reader: FlaskClient, served: OpenAPI, session_id: str) -> None:
    """Its text is still there until then."""
    expire(served, session_id)

    assert reader.delete(f"/sessions/{session_id}").status_code == 204


def test_question_lets_its_session_last_longer(reader: FlaskClient, served: OpenAPI, session_id: str) -> None:
    """It ends some hours after its last activity, not after its first."""
    with served.app_context(), db.engine.begin() as connection:
        soon = datetime.now(UTC) + timedelta(minutes=1)
        connection.execute(
            update(SessionRow.__table__)
            .where(SessionRow.__table__.c.id == session_id)
            .values(expires_at=soon)
        )

    ask(reader, session_id)

    left = datetime.fromisoformat(talk(reader, session_id)["expires_at"]) - datetime.now(UTC)
    assert left > timedelta(hours=23)
