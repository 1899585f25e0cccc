"""Test sources: the verbatim quote that fits the question best, with the address of its place."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragbot.answering import citations
from ragbot.answering.citations import LONGEST_QUOTE, with_citations
from ragbot.books.markup.readable import readable_words
from ragbot.core.answers import Source
from ragbot.core.domain import InnerSection, Passage
from ragbot.core.page_links import page_url, section_url
from tests.answering.shelf import CHEDDAR, EDITION, edition_at, passage
from tests.fuzzing import fuzz

FILLER = "The room is tiled. Milk comes at six. Nobody hurries. "
TILED = "The room is tiled and the floor is washed every day."


def relevance(text: str) -> float:
    """Return how much a text speaks of cheddar and months."""
    return 2.0 * ("cheddar" in text) + ("months" in text)


def source_of(found: Passage, site_url: str = "https://book.test/") -> Source:
    return citations.source_of(found, edition_at(site_url), relevance)


# --- quotes ------------------------------------------------------------------------------------


def test_short_passage_is_quoted_whole() -> None:
    """There is nothing to choose; blanks around it say nothing."""
    assert source_of(passage("  Two\n\n- words \n")).quote == "Two\n\n- words"


def test_quote_is_given_as_text_too() -> None:
    """A reader sees words there, and no Markdown."""
    source = source_of(passage("The **rind** of\n[Bob's](https://x.test/) cheddar."))

    assert source.quote_text == "The rind of Bob's cheddar."


def test_quotes_text_has_a_line_for_each_block_and_no_fences() -> None:
    """A listing on one line cannot be read."""
    source = source_of(passage("Then run:\n\n```sh\nls -l\npwd\n```\n\n- Salt\n- *Wax*"))

    assert source.quote_text == "Then run:\nls -l\npwd\nSalt\nWax"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{FILLER * 40}\n\n{CHEDDAR}\n\n{FILLER * 40}", id="a paragraph in the middle"),
        pytest.param(f"{FILLER * 60}{CHEDDAR}", id="the last sentence of one long paragraph"),
        pytest.param(f"{CHEDDAR} {FILLER * 60}", id="the first sentence of one long paragraph"),
        pytest.param(f"- {FILLER * 60}\n- {CHEDDAR}\n- {FILLER * 60}", id="an entry of a list"),
        pytest.param("```\n" + "x = 1\n" * 400 + f"# {CHEDDAR}\n```", id="a line of long code"),
        pytest.param("| a | b |\n|---|---|\n" + "| milk | six |\n" * 150 + f"| {CHEDDAR} | 9 |", id="a row"),
        pytest.param("x" * 2000 + f" {CHEDDAR} " + "y" * 500, id="a line without an end"),
    ],
)
def test_quote_of_a_long_passage_is_the_piece_that_bears(text: str) -> None:
    """A reader should see why the passage was cited."""
    quote = source_of(passage(text)).quote

    assert CHEDDAR in quote
    assert quote in text
    assert len(quote) <= LONGEST_QUOTE


def test_quote_begins_with_the_mark_of_its_list() -> None:
    """It is the book's source, and reads as it stands there."""
    entries = "".join(f"{n}. {TILED}\n" for n in range(1, 60))

    quote = source_of(passage(f"{entries}60. {CHEDDAR}\n")).quote

    assert quote.endswith(f"60. {CHEDDAR}")
    assert quote[:1].isdigit()


def test_quote_takes_neighbours_as_long_as_they_fit() -> None:
    """A sentence alone says little."""
    paragraphs = [f"{FILLER}Number {n}." for n in range(60)]
    paragraphs[30] = CHEDDAR

    quote = source_of(passage("\n\n".join(paragraphs))).quote

    assert len(quote) > LONGEST_QUOTE * 0.9
    assert "Number 31" in quote


