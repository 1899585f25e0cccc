"""Read the sources of MyST 2: titles, anchors, references between pages, and what other files add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragbot.books.loader import load_book
from ragbot.core.domain import Book
from ragbot.core.errors import BookError


def book_of(folder: Path, **files: str) -> Book:
    """Read a project of a front page and of these."""
    (folder / "myst.yml").write_text(files.pop("config", "version: 1\nproject:\n  title: Boats\n"))
    (folder / "index.md").write_text("# Front\n\nText.\n")
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text)
    return load_book(folder)


def page_of(folder: Path, text: str) -> tuple[str, list[str], str]:
    """Return a page's title, the anchors of its sections, and its text."""
    page = book_of(folder, page=text).pages[1]
    return page.title, [section.anchor for section in page.sections], page.source


@pytest.mark.parametrize(
    ("text", "title", "anchors"),
    [
        ("# Oars\n\nText.\n\n## Oars\n", "Oars", ["", "oars"]),
        ("% note\n(top)=\n# Oars\n\nText.\n", "Oars", [""]),
        ("Oars\n====\n\nText.\n\nBlades\n------\n", "Oars", ["", "blades"]),
        # A title of the front matter's own leaves the heading on the page, lower by one.
        ("---\ntitle: Own\n---\n\n# Oars\n\n## Blades\n", "Own", ["oars", "blades"]),
        ("---\ntitle: Oars\n---\n\n# Oars\n\n## Blades\n", "Oars", ["", "blades"]),
        # The first heading is the title, and stays on the page.
        ("## Blades\n\n### Wood\n\n# Last\n", "Blades", ["blades", "wood", "last"]),
        ("Text alone.\n", "Page", [""]),
    ],
)
def test_title_is_that_of_the_front_matter_or_the_first_heading(
    tmp_path: Path, text: str, title: str, anchors: list[str]
) -> None:
    """A heading that is the title has no anchor; others have."""
    found = page_of(tmp_path, text)

    assert found[:2] == (title, anchors)


@pytest.mark.parametrize(
    ("text", "anchors"),
    [
        ("## Options\n\n## Options\n", ["options", "options-1"]),
        ("(grip)=\n## How to hold it\n", ["grip"]),
        ("(The Grip_1)=\n## How to hold it\n", ["the-grip-1"]),
        ("## 2 oars\n\n## 灯台\n\n## C++ & friends: `row()`\n", ["id-2-oars", "id", "c-friends-row"]),
        # What has such a label above takes the id.
        ("(blades)=\nText.\n\n## Blades\n", ["blades-1"]),
        ("## Acknowledgements\n\nThanks.\n", ["acknowledgments"]),
        ("## Acknowledgements\n\n- Ben\n", ["acknowledgements"]),
        ("## Blades\n\n(blades)=\nText.\n", ["blades"]),
        (":::{note}\n### Dry\nKeep it.\n:::\n\n## After\n", ["after"]),
        ('+++ {"part": "abstract"}\nShort.\n\n+++\n\n## Long\n', ["abstract", "long"]),
    ],
)
def test_anchors_are_those_of_the_build(tmp_path: Path, text: str, anchors: list[str]) -> None:
    """Links lead to sections by them."""
    assert [anchor for anchor in page_of(tmp_path, f"# Page\n\n{text}")[1] if anchor] == anchors


def test_front_matter_shows_subtitle_and_parts_below_the_title(tmp_path: Path) -> None:
    """Readers see them in front of the text."""
    text = "---\ntitle: Oars\nsubtitle: Of wood\nparts:\n  keypoints: |\n    - Row\n---\n\nText.\n"

    assert page_of(tmp_path, text)[2].split() == [
        *("Of", "wood", "##", "Key", "Points", "{#keypoints}", "-", "Row", "Text.")
    ]


def test_front_page_without_a_heading_is_called_as_the_whole(tmp_path: Path) -> None:
    """ "Index" is no title."""
    (tmp_path / "myst.yml").write_text("project:\n  title: Boats\n")
    (tmp_path / "index.md").write_text("Text.\n")

    assert [page.title for page in load_book(tmp_path).pages] == ["Boats"]


def test_references_between_pages_show_what_they_lead_to(tmp_path: Path) -> None:
    """A link without words has none in the source."""
    book = book_of(
        tmp_path,
        oars="---\nlabel: all-oars\n---\n(top)=\n# Oars\n\n## Blades\n\n"
        ":::{figure} a.png\n:label: fig\nAn oar\n:::\n",
        page="# Page\n\n"
        "[](oars.md), [](#all-oars), [](#top), [](oars.md#blades), [](#fig), {doc}`oars`, [](#no).\n",
    )

    assert book.pages[2].source.split("\n")[-2] == "Oars, Oars, Oars, Blades, Figure 1, Oars, [](#no)."


def test_numbers_begin_anew_on_each_page_and_may_be_off(tmp_path: Path) -> None:
    """As in the site."""
    config = "project:\n  title: Boats\n  numbering:\n    figure: false\n"
    text = "# Page\n\n:::{figure} a.png\n:label: fig\nAn oar\n:::\n\n"
    text += ":::{table} Oars\n:label: tbl\n|a|\n|-|\n|b|\n:::\n\n"
    book = book_of(tmp_path, config=config, page=text + "[](#fig), [](#tbl).\n")

    assert book.pages[1].source.strip().endswith("An oar, Table 1.")


