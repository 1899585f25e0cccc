"""Test what a log line has, what it never has, and that no caller can forge one."""

from __future__ import annotations

import io
import json
import logging
import threading
from datetime import UTC, datetime
from traceback import format_exception

import click
import pytest
import structlog
from flask.testing import FlaskClient
from sqlalchemy import insert, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from ragbot.core.errors import AnswerCut, ProviderUnavailable
from ragbot.extensions import db
from ragbot.observability.logging import configure_logging
from ragbot.storage.conversations import messages
from ragbot.web.middleware.access_log import shortened
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.parts import ScriptedGenerator

pytestmark = pytest.mark.sqlite_is_enough

QUESTION = "How long is the cheddar ripened?"
KEY = "sk-a-key-that-must-not-be-seen"
FORGERY = 'harmless\n{"event": "request", "status": 200}\r\x1b[31mred\x9b\u2028\u202e'

SECRETS = (QUESTION, "cheddar", KEY, "192.0.2.77", "my-password")


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Handlers of one test, bound to its streams, do not outlive it."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = before


@pytest.fixture
def asked(make_app: AppMaker):
    """Make a caller of an app that knows the three-chapter book; from then on standard output is its log."""

    def make(**parts) -> FlaskClient:
        app = make_app({"OPENAI_API_KEY": KEY}, **parts)
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        return app.test_client()

    return make


def lines_of(text: str, event: str = "request") -> list[dict]:
    return [line for line in map(json.loads, text.splitlines()) if line["event"] == event]


def logged(*, as_json: bool) -> io.StringIO:
    stream = io.StringIO()
    configure_logging("INFO", as_json=as_json, to=stream)
    return stream


def test_question_has_one_wide_line(asked, capsys) -> None:
    """Ten lines of narration a question cannot be searched."""
    client = asked(generator=ScriptedGenerator("Nine months [1]."))

    reply = client.post("/query", json={"query": QUESTION}, headers={"X-Request-ID": "abc-1"})

    (line,) = lines_of(capsys.readouterr().out)
    assert line["request_id"] == "abc-1"
    assert (line["method"], line["route"], line["status"]) == ("POST", "/query", 200)
    assert line["session"] == reply.json["session_id"][:8]
    assert line["message"] == reply.json["message_id"][:8]
    assert (line["outcome"], line["mode"], line["model"]) == ("answered", "full_book", "test/scripted")
    assert (line["input_tokens"], line["output_tokens"], line["cost_usd"]) == (10, 1, 0.001)
    assert line["cache"] == reply.json["cache"]
    assert line["bytes"] == len(reply.data)
    assert line["client"] == "127.0.0.0/24"
    assert line["latency_ms"] >= line["generate_ms"] > 0
    assert line["search_ms"] > 0
    assert line["persist_ms"] > 0
    assert line["first_token_ms"] > 0


def test_lines_tell_nothing_of_the_reader(asked, capsys) -> None:
    """A log is read by more people than a talk is meant for."""
    client = asked(generator=ScriptedGenerator("The cheddar.", AnswerCut("It broke.")))
    session = client.post("/sessions").json["session_id"]
    headers = {"Authorization": "Basic my-password", "X-API-Key": "my-password", "Cookie": "my-password"}
    environ = {"REMOTE_ADDR": "192.0.2.77"}

    client.post("/query", json={"query": QUESTION}, headers=headers, environ_base=environ)
    client.post("/query", json={"query": QUESTION, "session_id": session}, environ_base=environ)
    client.get(f"/sessions/{session}?limit=cheddar", headers=headers, environ_base=environ)
    client.get("/sessions/cheddar", environ_base=environ)
    client.get("/cheddar", environ_base=environ)

    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert len(lines_of(captured.out)) == 6
    assert not [secret for secret in (*SECRETS, session) if secret in said]


