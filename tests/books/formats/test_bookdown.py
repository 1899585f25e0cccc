"""Cut the one document of bookdown into the pages that its site has."""

from __future__ import annotations

from pathlib import Path

from ragbot.books.loader import load_book


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_pages_are_cut_and_named_at_chapters(tmp_path: Path) -> None:
    """A file may hold several chapters, a chapter several files; anchors are counted over all of them."""
    written(
        tmp_path,
        _bookdown__yml="delete_merged_file: true\n",
        index__Rmd="---\ntitle: Boats\n---\n\n# Preface {-}\n\nHello.\n",
        **{
            "01-oars__Rmd": "# (PART) Wood {-}\n\n# Oars\n\n## Grip\n\nRound.\n\n"
            "# data.table {#data.table}\n\nIt.\n",
            "02-more__Rmd": "## Grip\n\nAgain.\n\n# (APPENDIX) Besides {-}\n\n# Knots\n\nTwo.\n",
            "_draft__Rmd": "# Draft\n",
        },
    )

    book = load_book(tmp_path)

    assert book.title == "Boats"
    assert [(page.address, page.title, page.parts) for page in book.pages] == [
        ("", "Preface", ()),
        ("oars.html", "Oars", ("Wood",)),
        ("data-table.html", "data.table", ("Wood",)),
        ("knots.html", "Knots", ("Besides",)),
    ]
    assert [section.anchor for page in book.pages for section in page.sections] == [
        "",
        "",
        "grip",
        "",
        "grip-1",
        "",
    ]
    assert all(
        page.source[section.start : section.end].lstrip().startswith("#")
        for page in book.pages
        for section in page.sections
    )


def test_configuration_chooses_files_and_cuts(tmp_path: Path) -> None:
    """`rmd_files` orders the book, `split_by: section` gives each section a page."""
    written(
        tmp_path,
        _bookdown__yml="rmd_files: [index.Rmd, b.Rmd, a.Rmd, ../out.Rmd]\n",
        _output__yml="bookdown::gitbook:\n  split_by: section\n",
        index__Rmd="# Preface\n\nHello.\n",
        a__Rmd="# Oars\n\nWood.\n\n## Grip\n\nRound.\n",
        b__Rmd="# Sails\n\nCloth.\n",
        c__Rmd="# Left out\n",
    )

    book = load_book(tmp_path)

    assert [page.address for page in book.pages] == ["", "sails.html", "oars.html", "grip.html"]
    assert book.pages[-1].parts == ("Oars",)


BIB = """\
@book{oar, author={Oar, Ann}, title={Wood}, year=2001}
@book{sea, author={Sea, Bo}, title={Water}, year=2002}
"""


def with_citations(tmp_path: Path, output: str) -> Path:
    return written(
        tmp_path,
        _bookdown__yml="{}\n",
        _output__yml=output,
        a__bib=BIB,
        index__Rmd="---\ntitle: Boats\nbibliography: [a.bib, made.bib]\n---\n\n<hr>\n\n"
        "# Preface\n\n[@oar] <!-- [@sea] -->\n",
        **{
            "1__Rmd": "# Oars\n\n| a |\n\n[@sea]\n\n## Grip\n\nSee [@oar].\n\n# Sails\n\nNone.\n",
            "9__Rmd": "`r if (knitr::is_html_output()) '\n# References {-}\n'`\n",
        },
    )


def test_page_ends_in_the_works_that_it_cites_and_the_last_in_all(tmp_path: Path) -> None:
    """A list under the last heading of a page would be taken for its words."""
    pages = load_book(with_citations(tmp_path, "bookdown::gitbook: default\n")).pages

    assert [page.address for page in pages] == ["", "oars.html", "sails.html", "references.html"]
    assert [section.heading_path[-1] for section in pages[1].sections] == ["Oars", "Grip", "References"]
    assert ["Oar, Ann" in page.source for page in pages] == [True, True, False, True]
    assert ["Sea, Bo" in page.source for page in pages] == [False, True, False, True]


def test_works_are_listed_once_where_the_format_does_so(tmp_path: Path) -> None:
    """Books of `bs4_book` have their references on one page."""
    pages = load_book(with_citations(tmp_path, "bookdown::bs4_book:\n  css: a.css\n")).pages

    assert ["Oar, Ann" in page.source for page in pages] == [False, False, False, True]


def test_chunk_that_knits_a_file_is_that_file(tmp_path: Path) -> None:
    """Exercises and shared parts are kept in files of their own."""
    call = "knitr::knit_child('_ex.Rmd', options = list(include = FALSE))"
    chunk = f"```{{r, echo=FALSE, results='asis'}}\ncat({call})\n```\n"
    part = "Row twice.\n\n```{r}\nsolution()\n```\n"
    written(tmp_path, _bookdown__yml="{}\n", index__Rmd=f"# Boats\n\n{chunk}", _ex__Rmd=part)

    assert load_book(tmp_path).pages[0].source.split() == ["#", "Boats", "Row", "twice."]
