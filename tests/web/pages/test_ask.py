"""Test the public page: its form without JavaScript, its sources, its troubles, and who may frame it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI
from selectolax.lexbor import LexborHTMLParser
from werkzeug.test import TestResponse

from ragbot.core.errors import ProviderUnavailable
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app

pytestmark = pytest.mark.sqlite_is_enough

HOW_LONG = "How long is the cheddar ripened?"
SITE = "https://book.example"


@pytest.fixture(scope="module")
def served(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAPI]:
    folder = tmp_path_factory.mktemp("ask")
    with three_chapter_app(new_database, folder, {"ALLOWED_ORIGINS_STR": SITE}) as app:
        services_of(app).published.current()
        yield app


@pytest.fixture
def visitor(served: OpenAPI) -> FlaskClient:
    return served.test_client()


def asked(visitor: FlaskClient, question: str = HOW_LONG, **fields: str) -> TestResponse:
    return visitor.post("/ask", data={"query": question, **fields})


def parsed(reply: TestResponse) -> LexborHTMLParser:
    assert reply.mimetype == "text/html"
    return LexborHTMLParser(reply.text)


def test_page_loads_the_widget_and_has_a_form_meanwhile(visitor: FlaskClient) -> None:
    """Where the script does not come, the form is the page."""
    page = parsed(visitor.get("/ask"))

    script = page.css_first("script")
    assert (script.attributes["src"], script.attributes["data-mode"]) == ("/widget.js", "page")
    assert page.css_first("#ragbot-page form").attributes["method"] == "post"
    assert page.css_first("h1").text(strip=True) == "Bread"
    assert page.css_first("html").attributes["lang"] == "en"
    assert page.css_first(".examples a").attributes["href"] == (
        "/ask?q=What%20is%20a%20sourdough%20starter%3F"
    )


def test_form_s_answer_comes_with_its_sources(visitor: FlaskClient) -> None:
    """A reader without JavaScript gets the whole of it."""
    reply = asked(visitor)
    page = parsed(reply)

    assert reply.status_code == 200
    assert "nine months" in page.css_first(".answer").text()
    mark = page.css_first(".answer a.mark")
    source = page.css_first(mark.attributes["href"])
    assert source.css_first("a").attributes["href"].startswith("https://book.test/02-cheese.md#ripening")
    assert source.css_first("a").text() == "Cheese › Ripening"
    assert "Bob ripens the cheddar for nine months" in source.css_first("blockquote").text()
    # The widget would take the answer's place.
    assert page.css_first("script") is None


def test_question_of_the_form_is_recorded_as_any_other(served: OpenAPI, visitor: FlaskClient) -> None:
    """An author reads what her readers ask."""
    asked(visitor, "How is green tea brewed?")

    newest, _ = services_of(served).conversations.sessions(limit=1, before=None)
    (row,), _ = services_of(served).conversations.messages(newest[0].session_id, limit=1)
    assert (row.query, row.status) == ("How is green tea brewed?", "answered")


def test_refusal_is_shown_with_what_is_nearest(visitor: FlaskClient) -> None:
    """It is an answer, too."""
    page = parsed(asked(visitor, "Which zymurgist quaffs quixotically?"))

    assert "The book does not say." in page.css_first(".answer").text()


def test_shared_question_is_filled_in_and_not_asked(served: OpenAPI, visitor: FlaskClient) -> None:
    """A crawler that follows the link must not cost an answer."""
    before = services_of(served).conversations.sessions(limit=1, before=None)

    page = parsed(visitor.get("/ask", query_string={"q": HOW_LONG}))

    assert page.css_first("textarea").text() == HOW_LONG
    assert page.css_first(".answer") is None
    assert services_of(served).conversations.sessions(limit=1, before=None) == before


def test_hostile_question_stays_text(visitor: FlaskClient) -> None:
    """Anybody can write the link."""
    payload = "</textarea><script>alert(1)</script>\"'>"

    for reply in (visitor.get("/ask", query_string={"q": payload}), asked(visitor, payload)):
        assert "<script>" not in reply.text
        assert payload in unescape(reply.text)


def test_hostile_answer_stays_text(make_app: AppMaker) -> None:
    """A model writes what a book or a reader has put into its mouth."""
    app = make_app(
        generator=ScriptedGenerator("Nine months [1]. <script>alert(1)</script> ![x](https://evil.test/)")
    )
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")

    reply = asked(app.test_client())

    assert "<script" not in reply.text
    assert "<img" not in reply.text


@pytest.mark.parametrize("question", ["", "   ", "x" * 2001, "a\x00b"])
def test_question_that_is_none_is_explained(visitor: FlaskClient, question: str) -> None:
    """On the page, not as JSON."""
    reply = asked(visitor, question)

    assert reply.status_code == 422
    assert "Write a question of at most 2,000 characters." in parsed(reply).css_first("[role=alert]").text()


def test_troubles_are_told_on_the_page(make_app: AppMaker) -> None:
    """With the status that a call of the API has."""
    no_book = asked(make_app().test_client())
    broken = make_app(generator=ScriptedGenerator(ProviderUnavailable("secret.example is down")))
    services_of(broken).ingestion.ingest_book(THREE_CHAPTERS, edition="first")

    no_model = asked(broken.test_client())

    assert (no_book.status_code, no_model.status_code) == (503, 503)
    assert "There is no book to ask yet" in parsed(no_book).css_first("[role=alert]").text()
    assert no_book.headers["Retry-After"] == "30"
    assert "secret" not in no_model.text


def test_form_counts_as_questions_and_the_page_does_not(make_app: AppMaker) -> None:
    """Or it would be the way around the quota."""
    app = make_app({"RATE_LIMIT_ENABLED": True, "RATE_LIMIT_QUERIES_PER_MINUTE": 2})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    client = app.test_client()

    shown = [client.get("/ask").status_code for _ in range(4)]
    statuses = [client.post("/query", json={"query": HOW_LONG}).status_code, asked(client).status_code]
    refused = asked(client)

    assert (shown, statuses) == ([200] * 4, [200, 200])
    assert refused.status_code == 429
    assert re.search(r"try again in \d+ seconds?", parsed(refused).css_first("[role=alert]").text())
    assert int(refused.headers["Retry-After"]) > 0


def test_refused_form_keeps_its_question_and_its_book(make_app: AppMaker) -> None:
    """Nobody wants to type it again, and the next press must not ask the default book."""
    app = make_app({"RATE_LIMIT_ENABLED": True, "RATE_LIMIT_QUERIES_PER_MINUTE": 1})
    for book in ("default", "handbook-de"):
        services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first", slug=book)
    client = app.test_client()
    form = {"query": HOW_LONG, "book": "handbook-de"}

    answered, refused = client.post("/ask", data=form), client.post("/ask", data=form)
    too_large = client.post("/ask", data={**form, "more": "x" * 70_000})

    assert (answered.status_code, refused.status_code) == (200, 429)
    assert parsed(refused).css_first("textarea").text() == HOW_LONG
    assert parsed(refused).css_first("input[name=book]").attributes["value"] == "handbook-de"
    assert parsed(too_large).css_first("textarea").text() == ""


def test_form_needs_a_slot_as_a_question_does(make_app: AppMaker) -> None:
    """A crowd on the page must not take the threads of everything else."""
    app = make_app({"MAX_STREAMS": 1})
    slot = services_of(app).turns.reserve()

    reply = asked(app.test_client())

    slot.give_back()
    assert (reply.status_code, "Too many questions" in reply.text) == (503, True)


def test_form_that_is_too_large_counts_and_is_no_fault(
    make_app: AppMaker, caplog: pytest.LogCaptureFixture
) -> None:
    """Anybody may send one where tokens are on, and operators are told of faults alone."""
    settings: dict[str, Any] = {"WIDGET_TOKEN_MINUTES": 5, "SECRET_KEY": "q8Zr-2Lw9-Xk47-uTn3"}
    quota = {"RATE_LIMIT_ENABLED": True, "RATE_LIMIT_QUERIES_PER_MINUTE": 2}
    client = make_app({**settings, **quota}).test_client()

    statuses = [asked(client, more="x" * 70_000).status_code for _ in range(3)]

    assert statuses == [413, 413, 429]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_form_carries_its_token_where_tokens_are_on(make_app: AppMaker) -> None:
    """Without JavaScript nobody can fetch one."""
    settings: dict[str, Any] = {"WIDGET_TOKEN_MINUTES": 5, "SECRET_KEY": "q8Zr-2Lw9-Xk47-uTn3"}
    app = make_app(settings)
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")
    client = app.test_client()
    token = parsed(client.get("/ask")).css_first("input[name=token]").attributes["value"]

    without, forged, good = asked(client), asked(client, token="x"), asked(client, token=token)
    as_header = client.post(
        "/query",
        json={"query": HOW_LONG},
        headers={"X-Ragbot-Token": token, "Origin": "https://evil.example"},
    )

    assert [reply.status_code for reply in (without, forged, good)] == [403, 403, 200]
    assert "press Ask once more" in parsed(without).css_first("[role=alert]").text()
    assert parsed(without).css_first("textarea").text() == HOW_LONG
    assert as_header.status_code == 403


@pytest.mark.parametrize(
    ("origins", "ancestors"),
    [(SITE, f"'self' {SITE}"), ("*", "'self' *"), ("", "'self' http://localhost:3000 http://localhost:8000")],
)
def test_allowed_origins_may_show_the_page_in_a_frame(
    make_app: AppMaker, origins: str, ancestors: str
) -> None:
    """An author embeds it on a site that takes no script."""
    reply = make_app({"ALLOWED_ORIGINS_STR": origins or None}).test_client().get("/ask")

    policy = reply.headers["Content-Security-Policy"]
    assert policy.rpartition("frame-ancestors ")[2] == ancestors
    assert "X-Frame-Options" not in reply.headers
    assert "script-src 'self';" in policy
    assert "Access-Control-Allow-Origin" not in reply.headers


def test_other_pages_stay_out_of_frames(visitor: FlaskClient) -> None:
    """Only this one is made for it."""
    assert {visitor.get(path).headers["X-Frame-Options"] for path in ("/", "/docs", "/health")} == {"DENY"}


def test_page_can_be_switched_off(make_app: AppMaker) -> None:
    """Not every operator wants readers on this host."""
    client = make_app({"PUBLIC_ASK_PAGE": False}).test_client()

    assert [client.get("/ask").status_code, asked(client).status_code] == [404, 404]


def test_page_of_a_named_book_says_that_the_database_is_away(make_app: AppMaker, unmigrated_url: str) -> None:
    """It must not say that there is no such book."""
    reply = make_app({"DATABASE_URL": unmigrated_url}).test_client().get("/ask?book=handbook-de")

    page = parsed(reply)
    assert reply.status_code == 503
    assert "Retry-After" in reply.headers
    assert "handbook-de" not in page.css_first("#ragbot-page").text()
