"""Test streamed answers: order of events, heartbeats, errors in the stream, readers who leave."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from ragbot.answering.answerer import AnswerLimits
from ragbot.answering.turns import RunningTurn, Turns
from ragbot.core.answers import Generation, Prompt, Question, Status
from ragbot.core.deadline import Deadline
from ragbot.core.errors import AnswerCut, Cancelled, DeadlineExceeded, ProviderUnavailable
from ragbot.core.ports import Generator
from ragbot.services import Services
from ragbot.storage.message_rows import MessageFacts
from ragbot.web import sse
from ragbot.web.sse import COMMENT, as_sse
from tests.answering.shelf import make_answerer
from tests.conftest import RunningApp, services_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app
from tests.web.sent_events import Sent, events_in

HOW_LONG = "How long is the cheddar ripened?"
HEARTBEAT_S = 0.02
PATIENCE_S = 60


class SilentModel:
    """Says its words, then nothing until it is interrupted, as a provider's socket does."""

    name = "test/silent"

    def __init__(self, *words: str) -> None:
        self.words = words
        self.asked = threading.Event()
        self.interrupted = threading.Event()
        self.speaks = threading.Event()
        self.generation = Generation()

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        generation.model = self.name
        self.generation = generation
        yield from self.words
        self.asked.set()
        with deadline.interrupting(self._interrupt):
            self.speaks.wait(PATIENCE_S)
        deadline.check()
        yield "at last"

    def _interrupt(self) -> None:
        self.interrupted.set()
        self.speaks.set()

    def ping(self) -> None:
        """Return always."""


class ExchangeableModel:
    """Whoever is set answers; an app keeps its generator for ever."""

    name = "test/exchangeable"

    def __init__(self) -> None:
        self.by: Generator = ScriptedGenerator()

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        yield from self.by.generate(prompt, deadline, generation)

    def ping(self) -> None:
        """Return always."""


@pytest.fixture(scope="module")
def model() -> ExchangeableModel:
    return ExchangeableModel()


@pytest.fixture(scope="module")
def served(
    new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory, model: ExchangeableModel
) -> Iterator[OpenAPI]:
    with three_chapter_app(new_database, tmp_path_factory.mktemp("sse"), generator=model) as app:
        yield app


@pytest.fixture
def services(served: OpenAPI) -> Services:
    return services_of(served)


@pytest.fixture
def reader(served: OpenAPI) -> FlaskClient:
    return served.test_client()


def streamed(reader: FlaskClient, **fields: Any) -> list[Sent]:
    reply = reader.post("/query", json={"query": HOW_LONG, "stream": True, **fields})
    assert reply.status_code == 200
    return events_in(reply.data)


def begun(services: Services, generator: Generator) -> RunningTurn:
    limits = AnswerLimits(context_tokens=4000, history_tokens=1000, answer_tokens=300)
    answerer = make_answerer(services.retriever, generator, limits)
    turns = Turns(services.conversations, answerer, deadline_s=20, most_at_once=1)
    return turns.begin(Question(HOW_LONG), None)


def stream_of(running: RunningTurn) -> Iterator[bytes]:
    return as_sse(running, next(running.events), heartbeat_s=HEARTBEAT_S, request_id="r1")


def row_when(services: Services, session_id: str, ended: Callable[[MessageFacts], bool]) -> MessageFacts:
    """The session's row as soon as it is as it should be; the last look at it if that takes too long."""
    until = time.monotonic() + PATIENCE_S
    while True:
        (row,), _ = services.conversations.messages(session_id, limit=1)
        if ended(row) or time.monotonic() > until:
            return row
        time.sleep(0.005)


def closed(row: MessageFacts) -> bool:
    return row.status != Status.PENDING


# --- events ------------------------------------------------------------------------------------