def test_stream_has_its_line_when_it_ends(asked, capsys) -> None:
    """A line at its beginning could not say how it ended."""
    client = asked()

    with client.post("/query", json={"query": QUESTION, "stream": True}) as reply:
        next(reply.response)
        meanwhile = capsys.readouterr().out
        sent = sum(map(len, reply.response))

    (line,) = lines_of(capsys.readouterr().out)
    assert lines_of(meanwhile) == []
    assert line["outcome"] == "answered"
    assert line["bytes"] > sent


def test_stream_that_breaks_says_why(asked, capsys) -> None:
    """Its status line said 200."""
    client = asked(generator=ScriptedGenerator("Nine", AnswerCut("It broke.")))

    with client.post("/query", json={"query": QUESTION, "stream": True}) as reply:
        reply.get_data()

    (line,) = lines_of(capsys.readouterr().out)
    assert (line["status"], line["outcome"], line["error"]) == (200, "failed", "answer_cut")
    assert line["level"] == "warning"


def test_stream_that_the_reader_left_says_so(asked, capsys) -> None:
    """It is no error of ours."""
    client = asked(generator=ScriptedGenerator("Nine ", "months ", "[1]."))

    with client.post("/query", json={"query": QUESTION, "stream": True}) as reply:
        next(reply.response)
        next(reply.response)

    (line,) = lines_of(capsys.readouterr().out)
    assert line["outcome"] == "stopped"
    assert "error" not in line


@pytest.mark.parametrize(
    ("last", "outcome", "errors"), [("[1].", "answered", 0), (AnswerCut("It broke."), "failed", 1)]
)
def test_answer_that_goes_on_without_its_reader_has_a_line_of_its_own(
    asked, capsys, last: str | Exception, outcome: str, errors: int
) -> None:
    """It was not stopped, and what it costs is known at its end."""
    client = asked(generator=ScriptedGenerator("Nine ", "months ", last))

    with client.post("/query", json={"query": QUESTION, "stream": True, "resumable": True}) as reply:
        next(reply.response)
        next(reply.response)
    for thread in threading.enumerate():
        if thread.name == "unread-answer":
            thread.join(60)

    printed = capsys.readouterr().out
    (line,) = lines_of(printed)
    (end,) = lines_of(printed, "unread_answer_ended")
    assert (line["outcome"], "model" in line, "error" in line) == ("goes_on", False, False)
    assert (end["outcome"], end["model"], end.get("error")) == (
        outcome,
        "test/scripted",
        "answer_cut" if errors else None,
    )
    assert (end["request_id"], end["message"]) == (line["request_id"], line["message"])
    assert f'query_errors_total{{code="answer_cut"}} {errors}.0' in client.get("/metrics").text


def test_error_has_its_code_on_the_line(asked, capsys) -> None:
    """The code is what the reader reports."""
    client = asked(generator=ScriptedGenerator(ProviderUnavailable("down")))

    client.post("/query", json={"query": QUESTION})
    client.get("/nowhere")

    failed, missing = lines_of(capsys.readouterr().out)
    assert (failed["status"], failed["error"], failed["outcome"]) == (503, "provider_unavailable", "failed")
    assert (missing["status"], missing["error"], missing["route"]) == (404, "not_found", "none")


def test_library_lines_have_the_shape_and_the_request_id() -> None:
    """One reader for all lines, and one id to find them by."""
    stream = logged(as_json=True)
    structlog.contextvars.bind_contextvars(request_id="abc-2")

    logging.getLogger("some.library").warning("It took %s s", 3)
    structlog.get_logger("ragbot.x").warning("ours")

    structlog.contextvars.clear_contextvars()
    library, ours = map(json.loads, stream.getvalue().splitlines())
    assert library.keys() == ours.keys() == {"event", "level", "logger", "timestamp", "request_id"}
    assert (library["event"], library["logger"]) == ("It took 3 s", "some.library")


