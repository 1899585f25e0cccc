"""Read what each generator builds (tests/sites): the author's words, the site's anchors and its order."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from ragbot.books.loader import load_book
from ragbot.core.domain import Book
from ragbot.ingestion.link_check import built_site_reader, check_links

SITES = Path(__file__).parent.parent / "sites"

# Pages that show the same book; the last part of an address tells which.
GENERATORS = (
    *("docusaurus", "mdbook", "mkdocs", "sphinx"),
    *("vitepress", "vuepress", "starlight", "hugo-book", "honkit", "just-the-docs", "asciidoctor"),
    *("bookdown", "jupyter-book", "antora", "docsy", "pretext", "zola", "quarto", "myst"),
    *("sphinx-rtd", "sphinx-pydata", "sphinx-alabaster", "sphinx-book"),
)
PAGES = ("The Lighthouse Handbook", "Lighting the lamp", "Reference", "Faults and what helps", "Appendix")
# Asciidoctor's pages are files that do not know of each other.
UNORDERED = ("asciidoctor",)
# Those that cannot say the name of the whole.
UNNAMED = ("asciidoctor",)

# Its pages do not tell them.
WITHOUT_LANGUAGES = ("mkdocs", "pretext")

# Those whose sources are read, too.
SOURCES = ("docusaurus", "mdbook", "mkdocs", "vitepress", "vuepress", "starlight", "hugo-book", "bookdown")
SOURCES += ("jupyter-book", "zola", "quarto", "myst", "honkit")

# Docusaurus's and mdBook's chunks hold the source as it is written.
REWRITTEN = ("mkdocs", "vitepress", "vuepress", "starlight", "hugo-book", "bookdown", "jupyter-book")
REWRITTEN += ("zola", "quarto", "myst")

# What Zola makes of letters by a table of its own; links to such a section lead to its page.
UNKNOWN_ANCHORS = {"deng-tai-nituite"}

MOST_LOST = 0.02
MOST_FOREIGN = 0.02

_WORD = re.compile(r"[^\W_]+")
# What readers see of Markdown is not all that is written: comments, ids, addresses, marks of blocks.
_NOT_SHOWN = re.compile(
    r"<!--.*?-->|</?\w+[^>]*>|&\w+;|\{#[\w-]+\}|\]\([^)]*\)|\]\[\w+\]|\[\^\w+\]|^\[\w+\]:.*?$|^@@\w*"
    r"|^ *```\w*[^\n]*$|^:?-+:?\s*\|.*?$",
    re.MULTILINE | re.DOTALL,
)
# Raised and lowered letters are parts of their words: H<sub>2</sub>O.
_RAISED = re.compile(r"</?su[bp]>")
# Words that the generators themselves show to readers: titles of admonitions.
_SHOWN_BESIDES = Counter({"tip": 1, "warning": 1, "caution": 1})


@cache
def built(generator: str) -> Book:
    """The book as it is read from a generator's output."""
    return load_book(SITES / generator / "built")


def pages_of(generator: str) -> list[str]:
    """The titles of the pages that all generators share, in order."""
    return [page.title for page in built(generator).pages if page.title in PAGES]


def words_of(text: str) -> Counter[str]:
    """The words of a page in Markdown, without link targets and languages of code."""
    text = _NOT_SHOWN.sub(" ", _RAISED.sub("", text))
    return Counter(word.casefold() for word in _WORD.findall(text))


@cache
def written() -> Counter[str]:
    """The words of the book as its author wrote them."""
    return words_of("\n".join(path.read_text() for path in sorted((SITES / "book").glob("*.md"))))


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_page_is_read_in_the_order_of_the_site(generator: str) -> None:
    """Answers that tell what comes next follow the book's own order."""
    found = pages_of(generator)

    assert sorted(found) == sorted(PAGES)
    if generator not in UNORDERED:
        assert found == list(PAGES)
    if generator not in UNNAMED:
        assert built(generator).title.removesuffix(" documentation") == "Lighthouse"


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_section_has_an_anchor_that_is_there(generator: str) -> None:
    """A link into a long page is of use at its section alone."""
    book = built(generator)
    report = check_links(book, "", built_site_reader(SITES / generator / "built"), lambda *_: None)
    without = [section.heading_path for page in book.pages for section in page.sections if not section.anchor]

    assert (report.pages_alive, report.sections_alive) == (report.pages, report.sections)
    # The page's own title needs none.
    assert {path[-1] for path in without} <= {page.title for page in book.pages}