def test_numbers_may_go_on_from_page_to_page(tmp_path: Path) -> None:
    """`continue` says so."""
    config = "project:\n  numbering:\n    figure: continue\n"
    text = "# Page\n\n:::{figure} a.png\n:label: {name}\nAn oar\n:::\n"
    pages = {name: text.replace("{name}", name) for name in ("one", "two")}

    assert [page.source.split("\n")[-3] for page in book_of(tmp_path, config=config, **pages).pages[1:]] == [
        "Figure 1: An oar",
        "Figure 2: An oar",
    ]


def test_citations_are_named_and_listed_at_the_end(tmp_path: Path) -> None:
    """Bibliographies that lie in the folder are read without being named."""
    (tmp_path / "works.bib").write_text("@book{ada, author={Ada Keel}, title={Oars}, year={1897}}\n")
    source = page_of(tmp_path, "# Page\n\nSo {cite:t}`ada`, {cite:p}`ada` and [@ada], by @ada.\n")[2]

    assert "So Keel (1897), (Keel 1897) and (Keel 1897), by Keel (1897)." in source
    assert source.rstrip().endswith("References\n\nKeel, Ada. 1897. *Oars.*")


def test_configuration_extends_files_of_the_folder(tmp_path: Path) -> None:
    """Those elsewhere are not fetched."""
    (tmp_path / "more.yml").write_text("project:\n  title: Extended\n")
    config = "extends: [https://e.test/a.yml, more.yml, ../outside.yml]\nproject:\n  exclude: b.md\n"

    assert book_of(tmp_path, config=config).title == "Extended"


def test_configuration_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The order and the addresses would be guesses."""
    with pytest.raises(BookError, match=r"myst\.yml cannot be read"):
        book_of(tmp_path, config="project: [\n")


def test_pages_in_other_formats_are_skipped(tmp_path: Path) -> None:
    """They keep their place among the addresses."""
    (tmp_path / "oars.tex").write_text("\\section{Oars}\n")
    book = book_of(
        tmp_path,
        config="project:\n  toc:\n  - file: index.md\n  - file: oars.tex\n  - file: old\n",
        old="# O\n",
    )

    assert [page.path for page in book.pages] == ["index.md", "old.md"]
    assert [(skipped.path, "Build the book" in skipped.reason) for skipped in book.skipped] == [
        ("oars.tex", True)
    ]


def test_notebook_hides_the_options_of_its_cells(tmp_path: Path) -> None:
    """A label of a cell is none of its code, and may be embedded elsewhere."""
    code = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "source": "#| label: one\n#| caption: A sum\n1 + 1",
    }
    code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "2\n"}]
    words = {"cell_type": "markdown", "metadata": {}, "source": "# Sums\n\nSee [](#one)."}
    notebook = {"cells": [words, code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "sums.ipynb").write_text(json.dumps(notebook))
    book = book_of(tmp_path, page="# Page\n\n![](#one)\n")
    sources = {page.path: page.source for page in book.pages}

    assert "See A sum." in sources["sums.ipynb"]
    assert "label" not in sources["sums.ipynb"]
    assert "```python\n1 + 1\n```" in sources["page.md"]


def test_embedded_part_has_its_references(tmp_path: Path) -> None:
    """They may lead to other pages."""
    book = book_of(
        tmp_path,
        a="# Alpha\n\n(oath)=\nSee [](b.md) and [](#grip).\n",
        b="# Beta\n\n(grip)=\n## Grip\n\n![](#oath)\n",
    )

    assert book.pages[2].source.rstrip().endswith("See Beta and Grip.")


def test_cells_without_output_are_counted(tmp_path: Path) -> None:
    """The operator is told that a build has more."""
    book = book_of(tmp_path, page="# Page\n\n```{code-cell} python\n1\n```\n")

    assert book.notes == (
        "A code cell whose output only the built book has: give the built HTML where you can.",
    )


def test_table_of_contents_lists_pages(tmp_path: Path) -> None:
    """Of the whole, or of what stands below a page; hidden pages are in neither."""
    config = (
        "project:\n  title: Boats\n  toc:\n  - file: index.md\n  - file: page.md\n    children:\n"
        "    - file: a.md\n      title: In the menu\n    - file: b.md\n      hidden: true\n"
    )
    text = "# Page\n\n:::{toc}\n:::\n\n:::{toc}\n:context: children\n:::\n\n:::{toc}\n:depth: 1\n:::\n"
    book = book_of(tmp_path, config=config, page=text, a="# Alpha\n", b="# Beta\n")

    lines = [line for line in book.pages[1].source.split("\n") if "- " in line]
    assert lines == ["- Boats", "- Page", "  - Alpha", "- Alpha", "- Boats", "- Page"]


def test_page_that_includes_itself_ends(tmp_path: Path) -> None:
    """The build leaves such an include out."""
    text = "# Page\n\nOnce.\n\n" + "```{include} page.md\n```\n" * 20
    source = page_of(tmp_path, text)[2]

    assert source.count("Once.") == 1
