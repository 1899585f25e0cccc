"""Test that no log line and no metric has a whole session id, which is the key to a conversation."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from ragbot.core.errors import DatabaseUnavailable
from ragbot.observability.logging import configure_logging
from ragbot.storage.conversations import ConversationStore
from tests.conftest import AppMaker, services_of


@pytest.fixture
def log(client: FlaskClient) -> Iterator[io.StringIO]:
    """Yield what the caller's app logs from now on."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging("INFO", as_json=True, to=stream)
    yield stream
    root.handlers[:], root.level = before


def test_no_line_and_no_number_tells_an_id_whole(
    client: FlaskClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every route that takes one, and where something goes wrong."""
    asked = {"query": "How long is the cheddar ripened?"}
    answer = client.post("/query", json=asked).json
    session, message = answer["session_id"], answer["message_id"]
    at = f"/sessions/{session}"

    client.post("/query", json=asked | {"session_id": session, "stream": True}).get_data()
    client.get(f"{at}?limit=2&before={message}")
    client.get(f"{at}?limit=none")
    client.get(f"{at}/export")
    client.put(f"{at}/messages/{message}/feedback", json={"rating": "up"})
    client.put(f"{at}/messages/{message}/feedback", json={"rating": "sideways"})
    client.post(at)
    with monkeypatch.context() as broken:
        broken.setattr(ConversationStore, "session", _unavailable)
        client.get(at)
        broken.setattr(ConversationStore, "session", _unforeseen)
        client.get(at)
    client.delete(at)
    client.get(at)

    said = log.getvalue()
    numbers = client.get("/metrics").text
    assert said.count('"event": "request"') >= 11
    assert [known for known in (session, message) if known in said + numbers] == []
    assert session[:8] in said


def test_ids_cannot_be_guessed(make_app: AppMaker) -> None:
    """192 bits each, of a source that is made for it."""
    conversations = services_of(make_app()).conversations

    ids = {conversations.start_session().session_id for _ in range(50)}

    assert len(ids) == 50
    assert {len(known) for known in ids} == {32}
    assert len({known[:4] for known in ids}) > 40


def _unavailable(_self: ConversationStore, session_id: str) -> None:
    raise DatabaseUnavailable("The database cannot be reached.")


def _unforeseen(_self: ConversationStore, session_id: str) -> None:
    raise ValueError(f"no such thing as {session_id}")
