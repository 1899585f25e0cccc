"""Test how Markdown and MDX pages are split into sections."""

from functools import partial

import pytest

from ragbot.books.formats.markdown import AnchorRules, split_page
from ragbot.books.markup.slugs import NumberedSlugger, github_slug
from ragbot.core.domain import Dialect

ANCHORS = AnchorRules(partial(NumberedSlugger, github_slug))


def sections(source, dialect=Dialect.MDX, title="", parts=()):
    return split_page(source, dialect, ANCHORS, title=title, fallback="page", parts=parts).sections


def anchors(source, dialect=Dialect.MDX):
    return [section.anchor for section in sections(source, dialect)]


def test_opening_heading_is_the_title_and_the_top_of_the_page():
    """The title must not stand twice in a heading path."""
    found = sections("# Robots\n\nHi.\n\n## Arms\n\nTwo.\n", parts=("Part",))

    assert [(s.heading_path, s.anchor) for s in found] == [
        (("Part", "Robots"), ""),
        (("Part", "Robots", "Arms"), "arms"),
    ]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("> # Am I queenless?\n>\n> How to tell.\n\n## Signs\n\nx\n", "Am I queenless?"),
        ("\n># Nuc or *package*?\n---\n## Price\n\nx\n", "Nuc or package?"),
        ("- # Not a title\n\n## A\n\nx\n", "page"),
        ("Words before.\n\n> # Quoted\n\nx\n", "page"),
    ],
)
def test_opening_heading_in_a_quotation_is_the_title(source, title):
    """Authors frame their titles so; a file's name is no title."""
    found = split_page(source, Dialect.MARKDOWN, ANCHORS, title="", fallback="page", parts=())

    assert found.title == title
    assert found.sections[0].heading_path == (title,)


def test_opening_heading_that_differs_from_the_title_is_kept_under_it():
    """A reader asks in the words of the heading, not of the sidebar."""
    found = sections("# Module 3: Isaac\n\nHi.\n\n## Arms\n\nTwo.\n", title="Isaac")

    assert found[1].heading_path == ("Isaac", "Module 3: Isaac", "Arms")


def test_deeper_headings_stand_under_the_shallower_ones_before_them():
    """A skipped level must not lose the way up."""
    found = sections("# T\n\n## A\n\n#### B\n\n### C\n\n## D\n")

    assert [s.heading_path[1:] for s in found] == [(), ("A",), ("A", "B"), ("A", "C"), ("D",)]


def test_sections_tile_the_page_and_begin_with_their_heading():
    """Every character after the front matter belongs to one section."""
    source = "Before.\n\n## A\n\na\n\n## B\n\nb\n"

    found = sections(source, title="T")

    assert [source[s.start : s.end] for s in found] == ["Before.\n\n", "## A\n\na\n\n", "## B\n\nb\n"]


@pytest.mark.parametrize(
    ("heading", "text", "anchor"),
    [
        ("## A *b* `c` [d](http://x.y)", "A b c d", "a-b-c-d"),
        ("## Custom {#my-id}", "Custom", "my-id"),
        ("## Comment {/* #from-comment */}", "Comment", "from-comment"),
        ("## Bold <b>text</b> here", "Bold text here", "bold-text-here"),
        ("## What is `{x}`?", "What is {x}?", "what-is-x"),
        ("## Trailing ##", "Trailing", "trailing"),
        ("## ![alt words](x.png) here", "alt words here", "alt-words-here"),
        ("## Escaped \\{brace\\}", "Escaped {brace}", "escaped-brace"),
        ("## `<T>` types", "<T> types", "t-types"),
        ("Setext\n------", "Setext", "setext"),
        ("## Ratio 1:2 and Note:this", "Ratio 1:2 and Note:this", "ratio-12-and-note"),
        ("## :tada: Party", ":tada: Party", "tada-party"),
        ("## `std:x` in Note:", "std:x in Note:", "stdx-in-note"),
        ("## Text {1+1} expr", "Text expr", "text-11-expr"),
        ("## A  double space", "A double space", "a--double-space"),
        ("## L&#8203;oop and kni&shy;ves", "Loop and knives", "loop-and-knives"),
        ("## L\u200boop and kni\u00adves", "Loop and knives", "loop-and-knives"),
    ],
)
def test_heading_markup_is_removed_and_its_anchor_kept(heading, text, anchor):
    """Docusaurus makes the anchor of the text that is seen."""
    found = sections(f"# T\n\n{heading}\n\nText.\n")

    assert (found[-1].heading_path[-1], found[-1].anchor) == (text, anchor)


