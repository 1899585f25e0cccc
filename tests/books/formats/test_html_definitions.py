"""Test that the definitions of built pages stay with their terms."""

from __future__ import annotations

import pytest

from ragbot.books.formats.html import read_html_page
from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import unit_words


def markdown_of(content: str) -> str:
    source = f"<html><body><main><h1>Codes</h1>{content}<p>The end.</p></main></body></html>"
    text = read_html_page("codes.html", source).source
    return text.removeprefix("# Codes").removesuffix("The end.\n").strip()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<dl><dt>0</dt><dd><p>Success</p></dd><dt>1</dt><dd>Error</dd></dl>", "0\n: Success\n\n1\n: Error"),
        # Two names of one thing; Sphinx's colon, and the links that it shows beside names.
        ("<dl><dt>-h</dt>\n<dt>--help</dt>\n<dd>\n<p>Help.</p>\n</dd></dl>", "-h\n--help\n: Help."),
        (
            '<dl><dt>Returns<span class="colon">:</span></dt><dd><p><em>x</em></p></dd></dl>',
            "Returns\n: *x*",
        ),
        ("<dl><dt><em>1000-59999</em>:</dt><dd>Users.</dd></dl>", "*1000-59999*\n: Users."),
        # DocBook has blanks around everything.
        ("<dl><dt><span>\n  0\n </span></dt><dd>\n<p>\n  All well.\n </p></dd></dl>", "0\n: All well."),
        # Further paragraphs, lists within, and definitions within lists and quotes.
        ("<dl><dt>a</dt><dd><p>One.</p><p>Two.</p></dd></dl>", "a\n: One.\n\nTwo."),
        ("<dl><dt>a</dt><dd>One:<ul><li>x</li></ul></dd></dl>", "a\n: One:\n\n- x"),
        ("<ul><li><p>b</p><dl><dt>a</dt><dd>One.</dd></dl></li></ul>", "- b\n\n  a\n  : One."),
        ("<blockquote><dl><dt>a</dt><dd>One.</dd></dl></blockquote>", "> a\n> : One."),
    ],
)
def test_definition_stands_below_its_term(content: str, expected: str) -> None:
    """As PHP Markdown Extra has it."""
    assert markdown_of(content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<dl><dt>a</dt><dd><ul><li>x</li></ul></dd></dl>", "a\n\n- x"),
        ("<dl><dt>a</dt><dt>b</dt><dd><dl><dt>c</dt></dl></dd></dl>", "a\n\nb\n\nc"),
        (f"<dl><dt>{'long ' * 80}</dt><dd>One.</dd></dl>", f"{('long ' * 80).strip()}\n\nOne."),
        ("<dl><dd>One.</dd></dl>", "One."),
        ("<dl><dt><pre>code()</pre></dt><dd>One.</dd></dl>", "```\ncode()\n```\n\nOne."),
    ],
)
def test_what_is_no_term_with_words_stays_as_it_was(content: str, expected: str) -> None:
    """A list without words of its own, a table of contents, a paragraph."""
    assert markdown_of(content) == expected


def test_definition_in_a_cell_leaves_no_sign() -> None:
    """A cell has one line."""
    assert "| a One. |" in markdown_of("<table><tr><td><dl><dt>a</dt><dd>One.</dd></dl></td></tr></table>")


def test_term_and_definition_are_one_unit_of_an_answer() -> None:
    """A number alone ("2") says nothing, and one without its meaning misleads."""
    text = markdown_of(
        "<dl><dt>2</dt><dd><p>Upgrade not available</p></dd><dt>3</dt><dd>Restarting</dd></dl>"
    )

    blocks = [text[block.start : block.end] for block in prose_blocks(text)]

    assert [unit_words(block, "") for block in blocks] == ["2: Upgrade not available", "3: Restarting"]