def test_events_come_in_the_order_of_the_contract(reader: FlaskClient, model: ExchangeableModel) -> None:
    """Sources first, then the words, then the whole."""
    model.by = ScriptedGenerator("Nine ", "months ", "[1].")

    events = streamed(reader)

    names = [event.name for event in events]
    assert names == ["sources", *["delta"] * (len(events) - 2), "done"]
    assert [event.id for event in events] == [0, *_chars_until(events[1:-1]), len(events[-1].data["answer"])]
    assert all(event.data.keys() == {"text"} and event.data["text"] for event in events[1:-1])


def _chars_until(deltas: list[Sent]) -> list[int]:
    return list(itertools.accumulate(len(event.data["text"]) for event in deltas))


def test_first_event_tells_the_session_and_the_sources(reader: FlaskClient, model: ExchangeableModel) -> None:
    """The reader can open one before the model has spoken."""
    model.by = ScriptedGenerator("Nine months [1].")

    first, *_, last = streamed(reader)

    assert first.data.keys() == {"session_id", "message_id", "sources"}
    assert first.data["session_id"] == last.data["session_id"]
    assert first.data["message_id"] == last.data["message_id"]
    assert [source["quote"] for source in first.data["sources"]] == [
        source["quote"] for source in last.data["sources"]
    ]
    assert not any(source["cited"] for source in first.data["sources"])


def test_last_event_is_the_reply_in_one_piece(reader: FlaskClient, model: ExchangeableModel) -> None:
    """One path, so that the two cannot differ."""
    model.by = ScriptedGenerator("Nine ", "months ", "[1].")
    whole = reader.post("/query", json={"query": HOW_LONG}).json

    *deltas, last = streamed(reader)[1:]

    own = {"session_id", "message_id", "created_at", "latency_ms"}
    assert last.data.keys() == whole.keys()
    assert {name: last.data[name] for name in whole.keys() - own} == {
        name: whole[name] for name in whole.keys() - own
    }
    assert "".join(event.data["text"] for event in deltas) == last.data["answer"]


def test_headers_keep_proxies_from_holding_the_stream_back(
    reader: FlaskClient, model: ExchangeableModel
) -> None:
    """nginx buffers it unless it is told not to."""
    model.by = ScriptedGenerator("Nine.")

    reply = reader.post("/query", json={"query": HOW_LONG, "stream": True}, headers={"X-Request-ID": "r-7"})

    assert reply.content_type.partition(";")[0] == "text/event-stream"
    assert reply.headers["Cache-Control"] == "no-cache, no-transform"
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert reply.headers["X-Request-ID"] == "r-7"
    assert "Content-Length" not in reply.headers
    reply.close()


def test_words_with_line_breaks_stay_one_event(reader: FlaskClient, model: ExchangeableModel) -> None:
    """A bare line break would end the field."""
    text = "Nine [1].\n\n```\ndata: two\r\nevent: done\n\n: three \u2028 four “five” 🙂\n```"
    model.by = ScriptedGenerator(text)

    *_, last = streamed(reader)

    assert last.data["answer"] == text.replace("\r\n", "\n").replace("\u2028", "\n")


def test_refusal_streams_as_an_answer_does(reader: FlaskClient, model: ExchangeableModel) -> None:
    """Without the word between the model and us."""
    model.by = ScriptedGenerator("NOT_", "IN_BOOK", ": The book", " is silent.")

    _, *deltas, last = streamed(reader)

    said, _, offered = "".join(event.data["text"] for event in deltas).partition("\n\n")
    assert (said, offered) == (
        "The book is silent.",
        "Nearest in the book: [Cheese](<https://book.test/02-cheese.md>)",
    )
    assert last.data["status"] == "refused"


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AnswerCut("cut"), 503, "search_unavailable"),
        (ProviderUnavailable("down"), 503, "search_unavailable"),
        (DeadlineExceeded("late"), 504, "deadline_exceeded"),
        (RuntimeError("secret"), 500, "internal_error"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("words", [[], ["Nine ", "months "]], ids=["before a word", "after two"])
def test_error_after_the_status_line_is_told_in_band(
    reader: FlaskClient,
    model: ExchangeableModel,
    words: list[str],
    error: Exception,
    status: int,
    code: str,
) -> None:
    """A stream that merely ends would pass for an answer."""
    model.by = ScriptedGenerator(*words, error)

    reply = reader.post("/query", json={"query": HOW_LONG, "stream": True}, headers={"X-Request-ID": "r-8"})
    events = events_in(reply.data)

    assert [event.name for event in events] == ["sources", *["delta"] * len(words), "error"]
    assert events[-1].id == len("".join(words).rstrip())
    problem = events[-1].data
    assert (problem["status"], problem["code"], problem["request_id"]) == (status, code, "r-8")
    assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}
    assert b"secret" not in reply.data


