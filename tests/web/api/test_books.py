"""Test a service with several books: which one is asked, and that none takes anything from another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ragbot.ingestion.pipeline import IngestionPipeline
from tests.conftest import THREE_CHAPTERS, AppMaker, CopyMaker, ingested_once, services_of
from tests.databases import DatabaseMaker

ADMIN = {"X-API-Key": "k" * 32}
HONEY = "How many eggs does a queen bee lay?"
CHEDDAR = "How long is the cheddar ripened?"


def bees(folder: Path, eggs: str = "two thousand") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "bees.md").write_text(f"# Bees\n\nA queen bee lays {eggs} eggs a day.\n")
    return folder


@pytest.fixture(scope="module")
def new_database_with_book(
    new_database: DatabaseMaker, copies_of: CopyMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseMaker]:
    """Make databases with a book about cheese and one about bees."""
    folder = tmp_path_factory.mktemp("books")

    def ingest(ingestion: IngestionPipeline) -> None:
        ingestion.ingest_book(THREE_CHAPTERS, edition="v1", site_url="https://book.test/")
        ingestion.ingest_book(
            bees(folder / "bees"), slug="bees", edition="v1", site_url="https://book.test/bees/"
        )

    with ingested_once(ingest, new_database, copies_of, folder) as made:
        yield made


@pytest.fixture
def client(book_from_the_start: None, make_app: AppMaker) -> FlaskClient:
    """Return a client of a service with those two books."""
    return make_app({"ADMIN_API_KEY": ADMIN["X-API-Key"], "KEEP_EDITIONS": 2}).test_client()


def ask(client: FlaskClient, query: str, **more: object) -> TestResponse:
    return client.post("/query", json={"query": query, **more})


def test_books_are_listed_with_what_a_site_needs(client: FlaskClient) -> None:
    """A page that offers a choice shows titles, not slugs."""
    listed = client.get("/books").json["books"]

    assert [(book["book"], book["edition"], book["default"]) for book in listed] == [
        ("default", "v1", True),
        ("bees", "v1", False),
    ]
    assert listed[1]["site_url"] == "https://book.test/bees/"
    assert listed[1]["language"] == "english"


def test_second_book_takes_nothing_from_the_readers_of_the_first(client: FlaskClient) -> None:
    """It once replaced the first one."""
    cheese, honey = ask(client, CHEDDAR), ask(client, HONEY)

    assert (cheese.json["book"], cheese.json["status"]) == ("default", "answered")
    assert (honey.json["book"], honey.json["status"]) == ("default", "refused")


@pytest.mark.parametrize(
    "chosen", [{"book": "bees"}, {"page_url": "https://book.test/bees/bees.html"}], ids=["name", "page"]
)
def test_book_is_chosen_by_its_name_or_by_the_readers_page(
    client: FlaskClient, chosen: dict[str, str]
) -> None:
    """One service answers on all sites of a publisher."""
    reply = ask(client, HONEY, **chosen).json

    assert (reply["book"], reply["status"]) == ("bees", "answered")
    assert "two thousand" in reply["answer"]
    assert reply["sources"][0]["url"].startswith("https://book.test/bees/")


def test_unknown_book_and_unknown_edition_are_not_found(client: FlaskClient) -> None:
    """Both with a stable code."""
    missing, wrong = ask(client, HONEY, book="wasps"), ask(client, HONEY, book="bees", book_version="v9")
    bad = ask(client, HONEY, book="No Slug")

    assert (missing.status_code, missing.json["code"]) == (404, "book_not_found")
    assert (wrong.status_code, wrong.json["code"]) == (404, "edition_not_found")
    assert (bad.status_code, bad.json["code"]) == (422, "invalid_request")


def test_talk_about_one_book_is_no_context_for_another(client: FlaskClient) -> None:
    """ "And how long?" after a change of the page is about the new page's book."""
    session = ask(client, CHEDDAR).json["session_id"]

    other = ask(client, "And how many does she lay?", book="bees", session_id=session).json
    again = ask(client, "And in how warm a cellar?", session_id=session).json

    assert "cheddar" not in other["answer"].lower()
    assert other["book"] == "bees"
    assert again["book"] == "default"


