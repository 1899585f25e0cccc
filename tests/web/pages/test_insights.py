"""Test the pages of what readers asked: who may read them, and what a hostile question cannot do there."""

from __future__ import annotations

import csv
import io
import re
from base64 import b64encode
from datetime import date, timedelta

import pytest
from flask_openapi import OpenAPI

from ragbot.extensions import db
from ragbot.insights.book_map import MappedPage
from ragbot.insights.trends import Day, Numbers
from ragbot.storage.asked_questions import asked_questions
from ragbot.web.pages.insight_charts import HEIGHT, bar_chart, heat_strip, periods, share_lines, spark_line
from tests.conftest import THREE_CHAPTERS, AppMaker, services_of
from tests.insights.rows import NOW, REFUSED, add
from tests.system.web.script_payloads import SCRIPT_PAYLOADS

pytestmark = pytest.mark.sqlite_is_enough

PASSWORD = "a-long-console-password-7"
VIEWS = ("", "/gaps", "/questions", "/map")
# What of a row comes from outside.
WORDS = ("words", "page", "language", "reason", "book_version", "nearest")


def page(app: OpenAPI, path: str, status: int = 200) -> str:
    reply = app.test_client().get(f"/insights{path}")
    assert reply.status_code == status
    return reply.text


def test_pages_are_behind_the_password_of_the_console(make_app: AppMaker) -> None:
    """In production there are none without one."""
    credentials = b64encode(f"author:{PASSWORD}".encode()).decode()
    client = make_app({"CONSOLE_PASSWORD": PASSWORD}).test_client()

    for view in (*VIEWS, "/groups/1", "?demo=1"):
        refused = client.get(f"/insights{view}")
        assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)
    admitted = client.get("/insights", headers={"Authorization": f"Basic {credentials}"})
    assert admitted.status_code == 200


@pytest.mark.parametrize("view", [*VIEWS, "/groups/1"])
def test_words_of_a_reader_are_no_markup(app: OpenAPI, view: str) -> None:
    """Whatever is asked, on whatever page, with whatever reason."""
    hostile = "\n".join(SCRIPT_PAYLOADS)
    add(
        app,
        {
            **REFUSED,
            **dict.fromkeys(WORDS, hostile),
            "group_id": 1,
            "rating": "down",
        },
    )
    mild = mild_copy(app, view, hostile)

    text = page(app, view)

    assert tags(text) == tags(mild)


def test_failed_questions_are_not_called_answered(app: OpenAPI) -> None:
    """After an outage of the model all seemed well."""
    failed = {"outcome": "failed", "cited": "", "group_id": 1}
    add(app, {"group_id": 1}, failed, failed)

    for view in ("", "/groups/1"):
        text = page(app, view)
        assert "Every question was answered" not in text
        assert "2 of 3 ended without an answer" in text


def test_time_without_a_gap_is_not_called_empty(app: OpenAPI) -> None:
    """It is the best that an author can read."""
    assert "No question is kept of this time" in page(app, "/gaps")
    add(app, {"group_id": 1})

    assert "No gap in this time." in page(app, "/gaps")
    assert "Every question was answered from the book" in page(app, "")


def mild_copy(app: OpenAPI, view: str, hostile: str) -> str:
    """Return the same page with harmless words in the same places."""
    harmless = hostile.translate(str.maketrans("<>&\"'", "()+“‘"))
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(asked_questions.update().values(dict.fromkeys(WORDS, harmless)))
    mild = page(app, view)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(asked_questions.update().values(dict.fromkeys(WORDS, hostile)))
    return mild


def tags(text: str) -> list[str]:
    """Return the names of all tags in order."""
    return re.findall(r"<\s*/?\s*([a-zA-Z][\w-]*)", text)


def test_policy_allows_no_script_but_our_own(app: OpenAPI) -> None:
    """And no inline style, no other host, no frame."""
    policy = app.test_client().get("/insights").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"\son\w+=|\sstyle=|<script>|<style", page(app, "?demo=1"))


