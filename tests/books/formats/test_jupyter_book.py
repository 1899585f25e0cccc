"""Read Jupyter Book 1 in the order of its table of contents, with docutils' anchors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragbot.books.formats.jupyter_book import DocutilsSlugger
from ragbot.books.loader import load_book
from ragbot.core.errors import BookError

CONTENTS = {
    "book": """\
format: jb-book
root: intro
parts:
  - caption: Wood
    chapters:
      - file: oars.md
        title: All oars
        sections: [{file: deep/grip}]
  - caption: Cloth
    chapters: [{glob: sails/*}, {url: "https://elsewhere.test"}, {file: old}]
""",
    "article": "format: jb-article\nroot: intro\nsections:\n  - file: oars\n",
    "old list": """\
- file: intro
- part: Wood
  chapters:
    - file: oars
      sections: [{file: deep/grip}]
""",
}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Pages of a book; its table of contents is the test's."""
    for name in ("intro", "oars", "deep/grip", "sails/a", "sails/b", "notes"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.md").write_text(f"# {name}\n\nText.\n")
    (tmp_path / "old.rst").write_text("Old\n===\n")
    (tmp_path / "_config.yml").write_text("title: Boats\n")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "book",
            [
                ("intro.html", "intro", ()),
                ("oars.html", "All oars", ("Wood",)),
                ("deep/grip.html", "deep/grip", ("Wood",)),
                ("sails/a.html", "sails/a", ("Cloth",)),
                ("sails/b.html", "sails/b", ("Cloth",)),
            ],
        ),
        ("article", [("intro.html", "intro", ()), ("oars.html", "oars", ())]),
        (
            "old list",
            [
                ("intro.html", "intro", ()),
                ("oars.html", "oars", ("Wood",)),
                ("deep/grip.html", "deep/grip", ("Wood",)),
            ],
        ),
    ],
)
def test_pages_are_those_of_the_contents(
    book: Path, kind: str, expected: list[tuple[str, str, object]]
) -> None:
    """All three forms of the table are in use; other files are no chapters."""
    (book / "_toc.yml").write_text(CONTENTS[kind])

    found = load_book(book)

    assert found.title == "Boats"
    assert [(page.address, page.title, page.parts) for page in found.pages] == expected


def test_chapter_in_another_format_is_named(book: Path) -> None:
    """Half a book should not be taken for the whole."""
    (book / "_toc.yml").write_text(CONTENTS["book"])

    skipped = load_book(book).skipped

    assert [file.path for file in skipped] == ["old.rst"]
    assert "give its HTML" in skipped[0].reason


def test_anchors_are_those_of_docutils() -> None:
    """Repeated, empty and taken ones are numbered together."""
    slug = DocutilsSlugger(["in_fog"])

    found = [slug(text) for text in ("Größe & Maß", "3. Grip", "grip", "灯台", "In fog", "Łódź")]

    assert found == ["grosze-masz", "grip", "id1", "id2", "id3", "lodz"]


def test_contents_that_cannot_be_read_are_refused(book: Path) -> None:
    """Without them neither the chapters nor their order are known."""
    (book / "_toc.yml").write_text("root: [")

    with pytest.raises(BookError, match=r"_toc\.yml"):
        load_book(book)


@pytest.mark.parametrize("outputs", [[], [{"output_type": "stream", "text": "RAN"}]])
def test_notebook_that_was_never_run_is_counted(book: Path, outputs: list[object]) -> None:
    """The build runs it; one that was saved with its outputs is shown as it is."""
    cell = {"cell_type": "code", "source": "row()", "outputs": outputs}
    (book / "_toc.yml").write_text("format: jb-book\nroot: run\n")
    (book / "run.ipynb").write_text(json.dumps({"cells": [cell]}))

    found = load_book(book)

    assert "```python\nrow()\n```" in found.pages[0].source
    assert ("RAN" in found.pages[0].source, len(found.notes)) == ((True, 0) if outputs else (False, 1))


def test_bibliography_is_that_of_the_configuration(book: Path) -> None:
    """The keys alone would say nothing."""
    (book / "_toc.yml").write_text(CONTENTS["article"])
    (book / "_config.yml").write_text("title: Boats\nbibtex_bibfiles: [a.bib]\n")
    (book / "a.bib").write_text("@book{oar, author={Oar, Ann}, title={Wood}, year=2001}\n")
    (book / "oars.md").write_text("# Oars\n\nRow {cite}`oar`.\n")

    assert "Row (Oar 2001)." in load_book(book).pages[1].source