@pytest.mark.parametrize(
    ("heading", "text", "anchor"),
    [
        ('## Tides {: translate="no" }', "Tides", "tides"),
        ("## Tides { translate='no' }", "Tides", "tides"),
        ("## Tides {:#high}", "Tides", "high"),
        ('## Tides {: #high title="Up #2 now" }', "Tides", "high"),
        ('## Tides {: id="high" .wide }', "Tides", "high"),
        ("## Tides {#high .wide data-x=1}", "Tides", "high"),
        ("## Tides {class=wide id=high}", "Tides", "high"),
        ("## Tides {.wide hidden}", "Tides", "tides"),
        ("## Tides {: toc }", "Tides", "tides"),
        ("## The set {1.5}", "The set {1.5}", "the-set-15"),
        ("## The set {a=b}", "The set {a=b}", "the-set-ab"),
        ("## Put {name} here: {name}", "Put {name} here: {name}", "put-name-here-name"),
    ],
)
def test_attributes_of_a_heading_are_no_words_of_it(heading, text, anchor):
    """They stood in titles and lead-ins; other text in braces is the author's."""
    found = sections(f"# T\n\n{heading}\n\nText.\n", Dialect.MARKDOWN)

    assert (found[-1].heading_path[-1], found[-1].anchor) == (text, anchor)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_link_definitions_above_a_line_are_no_heading(dialect):
    """The line is a rule then, or underlines what stands below the definitions."""
    found = sections("Text.\n\n[a]: https://a.test\n[b]: b.md\n----\n\n[c]: c.md\nGrip\n----\n", dialect)

    assert [section.heading_path[1:] for section in found] == [(), ("Grip",)]


def test_headings_in_fences_and_comments_are_no_headings():
    """A shell comment in code is not a chapter."""
    code = "```bash\n# not\n```\n\n~~~~md\n```\n## not\n```\n~~~~\n\n"
    source = f"# T\n\n{code}<!--\n## not\n-->\n\n{{/*\n## not\n*/}}\n\n## Yes\n"

    assert anchors(source) == ["", "yes"]


def test_headings_between_tags_without_blank_lines_are_headings_in_mdx():
    """Tabs and details hold whole sections."""
    tab = '<TabItem value="a" label={x > 1 ? {} : "b"}>\n## In tab\ntext\n</TabItem>'
    source = f"# T\n\n<Tabs>\n{tab}\n</Tabs>\n\n## End\n"

    assert anchors(source) == ["", "in-tab", "end"]


def test_headings_inside_an_html_block_are_html_in_plain_markdown():
    """CommonMark reads no Markdown up to the next blank line."""
    assert anchors("# T\n\n<div>\n## not\n</div>\n\n## Yes\n", Dialect.MARKDOWN) == ["", "yes"]


def test_headings_in_quotations_and_lists_take_an_anchor_but_open_no_section():
    """The generator counts them when it numbers repeated headings."""
    assert anchors("# T\n\n> ## Same\n\n- ## Same\n\n## Same\n") == ["", "same-2"]


def test_windows_line_ends_and_byte_offsets_agree():
    """Offsets count in the file's own characters."""
    source = "---\r\ntitle: T\r\n---\r\n\r\n# T\r\n\r\nOne.\r\n\r\n## Two\r\n\r\nThree.\r\n"

    found = sections(source)

    assert source[found[1].start :].startswith("## Two\r\n")
    assert found[1].anchor == "two"


def test_indented_code_is_prose_in_mdx_and_code_in_markdown():
    """MDX has no indented code; a heading may be indented as deep as its tag."""
    assert anchors("# T\n\n    ## Deep\n") == ["", "deep"]
    assert anchors("# T\n\n    ## Deep\n", Dialect.MARKDOWN) == [""]


def test_empty_page_has_no_sections():
    """An empty page is a page with nothing to say."""
    assert sections("") == ()
    assert sections("---\ntitle: X\n---\n") == ()


def test_page_is_called_by_its_only_title_below_other_text() -> None:
    """Made references begin with a trail of links; such pages were called by the names of their files."""
    text = "[Home](index.md) / Oars\n\n# Interface: Oar\n\n## Grip\n\nRound.\n"

    found = split_page(text, Dialect.MARKDOWN, ANCHORS, title="", fallback="oar", parts=())

    assert found.title == "Interface: Oar"
    assert [(section.heading_path, section.anchor) for section in found.sections[1:]] == [
        (("Interface: Oar",), "interface-oar"),
        (("Interface: Oar", "Grip"), "grip"),
    ]
