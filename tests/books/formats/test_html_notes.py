"""Test that marks of footnotes and raised numbers of a built page are no digits of the words before them."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from ragbot.answering.text_fragments import text_directive
from ragbot.books.chunking.search_text import strip_markdown
from ragbot.books.formats.html import read_html_page
from ragbot.books.markup.readable import readable_words, tidy_markdown


def source_of(body: str) -> str:
    """Return the text of a page, without its title."""
    return read_html_page("a.html", f"<main><h1>Oars</h1>{body}</main>").source.partition("\n\n")[2].strip()


@pytest.mark.parametrize(
    "mark",
    [
        '<sup id="fnref:1"><a class="footnote-ref" href="#fn:1">1</a></sup>',
        '<a href="#fn1" class="footnote-ref" id="fnref1" role="doc-noteref"><sup>1</sup></a>',
        '<sup><a href="#user-content-fn-1" data-footnote-ref="true">1</a></sup>',
        '<a class="footnote-reference brackets" href="#id2"><span>[</span>1<span>]</span></a>',
        '<sup class="footnote-reference" id="fr-1-1"><a href="#footnote-1">1</a></sup>',
        '<sup class="footnote">[<a class="footnote" href="#_footnotedef_1">1</a>]</sup>',
        '<a href="#ftn.id1"><sup>[1]</sup></a>',
        '<sup><a href="#fn_soaked">soaked</a></sup>',
        '<sup><a href="#a">1</a>, <a href="#b">2</a></sup>',
    ],
)
def test_mark_of_a_footnote_is_no_digit_of_the_number_before_it(mark: str) -> None:
    """ "First made in 1998" was told as 19981."""
    source = source_of(f"<p>They were first made in 1998{mark} by two people at the harbour.</p>")

    assert readable_words(source) == "They were first made in 1998 by two people at the harbour."
    assert tidy_markdown(source) == "They were first made in 1998 by two people at the harbour."
    # The page has the number there, and a fragment with it on one side alone would be found nowhere.
    fragment = unquote(text_directive(source, 0, len(source), page=source, place=0))
    assert fragment == "They were first made in,by two people at the harbour"


def test_mark_before_a_colon_leaves_it() -> None:
    """At the beginning of a line the colon is the note's."""
    mark = '<sup><a href="#fn1">1</a></sup>'

    assert readable_words(source_of(f"<p>Two woods are used{mark}: ash and pine.</p>")) == (
        "Two woods are used: ash and pine."
    )


def test_heading_has_no_mark() -> None:
    """Its words are a title in citations."""
    page = read_html_page("a.html", '<main><h1>Oars<sup><a href="#fn1">1</a></sup></h1><p>Wood.</p></main>')

    assert (page.title, page.source.strip()) == ("Oars", "# Oars\n\nWood.")


@pytest.mark.parametrize(
    "note",
    [
        '<ol><li><p>Of ash.&#160;<a class="footnote-backref" href="#fnref:1">&#8617;</a></p></li></ol>',
        '<ol><li><p>Of ash. <a href="#fnref-1" data-footnote-backref>↩<sup>2</sup></a></p></li></ol>',
        '<ol><li><p>Of ash. <a href="#fr-1-1">↩</a></p></li></ol>',
        '<ol><li><p>Of ash. <a href="#r" role="doc-backlink">^</a></p></li></ol>',
    ],
)
def test_link_back_from_a_note_is_no_word(note: str) -> None:
    """An arrow stood behind the last sentence."""
    assert source_of(note) == "1. Of ash."


def test_own_number_of_a_note_is_no_mark() -> None:
    """DocBook writes it as it writes the mark, and Sphinx as a link back."""
    raised = '<div class="footnote"><p><a href="#id1"><sup class="para">[1] </sup></a>Of ash.</p></div>'
    plain = '<aside class="footnote">[<a role="doc-backlink" href="#id1">1</a>]<p>Of ash.</p></aside>'

    assert source_of(raised) == "Of ash."
    assert readable_words(source_of(plain)) == "[1] Of ash."


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("A gigabyte has 10<sup>9</sup> bytes.", "A gigabyte has 10⁹ bytes."),
        ("It is 10<sup>&minus;5</sup> m<sup>2</sup> wide.", "It is 10⁻⁵ m² wide."),
        ("At most 2<sup><em>n</em></sup> of CO<sub>2</sub>.", "At most 2ⁿ of CO₂."),
        ("Some 10<sup>6.5</sup> of the 1<sup>st</sup>.", "Some 10^6.5 of the 1st."),
    ],
)
def test_power_is_told_as_one(body: str, told: str) -> None:
    """A gigabyte had 109 bytes."""
    assert tidy_markdown(source_of(f"<p>{body}</p>")) == told


def test_raised_number_is_searched_and_cited_as_the_page_has_it() -> None:
    """A browser that looks for the cited words sees digits alone."""
    source = source_of("<p>A gigabyte has 10<sup>9</sup> bytes, and H<sub>2</sub>O is wet.</p>")

    assert strip_markdown(source) == "A gigabyte has 109 bytes, and H2O is wet."
    assert unquote(text_directive(source, 0, len(source), page=source, place=0)) == (
        "A gigabyte has 109 bytes, and H2O is wet"
    )


def test_link_in_a_raised_word_that_is_no_note_stays() -> None:
    """Only a number, or a sign, leads to a note."""
    source = source_of('<p>Oars<sup><a href="#trade">of ash wood</a></sup> and <a href="#b">2</a>.</p>')

    assert readable_words(source) == "Oarsof ash wood and 2."
