"""Make rows of asked questions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask_openapi import OpenAPI
from sqlalchemy import insert

from ragbot.extensions import db
from ragbot.storage.asked_questions import asked_questions, question_groups

ASKED_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
REFUSED = {"outcome": "refused", "cited": "", "nearest": "02-cheese.md\tCheese > Goats", "sentences": 0}


def question_row(**values: Any) -> dict[str, Any]:
    """Return the values of a row: an answered question, changed where given."""
    return {
        "asked_at": ASKED_AT,
        "book": "default",
        "book_version": "first",
        "words": "How long is cheddar ripened?",
        "language": "english",
        "page": "/02-cheese",
        "mode": "full_book",
        "outcome": "answered",
        "degraded": False,
        "model": "test/scripted",
        "cited": "02-cheese.md\tCheese > Ripening",
        "nearest": "",
        "sentences": 1,
        "supported": 1,
        "cache": "miss",
        "cost_usd": 0.001,
        "first_word_ms": 100.0,
        "rating": None,
        "reason": None,
        "embedder": None,
        "vector": None,
        "group_id": None,
        **values,
    }


def add(app: OpenAPI, *rows: dict[str, Any]) -> None:
    """Insert rows that were asked now, where they do not say when, and the groups that they name."""
    group = {"book": "default", "space": "words", "centroid": b"", "members": 1}
    with app.app_context(), db.engine.begin() as connection:
        for number in {row["group_id"] for row in rows if row.get("group_id")}:
            connection.execute(insert(question_groups).values(id=number, **group))
        for row in rows:
            connection.execute(insert(asked_questions).values(question_row(**{"asked_at": NOW, **row})))
