"""Test what a report to Sentry has, what it never has, and that no request waits for it."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import structlog
from flask_openapi import OpenAPI

from harness.loopback import Call, Connection, LoopbackServer
from ragbot.core.errors import AnswerCut, ConfigurationError, RagbotError
from ragbot.observability.sentry import REPORTED_FIELDS
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.fakes.parts import ScriptedGenerator

pytestmark = pytest.mark.sqlite_is_enough

QUESTION = "How long is the cheddar ripened?"
KEY = "sk-a-key-that-must-not-be-seen"


class SentryFake(LoopbackServer):
    """Where Sentry takes envelopes: lines of JSON, packed."""

    def respond(self, call: Call, connection: Connection) -> None:
        """Take it."""
        connection.reply_json(200, {})

    @property
    def dsn(self) -> str:
        """Return the address of project 7."""
        return f"http://public@127.0.0.1:{self.port}/7"

    def envelopes(self) -> list[str]:
        """Everything that came, unpacked."""
        return [gzip.decompress(call.raw).decode() for call in self.calls("/api/7/envelope/")]

    def events(self) -> list[dict]:
        """Return the reports."""
        return [json.loads(envelope.splitlines()[2]) for envelope in self.envelopes()]


@pytest.fixture
def sentry() -> Iterator[SentryFake]:
    """Yield one that takes everything."""
    with SentryFake() as sentry:
        yield sentry


@pytest.fixture(autouse=True)
def reports(monkeypatch) -> Iterator[list]:
    """Yield every maker of reports that a test's app made; logging is as it was afterwards."""
    from ragbot.observability import sentry as error_reports

    made: list = []
    plain = error_reports.SentryReporter

    def noted(*given: str) -> error_reports.SentryReporter:
        made.append(plain(*given))
        return made[-1]

    monkeypatch.setattr(error_reports, "SentryReporter", noted)
    # What another test's last request left.
    structlog.contextvars.clear_contextvars()
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield made
    root.handlers[:], root.level = before
    for one in made:
        one.close()


@pytest.fixture
def reporting(make_app: AppMaker, sentry: SentryFake, reports: list) -> Callable[..., OpenAPI]:
    """Make an app that knows the three-chapter book and reports its errors."""

    def make(**parts) -> OpenAPI:
        app = make_app({"SENTRY_DSN": sentry.dsn, "OPENAI_API_KEY": KEY}, **parts)
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
        return app

    return make


def events_of(sentry: SentryFake, reports: list) -> list[dict]:
    """Return what was reported, once all is sent."""
    for one in reports:
        one.close()
    return sentry.events()


class Quoting(Exception):
    """What a library might raise: it quotes what it was given."""


def test_error_is_reported_with_its_places_and_nothing_of_the_reader(reporting, sentry, reports) -> None:
    """Messages, variables, headers and addresses hold what readers wrote, and keys."""

    class Quoter(ScriptedGenerator):
        def generate(self, prompt, deadline, generation):
            question, key = prompt.question, KEY
            raise Quoting(f"{question} {key}") from OSError("The disk is full.")

    client = reporting(generator=Quoter()).test_client()
    session = client.post("/sessions").json["session_id"]
    headers = {"X-Request-ID": "find-me", "Cookie": "my-cookie", "Authorization": "Basic my-password"}

    reply = client.post(
        f"/query#{QUESTION}",
        json={"query": QUESTION, "session_id": session},
        headers=headers,
        environ_base={"REMOTE_ADDR": "192.0.2.77"},
    )

    (event,) = events_of(sentry, reports)
    (sent,) = sentry.envelopes()
    cause, raised = event["exception"]["values"]
    secrets = (
        QUESTION,
        "cheddar",
        KEY,
        session,
        session[:8],
        "192.0.2",
        "my-cookie",
        "my-password",
        "my=arg",
    )
    assert reply.status_code == 500
    assert (raised["type"], raised["value"]) == ("Quoting", "(not shown)")
    assert (cause["type"], cause["value"]) == ("OSError", "The disk is full.")
    assert raised["stacktrace"]["frames"][-1]["function"] == "generate"
    assert any(frame["in_app"] for frame in raised["stacktrace"]["frames"])
    assert event["tags"] == {"event": "unhandled_error", "request_id": "find-me"}
    assert event["environment"] == "testing"
    assert not [secret for secret in secrets if secret in sent]


def test_report_has_nothing_but_what_it_is_made_of(reporting, sentry, reports) -> None:
    """What the library would add by itself: the machine's name, modules, the command's arguments."""
    reporting()

    logging.getLogger("ragbot.x").error("it_failed", exc_info=RagbotError("Ours."))

    (event,) = events_of(sentry, reports)
    (value,) = event["exception"]["values"]
    assert set(event) <= set(REPORTED_FIELDS)
    assert set(value) <= {"type", "module", "value", "stacktrace"}
    assert value["value"] == "Ours."
    assert event["sdk"]["integrations"] == []


def test_library_line_is_reported_without_its_sentence(reporting, sentry, reports) -> None:
    """It may quote anybody."""
    reporting()

    try:
        int(QUESTION)
    except ValueError:
        logging.getLogger("some.library").exception("It failed for %s", QUESTION)

    (event,) = events_of(sentry, reports)
    assert (event["logger"], event["tags"]) == ("some.library", {})
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert "cheddar" not in sentry.envelopes()[0]


def test_errors_that_were_foreseen_are_not_reported(reporting, sentry, reports) -> None:
    """They have their codes and their metrics, and would bury the others."""
    client = reporting(generator=ScriptedGenerator("Nine", AnswerCut("It broke."))).test_client()

    client.post("/query", json={"query": QUESTION, "stream": True}).get_data()
    client.get("/nowhere")
    logging.getLogger("some.library").warning("It may fail", exc_info=OSError("so"))
    logging.getLogger("some.library").error("It failed")

    assert events_of(sentry, reports) == []


def test_sentry_that_is_away_is_waited_for_by_nobody(reporting, sentry, reports) -> None:
    """A reader must not wait for a report of an error."""
    client = reporting(generator=ScriptedGenerator(Quoting("so"))).test_client()
    sentry.go_down()

    started = time.monotonic()
    statuses = {client.post("/query", json={"query": QUESTION}).status_code for _ in range(5)}
    (one,) = reports
    one.close()

    assert statuses == {500}
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("dsn", ["cheddar", "https://host/7", "https://secret@host/", "ftp://secret@host/7"])
def test_wrong_address_is_told_at_the_start_and_not_quoted(make_app: AppMaker, dsn: str) -> None:
    """It holds a key."""
    with pytest.raises(ConfigurationError, match="SENTRY_DSN: must look like") as raised:
        make_app({"SENTRY_DSN": dsn})

    assert dsn not in str(raised.value)


def test_missing_package_is_told_and_the_service_goes_on(make_app: AppMaker, capsys, monkeypatch) -> None:
    """A line at the start says why no report comes, and how one would."""
    monkeypatch.delitem(sys.modules, "ragbot.observability.sentry")
    monkeypatch.delattr("ragbot.observability.sentry")
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)

    app = make_app({"SENTRY_DSN": "https://public@127.0.0.1:1/7"})

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["event"], line["level"]) == ("error_reports_disabled", "warning")
    assert "requirements-sentry.txt" in line["remedy"]
    assert app.test_client().get("/health").status_code == 200