def test_without_a_question_it_says_what_it_will_show(app: OpenAPI, make_app: AppMaker) -> None:
    """With a way to made-up ones, which are marked as such."""
    empty = page(app, "")
    made_up = page(app, "?demo=1")

    assert "No question is kept of this time." in empty
    assert 'href="/insights?demo=1"' in empty
    assert "These questions are made up" in made_up
    assert "<code>INSIGHTS_DAYS</code> is 0" in page(make_app({"INSIGHTS_DAYS": 0}), "")


@pytest.mark.parametrize("view", [*VIEWS, "/groups/1"])
def test_made_up_questions_and_those_of_readers_never_meet(app: OpenAPI, view: str) -> None:
    """On no page, and links stay on their side."""
    add(app, {"words": "Zebra cheese?", "group_id": 1, **REFUSED})

    made_up, real = page(app, f"{view}?demo=1"), page(app, view)

    assert "Zebra" not in made_up
    assert "NVIDIA" not in real
    inside = re.findall(r'href="(/insights[^"]*)"', made_up)
    assert [link for link in inside if "demo=1" not in link] == ["/insights"]


@pytest.mark.parametrize(
    ("view", "name", "column", "cells"),
    [
        ("", "days", "refused", ["0"] * 7 + ["30"]),
        ("/gaps", "gaps", "questions", ["30"]),
        ("/questions", "groups", "questions", ["30", "1"]),
        ("/questions", "groups", "examples", ["'=1+1", "Why milk?"]),
        ("/map", "map", "near", ["0", "0", "0", "0", "30"]),
        ("/groups/1", "questions", "outcome", ["refused"] * 30),
    ],
)
def test_each_page_has_all_it_lists_as_a_file(
    app: OpenAPI, view: str, name: str, column: str, cells: list[str]
) -> None:
    """An author clicks and has it, with the time and the filters of the page, and no part of it alone."""
    add(app, *([{**REFUSED, "words": "=1+1", "group_id": 1}] * 30), {"words": "Why milk?"})
    add(app, {"words": "Too old", "asked_at": NOW - timedelta(days=20), **REFUSED})
    (link,) = re.findall(r'href="([^"]*)">Download as CSV', page(app, f"{view}?days=7"))

    reply = app.test_client().get(link.replace("&amp;", "&"))

    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert (reply.status_code, reply.mimetype) == (200, "text/csv")
    assert reply.headers["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    found = [row[column] for row in rows]
    if name == "days":
        # At midnight yesterday's questions are no longer in the last row.
        found = sorted(found)
    assert (found[: len(cells)] if name == "map" else found) == cells


def test_file_of_made_up_questions_and_of_filtered_ones(app: OpenAPI) -> None:
    """It is what the page shows."""
    add(app, {"words": "Why milk?"}, {"words": "Why salt?"})

    filtered = page(app, "/questions?words=salt&format=csv")
    made_up = page(app, "/gaps?demo=1&format=csv")

    assert "Why salt?" in filtered
    assert "Why milk?" not in filtered
    assert len(made_up.splitlines()) > 5


def test_file_needs_the_password(make_app: AppMaker) -> None:
    """As its page does."""
    client = make_app({"CONSOLE_PASSWORD": PASSWORD}).test_client()

    assert client.get("/insights/gaps?format=csv").status_code == 401


@pytest.mark.parametrize("view", ["", "/gaps", "/questions"])
def test_questions_without_words_are_counted_by_chapter_and_page(app: OpenAPI, view: str) -> None:
    """Groups of nothing told an author nothing."""
    add(app, *([{**REFUSED, "words": None, "page": "/from-here"}] * 3))

    text = page(app, view)

    assert "no words are kept" not in text
    if view:
        assert "Questions without kept words" in text
        assert re.search(r'<th scope="row" dir="auto">02-cheese.md</th><td>3</td><td>3</td>', text)
        assert re.search(r'<th scope="row" dir="auto">/from-here</th><td>3</td><td>3</td>', text)
    else:
        assert "3 questions whose words are not kept found no answer" in text
    assert "Every question was answered" not in text


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("?days=0", "days"),
        ("?since=soon", "since"),
        ("?verbose=1", "verbose"),
        ("/questions?outcome=x", "outcome"),
    ],
)
def test_wrong_address_is_told_on_the_page(app: OpenAPI, address: str, says: str) -> None:
    """A person has typed it."""
    assert f"wrong in: {says}" in page(app, address, 422)


