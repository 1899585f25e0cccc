"""Read books and websites of Quarto with the addresses, anchors and order that its builds have.

The rules were compared with built books (bench/books.py) and with the small one of tests/sites.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ragbot.books.formats.notebooks import notebook_markdown
from ragbot.books.loader import load_book
from ragbot.core.errors import FileUnreadable

BOOK = """\
project: {type: book}
book:
  title: Boats
  chapters:
    - index.qmd
    - part: Wood
      chapters: [oars.qmd, deep/index.ipynb]
    - part: sails.qmd
      chapters:
        - file: knots.md
          text: All knots
  appendices: [more.qmd]
execute: {echo: false}
"""
NOTEBOOK = {
    "cells": [
        {"cell_type": "raw", "source": "---\ntitle: Deep water\n---"},
        {"cell_type": "markdown", "source": ["## Grip\n", "\n", "Round.\n"]},
        {
            "cell_type": "code",
            "source": "#| echo: true\nrow()",
            "outputs": [{"output_type": "stream", "text": ["PRINTED"]}],
        },
        {"cell_type": "code", "source": "secret()", "metadata": {"tags": ["remove-cell"]}},
        {"cell_type": "code", "source": 'say("""\n```\n""")', "metadata": {}},
        {"cell_type": "raw", "source": "\\newpage"},
    ],
    "metadata": {"kernelspec": {"language": "Python"}},
}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of seven chapters, and a file that is none."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "_quarto.yml").write_text(BOOK)
    (tmp_path / "deep" / "index.ipynb").write_text(json.dumps(NOTEBOOK))
    for name, text in {
        "index.qmd": "# Preface {.unnumbered}\n\nHello.\n",
        "oars.qmd": "---\ntitle: Oars\n---\n\n## Grip\n\n## Grip\n\n"
        "```{r}\nrow()\n```\n\n## A & B {#sec-ab}\n",
        "sails.qmd": "# Cloth\n",
        "knots.md": "# Knots\n\n1. One\n",
        "more.qmd": "# More\n",
        "notes.qmd": "# Notes\n",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_chapters_stand_in_order_at_their_addresses(book: Path) -> None:
    """Parts are names or pages, appendices come last, and other files are no chapters."""
    found = load_book(book)

    assert found.title == "Boats"
    assert [(page.address, page.title, page.parts) for page in found.pages] == [
        ("", "Preface", ()),
        ("oars.html", "Oars", ("Wood",)),
        ("deep/", "Deep water", ("Wood",)),
        ("sails.html", "Cloth", ()),
        ("knots.html", "Knots", ()),
        ("more.html", "More", ("Appendices",)),
    ]
    assert [section.anchor for section in found.pages[1].sections] == ["grip", "grip-1", "sec-ab"]
    assert "row()" not in found.pages[1].source


def test_notebook_is_its_text_shown_code_and_what_that_printed(book: Path) -> None:
    """Quarto runs no notebook: it shows the outputs that the author saved."""
    page = load_book(book).pages[2]

    assert page.source.split() == [
        "##",
        "Grip",
        "Round.",
        "```python",
        "row()",
        "```",
        "```",
        "PRINTED",
        "```",
    ]


def test_code_with_fences_stays_one_listing() -> None:
    """A fence inside of it would end it."""
    assert '````{python .stored}\nsay("""\n```\n""")\n````' in notebook_markdown(
        json.dumps(NOTEBOOK), has_chunks=True
    )


@pytest.mark.parametrize("source", ["{", "[]", "{}", '{"cells": 1}', "[" * 100_000])
def test_file_that_is_no_notebook_is_named(source: str) -> None:
    """It is skipped with a reason."""
    with pytest.raises(FileUnreadable, match="notebook"):
        notebook_markdown(source)


def test_website_has_its_sidebar_and_what_is_rendered(tmp_path: Path) -> None:
    """A website has all pages, but for drafts, those that `render` leaves out, and the repository's own."""
    (tmp_path / "guide").mkdir()
    (tmp_path / "_quarto.yml").write_text(
        'project: {type: website, render: ["*.qmd", "guide/", "!old.qmd"]}\n'
        "website:\n  title: Boats\n  sidebar:\n    contents:\n"
        "      - section: Guide\n        contents: [guide/b.qmd, guide/a.qmd]\n      - oars.qmd\n"
    )
    for name in ("index", "oars", "old", "guide/a", "guide/b", "guide/c", "README"):
        (tmp_path / f"{name}.qmd").write_text(f"# {name}\n\nText.\n")
    (tmp_path / "draft.qmd").write_text("---\ndraft: true\n---\n\n# Draft\n")

    pages = load_book(tmp_path).pages

    assert [(page.address, page.parts) for page in pages] == [
        ("", ()),
        ("guide/b.html", ("Guide",)),
        ("guide/a.html", ("Guide",)),
        ("oars.html", ()),
        ("guide/c.html", ()),
    ]


