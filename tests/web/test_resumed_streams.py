"""Test streams that break: the answer is finished, the rest can be fetched, and it can still be stopped."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from ragbot.core.answers import Generation, Prompt, Status
from ragbot.core.deadline import Deadline
from ragbot.core.errors import AnswerCut, DeadlineExceeded
from tests.conftest import AppMaker, services_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app
from tests.web.sent_events import Sent, events_in

HOW_LONG = "How long is the cheddar ripened?"
PATIENCE_S = 60
ANSWER = "Nine months in a cool cellar [1]."


class PausingModel:
    """Says its first words, and the others when the test lets it; counts how often it is asked."""

    name = "test/pausing"

    def __init__(self) -> None:
        self.calls = 0
        self.goes_on = threading.Event()
        self.first: list[str] = ["Nine ", "months "]
        self.then: Iterable[str | Exception] = ["in a ", "cool ", "cellar ", "[1]."]

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        self.calls += 1
        generation.model = self.name
        yield from self.first
        with deadline.interrupting(self.goes_on.set):
            self.goes_on.wait(PATIENCE_S)
        for piece in self.then:
            deadline.check()
            if isinstance(piece, Exception):
                raise piece
            yield piece
            # So that an endless answer leaves the processor to the others.
            time.sleep(0.001)

    def ping(self) -> None:
        """Return always."""


class ExchangeableModel:
    """Whoever is set answers; an app keeps its generator for ever."""

    name = "test/exchangeable"
    by: Any

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        yield from self.by.generate(prompt, deadline, generation)

    def ping(self) -> None:
        """Return always."""


EXCHANGEABLE = ExchangeableModel()


@pytest.fixture(scope="module")
def served(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAPI]:
    with three_chapter_app(new_database, tmp_path_factory.mktemp("resume"), generator=EXCHANGEABLE) as app:
        yield app


@pytest.fixture
def model() -> Iterator[PausingModel]:
    EXCHANGEABLE.by = model = PausingModel()
    yield model
    model.goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "unread-answer":
            thread.join(PATIENCE_S)


@pytest.fixture
def reader(served: OpenAPI) -> FlaskClient:
    return served.test_client()


def cut_off(reader: FlaskClient, *, deltas: int, **fields: Any) -> list[Sent]:
    """Return the events that came until the connection broke, after so many deltas."""
    body = {"query": HOW_LONG, "stream": True, "resumable": True, **fields}
    reply = reader.post("/query", json=body, buffered=False)
    came: list[Sent] = []
    for piece in reply.iter_encoded():
        came += events_in(piece)
        if sum(event.name == "delta" for event in came) == deltas:
            break
    reply.close()
    return came


def address(events: list[Sent]) -> str:
    return "/sessions/{session_id}/messages/{message_id}/stream".format(**events[0].data)


def rest(reader: FlaskClient, events: list[Sent]) -> list[Sent]:
    reply = reader.get(address(events), headers={"Last-Event-ID": str(events[-1].id)})
    assert (reply.status_code, reply.mimetype) == (200, "text/event-stream")
    assert reply.headers["X-Accel-Buffering"] == "no"
    return events_in(reply.data)


def said(events: list[Sent]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "delta")


def eventually(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    until = time.monotonic() + PATIENCE_S
    while not wanted(found := look()) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def row_of(served: OpenAPI, events: list[Sent]) -> Any:
    ids = events[0].data
    look = partial(services_of(served).conversations.message, ids["session_id"], ids["message_id"])
    return eventually(look, lambda row: row.status != Status.PENDING)


def test_reader_who_comes_back_gets_the_rest_and_the_model_is_asked_once(
    reader: FlaskClient, model: PausingModel
) -> None:
    """A phone in a tunnel costs nobody a second answer."""
    before = cut_off(reader, deltas=1)
    model.goes_on.set()

    after = rest(reader, before)

    assert said(before) + said(after) == ANSWER
    assert [event.name for event in after] == ["delta", "done"]
    assert after[-1].data["answer"] == ANSWER
    assert after[-1].id == len(ANSWER)
    assert model.calls == 1


def test_reader_who_comes_back_early_waits_for_the_end(reader: FlaskClient, model: PausingModel) -> None:
    """The answer is not in the database yet."""
    before = cut_off(reader, deltas=1)
    timer = threading.Timer(0.1, model.goes_on.set)
    timer.start()

    after = rest(reader, before)

    timer.join()
    assert said(before) + said(after) == ANSWER
    assert model.calls == 1


def test_reader_who_lost_the_first_event_gets_all(reader: FlaskClient, model: PausingModel) -> None:
    """Without an id it is the whole stream, with its sources."""
    before = cut_off(reader, deltas=1)
    model.goes_on.set()

    events = events_in(reader.get(address(before)).data)

    assert [event.name for event in events] == ["sources", "delta", "done"]
    assert events[0].data["sources"][0]["section"] == "Ripening"
    assert said(events) == ANSWER


def test_another_worker_gives_the_rest(
    served: OpenAPI, reader: FlaskClient, model: PausingModel, make_app: AppMaker
) -> None:
    """The reader comes back to whichever the balancer chooses."""
    url = services_of(served).settings.database_url
    other = make_app({"DATABASE_URL": url}, generator=ScriptedGenerator("Never.")).test_client()
    before = cut_off(reader, deltas=1)
    model.goes_on.set()

    after = rest(other, before)

    assert said(before) + said(after) == ANSWER


def test_reader_who_has_all_gets_the_end_alone(reader: FlaskClient, model: PausingModel) -> None:
    """The connection broke just before `done`."""
    model.goes_on.set()
    body = {"query": HOW_LONG, "stream": True}
    whole = events_in(reader.post("/query", json=body).data)

    assert [event.name for event in rest(reader, whole[:-1])] == ["done"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(AnswerCut("cut"), "search_unavailable"), (DeadlineExceeded("late"), "deadline_exceeded")],
)
def test_answer_that_failed_meanwhile_is_told_as_one(
    reader: FlaskClient, model: PausingModel, error: Exception, code: str
) -> None:
    """With the words that came before."""
    model.then = ["in a ", error]
    before = cut_off(reader, deltas=1)
    model.goes_on.set()

    after = rest(reader, before)

    assert [event.name for event in after] == ["delta", "error"]
    assert after[-1].data["code"] == code
    assert (said(before) + said(after)).rstrip() == "Nine months in a"


def test_reader_can_stop_an_answer_that_goes_on_without_him(
    served: OpenAPI, reader: FlaskClient, model: PausingModel
) -> None:
    """Leaving is no stop any more, and the model is paid by the word."""
    model.then = itertools.repeat("and so on ")
    before = cut_off(reader, deltas=1)

    stopped = reader.delete(address(before))
    model.goes_on.set()

    row = row_of(served, before)
    assert stopped.status_code == 204
    assert row.status == Status.STOPPED
    assert row.answer.startswith("Nine months")


def test_reader_can_stop_a_model_that_thinks(
    served: OpenAPI, reader: FlaskClient, model: PausingModel
) -> None:
    """Most stops come before the first word, and all of the thinking and the answer would be paid for."""
    model.first = []
    before = cut_off(reader, deltas=0)

    reader.delete(address(before))

    assert row_of(served, before).status == Status.STOPPED
    assert model.goes_on.is_set()  # It was interrupted; the test has not let it go on.


def test_stop_of_an_answer_that_has_ended_changes_nothing(
    served: OpenAPI, reader: FlaskClient, model: PausingModel
) -> None:
    """The button was pressed a moment late."""
    model.goes_on.set()
    whole = events_in(reader.post("/query", json={"query": HOW_LONG, "stream": True}).data)

    reply = reader.delete(address(whole))

    assert (reply.status_code, row_of(served, whole).status) == (204, Status.ANSWERED)
    assert not services_of(served).stop_requests.has(whole[0].data["message_id"])


def test_answer_that_is_not_resumable_ends_with_its_reader(
    served: OpenAPI, reader: FlaskClient, model: PausingModel
) -> None:
    """As before: nobody pays for what nobody reads."""
    before = cut_off(reader, deltas=1, resumable=False)

    assert row_of(served, before).status == Status.STOPPED
    assert rest(reader, before)[-1].name == "error"


def test_stream_of_another_session_is_not_found(reader: FlaskClient, model: PausingModel) -> None:
    """A session's id is the only key to it."""
    model.goes_on.set()
    whole = events_in(reader.post("/query", json={"query": HOW_LONG, "stream": True}).data)
    other = reader.post("/sessions").json["session_id"]
    message_id = whole[0].data["message_id"]

    replies = [
        reader.open(f"/sessions/{other}/messages/{message_id}/stream", method=method)
        for method in ("GET", "DELETE")
    ]

    assert [(reply.status_code, reply.json["code"]) for reply in replies] == [(404, "not_found")] * 2


def test_id_that_is_no_number_is_refused(reader: FlaskClient, model: PausingModel) -> None:
    """It was never sent."""
    before = cut_off(reader, deltas=1)

    reply = reader.get(address(before), headers={"Last-Event-ID": "x7"})

    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")


def test_readers_who_wait_are_no_more_than_those_who_may_ask(
    make_app: AppMaker, served: OpenAPI, model: PausingModel
) -> None:
    """Each holds a thread, which health checks need too."""
    url = services_of(served).settings.database_url
    app = make_app({"DATABASE_URL": url, "MAX_STREAMS": 1}, generator=EXCHANGEABLE)
    client = app.test_client()
    before = cut_off(client, deltas=1)

    refused = client.get(address(before), headers={"Last-Event-ID": "0"})
    model.goes_on.set()
    row_of(app, before)
    reply = eventually(
        lambda: client.get(address(before), headers={"Last-Event-ID": "0"}), lambda r: r.status_code == 200
    )

    assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
    assert reply.status_code == 200
