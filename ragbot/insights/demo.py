"""Make up what readers of the shipped book asked, in a database of its own that is never stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ragbot.core.domain import DEFAULT_BOOK
from ragbot.insights.book_map import BookMap, book_map
from ragbot.storage.asked_questions import place
from ragbot.storage.book_outlines import OutlinedPage
from ragbot.storage.passing_database import passing_database
from ragbot.storage.question_insights import QuestionInsights
from ragbot.storage.question_selection import Selection

QUESTIONS = Path(__file__).with_name("demo_questions.yaml")
# They spread over so much time, and the newer edition came so long ago.
SPREAD = timedelta(days=58)
NEWER_EDITION = timedelta(days=20)

_ANSWERED, _FAILED = "answered", {"r": "refused", "s": "stopped", "f": "failed"}
_RATINGS = {"l": "up", "d": "down"}


@dataclass(frozen=True, slots=True)
class Demo:
    """Hold made-up questions and the outline of the book that they are about."""

    title: str
    insights: QuestionInsights
    outline: tuple[OutlinedPage, ...]

    def map_questions(self, selection: Selection) -> BookMap:
        """Lay the selected questions over the book."""
        return book_map(self.outline, "", self.insights.places(selection), self.insights.pages(selection))


@contextmanager
def demo(now: datetime) -> Iterator[Demo]:
    """Yield the demo as if the last question had been asked just now. No table of the service is touched."""
    told = _told()
    outline = tuple(
        OutlinedPage(
            page["path"],
            page["title"],
            page["address"],
            tuple(tuple(one.split(" > ")) for one in page["sections"]),
        )
        for page in told["pages"]
    )
    addresses = {page.path: f"/{page.address}" for page in outline}
    groups = range(1, len(told["groups"]) + 1)
    rows = [
        row
        for number, group in zip(groups, told["groups"], strict=True)
        for row in _rows(number, group, addresses, now.replace(minute=0, second=0, microsecond=0))
    ]
    # The newest has the highest id, as in a table that readers fill.
    rows.sort(key=lambda row: row["asked_at"])
    with passing_database(groups, rows) as database:
        yield Demo(told["title"], QuestionInsights(database), outline)


@cache
def _told() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    return told


def _rows(
    number: int, group: Mapping[str, Any], addresses: Mapping[str, str], now: datetime
) -> Iterator[dict[str, Any]]:
    """Yield a group's questions, spread evenly, some hours apart from those of other groups."""
    words, asked = group["words"], group["asked"]
    path, headings = group["place"]
    here = place(path, headings.split(" > "))
    for at, kind in enumerate(asked):
        ago = SPREAD * (1 - (at + 0.5) / len(asked)) + timedelta(hours=number * 11 % 72)
        outcome = _FAILED.get(kind, _ANSWERED)
        is_answered = outcome == _ANSWERED
        yield {
            "message_id": None,
            "asked_at": now - timedelta(hours=ago // timedelta(hours=1)),
            "book": DEFAULT_BOOK,
            "book_version": "second" if ago < NEWER_EDITION else "first",
            "words": words[at % len(words)],
            "language": group["language"],
            "page": addresses[path] if at % 3 else "",
            "mode": "full_book",
            "outcome": outcome,
            "degraded": kind == "x",
            "model": "demo",
            "cited": here if is_answered else "",
            "nearest": "" if is_answered else here,
            "sentences": 3 if is_answered else 0,
            "supported": 3 if is_answered and kind != "u" else 0,
            "cache": "miss" if at % 3 else "hit",
            "cost_usd": 0.0004,
            "first_word_ms": 380.0 + 90 * ((number + at) % 11),
            "rating": _RATINGS.get(kind),
            "reason": None,
            "embedder": None,
            "vector": None,
            "group_id": number,
        }
