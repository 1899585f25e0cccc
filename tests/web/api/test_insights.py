"""Test the calls that tell what readers asked, over a real database with a real book."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any, get_args

import pytest
from flask.testing import FlaskClient
from flask_openapi import OpenAPI

from ragbot.extensions import db
from ragbot.storage.question_selection import OUTCOMES, RATINGS
from ragbot.web.insight_schemas import FilteredQuery
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.insights.rows import NOW, REFUSED, add

pytestmark = pytest.mark.sqlite_is_enough

KEY = "an-admin-key-that-is-long-enough-0123456789"


@pytest.fixture
def app(book_from_the_start: None, make_app: AppMaker) -> OpenAPI:
    return make_app({"ADMIN_API_KEY": KEY})


def get(client: FlaskClient, call: str, **query: Any) -> Any:
    return client.get(f"/admin/insights/{call}", query_string=query, headers={"X-API-Key": KEY})


def rows_of(reply: Any) -> list[dict[str, str]]:
    assert reply.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(reply.text)))


@pytest.mark.parametrize("call", ["gaps", "questions", "groups", "groups/1", "map", "trends"])
def test_calls_are_for_the_operator(app: OpenAPI, call: str) -> None:
    """Nobody else may read what readers asked."""
    assert app.test_client().get(f"/admin/insights/{call}").status_code == 401


def test_questions_without_words_are_counted_beside_the_lists(app: OpenAPI) -> None:
    """Each alone would be a group of nothing; in CSV they follow the last part."""
    without = {**REFUSED, "words": None}
    add(app, {**REFUSED, "group_id": 1}, without, without, {"words": None})
    client = app.test_client()

    gaps, groups = get(client, "gaps").json, get(client, "groups").json
    first = rows_of(get(client, "gaps", format="csv", limit=1))
    more = rows_of(get(client, "groups", format="csv"))

    assert [gap["questions"] for gap in gaps["gaps"]] == [1]
    assert [(one["value"], one["questions"]) for one in gaps["wordless"]["chapters"]] == [("02-cheese.md", 2)]
    assert [(one["value"], one["answered"]) for one in groups["wordless"]["pages"]] == [("/02-cheese", 1)]
    assert [(row["questions"], row["sections"]) for row in first[1:]] == [("2", "02-cheese.md: ")]
    assert [row["questions"] for row in more] == ["1", "3"]


def test_questions_are_filtered_and_paged(app: OpenAPI) -> None:
    """With the filters in the address."""
    add(app, REFUSED, {"words": "Why milk?", "rating": "up"}, {"words": "Why salt?", "rating": "up"})
    client = app.test_client()

    first = get(client, "questions", rating="up", limit=1).json
    last = get(client, "questions", rating="up", limit=1, offset=1).json

    assert [asked["words"] for asked in first["questions"]] == ["Why salt?"]
    assert (first["next_offset"], last["next_offset"]) == (1, None)
    assert last["questions"][0]["cited"] == [{"path": "02-cheese.md", "headings": "Cheese > Ripening"}]
    assert [one["outcome"] for one in get(client, "questions", outcome="refused").json["questions"]] == [
        "refused"
    ]


def test_days_and_dates_select_the_time(app: OpenAPI) -> None:
    """The last day is included."""
    old = NOW - timedelta(days=40)
    add(app, {"words": "now"}, {"words": "old", "asked_at": old})
    client = app.test_client()

    def words(**query: Any) -> list[str]:
        return [asked["words"] for asked in get(client, "questions", **query).json["questions"]]

    assert words() == ["now"]
    assert words(days=60) == ["now", "old"]
    assert words(since=f"{old:%Y-%m-%d}", until=f"{old:%Y-%m-%d}") == ["old"]
    assert words(until=f"{old:%Y-%m-%d}", days=1) == ["old"]
    for wrong in ({"since": "1"}, {"since": "1999-12-31"}, {"until": "tomorrow"}, {"days": 0}):
        assert get(client, "questions", **wrong).status_code == 422


def test_one_group_opens_to_its_questions_and_an_issue(app: OpenAPI) -> None:
    """Markdown that a coding agent can work through."""
    add(app, {"words": "goats `x`", "group_id": 1, **REFUSED}, {"words": "Goats?", "group_id": 1})
    client = app.test_client()

    opened = get(client, "groups/1").json
    (listed,) = get(client, "groups").json["groups"]

    assert opened["group"] == listed
    assert (listed["questions"], listed["answered"], listed["refused"]) == (2, 1, 1)
    assert opened["gap"]["answered_since"] == 1
    assert opened["issue"].startswith(
        "# `goats 'x'`\n\nReaders of `default` did not find it.\n\n- Asked once"
    )
    assert "- Nearest: `02-cheese.md`, `Cheese > Goats`" in opened["issue"]
    assert [(one["words"], one["answer"]) for one in opened["questions"]] == [
        ("Goats?", None),
        ("goats `x`", None),
    ]
    assert get(client, "groups/2").status_code == 404
    assert get(client, f"groups/{2**31}").status_code == 422


def test_answer_is_shown_masked_while_the_session_exists(app: OpenAPI) -> None:
    """What a reader wrote may come back in it."""
    client = app.test_client()
    client.post("/query", json={"query": "How long is the cheddar ripened?"})
    services_of(app).group_questions()
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE messages SET answer = answer || ' Call 0171 2345678.'")
        (group,) = connection.exec_driver_sql("SELECT group_id FROM asked_questions").one()

    (asked,) = get(client, f"groups/{group}").json["questions"]

    assert "nine months" in asked["answer"]
    assert asked["answer"].endswith("Call [number].")
    assert asked["sources"][0]["url"].startswith("https://book.test/")


def test_map_has_the_pages_of_the_published_edition(app: OpenAPI) -> None:
    """In reading order, in pages, with the questions that were asked from each."""
    add(app, *({**row, "page": "/02-cheese.md"} for row in ({}, REFUSED)))
    client = app.test_client()

    whole = get(client, "map").json["pages"]
    first = get(client, "map", limit=1).json
    rows = rows_of(get(client, "map", format="csv"))

    assert [page["path"] for page in whole][:2] == [row["path"] for row in rows if not row["headings"]][:2]
    cheese = next(page for page in whole if page["path"] == "02-cheese.md")
    assert (cheese["asked"], cheese["cited"], cheese["near"]) == (2, 1, 1)
    assert {"headings": "Cheese > Goats", "cited": 0, "disliked": 0, "near": 1} in cheese["sections"]
    assert (first["pages"], first["next_offset"]) == (whole[:1], 1)
    assert [row["near"] for row in rows if row["headings"] == "Cheese > Goats"] == ["1"]


def test_trends_count_the_days(app: OpenAPI) -> None:
    """The same numbers as JSON and as CSV."""
    add(app, {"cache": "hit"}, REFUSED)
    client = app.test_client()

    found = get(client, "trends", days=1).json
    rows = rows_of(get(client, "trends", days=1, format="csv"))

    assert (found["total"]["questions"], found["total"]["refused"], found["total"]["cached"]) == (2, 1, 1)
    assert [row["day"] for row in rows] == [day["day"] for day in found["days"]]
    assert sum(int(row["questions"]) for row in rows) == 2
    assert found["editions"][0]["value"] == "first"


@pytest.mark.parametrize("call", ["gaps", "questions", "groups", "groups/1"])
def test_words_are_no_formula_in_a_spreadsheet(app: OpenAPI, call: str) -> None:
    """Whoever asks a question writes into the author's spreadsheet."""
    add(app, {"words": "=HYPERLINK(1)", "group_id": 1, **REFUSED, "page": "@page"})

    (row,) = rows_of(get(app.test_client(), call, format="csv"))

    assert row.get("words", row.get("examples")) == "'=HYPERLINK(1)"
    assert row.get("page") in (None, "'@page")


def test_other_books_are_named(app: OpenAPI) -> None:
    """And unknown ones are not found."""
    add(app, {"book": "other", "words": "Other?"})
    client = app.test_client()

    assert get(client, "questions", book="other").status_code == 404
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, slug="other")
    services_of(app).published.look_up()

    assert [asked["words"] for asked in get(client, "questions", book="other").json["questions"]] == [
        "Other?"
    ]
    assert get(client, "questions").json["questions"] == []


def test_filters_of_the_calls_are_those_of_the_selection() -> None:
    """Neither may have a value that the other does not know."""
    outcome, rating = (FilteredQuery.model_fields[name].annotation for name in ("outcome", "rating"))

    assert get_args(get_args(outcome)[0]) == OUTCOMES
    assert get_args(get_args(rating)[0]) == RATINGS