@pytest.mark.parametrize("as_json", [True, False])
def test_no_input_can_forge_a_line(as_json: bool) -> None:
    """Neither a second line nor a colour, in the event, a value, a list or an exception's message."""
    stream = logged(as_json=as_json)

    structlog.get_logger("ragbot.x").warning(FORGERY, **{"value": FORGERY, "many": [FORGERY], FORGERY: 1})
    logging.getLogger("some.library").warning("%s", FORGERY)
    try:
        raise OSError(FORGERY)
    except OSError:
        structlog.get_logger("ragbot.x").warning("failed", exc_info=True)

    written = stream.getvalue()
    assert not set("\r\x1b\x9b\u2028\u202e") & set(written)
    assert not [line for line in written.splitlines() if line.startswith('{"event": "request"')]
    heads = [line for line in written.splitlines() if "warning" in line]
    assert len(heads) == 3


@pytest.mark.parametrize("as_json", [True, False])
def test_traceback_shows_places_and_no_values(as_json: bool) -> None:
    """Local variables hold questions and keys; foreign messages may quote them."""
    stream = logged(as_json=as_json)

    def ask(question: str, key: str) -> None:
        try:
            int(f"{question} {key}")
        except ValueError as error:
            raise ProviderUnavailable("The provider is away.") from error

    try:
        ask(QUESTION, KEY)
    except ProviderUnavailable as error:
        structlog.get_logger("ragbot.x").error("it_failed", exc_info=error)
        logging.getLogger("some.library").error("It failed", exc_info=error)

    written = stream.getvalue()
    assert not [secret for secret in SECRETS if secret in written]
    for told in ("The provider is away.", "builtins.ValueError", "(not shown)", "test_logging.py:"):
        assert written.count(told) >= 2


def test_statement_that_fails_does_not_quote_its_values(make_app: AppMaker) -> None:
    """They are questions and answers."""
    app = make_app()
    statement = text("INSERT INTO no_such_table VALUES (:question)")
    with (
        app.app_context(),
        pytest.raises(DatabaseError, match="no_such_table") as raised,
        db.engine.connect() as connection,
    ):
        connection.execute(statement, {"question": QUESTION})

    assert not quotes_question(raised.value)


def test_row_that_is_refused_is_not_quoted(make_app: AppMaker) -> None:
    """PostgreSQL tells all of it, the question too."""
    app = make_app()
    session_id = str(app.test_client().post("/sessions").json["session_id"])
    values = {"message_id": "m", "session_id": session_id, "status": "unheard of", "query": QUESTION}
    values |= {"created_at": datetime.now(UTC), "mode": "full_book", "answer": "", "sources": [], "usage": {}}
    statement = insert(messages).values(values | {"degraded": [], "latency_ms": {}})
    with app.app_context(), pytest.raises(IntegrityError) as raised, db.engine.begin() as connection:
        connection.execute(statement)

    assert not quotes_question(raised.value)


def quotes_question(error: DatabaseError) -> bool:
    """Return whether any of its words are in the trace that is logged."""
    trace = "".join(format_exception(error))
    return any(part in trace for part in (QUESTION, QUESTION[:12], QUESTION[-12:]))


@pytest.mark.parametrize(("command", "stream"), [(None, "out"), ("run", "out"), ("ask", "err")])
def test_commands_keep_standard_output_for_themselves(make_app, capsys, command, stream: str) -> None:
    """`flask eval --json -` is read by programs."""
    if command:
        with click.Context(click.Command(command), info_name=command):
            make_app()
    else:
        make_app()

    structlog.get_logger("ragbot.x").warning("a_line")

    captured = capsys.readouterr()
    assert ("a_line" in captured.out, "a_line" in captured.err) == (stream == "out", stream == "err")


def test_lines_for_a_terminal_are_columns(capsys) -> None:
    """People read them there."""
    stream = logged(as_json=False)

    structlog.get_logger("ragbot.x").info("request", status=200, degraded=["history"])

    (line,) = stream.getvalue().splitlines()
    assert "request" in line
    assert "status=200" in line
    assert not line.startswith("{")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("unix:/run/x", ""),
        (None, ""),
    ],
)
def test_address_is_shortened_to_its_network(address: str | None, shown: str) -> None:
    """Enough to see where load comes from, too little to know who."""
    assert shortened(address) == shown
