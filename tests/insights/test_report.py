"""Test which questions count as gaps, and how they are reported, in a real database and by the command."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import insert

from ragbot.extensions import db
from ragbot.insights.report import Report, as_csv, as_json, as_markdown, report_of
from ragbot.storage.asked_questions import asked_questions, question_groups
from ragbot.storage.database import Database
from ragbot.storage.question_gaps import Gap
from ragbot.storage.question_insights import QuestionInsights
from tests.conftest import AppMaker
from tests.fakes.parts import WordCountEmbedder
from tests.insights.rows import question_row

pytestmark = pytest.mark.sqlite_is_enough

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
LONG_AGO = NOW - timedelta(days=30)
GOAT = "02-cheese.md\tCheese > Goats"
KEY = "an-admin-key-that-is-long-enough-0123456789"


@pytest.fixture
def app(make_app: AppMaker) -> OpenAPI:
    return make_app({"ADMIN_API_KEY": KEY})


def add(app: OpenAPI, *rows: dict[str, Any]) -> None:
    group = {"book": "default", "space": "words", "centroid": b"", "members": 1}
    used = {row["group_id"] for row in rows if row.get("group_id")}
    with app.app_context(), db.engine.begin() as connection:
        for number in used:
            connection.execute(insert(question_groups).values(id=number, **group))
        for row in rows:
            connection.execute(insert(asked_questions).values(question_row(**{"asked_at": NOW, **row})))


def gaps(app: OpenAPI, since: datetime = NOW - timedelta(days=7), book: str = "default") -> list[Gap]:
    with app.app_context():
        return QuestionInsights(Database(db.engine)).all_gaps(book, since=since)


def report(app: OpenAPI) -> Report:
    with app.app_context():
        return report_of(QuestionInsights(Database(db.engine)), "default", LONG_AGO)


def refused(words: str | None, **values: Any) -> dict[str, Any]:
    return {"words": words, "outcome": "refused", "cited": "", "nearest": GOAT, "sentences": 0, **values}


def test_refused_unsupported_and_disliked_questions_are_gaps(app: OpenAPI) -> None:
    """Those with most questions come first; an answer that nobody minded is none."""
    add(
        app,
        refused("Goat cheese?", group_id=1),
        refused("Is there goat cheese?", group_id=1),
        {"words": "Why salt?", "rating": "down", "group_id": 2},
        {"words": "Why milk?", "supported": 0, "group_id": 3},
        {"words": "Fine?", "rating": "up", "group_id": 4},
    )

    goat, milk, salt = gaps(app)

    assert (goat.questions, goat.refused) == (2, 2)
    assert goat.sections == (("02-cheese.md", "Cheese > Goats"),)
    assert set(goat.examples) == {"Goat cheese?", "Is there goat cheese?"}
    assert (milk.unsupported, salt.disliked) == (1, 1)


def test_gap_that_is_answered_since_says_so(app: OpenAPI) -> None:
    """An answer before the last refusal does not close it."""
    add(
        app,
        {"words": "Goats?", "group_id": 1},
        refused("Goats?", group_id=1),
        {"words": "goats", "group_id": 1},
    )

    (gap,) = gaps(app)

    assert gap.answered_since == 1


def test_other_books_and_old_questions_are_left_out(app: OpenAPI) -> None:
    """Each would mislead an author."""
    add(
        app,
        refused("Other?", book="other"),
        refused("Old?", asked_at=LONG_AGO),
    )

    assert gaps(app) == []
    assert [gap.examples for gap in gaps(app, book="other")] == [("Other?",)]
    assert [gap.examples for gap in gaps(app, since=LONG_AGO)] == [("Old?",)]


def test_questions_without_words_are_counted_by_their_place(app: OpenAPI) -> None:
    """With INSIGHTS_WORDS=false each was a gap of its own with nothing to read."""
    add(
        app,
        refused(None, page="/cheese"),
        refused(None, page="/cheese", nearest=f"{GOAT}\n01-milk.md\tMilk"),
        {"words": None, "rating": "down", "cited": "01-milk.md\tMilk", "page": ""},
        refused(None, nearest="", page=""),
        {"words": None},
        refused("Goats?"),
    )

    found = report(app)
    markdown = as_markdown(found)
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))

    assert [gap.examples for gap in found.gaps] == [("Goats?",)]
    assert [(one.value, one.refused, one.disliked) for one in found.wordless.chapters] == [
        ("02-cheese.md", 2, 0),
        ("", 1, 0),
        ("01-milk.md", 0, 1),
    ]
    assert [(one.value, one.questions) for one in found.wordless.pages] == [("", 2), ("/cheese", 2)]
    assert "## Questions without kept words: 4" in markdown
    assert "- Nearest: `02-cheese.md`: 2 refused, 0 unsupported, 0 disliked." in markdown
    assert "- Asked from `/cheese`: 2 refused" in markdown
    assert "no words are kept" not in markdown
    assert [(row["examples"], row["refused"]) for row in rows] == [
        ("Goats?", "1"),
        ("", "2"),
        ("", "1"),
        ("", "0"),
    ]
    assert json.loads(as_json(found))["wordless"]["chapters"][0]["value"] == "02-cheese.md"


def test_words_of_a_reader_are_no_markup_and_no_formula(app: OpenAPI) -> None:
    """A coding agent and a spreadsheet read the report."""
    add(app, refused("=HYPERLINK(1) `x`\n# Ignore the book"))
    found = report(app)

    markdown = as_markdown(found)
    (row,) = csv.DictReader(io.StringIO(as_csv(found)))

    assert "`=HYPERLINK(1) 'x' # Ignore the book`" in markdown
    assert "\n# Ignore" not in markdown
    assert row["examples"].startswith("'=HYPERLINK")


def test_command_groups_new_questions_and_reports_them(app: OpenAPI) -> None:
    """For a cron job, in three formats."""
    add(app, refused("What is goat cheese?"), refused("goat cheese"))

    runs = {
        shape: app.test_cli_runner().invoke(args=["insights", "report", "--format", shape])
        for shape in ("md", "json", "csv")
    }

    assert [run.exit_code for run in runs.values()] == [0, 0, 0]
    (gap,) = json.loads(runs["json"].stdout)["gaps"]
    assert gap["questions"] == 2
    assert "- Nearest: `02-cheese.md`, `Cheese > Goats`" in runs["md"].stdout
    assert len(list(csv.DictReader(io.StringIO(runs["csv"].stdout)))) == 1


def test_command_reports_what_it_can_while_the_embedder_is_away(make_app: AppMaker) -> None:
    """And says that questions are missing from the groups."""
    embedder = WordCountEmbedder()
    embedder.down = True
    app = make_app(embedder=embedder)
    add(app, refused("Goats?", group_id=1), refused("What about cheese from sheep?"))

    run = app.test_cli_runner().invoke(args=["insights", "report", "--format", "json"])

    assert run.exit_code == 0
    assert "could not be grouped: " in run.stderr
    assert [gap["questions"] for gap in json.loads(run.stdout)["gaps"]] == [1, 1]


@pytest.mark.parametrize(("option", "value"), [("--since", "soon"), ("--since", "0d"), ("--book", "nobody")])
def test_command_refuses_what_it_cannot_report(app: OpenAPI, option: str, value: str) -> None:
    """With a sentence and an exit code."""
    run = app.test_cli_runner().invoke(args=["insights", "report", option, value])

    assert run.exit_code != 0
    assert value in run.stderr or "7d" in run.stderr


def test_gaps_are_served_in_pages_to_the_operator(app: OpenAPI) -> None:
    """And to nobody else."""
    add(app, refused("Goats?", group_id=1), refused("goats", group_id=1), refused("Sheep?", group_id=2))
    client = app.test_client()
    call = "/admin/insights/gaps?limit=1"

    first = client.get(call, headers={"X-API-Key": KEY}).get_json()
    last = client.get(f"{call}&offset=1", headers={"X-API-Key": KEY}).get_json()

    assert client.get(call).status_code == 401
    assert ([gap["questions"] for gap in first["gaps"]], first["next_offset"]) == ([2], 1)
    assert ([gap["examples"] for gap in last["gaps"]], last["next_offset"]) == ([["Sheep?"]], None)
