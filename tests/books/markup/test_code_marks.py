"""Remove from code what only colours it."""

from __future__ import annotations

import pytest

from ragbot.books.markup.code_marks import (
    without_bubbles,
    without_highlight_comments,
    without_inline_languages,
)
from ragbot.books.markup.rewriting import with_fences_apart, with_open_references


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\n// highlight-next-line\nb\n", "a\nb\n"),
        ("  {/* highlight-start */}\na\n  # highlight-end", "a\n"),
        ("<!-- highlight-next-line -->\n<p>", "<p>"),
        ("a() // [!code ++]\nb() # [!code focus:2]\n", "a()\nb()\n"),
        ("a // highlight this\n", "a // highlight this\n"),
        ("// highlight-next-line is a comment\n", "// highlight-next-line is a comment\n"),
    ],
)
def test_comments_that_highlight_are_left_out(written: str, shown: str) -> None:
    """Sites do not show them; readers copied them with the listing."""
    assert without_highlight_comments(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("- content # (1)!\nb: c // (12)!  \n", "- content\nb: c\n"),
        ("<p> <!-- (1)! -->\n", "<p>\n"),
        ("a() # (1) first\nb (2)!", "a() # (1) first\nb (2)!"),
    ],
)
def test_numbers_that_are_shown_as_bubbles_are_left_out(written: str, shown: str) -> None:
    """Material for MkDocs explains lines of code so; readers copied them with the listing."""
    assert without_bubbles(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Set `#!python x = 1`, or `:::js y`.", "Set `x = 1`, or `y`."),
        ("Begin with `#!/bin/sh -e`, or `#!`.", "Begin with `#!/bin/sh -e`, or `#!`."),
    ],
)
def test_name_of_a_language_is_no_code(written: str, shown: str) -> None:
    """Material for MkDocs colours code within a line by it."""
    assert without_inline_languages(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<Tab>\n```sh\na\n```\n</Tab>\n<Tab>\n", "<Tab>\n\n```sh\na\n```\n\n</Tab>\n<Tab>\n"),
        ("a > b\n```\na\n```\nb\n", "a > b\n```\na\n```\nb\n"),
        ("```\n<Tab>\n~~~\n</Tab>\n```", "```\n<Tab>\n~~~\n</Tab>\n```"),
    ],
)
def test_fences_stand_apart_from_tags(written: str, shown: str) -> None:
    """Listings in the tabs of React Native's pages were read as words, fences included."""
    assert with_fences_apart(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Take [Oars  of ash] or [b][oars of ash].", "Take [Oars  of ash][] or [b][oars of ash]."),
        (
            "See [`Oar`], and `[Oars of ash]`[oars of ash].",
            "See [`Oar`][], and `[Oars of ash]`[oars of ash][].",
        ),
        ("`[oars of ash]` [ ] [else] ![oars of ash] x[oars of ash]", "as written"),
    ],
)
def test_link_by_its_name_alone_can_be_read_without_its_definition(written: str, shown: str) -> None:
    """Brackets stood around such words in passages that do not hold the definition."""
    definition = "\n\n[oars of ash]: oars.md\n[`Oar`]: oar.md\n"
    expected = written if shown == "as written" else shown

    assert with_open_references(written + definition) == expected + definition