def test_references_lead_to_names_and_chapters(book: Path) -> None:
    """Readers see who is cited, what kind of thing is meant, and the list on its page."""
    (book / "_quarto.yml").write_text(
        "bibliography: a.bib\ncrossref: {fig-prefix: Fig.}\n" + BOOK.replace("more.qmd", "more.qmd, refs.qmd")
    )
    (book / "a.bib").write_text(
        "@book{oar, author={Oar, Ann}, title={Wood}, year=2001}\n@book{no, title={X}}"
    )
    (book / "oars.qmd").write_text("# Oars {#sec-oars}\n\n## Grip {#sec-grip}\n")
    (book / "sails.qmd").write_text("As @sec-oars, @sec-grip, @sec-more and @fig-a say [@oar].\n")
    (book / "more.qmd").write_text("# More {#sec-more}\n")
    (book / "refs.qmd").write_text("# References\n\n::: {#refs}\n:::\n")

    pages = {page.path: page.source for page in load_book(book).pages}

    assert "As Chapter, Section, Appendix and Fig. say (Oar 2001)." in pages["sails.qmd"]
    assert pages["refs.qmd"].split() == "# References Oar, Ann. 2001. *Wood.*".split()


def test_chapters_without_numbers_are_called_by_their_titles(book: Path) -> None:
    """There is no "Chapter 3" to be seen."""
    (book / "_quarto.yml").write_text(BOOK + "format: {html: {number-sections: false}}\n")
    (book / "oars.qmd").write_text("# All oars {#sec-oars}\n")
    (book / "sails.qmd").write_text("As @sec-oars says.\n")

    assert "As All oars says." in load_book(book).pages[3].source


def test_page_of_a_website_ends_in_the_works_that_it_cites(tmp_path: Path) -> None:
    """Each page has a list of its own, with an anchor."""
    (tmp_path / "_quarto.yml").write_text("project: {type: website}\nbibliography: a.bib\n")
    (tmp_path / "a.bib").write_text("@book{oar, author={Oar, Ann}, title={Wood}, year=2001}\n")
    (tmp_path / "index.qmd").write_text("# Boats\n\nRow [@oar].\n")
    (tmp_path / "more.qmd").write_text("# More\n\nText.\n")

    pages = load_book(tmp_path).pages

    assert [section.anchor for section in pages[0].sections] == ["", "quarto-bibliography"]
    assert "Oar, Ann. 2001. *Wood.*" in pages[0].source
    assert "References" not in pages[1].source


def test_words_of_the_front_matter_and_of_variables_are_text(tmp_path: Path) -> None:
    """A page shows what stands below its title, and the values of the project's files."""
    (tmp_path / "_quarto.yml").write_text("project: {type: website}\nwebsite: {title: Boats}\n")
    (tmp_path / "_variables.yml").write_text("boat: {name: Dora}\n")
    (tmp_path / "index.qmd").write_text(
        "---\ntitle: Oars\nsubtitle: How they grip\ndescription: Of wood.\n---\n\n"
        "{{< var boat.name >}} of {{< meta website.title >}}; `{{< var boat.name >}}`, {{< var boat >}}.\n"
    )

    (page,) = load_book(tmp_path).pages

    assert page.title == "Oars"
    assert [line for line in page.source.splitlines() if line] == [
        "How they grip",
        "Of wood.",
        "Dora of Boats; `Dora`, .",
    ]


def test_page_stands_where_its_front_matter_says(tmp_path: Path) -> None:
    """Its menu calls it otherwise than it calls itself."""
    (tmp_path / "_quarto.yml").write_text(
        "website:\n  title: Boats\n"
        "  sidebar: {contents: [{text: Wood, href: oars.qmd}, {text: Sea, href: b.qmd}]}\n"
    )
    (tmp_path / "oars.qmd").write_text(
        "---\ntitle: Of wood\noutput-file: index\nis_long: true\n---\n\nAsh.\n"
    )
    (tmp_path / "b.qmd").write_text(
        "---\nformat: {html: {output-file: waves.html}}\n---\n\nBlue.\n\n"
        "::: {.content-visible when-meta='is_long'}\nGrey.\n:::\n"
    )

    found = load_book(tmp_path).pages

    assert [(page.address, page.title) for page in found] == [("", "Of wood"), ("waves.html", "Sea")]
    assert "Grey" not in found[1].source


def test_cells_that_were_not_run_are_told_to_the_operator(book: Path) -> None:
    """What they print is in the built book alone."""
    assert load_book(book).notes == (
        "A code cell whose output only the built book has: give the built HTML where you can.",
    )


@pytest.mark.parametrize("is_changed", [False, True])
def test_outputs_that_the_author_keeps_are_read(book: Path, *, is_changed: bool) -> None:
    """Quarto shows them again until the page is changed; then only a new build knows."""
    source = (book / "oars.qmd").read_text()
    markdown = "# Oars\n\n::: {.cell}\n\n```{.r .cell-code}\nrow()\n```\n\n"
    markdown += "::: {.cell-output .cell-output-stdout}\n\n```\nPRIN\0TED\n```\n\n\n:::\n:::\n"
    frozen = {"hash": hashlib.md5(source.encode()).hexdigest(), "result": {"markdown": markdown}}
    folder = book / "_freeze" / "oars" / "execute-results"
    folder.mkdir(parents=True)
    (folder / "html.json").write_text(json.dumps(frozen))
    (book / "oars.qmd").write_text(source + ("\nMore.\n" if is_changed else ""))

    found = load_book(book)

    assert ("PRINTED" in found.pages[1].source) is not is_changed
    assert bool(found.notes) is is_changed
    if not is_changed:
        assert "```r\nrow()\n```" in found.pages[1].source