@fuzz(40)
@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "\n\n",
                    "\n",
                    "- ",
                    "# Head\n",
                    "```\n",
                    "| a | b |\n|---|---|\n",
                    "> ",
                    FILLER * 9,
                    CHEDDAR,
                ),
                *("word ", "    ", "x" * 900, "\r\n", "<div>", "é…"),
            ]
        ),
        max_size=30,
    ).map("".join)
)
def test_quote_is_verbatim_and_short_whatever_the_passage(text: str) -> None:
    """A quote that is not in the book is no quote."""
    quote = source_of(passage(text)).quote

    assert quote in text
    assert len(quote) <= LONGEST_QUOTE
    assert quote or not text.strip() or len(text) <= LONGEST_QUOTE
    assert relevance(quote) or not relevance(text)


# --- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("site_url", "address", "expected"),
    [
        ("https://book.test/", "ch01.html", "https://book.test/ch01.html"),
        ("https://book.test", "ch01.html", "https://book.test/ch01.html"),
        ("https://org.test/book/", "docs/intro", "https://org.test/book/docs/intro"),
        ("https://org.test/book", "docs/intro", "https://org.test/book/docs/intro"),
        ("", "docs/intro", "/docs/intro"),
        ("https://book.test/", "", "https://book.test/"),
        ("https://book.test/", "a b/ü", "https://book.test/a%20b/%C3%BC"),
        ("https://book.test/", "a%20b", "https://book.test/a%20b"),
        ("https://book.test/", "a/../b:c?d=..#e", "https://book.test/b:c?d=..#e"),
        ("https://book.test/", "book.pdf#page=3", "https://book.test/book.pdf#page=3"),
        ("https://org.test/book/", "", "https://org.test/book/"),
        ("", "note:1.html", "/note:1.html"),
        ("https://book.test//in/", "a", "https://book.test/in/a"),
        ("HTTPS://Book.test", "a", "https://Book.test/a"),
    ],
)
def test_page_stands_below_the_sites_root(site_url: str, address: str, expected: str) -> None:
    """Books are often published in a folder of their host."""
    assert page_url(site_url, address) == expected


HOSTILE = [
    "javascript:alert(document.domain)//",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "https://evil.example/login",
    "http://book.test/x",
    "//evil.example/login",
    "///evil.example/login",
    "/elsewhere",
    "../elsewhere",
    "a/../../elsewhere",
    "%2e%2e/elsewhere",
    "a/.%2E/%2e./elsewhere",
    "/..//evil.example/login",
    "//[evil",
]


@pytest.mark.parametrize("address", HOSTILE)
def test_address_never_leaves_the_site(address: str) -> None:
    """Who writes a page names it, and a source's address counts as the book's own in an answer."""
    url = source_of(passage(address=address), "https://org.test/book/").url

    assert page_url("https://org.test/book/", address) == "https://org.test/book/"
    assert url.startswith("https://org.test/book/#ripening:~:text=")


@pytest.mark.parametrize("address", HOSTILE)
def test_address_without_a_site_is_a_path(address: str) -> None:
    """`javascript:` and `//host` would be read as something else."""
    url = page_url("", address)

    assert re.match(r"/(?![/\\])", url)
    assert (urlsplit(url).scheme, urlsplit(url).netloc) == ("", "")


@fuzz(50)
@given(
    st.lists(
        st.sampled_from([*"/.:?#@%\\[]", "..", "%2e", "%2f", "//", "a", "b", "https:", "é", "\t", " "])
    ).map("".join),
    st.sampled_from(["https://org.test/book/", "https://org.test/book", "https://org.test"]),
)
def test_address_never_leaves_the_site_whatever_it_is(address: str, site: str) -> None:
    """Nobody can list all the tricks."""
    url = page_url(site, address)

    # (What a browser makes of it: a dot in code is a dot.)
    steps = re.sub("%2e", ".", url.partition("?")[0].partition("#")[0], flags=re.IGNORECASE).split("/")
    assert url.startswith(f"{site.rstrip('/')}/")
    assert ".." not in steps


def test_anchor_is_spelt_for_an_address() -> None:
    """Headings in other scripts have anchors in them."""
    assert section_url("https://book.test/a", "größe und mehr") == (
        "https://book.test/a#gr%C3%B6%C3%9Fe%20und%20mehr"
    )
    assert section_url("https://book.test/a", "") == "https://book.test/a"