def test_error_before_the_first_event_has_an_honest_status(reader: FlaskClient) -> None:
    """Nothing has been sent by then."""
    reply = reader.post("/query", json={"query": HOW_LONG, "stream": True, "book_version": "none"})

    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")


def test_row_of_a_stream_that_broke_keeps_what_was_said(
    reader: FlaskClient, model: ExchangeableModel, services: Services
) -> None:
    """The reader finds it in his talk."""
    model.by = ScriptedGenerator("Nine ", "months ", AnswerCut("cut"))

    first, *_ = streamed(reader)

    (row,), _ = services.conversations.messages(first.data["session_id"], limit=1)
    assert (row.status, row.answer) == (Status.FAILED, "Nine months")


# --- signs of life -----------------------------------------------------------------------------


def test_comments_are_sent_until_the_first_word(services: Services) -> None:
    """Proxies cut what is silent, and a reader who has left is noticed only by writing to him."""
    model = SilentModel()
    running = begun(services, model)
    stream = stream_of(running)

    first, *comments = (next(stream) for _ in range(4))
    model.speaks.set()
    rest = b"".join(piece for piece in stream)

    assert first.startswith(b"event: sources\n")
    assert comments == [COMMENT] * 3
    names = [event.name for event in events_in(rest)]
    assert (names[0], names[-1]) == ("delta", "done")
    assert events_in(rest)[-1].id == len(events_in(rest)[-1].data["answer"])


def test_reader_is_told_once_that_the_model_thinks(services: Services) -> None:
    """A minute of silence looks like a fault."""
    model = SilentModel()
    running = begun(services, model)
    stream = stream_of(running)
    next(stream)
    next(stream)
    assert model.asked.wait(PATIENCE_S)
    model.generation.is_thinking = True

    signs = [next(stream) for _ in range(8)]
    model.speaks.set()
    rest = b"".join(stream)

    assert [event.name for event in events_in(b"".join(signs))] == ["thinking"]
    assert [event.id for event in events_in(b"".join(signs))] == [0]
    assert events_in(rest)[-1].id == len(events_in(rest)[-1].data["answer"])


