"""Which chunks the summary of a chapter is made of, in a book that is really ingested."""

from __future__ import annotations

from pathlib import Path

from ragbot.core.answers import Question
from ragbot.core.deadline import Deadline
from tests.conftest import AppMaker, services_of

FILLER = "Milk is warmed, and stirred, and left to stand until the evening comes. " * 40


def test_summary_of_a_chapter_is_the_authors_own(make_app: AppMaker, tmp_path: Path) -> None:
    """It stands at the end of the chapter, behind what fits into an overview."""
    (tmp_path / "cheese.md").write_text(
        f"# Making cheese\n\n{FILLER}\n\n## Rennet\n\n{FILLER}\n\n## Salting\n\n{FILLER}\n\n"
        "## Summary\n\nCheese is milk that was curdled, pressed and salted.\n"
    )
    (tmp_path / "tea.md").write_text(f"# Tea\n\n{FILLER}\n")
    app = make_app()
    services = services_of(app)
    services.ingestion.ingest_book(tmp_path)

    with app.app_context():
        *_, last = services.answerer.answer(Question("Summarise the chapter on cheese"), (), Deadline(30))

    assert "Cheese is milk that was curdled, pressed and salted." in last.answer.text
    assert "left to stand" not in last.answer.text
