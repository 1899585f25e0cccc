"""Test that names of small pictures are removed, and other words between colons are not."""

import pytest

from ragbot.books.chunking.chunker import chunk_page
from ragbot.books.formats.plain import read_plain_page
from ragbot.books.markup.emoji import without_emoji


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Use :page_facing_up: combing", "Use combing"),
        (":warning: Hot", "Hot"),
        ("[:page_facing_up: oars](oars.md)", "[oars](oars.md)"),
        ("It floats :tada:.", "It floats."),
        ("A fork :tada:, a :nope:, x", "A fork, a :nope:, x"),
        ("Up:arrow_up:and away", "Up:arrow_up:and away"),
        ("- :white_check_mark: ash\n- :x: oak", "- ash\n- oak"),
    ],
)
def test_names_of_pictures_are_removed(text, expected):
    """They stood in answers as they are written."""
    assert without_emoji(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        ":8080:",
        "a:b:c",
        "10:30:45",
        ":param: x",
        ":::warning:::",
        "`:warning:`",
        "http://a:x:80",
        ":---:|:---:",
    ],
)
def test_other_words_between_colons_stay(text):
    """Ports, times, fields, containers and code are the book's words."""
    assert without_emoji(text) == text


def test_heading_on_github_keeps_its_anchor_without_its_picture():
    """GitHub makes the anchor of the name, and shows the picture."""
    page = read_plain_page("a.md", "# Boats\n\n## :rocket: Fast oars\n\n:bulb: Row.\n\n```\n:bulb:\n```\n")

    assert page.sections[1].anchor == "rocket-fast-oars"
    assert page.sections[1].heading_path == ("Boats", "Fast oars")
    assert [chunk.text for chunk in chunk_page(page)] == ["Row.\n\n```\n:bulb:\n```"]
