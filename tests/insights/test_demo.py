"""Test the made-up questions, which are about the shipped book and stand in no table of the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask_openapi import OpenAPI

from ragbot.books.loader import load_book
from ragbot.core.domain import DEFAULT_BOOK
from ragbot.insights.demo import SPREAD, demo
from ragbot.insights.trends import trends
from ragbot.storage.question_selection import Selection
from tests.conftest import SHIPPED_BOOK, AppMaker

pytestmark = pytest.mark.sqlite_is_enough

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ALL = Selection(DEFAULT_BOOK, NOW - timedelta(days=90))


def test_demo_shows_every_kind_of_thing() -> None:
    """Who looks at it wants to see what the pages can tell."""
    with demo(NOW) as made_up:
        found = trends(made_up.insights, ALL, NOW, kept=SPREAD)
        gaps = made_up.insights.gaps(ALL, limit=100)
        mapped = made_up.map_questions(ALL)

    assert found.total.questions > 200
    assert all((found.total.refused, found.total.unsupported, found.total.disliked, found.total.cached))
    assert found.change is not None
    assert found.change.closed
    assert len(found.kinds.languages) > 1
    assert any(gap.answered_since for gap in gaps)
    assert any(not page.cited for page in mapped.pages)
    assert mapped.elsewhere == ()
    assert sum(page.asked for page in mapped.pages) > sum(page.questions for page in found.pages[:5])


def test_demo_is_about_the_shipped_book() -> None:
    """Its pages and sections are those that the book has now."""
    book = load_book(SHIPPED_BOOK)
    sections = {page.path: {section.heading_path for section in page.sections} for page in book.pages}

    with demo(NOW) as made_up:
        outline = made_up.outline

    assert [page.path for page in outline] == [page.path for page in book.pages]
    assert [page.title for page in outline] == [page.title for page in book.pages]
    assert all(set(page.sections) <= sections[page.path] for page in outline)


def test_command_prints_the_demo_and_opens_no_database(make_app: AppMaker, tmp_path: Path) -> None:
    """So it can never mix with what readers asked."""
    app: OpenAPI = make_app({"DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"})

    run = app.test_cli_runner().invoke(args=["insights", "demo", "--since", "8w"])

    assert run.exit_code == 0
    assert "Can I run Isaac Sim on a laptop without an NVIDIA card?" in run.stdout
    assert not (tmp_path / "none.db").exists()