def test_unknown_group_and_book_are_told_on_the_page(app: OpenAPI) -> None:
    """An old link leads to a sentence."""
    assert "No question of this group" in page(app, "/groups/9", 404)
    assert "no book called" in page(app, "?book=nobody", 404)


def test_form_filters_and_keeps_the_time(app: OpenAPI) -> None:
    """Fields that are empty filter nothing."""
    add(app, {"words": "Why milk?"}, {"words": "Why salt?", "asked_at": NOW - timedelta(days=40)})

    text = page(app, "/questions?days=60&words=salt&outcome=&rating=&language=")

    assert "Why salt?" in text
    assert "Why milk?" not in text
    assert '<input type="hidden" name="days" value="60">' in text
    assert "No question of this time is like that." in page(app, "/questions?words=pepper")


def test_one_of_several_books_is_chosen(app: OpenAPI) -> None:
    """The form names them, and links keep the choice."""
    assert 'name="book"' not in page(app, "")
    services_of(app).ingestion.ingest_book(THREE_CHAPTERS, slug="other", title="The Other Book")
    add(app, {"words": "Other?", "book": "other", **REFUSED, "group_id": 1})

    text = page(app, "?book=other")

    assert '<option value="other" selected>The Other Book</option>' in text
    assert "/insights/groups/1?book=other" in text
    assert "Other?" not in page(app, "")


def test_group_opens_to_its_questions_and_the_issue(app: OpenAPI) -> None:
    """Answers are there as long as the reader's session."""
    client = app.test_client()
    client.post("/query", json={"query": "How long is the cheddar ripened?"})
    services_of(app).group_questions()
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(asked_questions.update().values(rating="down"))
        (group,) = connection.execute(asked_questions.select()).all()

    opened = page(app, f"/groups/{group.group_id}")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(asked_questions.update().values(message_id=None))
    later = page(app, f"/groups/{group.group_id}")

    assert "nine months" in opened
    assert 'href="https://book.test/02-cheese.md#' in opened
    assert "# `How long is the cheddar ripened?`" in opened
    assert "The answer is deleted with the reader" in later
    assert "nine months" not in later


def test_charts_are_drawn_to_scale() -> None:
    """The highest bar fills the height, and many days are put together."""
    days = [Day(date(2026, 1, 1) + timedelta(days=n), Numbers(n, n // 2, n - n // 2)) for n in range(100)]

    parts = periods(days, 92)
    chart = bar_chart(parts)
    ((line, points),) = share_lines(parts, ("refused",)).lines

    assert (len(parts), parts[0].numbers.questions, parts[-1].last) == (50, 1, days[-1].day)
    last = chart.bars[-1]
    assert (last.rest_y, last.rest_height + last.answered_height, chart.highest) == (0, HEIGHT, 197)
    assert (line, len(points.split())) == ("refused", 50)
    assert bar_chart([]).highest == 0
    assert share_lines(periods(days[:1], 92), ("refused",)).lines == (("refused", ""),)
    assert spark_line([0, 2]) == "0.0,19.0 80.0,1.0"


def test_heat_strip_shows_a_few_next_to_many() -> None:
    """A page that counts nothing has no square."""
    pages = [MappedPage("a", "A", 0, count, 0, 0, ()) for count in (100, 0, 1)]

    asked, cited, *_ = heat_strip(pages)

    assert (asked.squares, asked.highest) == ((), 0)
    assert [(one.title, one.opacity, one.x) for one in cited.squares] == [("A", 1.0, 0.0), ("A", 0.1, 480.0)]
