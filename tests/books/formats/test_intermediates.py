"""Read a chapter once where its build left Markdown beside it, and name what was made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragbot.books.formats.intermediates import INTERMEDIATE, find_intermediates
from ragbot.books.loader import load_book
from ragbot.core.domain import LeftOut

RUN = "# Oars\n\nWood.\n\n```{r}\n1 + 1\n```\n"
MADE = "# Oars\n\nWood.\n\n```r\n1 + 1\n```\n\n```\n## [1] 2\n```\n\nThe run made more than that.\n"
NOTEBOOK = json.dumps({"cells": [{"cell_type": "markdown", "source": "# Oars\n\nSaved."}], "metadata": {}})


@pytest.mark.parametrize(
    ("files", "read", "left_out"),
    [
        # bookdown, with its configuration and known by its index alone.
        (
            {"_bookdown.yml": "book_filename: boats", "index.Rmd": "# A", "oars.Rmd": RUN, "oars.md": MADE}
            | {"oars.knit.md": MADE, "boats.md": MADE, "README.md": "# R"},
            *(["index.Rmd", "oars.Rmd"], {".md": 3}),
        ),
        (
            {"index.Rmd": "---\nsite: bookdown::bookdown_site\n---\n# A", "oars.Rmd": RUN, "oars.md": MADE},
            *(["index.Rmd", "oars.Rmd"], {".md": 1}),
        ),
        # What a configuration lists is a chapter, whatever lies beside it.
        (
            {"_bookdown.yml": "rmd_files: [index.Rmd, oars.md]", "index.Rmd": "# A"}
            | {"oars.Rmd": RUN, "oars.md": MADE},
            *(["index.Rmd", "oars.md"], {}),
        ),
        (
            {"_quarto.yml": "book: {chapters: [index.qmd, oars.md]}", "index.qmd": "# A", "oars.md": MADE}
            | {"oars.qmd": RUN, "oars.html.md": MADE},
            *(["index.qmd", "oars.md"], {".qmd": 1, ".md": 1}),
        ),
        # A site of Quarto has all pages, also those of a folder that its sidebar names.
        (
            {"_quarto.yml": "website: {sidebar: {contents: [guide]}}", "index.qmd": "# A", "index.md": "# A"}
            | {"guide/oars.qmd": RUN, "guide/oars.md": MADE, "guide/oars.ipynb": NOTEBOOK}
            | {"guide/v1.2.md": "# Two", "guide/v1.md": "# One"},
            *(["index.qmd", "guide/oars.qmd", "guide/v1.md", "guide/v1.2.md"], {".md": 2, ".ipynb": 1}),
        ),
        # Sphinx takes the notebook, also where the contents name the Markdown beside it.
        (
            {"_toc.yml": "{root: intro, chapters: [{file: oars.md}, {glob: more/*}]}", "intro.md": "# A"}
            | {"oars.md": MADE, "oars.ipynb": NOTEBOOK, "more/b.md": "# B", "more/b.ipynb": NOTEBOOK},
            *(["intro.md", "oars.ipynb", "more/b.ipynb"], {".md": 2}),
        ),
    ],
)
def test_chapter_is_read_once_and_what_was_made_of_it_is_named(
    tmp_path: Path, files: dict[str, str], read: list[str], left_out: dict[str, int]
) -> None:
    """The same words were read twice, under one address, or the folder was refused as mostly unread."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    book = load_book(tmp_path)

    assert sorted(page.path for page in book.pages) == sorted(read)
    assert {out for out in book.left_out if out.reason == INTERMEDIATE} == {
        LeftOut(INTERMEDIATE, suffix, count) for suffix, count in left_out.items()
    }


def test_nothing_is_made_where_nothing_is_run() -> None:
    """Two names that differ in a number, or only Markdown, are two chapters."""
    paths = ["a.md", "a.html.md", "b.1.md", "b.2.md", "c.qmd", "c.x.md"]

    assert find_intermediates(paths, (), (".qmd",)) == set()
