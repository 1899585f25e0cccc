"""Test `GET /book`: what a reader's page learns of the book, its cache, and its examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.databases import DatabaseMaker
from tests.fakes.parts import ScriptedGenerator
from tests.served import three_chapter_app

STARTER = "What is a sourdough starter?"
ABOUT = "What is this book about?"


@pytest.fixture(scope="module")
def served(new_database: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAPI]:
    with three_chapter_app(new_database, tmp_path_factory.mktemp("book")) as app:
        yield app


@pytest.fixture
def page(served: OpenAPI) -> FlaskClient:
    return served.test_client()


def test_page_learns_what_there_is_to_ask(page: FlaskClient) -> None:
    """The widget shows it before the first question."""
    reply = page.get("/book")

    assert reply.status_code == 200
    assert reply.json["title"] == "Bread"
    assert (reply.json["language"], reply.json["site_url"]) == ("en", "https://book.test/")
    assert (reply.json["edition"], reply.json["editions"]) == ("first", ["first"])
    assert reply.json["chapters"][1] == {"title": "Cheese", "url": "https://book.test/02-cheese.md"}
    assert reply.json["capabilities"] == {
        "model": False,
        "stream": True,
        "selection": True,
        "max_question_chars": 2000,
        "max_selection_chars": 10_000,
    }


def test_every_example_is_answered(page: FlaskClient) -> None:
    """An example that is refused is worse than none."""
    examples = page.get("/book").json["examples"]

    answers = [page.post("/query", json={"query": example}).json for example in examples]

    assert examples == [STARTER, ABOUT]
    assert [answer["status"] for answer in answers] == ["answered"] * 2


def test_example_that_the_book_does_not_answer_is_left_out(make_app: AppMaker, tmp_path) -> None:
    """A heading may ask what the text leaves open."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "faq.md").write_text(
        "# Questions\n\n## How long is the cheddar ripened?\n\nThe cheddar is ripened for nine months.\n\n"
        "## Which zymurgist quaffs quixotically?\n"
    )
    app = make_app()
    services_of(app).ingestion.ingest_book(tmp_path / "book", site_url="https://book.test/")

    assert app.test_client().get("/book").json["examples"] == ["How long is the cheddar ripened?", ABOUT]


def test_page_s_own_examples_come_first(make_app: AppMaker, tmp_path) -> None:
    """The reader asks about what is before her."""
    (tmp_path / "book").mkdir()
    for name, term in (("a", "banneton"), ("b", "lame")):
        text = f"# {term.title()}\n\nA {term} is a tool of bakers who make {name} loaves.\n"
        (tmp_path / "book" / f"{name}.md").write_text(text)
    app = make_app()
    services_of(app).ingestion.ingest_book(tmp_path / "book", site_url="https://book.test/x/")
    client = app.test_client()
    address = services_of(app).editions.outline(services_of(app).published.current())[1].address

    of_b = client.get("/book", query_string={"page_url": f"https://preview.test/x/{address}?v=1#top"})
    elsewhere = client.get("/book", query_string={"page_url": "https://book.test/x/none"})

    assert of_b.json["examples"] == ["What is a lame?", "What is a banneton?", ABOUT]
    assert elsewhere.json["examples"] == ["What is a banneton?", "What is a lame?", ABOUT]


def test_examples_are_found_without_asking_the_model(make_app: AppMaker) -> None:
    """It would be paid for at each start of a worker."""
    model = ScriptedGenerator("Never.")
    app = make_app(generator=model)
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")

    app.test_client().get("/book")

    assert all(prompt.without_model for prompt in model.prompts)


def test_reply_is_not_sent_again_while_nothing_changes(page: FlaskClient) -> None:
    """Each visit to each page asks for it."""
    first = page.get("/book")

    again = page.get("/book", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "public, max-age=60"
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("origin", [None, "https://book.test", "https://evil.test"])
def test_caches_keep_a_reply_for_each_origin(make_app: AppMaker, origin: str | None) -> None:
    """One that a crawler has got is refused by the browser of the book's page."""
    app = make_app({"ALLOWED_ORIGINS_STR": "https://book.test"})
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")

    reply = app.test_client().get("/book", headers={"Origin": origin} if origin else {})

    assert [name.strip() for name in reply.headers["Vary"].split(",")] == ["Origin"]


def test_another_edition_has_another_tag(app: OpenAPI, client: FlaskClient) -> None:
    """Or a page would show the old book for ever."""
    tag = client.get("/book").headers["ETag"]
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="second", site_url="https://book.test/")

    reply = client.get("/book", headers={"If-None-Match": tag})

    assert reply.status_code == 200
    assert (reply.json["edition"], reply.json["editions"]) == ("second", ["second", "first"])


def test_without_a_book_there_is_nothing_to_tell(make_app: AppMaker) -> None:
    """A page shows the sentence."""
    reply = make_app().test_client().get("/book")

    assert (reply.status_code, reply.json["code"]) == (503, "no_book")


def test_limits_are_told_where_there_are_some(make_app: AppMaker) -> None:
    """A page can say how many questions are left today."""
    limited = {"RATE_LIMIT_ENABLED": True, "RATE_LIMIT_QUERIES_PER_MINUTE": 7}
    app = make_app(limited)
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, edition="first")

    reply = app.test_client().get("/book")

    assert reply.json["limits"] == {"per_minute": 7, "per_day": 1000}
    assert "RateLimit-Limit" in reply.headers


def test_address_that_is_none_is_refused(page: FlaskClient) -> None:
    """As in a question."""
    reply = page.get("/book", query_string={"page_url": "http://[x"})

    assert (reply.status_code, reply.json["code"]) == (422, "invalid_request")