@pytest.mark.parametrize("generator", GENERATORS)
def test_headings_are_those_of_the_author(generator: str) -> None:
    """Permalinks, numbers and "Section titled" are the theme's."""
    headings = [
        section.heading_path[1:]
        for page in built(generator).pages
        if page.title == "Reference"
        for section in page.sections
    ]

    expected = [
        (),
        ("Commands",),
        ("Commands", "start"),
        ("Commands", "stop"),
        ("Commands", "stop", "Options"),
        ("Commands", "status"),
        ("Commands", "status", "Options"),
        ("Commands", "status", "Output"),
        ("Exit codes",),
        ("Files",),
        ("Light list",),
    ]
    # Footnotes have a heading of their own in some.
    assert headings[: len(expected)] == expected


@pytest.mark.parametrize("generator", GENERATORS)
def test_words_are_those_of_the_author(generator: str) -> None:
    """Menus, buttons and "Edit this page" answer nothing, and a lost word cannot be found."""
    pages = [page.source for page in built(generator).pages if page.title in PAGES]
    found = words_of("\n".join(pages))

    lost, foreign = written() - found, found - written() - _SHOWN_BESIDES
    assert lost.total() <= MOST_LOST * written().total(), lost
    assert foreign.total() <= MOST_FOREIGN * found.total(), foreign


@pytest.mark.parametrize("generator", GENERATORS)
def test_code_keeps_its_language_and_formulas_their_source(generator: str) -> None:
    """A model writes code and TeX; it must not see colours and boxes."""
    text = "\n".join(page.source for page in built(generator).pages)

    if generator not in WITHOUT_LANGUAGES:
        assert {"bash", "json"} <= set(re.findall(r"^ *```(\w+)$", text, re.MULTILINE))
    assert "lamp start --speed 12 --quiet\n" in text
    assert r"\cdot V \cdot n" in text


def test_site_with_a_page_for_each_section_is_the_whole_book_in_order() -> None:
    """DocBook's stylesheets, from which Publican's are made, cut chapters into pages."""
    book = built("docbook")
    found = words_of("\n".join(page.source for page in book.pages))
    titles = [page.title for page in book.pages]
    report = check_links(book, "", built_site_reader(SITES / "docbook" / "built"), lambda *_: None)

    lost, foreign = written() - found, found - written() - _SHOWN_BESIDES
    assert lost.total() <= MOST_LOST * written().total(), lost
    assert foreign.total() <= MOST_FOREIGN * found.total(), foreign
    assert [title for title in titles if title in PAGES] == list(PAGES)
    assert titles.index("Exit codes") == titles.index("Reference") + 1
    assert (report.pages_alive, report.sections_alive) == (report.pages, report.sections)
    assert titles[0] == "Lighthouse"


@pytest.mark.parametrize("generator", SOURCES)
def test_source_is_read_as_the_generator_builds_it(generator: str) -> None:
    """The same pages in the same order, with the addresses and anchors of the site."""
    source = load_book(SITES / generator / "source")

    def outline(book: Book) -> list[tuple[str, list[str]]]:
        return [
            (
                page.address.removesuffix("index.html"),
                [s.anchor for s in page.sections if s.anchor and s.anchor not in UNKNOWN_ANCHORS],
            )
            for page in book.pages
        ]

    assert outline(source) == outline(built(generator))
    assert source.title == "Lighthouse"


@pytest.mark.parametrize("generator", REWRITTEN)
def test_words_of_the_source_are_those_of_the_site(generator: str) -> None:
    """Marks of blocks, options and comments are the author's tools, and no text."""
    source = load_book(SITES / generator / "source")
    site = words_of("\n".join(page.source for page in built(generator).pages))
    found = words_of("\n".join(page.source for page in source.pages))

    assert (site - found).total() <= MOST_LOST * site.total(), site - found
    assert (found - site).total() <= MOST_FOREIGN * found.total(), found - site
