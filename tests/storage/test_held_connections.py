"""Test that no connection is held while a model writes, and that the answer is stored after it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import text, update

from harness.openai_upstream import Garbage, OpenAIUpstream
from ragbot import create_app
from ragbot.core.answers import Finished, Generation, Prompt, Question
from ragbot.core.deadline import Deadline
from ragbot.extensions import db
from ragbot.providers.openai.client import OpenAIAccess, OpenAIClient
from ragbot.providers.openai.generator import OpenAIGenerator
from ragbot.storage.conversations import messages, sessions
from tests.conftest import THREE_CHAPTERS, RunningApp, services_of
from tests.fakes.parts import ScriptedGenerator

READERS = 4


class WaitingGenerator:
    """Says a word, waits until it may go on, and says another."""

    name = "test/waiting"

    def __init__(self) -> None:
        self.waiting = threading.Semaphore(0)
        self.may_go_on = threading.Event()

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        generation.model = self.name
        yield "Nine "
        self.waiting.release()
        assert self.may_go_on.wait(60)
        yield "months [1]."

    def ping(self) -> None:
        """Return always."""


@pytest.fixture
def make_app_on(database_url: str, tmp_path: Path) -> Iterator[Callable[..., OpenAPI]]:
    """Make apps with a book on a database of each kind."""
    apps = []

    def make(overrides: dict[str, object] | None = None, **parts: object) -> OpenAPI:
        settings = {
            "ENVIRONMENT": "testing",
            "DATABASE_URL": database_url,
            "INDEX_DIR": str(tmp_path / "index"),
            "EMBEDDER": "none",
            "EDITION_POLL_S": 0,
            "RATE_LIMIT_ENABLED": False,
            # Readers who ask the same are each answered by the model.
            "CACHE_TTL_HOURS": 0,
        }
        app = create_app({**settings, **(overrides or {})}, **parts)
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        apps.append(app)
        return app

    yield make
    for app in apps:
        with app.app_context():
            db.engine.dispose()


def asked(app: OpenAPI) -> dict[str, object]:
    reply = app.test_client().post("/query", json={"query": "How long is the cheddar ripened?"})
    assert reply.status_code == 200, reply.data
    return reply.json


def test_no_connection_is_held_while_a_model_is_waited_for(
    make_app_on: Callable[..., OpenAPI], run_app: Callable[[OpenAPI], RunningApp]
) -> None:
    """With one connection for all, four slow answers would lock everybody else out."""
    generator = WaitingGenerator()
    app = make_app_on({"DB_POOL_SIZE": 1, "DB_MAX_OVERFLOW": 0, "DB_POOL_TIMEOUT_S": 2}, generator=generator)
    running = run_app(app)
    readers = [stream(running.url) for _ in range(READERS)]
    for _ in range(READERS):
        assert generator.waiting.acquire(timeout=60)

    fifth = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=60)
    fifth.request("POST", "/sessions")
    started = fifth.getresponse().status
    fifth.close()
    generator.may_go_on.set()
    ends = [reader.getresponse().read().decode().rpartition("event: ")[2] for reader in readers]
    for reader in readers:
        reader.close()

    assert started == 201
    assert [end.partition("\n")[0] for end in ends] == ["done"] * READERS
    with app.app_context(), db.engine.connect() as connection:
        statuses = connection.scalars(text("SELECT status FROM messages")).all()
    assert statuses == ["answered"] * READERS


def stream(url: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    body = json.dumps({"query": "How long is the cheddar ripened?", "stream": True})
    connection.request("POST", "/query", body, {"Content-Type": "application/json"})
    return connection


@pytest.mark.parametrize("kind", ["lone_surrogate", "nul"])
def test_odd_letter_in_a_models_answer_does_not_keep_it_from_being_closed(
    make_app_on: Callable[..., OpenAPI], kind: Literal["lone_surrogate", "nul"]
) -> None:
    """Models write half a character now and then; the next question must find the database unlocked."""
    with OpenAIUpstream(answer=lambda _: "Nine months [1].") as upstream:
        upstream.script(Garbage(kind), Garbage(kind))
        model = OpenAIClient(OpenAIAccess("sk-test", upstream.base_url, connect_timeout_s=5, max_retries=0))
        app = make_app_on(generator=OpenAIGenerator(model, "gpt-4o", first_word_timeout_s=5))

        replies = [asked(app), asked(app)]
        model.close()

    for reply in replies:
        kept, _ = services_of(app).conversations.messages(str(reply["session_id"]), limit=1)
        assert (kept[0].status, kept[0].model) == ("answered", "gpt-4o")
        assert kept[0].answer == reply["answer"]
        assert kept[0].answer.startswith("Nine")
        assert kept[0].answer.endswith("months [1].")


def test_answer_is_written_down_before_its_end_is_told(make_app_on: Callable[..., OpenAPI]) -> None:
    """A process that is killed just then must lose nothing that a reader saw whole."""
    services = services_of(make_app_on(generator=ScriptedGenerator("Nine months [1].")))
    running = services.turns.begin(Question("How long is the cheddar ripened?"), None)

    with closing(running.events) as events:
        told = next(event for event in events if isinstance(event, Finished))
        (kept,), _ = services.conversations.messages(running.turn.session_id, limit=1)

    assert (kept.status, kept.answer) == ("answered", told.answer.text)


def test_prune_command_settles_and_deletes(make_app_on: Callable[..., OpenAPI]) -> None:
    """It is the one thing that an operator has to run from a timer."""
    app = make_app_on()
    expired = asked(app)
    abandoned = services_of(app).conversations.open_turn(Question("Is anybody there?"), None)
    alive = asked(app)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    with app.app_context(), db.engine.execution_options(writes=True).begin() as connection:
        connection.execute(
            update(sessions).where(sessions.c.id == expired["session_id"]).values(expires_at=long_ago)
        )
        connection.execute(
            update(messages).where(messages.c.message_id == abandoned.message_id).values(created_at=long_ago)
        )

    result = app.test_cli_runner().invoke(args=["session", "prune"])

    assert (result.exit_code, result.output) == (0, "Marked 1 messages as failed, deleted 1 sessions.\n")
    client = app.test_client()
    assert client.get(f"/sessions/{expired['session_id']}").status_code == 404
    assert client.get(f"/sessions/{alive['session_id']}").status_code == 200
    talk = client.get(f"/sessions/{abandoned.session_id}").json
    assert [message["status"] for message in talk["messages"]] == ["failed"]