def test_source_leads_to_the_section_and_the_words() -> None:
    """A click should end at the sentence, not at the top of a page."""
    assert source_of(passage()).url == (
        "https://book.test/02-cheese#ripening:~:text="
        "Bob%20ripens%20the%20cheddar%20for%20nine%20months%20in%20a%20cool%20cellar"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "Some well-known cheeses, aged long & salted.",
            "Some%20well%2Dknown%20cheeses%2C%20aged%20long%20%26%20salted",
        ),
        (
            "The so-called rind, of course, is washed.",
            "The%20so%2Dcalled%20rind%2C%20of%20course%2C%20is%20washed",
        ),
        ("Bob ripens the `cheddar` here.", "Bob%20ripens%20the%20cheddar%20here"),
        ("Bob and Alice ripen the *old* cheddar.", "Bob%20and%20Alice%20ripen%20the%20old%20cheddar"),
        ("Only three words.", "Only%20three%20words"),
        ("```\none two three four five\n```", "one%20two%20three%20four%20five"),
        ("# One two three four five\n", ""),
        (
            "| one two three four | five |\n|---|---|\n| six seven eight nine | ten |",
            "one%20two%20three%20four,six%20seven%20eight%20nine",
        ),
        ("- Bob turns every cheese twice a week.", "Bob%20turns%20every%20cheese%20twice%20a%20week"),
    ],
)
def test_text_fragment_holds_words_that_stand_on_the_page_to_the_letter(text: str, words: str) -> None:
    """Markup is not on the page, and a browser that does not find every letter finds nothing."""
    url = source_of(passage(text)).url

    assert url == "https://book.test/02-cheese#ripening" + (f":~:text={words}" if words else "")


def test_page_without_anchors_gets_the_words_alone() -> None:
    """The top of a page has none."""
    assert source_of(passage(anchor="")).url.startswith("https://book.test/02-cheese#:~:text=Bob%20ripens")


def test_address_that_ends_in_a_fragment_keeps_it() -> None:
    """A PDF's page is one."""
    assert source_of(passage(address="book.pdf#page=3", anchor="")).url == "https://book.test/book.pdf#page=3"


# --- the list ----------------------------------------------------------------------------------


def test_source_names_chapter_section_and_file() -> None:
    """So that a reader can find it in any form of the book."""
    source = source_of(passage(score=0.12345678))

    assert (source.chapter, source.section, source.path) == ("Cheese", "Ripening", "02-cheese.md")
    assert source.heading_path == ("Cheese", "Ripening")
    assert (source.score, source.cited) == (0.123457, False)


def test_page_without_headings_is_its_own_section() -> None:
    """A section is never empty on the wire."""
    assert source_of(passage(heading_path=())).section == "Cheese"


def test_sources_keep_the_order_of_the_passages() -> None:
    """The marks in the answer count in it."""
    sources = [citations.source_of(passage(text), EDITION, relevance) for text in ("One.", "Two.", "Three.")]

    assert [source.quote for source in sources] == ["One.", "Two.", "Three."]


def test_sources_that_the_answer_points_to_are_marked() -> None:
    """A number beyond them marks nothing."""
    found = [passage("One loaf."), passage("Two loaves."), passage("Three loaves.")]

    marked = cited("One loaf [1]. Three loaves [3]. Four [4].", *found)

    assert [source.cited for source in marked] == [True, False, True]


# --- what is cited -----------------------------------------------------------------------------

TWO_SECTIONS = "## Salting\n\nAlice salts the curd.\n\n## Waxing\n\nBob waxes the **rind** twice."


def cited(answer: str, *found: Passage, page: str = "") -> tuple[Source, ...]:
    return with_citations(
        [citations.source_of(one, EDITION, relevance) for one in found],
        found,
        answer,
        EDITION,
        relevance=relevance,
        page_source=lambda _path: page,
    )


def test_cited_words_are_placed_in_the_quote() -> None:
    """A page that shows the quote marks them there."""
    (source,) = cited("Bob waxes the **rind** twice [1].", passage(TWO_SECTIONS))

    (span,) = source.citations
    assert source.quote[span.start : span.end] == "Bob waxes the **rind** twice."
    assert span.text == "Bob waxes the rind twice."


