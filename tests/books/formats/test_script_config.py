"""Test how literals are found in a configuration that is written in JavaScript."""

from __future__ import annotations

import pytest

from ragbot.books.formats.docusaurus_sidebars import parse_sidebars
from ragbot.books.formats.script_config import braced, literal, without_script_comments


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("a: {b: {}, c: 1}, d: {}", "{b: {}, c: 1}"),
        ("a: {b: {}", "{b: {}"),
        ("a: {b: '['}, c", "{b: '['}"),
    ],
)
def test_block_ends_with_the_brace_that_closes_it(script: str, found: str) -> None:
    """A bracket in a label decides nothing, and an unclosed block takes the rest."""
    assert braced(script, script.index("{")) == found


def test_default_stands_for_a_text_that_is_not_there_and_not_for_an_empty_one() -> None:
    """An empty route is that of the site's root."""
    assert literal("routeBasePath: ''", "routeBasePath", "docs") == ""
    assert literal("route: base()", "route", "docs") == "docs"


def test_comments_are_removed_and_addresses_stay() -> None:
    """Two slashes begin a comment, but not behind a colon."""
    assert without_script_comments("a: 'https://x' // b\n/* c */d") == "a: 'https://x' \nd"


@pytest.mark.parametrize(
    "script",
    [
        "exclude: ['**/drafts/**'], title: 'A'",
        'a: "//x/*.md", b: 1',
        "a: `\n/* ${b} */\n`",
        r"a: 'don\'t /* '",
    ],
)
def test_globs_and_other_texts_hold_no_comments(script: str) -> None:
    """All that followed a glob was no part of the configuration."""
    assert without_script_comments(script) == script


def test_label_with_a_bracket_leaves_the_sidebar_as_it_is() -> None:
    """The order of the pages depends on it."""
    sidebars = parse_sidebars(
        "module.exports = {docs: [{type: 'category', label: 'Lists [', items: ['one']}]};\nmore();"
    )

    assert [(entry.doc, entry.parts) for entry in sidebars] == [("one", ("Lists [",))]
