"""Name and number what pages of MyST 2 refer to."""

from __future__ import annotations

import pytest

from ragbot.books.markup.myst_references import (
    MystSlugger,
    PageTargets,
    Target,
    continued_kinds,
    heading_id,
    html_id,
    unnumbered_kinds,
)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("My Label", "my-label"),
        ("fig:oar_1", "fig-oar-1"),
        ("What's “new”", "whats-new"),
        ("2 oars", "id-2-oars"),
        ("--a--", "id-a"),
        ("灯台", "id"),
        ("Größe", "gr-e"),
    ],
)
def test_id_is_made_of_plain_letters(label: str, expected: str) -> None:
    """Links to sections have it."""
    assert html_id(label) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target("figure", "2", "An oar"), "Figure 2"),
        (Target("figure", "", "An oar"), "An oar"),
        (Target("code", "1"), "Program 1"),
        (Target("equation", "3"), "(3)"),
        (Target("heading", "", "Grip"), "Grip"),
        (Target("exercise", "", "Count"), "Exercise (Count)"),
        (Target("paragraph"), "Paragraph"),
    ],
)
def test_reference_without_words_shows_number_or_title(target: Target, expected: str) -> None:
    """As the site does."""
    assert target.named() == expected


def test_heading_below_a_label_of_its_name_is_numbered() -> None:
    """A label behind it takes nothing from it."""
    page = PageTargets()
    page.add("blades", Target("paragraph"))
    page.add_heading("Blades")
    page.add("grip", Target("paragraph"))
    slug = MystSlugger(page, skips_title=True)

    assert [slug("Grip"), slug("Blades"), slug("Grip"), slug("Blades")] == [
        *("grip", "blades-1", "grip-1", "blades-2")
    ]


def test_kinds_without_numbers_are_found() -> None:
    """A configuration turns them off by a value or by `enabled`."""
    numbering = {
        "figure": False,
        "table": {"enabled": False},
        "equation": True,
        "heading_1": {"enabled": True},
    }

    assert unnumbered_kinds(numbering) == {"figure", "table"}


def test_kinds_that_go_on_from_page_to_page_are_found() -> None:
    """By a word, or by `continue`."""
    numbering = {"figure": "continue", "table": {"continue": True}, "equation": {"start": "next"}, "code": {}}
    numbering["proof:lemma"] = "continue"

    assert continued_kinds(numbering) == {"figure", "table", "equation", "lemma"}


@pytest.mark.parametrize(
    ("title", "expected"),
    [("$K_{DP}$ of rain", "k-dp-of-rain"), ("$5", "id-5")],
)
def test_id_of_a_heading_is_that_of_the_theme(title: str, expected: str) -> None:
    """Formulas have no dollars."""
    assert heading_id(title) == expected
