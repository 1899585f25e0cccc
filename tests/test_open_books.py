"""Keep the questions about open books whole: each names places of a known book, or is a near miss."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench" / "open_books"
BOOKS = json.loads((BENCH / "books.json").read_text(encoding="utf-8"))


def test_each_book_has_questions_and_each_file_of_questions_a_book() -> None:
    """A file without its book could not be made a question set."""
    assert {path.stem for path in (BENCH / "questions").glob("*.jsonl")} == set(BOOKS)


@pytest.mark.parametrize("book", sorted(BOOKS))
def test_each_question_names_places_or_is_a_near_miss(book: str) -> None:
    """Places are on pages of the book, and what has none must not be answered."""
    rows = [
        json.loads(line)
        for line in (BENCH / "questions" / f"{book}.jsonl").read_text(encoding="utf-8").splitlines()
    ]

    assert len({row["id"] for row in rows}) == len(rows) == 40
    for row in rows:
        assert row["question"]
        assert bool(row["gold"]) == bool(row["evidence"]) == bool(row["answer"]) == (row["type"] != "near")
        for page, *_, start, end in (*row["gold"], *row["evidence"]):
            assert page in BOOKS[book]["pages"]
            assert 0 <= start < end