def test_reader_who_leaves_between_words_is_seen(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to him that could fail, and the model would be paid for the rest."""
    monkeypatch.setattr(sse, "CONNECTION_CHECK_EVERY_S", 0.05)
    here, there = socket.socketpair()
    model = SilentModel("Nine ", "months ")
    running = begun(services, model)
    stream = as_sse(running, next(running.events), connection=here)
    said = [next(stream) for _ in range(3)]
    reading = threading.Thread(target=lambda: list(stream))
    reading.start()
    assert model.asked.wait(PATIENCE_S)
    still_there = not model.interrupted.wait(0.2)

    there.close()

    assert model.interrupted.wait(PATIENCE_S)
    reading.join(PATIENCE_S)
    here.close()
    assert still_there
    assert len(events_in(b"".join(said))) == 3
    assert row_when(services, running.turn.session_id, closed).status == Status.STOPPED


def test_comment_is_no_event(services: Services) -> None:
    """The standard has readers ignore it."""
    assert COMMENT.startswith(b":")
    assert COMMENT.endswith(b"\n\n")
    assert events_in(COMMENT) == []


def test_model_that_speaks_at_once_needs_no_comment(services: Services) -> None:
    """They are for waiting."""
    running = begun(services, ScriptedGenerator("Nine."))
    stream = as_sse(running, next(running.events), heartbeat_s=PATIENCE_S)

    assert COMMENT not in list(stream)


# --- readers who leave -------------------------------------------------------------------------


def test_reader_who_leaves_before_the_first_word_stops_the_model(services: Services) -> None:
    """It would be paid for nobody."""
    model = SilentModel()
    running = begun(services, model)
    stream = stream_of(running)
    assert [next(stream), next(stream)][1] == COMMENT

    stream.close()  # type: ignore[attr-defined]

    assert model.interrupted.wait(PATIENCE_S)
    row = row_when(services, running.turn.session_id, closed)
    assert (row.status, row.answer) == (Status.STOPPED, "")


def test_reader_who_leaves_after_some_words_keeps_them(services: Services) -> None:
    """They are in his talk when he comes back."""
    generator = ScriptedGenerator("Nine ", "months ", "in a ", "cellar.")
    running = begun(services, generator)
    stream = stream_of(running)
    for _ in range(3):
        next(stream)

    stream.close()  # type: ignore[attr-defined]

    row = row_when(services, running.turn.session_id, closed)
    assert (row.status, row.answer) == (Status.STOPPED, "Nine months")
    assert running.deadline.cancelled
    assert generator.closed == 1


def test_reader_who_leaves_before_the_stream_is_begun_leaves_no_turn_open(services: Services) -> None:
    """A server may lose him between the status line and the first byte."""
    generator = ScriptedGenerator("Nine.")
    running = begun(services, generator)
    session_id = running.turn.session_id
    stream = stream_of(running)

    stream.close()  # type: ignore[attr-defined]
    del stream, running

    assert row_when(services, session_id, closed).status == Status.STOPPED


def test_reader_who_leaves_a_model_that_cannot_be_interrupted_leaves_no_turn_open(services: Services) -> None:
    """It speaks once more, to nobody."""

    class Deaf(SilentModel):
        def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
            self.asked.set()
            self.speaks.wait(PATIENCE_S)
            yield "at last"

    model = Deaf()
    running = begun(services, model)
    session_id = running.turn.session_id
    stream = stream_of(running)
    next(stream)
    assert next(stream) == COMMENT

    stream.close()  # type: ignore[attr-defined]
    del stream, running
    model.speaks.set()

    assert row_when(services, session_id, closed).status == Status.STOPPED


@pytest.mark.parametrize("words", [(), ("Nine ", "months ")], ids=["before a word", "after two"])
def test_reader_who_hangs_up_is_noticed_over_the_wire(
    served: OpenAPI,
    services: Services,
    model: ExchangeableModel,
    run_app: Callable[[OpenAPI], RunningApp],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """With a real server, which tells of it by closing the iterator."""
    monkeypatch.setattr("ragbot.web.api.query.as_sse", heartbeating)
    talking = TalkingModel(*words)
    model.by = talking
    running = run_app(served)
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=PATIENCE_S)
    body = json.dumps({"query": HOW_LONG, "stream": True})
    connection.request("POST", "/query", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    first = response.readline() + response.readline() + response.readline()
    session_id = json.loads(first.split(b"data: ")[1])["session_id"]

    for word in words:
        while word.strip().encode() not in response.readline():
            pass
    response.close()
    connection.close()

    row = row_when(services, session_id, closed)
    assert row.status == Status.STOPPED
    assert row.answer.startswith("".join(words))


class TalkingModel(SilentModel):
    """Goes on for ever, so that the server writes and learns that nobody reads."""

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        generation.model = self.name
        yield from self.words
        while self.words:
            deadline.check()
            yield "and so on "
            self.speaks.wait(0.005)
        yield from super().generate(prompt, deadline, generation)


def heartbeating(running: RunningTurn, first: Any, **more: Any) -> Iterator[bytes]:
    return as_sse(running, first, heartbeat_s=HEARTBEAT_S, **more)


def test_cancelled_turn_is_no_error_of_ours(services: Services) -> None:
    """The reader is gone; nothing that is told would be heard."""
    running = begun(services, ScriptedGenerator("Nine ", Cancelled("gone")))

    list(stream_of(running))

    assert row_when(services, running.turn.session_id, closed).status == Status.STOPPED
