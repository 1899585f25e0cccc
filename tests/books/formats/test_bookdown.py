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
