"""Keep the questions that the cross-encoder is trained on whole: each names places of a known book."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench" / "cross_encoder"
BOOKS = json.loads((BENCH / "books.json").read_text(encoding="utf-8"))


def test_each_book_has_questions_and_each_question_a_book() -> None:
    """A file without its book could not be made examples of."""
    assert {path.stem for path in (BENCH / "questions").glob("*.jsonl")} == set(BOOKS)


@pytest.mark.parametrize("book", sorted(BOOKS))
def test_each_question_names_places(book: str) -> None:
    """Either those that answer it, or those that only look like an answer, on pages of the book."""
    names = {page.rpartition(".")[0].replace("/", "--").lstrip("_.-") for page in BOOKS[book]["pages"]}
    lines = (BENCH / "questions" / f"{book}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]

    for row in rows:
        (places,) = (row[kind] for kind in ("right", "near") if kind in row)
        assert row["questions"]
        assert places
        for page, start, end in places:
            assert page.rpartition(".")[0] in names
            assert 0 <= start < end
    questions = [question.strip() for row in rows for question in row["questions"]]
    assert all(questions)
    assert len({question.casefold() for question in questions}) == len(questions)
