"""Test what the metrics tell of readers' ratings and of gaps, over the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask_openapi import OpenAPI
from sqlalchemy import insert, text

from harness.prometheus import Scrape
from ragbot.extensions import db
from ragbot.storage.asked_questions import asked_questions
from tests.insights.rows import question_row

pytestmark = pytest.mark.sqlite_is_enough

NOW = datetime.now(UTC)
REFUSED = {"outcome": "refused", "cited": "", "sentences": 0}


def value(app: OpenAPI, name: str, **labels: str) -> float:
    scrape = Scrape(app.test_client().get("/metrics").text)
    return next(one.value for one in scrape.samples if one.name == name and one.labels == labels)


def test_ratings_are_counted(app: OpenAPI) -> None:
    """From zero on; one for an answer that does not exist is none."""
    client = app.test_client()
    asked = client.post("/query", json={"query": "How long is the cheddar ripened?"}).json
    place = f"/sessions/{asked['session_id']}/messages"
    assert (value(app, "feedback_total", rating="up"), value(app, "feedback_total", rating="down")) == (0, 0)

    client.put(f"{place}/{asked['message_id']}/feedback", json={"rating": "down"})
    client.put(f"{place}/nothing/feedback", json={"rating": "down"})

    assert (value(app, "feedback_total", rating="up"), value(app, "feedback_total", rating="down")) == (0, 1)


def test_open_gaps_of_a_week_are_counted(app: OpenAPI) -> None:
    """Over all books; old ones are not."""
    rows = [
        {"asked_at": NOW, **REFUSED},
        {"asked_at": NOW, **REFUSED, "book": "other"},
        {"asked_at": NOW - timedelta(days=8), **REFUSED},
        {"asked_at": NOW},
    ]
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(insert(asked_questions), [question_row(**row) for row in rows])

    assert value(app, "gaps_open") == 2


def test_table_that_is_missing_leaves_the_metrics_readable(app: OpenAPI) -> None:
    """Whoever looks after the service needs the others most then."""
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE asked_questions"))

    assert value(app, "gaps_open") == 0