def test_each_mark_cites_its_own_words() -> None:
    """Two statements from one passage rest on two places of it."""
    (source,) = cited("Alice salts the curd [1]. Bob waxes the rind twice [1].", passage(TWO_SECTIONS))

    assert [span.text for span in source.citations] == ["Alice salts the curd.", "Bob waxes the rind twice."]


def test_citation_leads_to_the_section_in_which_its_words_stand() -> None:
    """Short sections are joined to one passage, which links to the first of them."""
    waxing = InnerSection(TWO_SECTIONS.index("## Waxing"), "waxing", ("Cheese", "Waxing"))

    (source,) = cited("Bob waxes the rind twice [1].", passage(TWO_SECTIONS, sections=(waxing,)))

    assert source.url == "https://book.test/02-cheese#waxing:~:text=Bob%20waxes%20the%20rind%20twice"
    assert (source.section, source.heading_path) == ("Waxing", ("Cheese", "Waxing"))
    assert source.citations[0].url == source.url


def test_quote_of_a_long_passage_holds_what_is_cited() -> None:
    """Not what bears most on the question: the reader looks for the answer's words in it."""
    text = f"{CHEDDAR}\n\n{FILLER * 60}\n\nAlice salts the curd by hand."

    (source,) = cited("Alice salts the curd by hand [1].", passage(text))

    assert "Alice salts the curd by hand." in source.quote
    assert CHEDDAR not in source.quote
    assert (
        source.quote[source.citations[0].start : source.citations[0].end] == "Alice salts the curd by hand."
    )


def test_words_that_stand_on_the_page_before_are_named_at_greater_length() -> None:
    """A browser lights up the first place that it finds."""
    twice = "Bob turns each of the old cheeses by hand at six"
    page = f"{twice}, says Alice.\n\n{twice} and then goes home to eat his supper with Alice."

    (source,) = cited(
        f"{twice} and then goes home to eat his supper with Alice [1].",
        passage(page.partition("\n\n")[2], start=page.index("\n\n") + 2, end=len(page)),
        page=page,
    )

    assert "Bob%20turns%20each%20of%20the%20old," not in source.url
    assert "with%20Alice" in source.url


def test_mark_on_words_that_no_passage_holds_cites_the_whole() -> None:
    """A model may put a mark behind words of its own."""
    before = citations.source_of(passage(), EDITION, relevance)

    (source,) = cited("Penguins breed in winter [1].", passage())

    assert (source.cited, source.citations) == (True, ())
    assert (source.quote, source.url) == (before.quote, before.url)


@fuzz(25)
@given(
    st.lists(
        st.sampled_from(
            ["Alice salts.", "Bob **waxes** it.", "- One", "\n\n", "\r\n", "`x = 1`", FILLER * 9]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_cited_span_is_the_quotes_own_words_whatever_the_passage(text: str) -> None:
    """Offsets that are off by one mark half a word."""
    (source,) = cited(f"{text} [1] Bob waxes it [1].", passage(text))

    assert source.quote in text
    for span in source.citations:
        assert 0 <= span.start < span.end <= len(source.quote)
        marked = readable_words(source.quote[span.start : span.end])
        # Markup that the span cuts in half is left out of its text.
        assert re.findall(r"\w+", span.text) == re.findall(r"\w+", marked)


@pytest.mark.parametrize(
    ("site_url", "address", "expected"),
    [
        ("https://book.test/files/Boats.epub", "", "https://book.test/files/Boats.epub"),
        ("https://book.test/boats.pdf", "b.pdf#page=2", "https://book.test/boats.pdf#page=2"),
        ("https://book.test/boats.html", "", "https://book.test/boats.html"),
        ("https://book.test/guide/index.html", "oars.html", "https://book.test/guide/oars.html"),
        ("https://book.epub", "oars.html", "https://book.epub/oars.html"),
    ],
)
def test_site_address_may_be_that_of_a_file(site_url: str, address: str, expected: str) -> None:
    """An EPUB's links once led into its archive, where no site serves anything."""
    assert page_url(site_url, address) == expected