def test_publication_and_way_back_concern_one_book(client: FlaskClient, tmp_path: Path) -> None:
    """Two books may both have an edition v2."""
    ingestion = services_of(client.application).ingestion
    ingestion.ingest_book(bees(tmp_path / "bees", "three thousand"), slug="bees", edition="v2")
    newer = ask(client, HONEY, book="bees").json

    back = client.post("/admin/editions/v1/publish?book=bees", headers=ADMIN)
    older = ask(client, HONEY, book="bees").json
    wrong = client.post("/admin/editions/v2/publish", headers=ADMIN)

    assert ("three thousand" in newer["answer"], "two thousand" in older["answer"]) == (True, True)
    assert (back.json["book"], back.json["published"]) == ("bees", True)
    assert (wrong.status_code, wrong.json["code"]) == (404, "edition_not_found")
    assert ask(client, CHEDDAR).json["book_version"] == "v1"


def test_oldest_editions_of_a_book_are_deleted_after_a_publication(
    client: FlaskClient, tmp_path: Path
) -> None:
    """A book that is ingested each night fills the disk in a season."""
    ingestion = services_of(client.application).ingestion
    for number in (2, 3, 4):
        ingestion.ingest_book(bees(tmp_path / "bees", f"{number},000"), slug="bees", edition=f"v{number}")

    listed = client.get("/admin/editions?book=bees", headers=ADMIN).json["editions"]
    others = client.get("/admin/editions", headers=ADMIN).json["editions"]

    assert [(row["edition"], row["published"]) for row in listed] == [("v4", True), ("v3", False)]
    assert [row["edition"] for row in others if row["book"] == "default"] == ["v1"]


def test_edition_is_deleted_by_its_book_and_the_published_one_is_not(
    client: FlaskClient, tmp_path: Path
) -> None:
    """The readers' edition cannot go by mistake."""
    ingestion = services_of(client.application).ingestion
    ingestion.ingest_book(bees(tmp_path / "bees", "four thousand"), slug="bees", edition="v2")

    gone = client.delete("/admin/editions/v1?book=bees", headers=ADMIN)
    refused = client.delete("/admin/editions/v2?book=bees", headers=ADMIN)
    without_key = client.delete("/admin/editions/v2?book=bees")

    assert (gone.status_code, gone.data) == (204, b"")
    assert (refused.status_code, refused.json["code"]) == (409, "edition_in_use")
    assert without_key.status_code == 401
    assert ask(client, HONEY, book="bees", book_version="v1").json["code"] == "edition_not_found"
    assert ask(client, CHEDDAR).json["book_version"] == "v1"


def test_answers_are_counted_by_book(client: FlaskClient) -> None:
    """An author wants the figures of her own book."""
    ask(client, HONEY, book="bees")

    text = client.get("/metrics").get_data(as_text=True)

    assert 'answers_total{book="bees",mode="full_book",status="answered"} 1.0' in text


def test_console_offers_the_choice_only_where_there_is_one(client: FlaskClient) -> None:
    """A select with one entry is noise."""
    both = client.get("/").get_data(as_text=True)

    assert '<option value="bees">' in both
    assert both.index('value="default"') < both.index('value="bees"')


def test_calls_for_the_list_are_limited_as_other_calls_are(make_app: AppMaker) -> None:
    """A page asks for it once a visit; a program that does not end is stopped."""
    app = make_app({"RATE_LIMIT_ENABLED": True, "RATE_LIMIT_OTHERS_PER_MINUTE": 2})
    client = app.test_client()

    assert [client.get("/books").status_code for _ in range(3)] == [200, 200, 429]
