"""Tests of code that MDX pages give to components as texts of JavaScript."""

from __future__ import annotations

from ragbot.books.formats.plain import read_plain_page
from ragbot.books.markup.script_code import with_script_code


def test_comments_of_code_in_an_attribute_are_no_headings():
    """Each would be a section whose link is dead, and would take the text below it."""
    page = read_plain_page(
        "oars.mdx",
        "# Oars\n\n<Tabs>\n\t<Code frame={false} code={`\n# Push all\nrow <boat>\n\n"
        '# Pull all\nrow \\`back\\`\n`} lang="bash" />\n</Tabs>\n\n## Grip\n\nHold it.\n',
    )

    assert [section.heading_path for section in page.sections] == [("Oars",), ("Oars", "Grip")]
    assert "```bash\n# Push all\nrow <boat>\n\n# Pull all\nrow `back`\n```" in page.source


def test_code_between_the_tags_of_a_listing_is_fenced():
    """MDX reads nothing between braces as Markdown, and the site shows it as it is."""
    shown = with_script_code(
        'Row:\n\n<CodeBlock language="jsx">\n  {`\n    # no heading\n    a = {b}\n  `}\n</CodeBlock>\n'
    )

    assert shown.split() == ["Row:", "```jsx", "#", "no", "heading", "a", "=", "{b}", "```"]
    assert "\n# no heading\na = {b}\n" in shown


def test_other_components_stay_as_they_are():
    """A name of a text, or what a program computes, is no listing; and a page about MDX shows its code."""
    source = "<Oar name={`a`} />\n\n<CodeBlock>{show(oar)}</CodeBlock>\n\n```mdx\n<Code code={`a`} />\n```\n"

    assert with_script_code(source) == source


def test_html_that_a_fragment_sets_is_read():
    """Astro pages show the messages of a program so."""
    shown = with_script_code('<pre><Fragment set:html={"oar.js:1 <b>w</b><b>et</b>\\n  1 | row"} /></pre>\n')

    assert shown == "<pre>oar.js:1 wet\n  1 | row</pre>\n"
