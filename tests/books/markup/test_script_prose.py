"""Test that questions and answers in the JavaScript of a page are read where the site shows them."""

from __future__ import annotations

from time import process_time

import pytest

from ragbot.books.markup.blocks import parse_page
from ragbot.books.markup.script_prose import unread_script_notes, with_script_prose
from ragbot.core.domain import Dialect

LONG = (
    "Nobody is shown these words, since no component of this page has ever been given them. "
    "No reader of it misses them."
)


def shown(source: str) -> str:
    """Return the prose of a page with the sections of its scripts."""
    text = parse_page(with_script_prose(source).text, Dialect.MDX).prose.text
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def test_entries_stand_where_a_component_shows_them() -> None:
    """Under the heading that a reader sees above them; data for search engines shows nothing more."""
    page = shown(
        "export const Faq = {\n  a: [{ title: 'Why ( oars?', content: `They push.\n\nBoth.` }],\n\n"
        "  b: [{ question: 'Wet?', answer: 'Yes ' +\n 'it is.' }],\n};\n\n<Data faqs={Faq} />\n\n"
        "## B\n\n<Rows rows={Faq.b} />\n\n## A\n\n<Rows rows={Faq['a']} />\n\nThe end.\n"
    )

    assert page == ("## B\n### Wet? {#}\nYes it is.\n## A\n### Why ( oars? {#}\nThey push.\nBoth.\nThe end.")


@pytest.mark.parametrize(
    ("source", "page"),
    [
        ("<Faq items={[{ q: 'Q?', a: (<p>\n  It <b>is</b>.\n</p>) }]} />\n", "## Q? {#}\nIt is ."),
        ("export const F = [{ title: 'T', text: 'W.' }];\n\n{F.map((f) => <A {...f} />)}\n", "## T {#}\nW."),
        ("export const F = [{ title: 'T', text: t('W.') }];\n\n<A f={F} />\n\nx\n", "x"),
        ("export const F = [{ title: 'T', text: 'W.' }];\n\nx\n", "x"),
        ("```js\nexport const F = [];\n```\n\nx\n", "```js\nexport const F = [];\n```\nx"),
    ],
)
def test_lists_are_read_and_code_is_not(source: str, page: str) -> None:
    """A page of a book has no code that its site does not show."""
    assert shown(source) == page


def test_plain_texts_are_no_markup_of_the_page() -> None:
    """A brace or a sign begins no expression and no tag, a heading no section."""
    text = with_script_prose(
        "<Faq items={[{ q: 'Q', a: '## In {x}\\n\\na < 3, `{y}`, <b>z</b>' }]} />\n"
    ).text

    assert text.strip() == "## Q {#}\n\n**In \\{x\\}**\n\na \\< 3, `{y}`, <b>z</b>"


def test_list_that_is_longer_than_any_tag_is_no_prose() -> None:
    """A parser that gives up would publish the code."""
    entries = ", ".join(f"{{ q: 'Question {n}?', a: 'Answer {n} (' }}" for n in range(500))

    inline = shown(f"<Faq items={{[{entries}]}} />\n\nx\n")
    exported = shown(f"export const F = [{entries}\n\n];\n\n<Faq f={{F}} />\n\nx\n")

    assert inline == exported
    assert inline.count("## Question") == 500
    assert "q:" not in inline


def test_words_that_are_not_read_are_counted() -> None:
    """The operator is told to give the built site."""
    few = with_script_prose(f"export const x = {{ a: '{LONG}' }};\n\ntext\n")
    many = with_script_prose(
        f"export const x = [{{ title: 'T', content: '{LONG}' }}];\n\n<Card note='{LONG}' src='{LONG}' />\n\n"
        f"export const Y = () => <p>{LONG}</p>;\n\n<Y className='{LONG}' />\n\n"
        f"<Y f={{[{{q: 'a', a: '{LONG}'}}]}} />\n"
    )

    assert few.unread_words == 0
    assert many.unread_words == 3 * len(LONG.split())
    assert unread_script_notes({"a.mdx": 0}) == ()
    (note,) = unread_script_notes({"a.mdx": 60, "b.mdx": 1200})
    assert "1,260 words" in note
    assert "b.mdx" in note


@pytest.mark.parametrize(
    "source",
    [
        "export const a = [\n" * 20_000,
        "export const a = [];\n" * 20_000,
        "export const a = [" + "a" * 200_000 + "];\n",
        "export const a = {b: '# " + " " * 100_000 + "x'};\n\n"
        "<A a={[{q: 'x', a: '# " + " " * 3_000 + "x'}]} />\n",
        "export const a = [" + "{q: 'x', a: 'y'}, " * 2_000 + "];\n\n" + "{a.map(b)}\n\n" * 2_000,
        "<A a={[`}/>\n" * 20_000,
        "<A a={[" * 20_000,
        "{a.a.a" * 20_000,
    ],
)
def test_hostile_pages_take_no_longer_than_others(source: str) -> None:
    """Time that grows with the square of a page's length would stop an ingestion."""
    before = process_time()

    with_script_prose(source)

    assert process_time() - before < 30
