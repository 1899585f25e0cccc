"""Make rows of asked questions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

ASKED_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


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
        "is_example": False,
        **values,
    }
