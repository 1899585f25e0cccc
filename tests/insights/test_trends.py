"""Test what the questions of a time tell, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, insert

from ragbot.core.answers import Source
from ragbot.insights.book_map import book_map
from ragbot.insights.trends import trends
from ragbot.storage.asked_questions import asked_questions, question_groups
from ragbot.storage.book_outlines import OutlinedPage
from ragbot.storage.database import Database, make_sqlite_safe
from ragbot.storage.question_counts import Counted
from ragbot.storage.question_insights import QuestionInsights
from ragbot.storage.question_samples import samples_of
from ragbot.storage.question_selection import OUTCOMES, RATINGS, Selection
from tests.databases import DatabaseMaker
from tests.insights.rows import ASKED_AT, question_row
from tests.storage.test_asked_questions import ask, store

DAY = timedelta(days=1)
WEEK = Selection("default", ASKED_AT - 6 * DAY, ASKED_AT + DAY)
RIPENING, GOATS = "02-cheese.md\tCheese > Ripening", "02-cheese.md\tCheese > Goats"
REFUSED = {"outcome": "refused", "cited": "", "nearest": GOATS, "sentences": 0, "supported": 0}


@pytest.fixture
def database(new_database: DatabaseMaker, tmp_path: Path) -> Iterator[Database]:
    with new_database(tmp_path) as url:
        engine = create_engine(url)
        make_sqlite_safe(engine, 5)
        yield Database(engine)
        engine.dispose()


@pytest.fixture
def insights(database: Database) -> QuestionInsights:
    return QuestionInsights(database)


def add(database: Database, *rows: dict[str, Any]) -> None:
    group = {"book": "default", "space": "words", "centroid": b"", "members": 1}
    with database.writing() as connection:
        for number in {row["group_id"] for row in rows if row.get("group_id")}:
            connection.execute(insert(question_groups).values(id=number, **group))
        connection.execute(insert(asked_questions), [question_row(**row) for row in rows])


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, ["plain", "liked", "disliked", "unsupported", "refused", "stopped", "failed", "elsewhere"]),
        ({"outcome": "answered"}, ["plain", "liked", "disliked", "unsupported", "elsewhere"]),
        ({"outcome": "refused"}, ["refused"]),
        ({"outcome": "unsupported"}, ["unsupported"]),
        ({"outcome": "degraded"}, ["plain"]),
        ({"outcome": "stopped"}, ["stopped"]),
        ({"outcome": "failed"}, ["failed"]),
        ({"rating": "up"}, ["liked"]),
        ({"rating": "down"}, ["disliked"]),
        ({"rating": "none", "outcome": "refused"}, ["refused"]),
        ({"chapter": "09-goats.md"}, ["elsewhere"]),
        ({"page": "/09-goats"}, ["elsewhere"]),
        ({"language": "german"}, ["elsewhere"]),
        ({"edition": "second"}, ["elsewhere"]),
        ({"words": "ELSEWHERE über_"}, ["elsewhere"]),
        ({"words": "%"}, []),
        ({"book": "other"}, ["of another book"]),
        ({"until": ASKED_AT}, []),
    ],
)
def test_questions_are_selected(
    database: Database, insights: QuestionInsights, chosen: dict[str, Any], found: list[str]
) -> None:
    """By each filter; the newest come first, and what a reader types into the search is no pattern."""
    elsewhere = {"page": "/09-goats", "cited": "09-goats.md\tGoats", "language": "german"}
    add(
        database,
        {"words": "elsewhere Über_all", **elsewhere, "book_version": "second"},
        {"words": "failed", "outcome": "failed"},
        {"words": "stopped", "outcome": "stopped"},
        {"words": "refused", **REFUSED},
        {"words": "unsupported", "supported": 0},
        {"words": "disliked", "rating": "down"},
        {"words": "liked", "rating": "up"},
        {"words": "plain", "degraded": True},
        {"words": "of another book", "book": "other"},
        {"words": "too old", "asked_at": WEEK.since - DAY},
    )

    listed = insights.questions(replace(WEEK, **chosen), limit=50)

    assert [one.words.split()[0] if one.language == "german" else one.words for one in listed] == found
    assert {chosen.get("outcome", "failed")} <= set(OUTCOMES)
    assert {chosen.get("rating", "none")} <= set(RATINGS)


def test_groups_are_listed_with_their_numbers(database: Database, insights: QuestionInsights) -> None:
    """The largest first, in pages, each with its commonest wordings; a question without one stands alone."""
    add(
        database,
        {"words": "How long?", "group_id": 1},
        {"words": "How long?", "group_id": 1, "rating": "down", "asked_at": ASKED_AT - 5 * DAY},
        {"words": "goats", "group_id": 1, **REFUSED},
        {"words": "Alone?", "rating": "up"},
    )

    first, alone = insights.groups(WEEK, limit=10)

    assert (first.group, first.questions, first.answered, first.refused, first.disliked) == (1, 3, 1, 1, 1)
    assert first.examples == ("How long?", "goats")
    assert first.sections == (("02-cheese.md", "Cheese > Ripening"), ("02-cheese.md", "Cheese > Goats"))
    assert (first.first_asked_at, first.last_asked_at) == (ASKED_AT - 5 * DAY, ASKED_AT)
    assert first.trend == (0, 1, 0, 0, 0, 0, 2, 0)
    assert (alone.group, alone.examples, alone.liked) == (None, ("Alone?",), 1)
    assert insights.groups(WEEK, limit=1, offset=1) == [alone]
    assert insights.group(1, WEEK) == first
    assert insights.group(2, WEEK) is None


def test_gap_is_the_part_of_a_group_that_wants_an_answer(
    database: Database, insights: QuestionInsights
) -> None:
    """An answer after it closes it, unless that one was disliked."""
    add(
        database,
        {"group_id": 1, **REFUSED},
        {"group_id": 1},
        {"group_id": 2, **REFUSED, "asked_at": ASKED_AT - 3 * DAY},
        {"group_id": 2, "rating": "down"},
        {"group_id": 3},
    )
    before = replace(WEEK, until=ASKED_AT)

    closed = insights.gap_of(1, WEEK)
    (early,) = insights.gaps(before, limit=10)

    assert closed is not None
    assert (closed.questions, closed.answered_since) == (1, 1)
    assert insights.gap_of(3, WEEK) is None
    assert (early.group, early.questions, early.answered_since) == (2, 1, 0)
    assert insights.open_gaps(WEEK.since) == {"default": 1}


def test_answers_are_shown_while_their_session_exists(database: Database, insights: QuestionInsights) -> None:
    """As readers saw them; afterwards the question alone is there."""
    ask(store(database))
    today = Selection("default", datetime.now(UTC) - DAY)
    with database.writing() as connection:
        group = {"book": "default", "space": "words", "centroid": b"", "members": 1}
        connection.execute(insert(question_groups).values(id=1, **group))
        connection.execute(asked_questions.update().values(group_id=1))

    (asked,) = insights.questions_of(1, today, limit=10)
    with database.writing() as connection:
        connection.execute(asked_questions.update().values(message_id=None))
    (later,) = insights.questions_of(1, today, limit=10)

    assert asked.answer == "Nine months [1]."
    assert asked.sources is not None
    assert isinstance(asked.sources[0], Source)
    assert (later.answer, later.sources, later.words) == (None, None, "HOW LONG IS CHEDDAR RIPENED?")


def test_trends_have_a_row_for_each_day(database: Database, insights: QuestionInsights) -> None:
    """Also for those on which nobody asked, and the numbers of the time before."""
    add(
        database,
        {"cache": "hit", "cost_usd": 0.5, "first_word_ms": 300.0},
        {**REFUSED, "language": "german", "first_word_ms": 100.0, "page": ""},
        {"rating": "down", "asked_at": ASKED_AT - DAY, "first_word_ms": None, "cost_usd": None},
        {"supported": 0, "asked_at": WEEK.since - DAY},
    )

    found = trends(insights, WEEK, ASKED_AT + 9 * DAY, kept=90 * DAY)

    assert [day.day for day in found.days] == [date(2026, 2, 24) + n * DAY for n in range(8)]
    assert [day.numbers.questions for day in found.days] == [0, 0, 0, 0, 0, 1, 2, 0]
    total = found.total
    assert (total.questions, total.answered, total.refused, total.disliked) == (3, 1, 1, 1)
    assert (total.cached, round(total.cost_usd, 3), total.share(total.refused)) == (1, 0.501, 1 / 3)
    assert found.before is not None
    assert (found.before.questions, found.before.unsupported) == (1, 1)
    assert trends(insights, WEEK, ASKED_AT + DAY, kept=13 * DAY).before is None
    assert (found.first_word.median_ms, found.first_word.p95_ms) == (100.0, 300.0)
    assert [(one.value, one.questions) for one in found.kinds.languages] == [("english", 2), ("german", 1)]
    assert [(one.value, one.questions) for one in found.pages] == [("/02-cheese", 2)]
    assert found.change is None


def test_editions_are_compared_by_their_gaps(database: Database, insights: QuestionInsights) -> None:
    """What the older one refused and the newer one answers is closed."""
    old, new = {"book_version": "first"}, {"book_version": "second"}
    add(
        database,
        {"group_id": 1, "words": "Goats?", **REFUSED, **old},
        {"group_id": 2, **REFUSED, **old},
        {"group_id": 3, **REFUSED, **old},
        {"group_id": 1, "words": "goats", **new},
        {"group_id": 2, **REFUSED, **new},
        {"group_id": 4, **REFUSED, **new},
        {"group_id": 5, **new},
    )

    change = trends(insights, WEEK, ASKED_AT + DAY, kept=90 * DAY).change

    assert change is not None
    assert (change.newer, change.older) == ("second", "first")
    assert (change.closed, change.open, change.silent, change.new) == (1, 1, 1, 1)
    assert change.examples == ("goats",)


def test_newer_edition_is_the_one_that_was_made_later(database: Database, insights: QuestionInsights) -> None:
    """One question to the old edition, asked in the console, must not turn the comparison round."""
    add(database, *({"book_version": name} for name in ("second", "first", "gone", "second")))
    insights = QuestionInsights(database, {"default": ["second", "first"]}.__getitem__)

    found = trends(insights, WEEK, ASKED_AT + DAY, kept=90 * DAY)

    assert [one.value for one in found.kinds.editions] == ["second", "first", "gone"]
    assert found.change is not None
    assert (found.change.newer, found.change.older) == ("second", "first")


def test_map_has_the_book_in_reading_order(database: Database, insights: QuestionInsights) -> None:
    """With what nobody needs, and with pages that an edition no longer has."""
    add(
        database,
        {"cited": f"{RIPENING}\n{GOATS}", "rating": "down"},
        {"cited": RIPENING},
        REFUSED,
        {"cited": "gone.md\tGone"},
    )
    outline = [
        OutlinedPage("01-milk.md", "Milk", "01-milk.html", (("Milk",),)),
        OutlinedPage("02-cheese.md", "Cheese", "02-cheese", (("Cheese",), ("Cheese", "Ripening"))),
    ]
    asked = [
        Counted("/book/02-Cheese/", 2, 0, 0, 0, 0),
        Counted("/book/02-cheese.html", 1, 0, 0, 0, 0),
        Counted("/book/02%2Dcheese", 1, 0, 0, 0, 0),
        Counted("/02-cheese", 9, 0, 0, 0, 0),
    ]

    found = book_map(outline, "https://book.test/book/", insights.places(WEEK), asked)

    milk, cheese = found.pages
    assert (milk.asked, milk.cited, milk.sections[0].headings) == (0, 0, "Milk")
    assert (cheese.asked, cheese.cited, cheese.disliked, cheese.near) == (4, 3, 2, 1)
    assert [(one.headings, one.cited, one.near) for one in cheese.sections] == [
        ("Cheese", 0, 0),
        ("Cheese > Ripening", 2, 0),
        ("Cheese > Goats", 1, 1),
    ]
    assert [(page.path, page.cited) for page in found.elsewhere] == [("gone.md", 1)]


@pytest.mark.sqlite_is_enough
def test_groups_are_described_from_their_own_index(database: Database, insights: QuestionInsights) -> None:
    """SQLite read all questions of the book for each of three queries, which was half of a page's time."""
    add(database, *({"group_id": 1 + n % 3, **REFUSED} for n in range(9)))
    plans: list[str] = []

    with database.reading() as connection:

        @event.listens_for(connection, "before_cursor_execute")
        def _plan(_connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.append(" ".join(row[-1] for row in rows))

        samples = samples_of(connection, WEEK, [1, 2])

    assert sorted(samples) == [1, 2]
    assert [("ix_asked_questions_group_id" in plan, "SCAN asked" in plan) for plan in plans] == [
        (True, False)
    ] * 3
