"""List the pages of MyST 2 in its order, with its addresses; the right values are those of builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.formats.myst_contents import file_title, glob_matches, slug
from ragbot.books.loader import load_book

PAGES = (
    *("README", "01-intro", "2.1_Labelled", "10", "2020-notes", "CamelCase_name.v2", "über"),
    *("a b/My Page & more", "a b/Deep/00_intro", "data/README", "guide/index", "guide/intro", "guide/skip"),
)
# In the order of a build without a table of contents.
BUILT = [
    ("README.md", ""),
    ("01-intro.md", "intro/"),
    ("2.1_Labelled.md", "labelled/"),
    ("10.md", "10/"),
    ("2020-notes.md", "2020-notes/"),
    ("CamelCase_name.v2.md", "camelcase-name-v2/"),
    ("über.md", "ber/"),
    ("a b/My Page & more.md", "my-page-and-more/"),
    ("a b/Deep/00_intro.md", "intro-1/"),
    ("data/README.md", "readme-1/"),
    ("guide/index.md", "index/"),
    ("guide/intro.md", "intro-2/"),
]
WITH_FOLDERS = [
    *("", "intro/", "labelled/", "10/", "2020-notes/", "camelcase-name-v2/", "ber/"),
    *("a-b/my-page-and-more/", "a-b/deep/intro/", "data/readme/", "guide/", "guide/intro/"),
]
TOC = """\
project:
  title: Boats
  toc:
    - file: 01-intro
    - title: Guide
      children:
        - file: guide/index.md
          title: All of it
          children:
            - pattern: guide/*.md
              sort: descending
        - url: https://e.test
          title: Elsewhere
    - pattern: "a b/**/*.md"
    - file: missing.md
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Pages of a project; its configuration is the test's."""
    for name in PAGES:
        path = tmp_path / f"{name}.md"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(f"# {name}\n\nText.\n")
    return tmp_path


def listed(folder: Path, config: str) -> list[tuple[str, str]]:
    (folder / "myst.yml").write_text(config)
    return [(page.path, page.address) for page in load_book(folder).pages]


def test_folder_without_contents_is_read_file_by_file_and_then_its_folders(project: Path) -> None:
    """Without `project.toc` the pages follow each other by their names."""
    assert listed(project, "project:\n  exclude: [guide/skip.md]\n") == BUILT


def test_addresses_may_have_the_folders_of_the_files(project: Path) -> None:
    """Equal names in different folders need no numbers then."""
    config = "project:\n  exclude: guide/skip.md\nsite:\n  options:\n    folders: true\n"

    assert [address for _, address in listed(project, config)] == WITH_FOLDERS


def test_contents_give_the_order_and_the_parts(project: Path) -> None:
    """A pattern takes what no other entry names."""
    assert listed(project, TOC) == [
        ("01-intro.md", ""),
        ("guide/index.md", "index-1/"),
        ("guide/skip.md", "skip/"),
        ("guide/intro.md", "intro/"),
        ("a b/Deep/00_intro.md", "intro-1/"),
        ("a b/My Page & more.md", "my-page-and-more/"),
    ]
    parts = {page.path: page.parts for page in load_book(project).pages}
    assert parts["guide/intro.md"] == ("Guide",)
    assert parts["01-intro.md"] == ()


def test_names_follow_each_other_without_signs_and_by_their_numbers(tmp_path: Path) -> None:
    """A pattern goes through folders, too; an index comes before what lies beside it."""
    names = (
        "c_10",
        "c_2",
        "B",
        "aB",
        "Zoo",
        "main",
        "1.5-q",
        "1-z",
        "Ärger",
        "b-2/one",
        "b-2/index",
        "b-10/a",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.md").write_text(f"# {name}\n\nText.\n")
    found = listed(tmp_path, "project:\n  toc:\n  - file: Zoo.md\n  - pattern: '**/*.md'\n")

    assert [path.removesuffix(".md") for path, _ in found] == [
        *("Zoo", "main", "1.5-q", "1-z", "aB", "Ärger", "b-2/index", "b-2/one", "b-10/a", "B", "c_2", "c_10")
    ]


def test_contents_of_jupyter_book_1_are_followed(project: Path) -> None:
    """Books that moved to MyST 2 keep their `_toc.yml`."""
    (project / "_toc.yml").write_text("format: jb-book\nroot: README\nchapters:\n- file: data/README\n")

    assert listed(project, "project: {}\n") == [("README.md", ""), ("data/README.md", "readme-1/")]


def test_page_that_is_listed_twice_stands_at_its_first_place(project: Path) -> None:
    """It is read once."""
    toc = "[{file: README}, {file: 10}, {file: 01-intro}, {file: 10}]".replace("10}", "'10'}")

    assert listed(project, f"project: {{toc: {toc}}}\n") == [
        *(("README.md", ""), ("10.md", "10/"), ("01-intro.md", "intro/"))
    ]


def test_other_project_within_the_folder_is_not_read(project: Path) -> None:
    """A build leaves it out, too."""
    (project / "guide" / "myst.yml").write_text("version: 1\n")

    assert not any(path.startswith("guide/") for path, _ in listed(project, "project: {}\n"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("01-intro", "intro"),
        ("1990 report", "1990-report"),
        ("12345-a", "12345-a"),
        ("404", "404"),
        ("a__b--c", "a-b-c"),
        ("R&D", "r-and-d"),
    ],
)
def test_slug_is_the_name_without_numbers_in_front(name: str, expected: str) -> None:
    """Links to pages are made of it."""
    assert slug(name) == expected


def test_title_of_a_file_is_its_name_in_words() -> None:
    """A page without a heading is called so."""
    assert file_title("guide/01-myFirst_page.md") == "My First Page"


@pytest.mark.parametrize(
    ("path", "glob", "expected"),
    [
        ("a/b.md", "a/*.md", True),
        ("a/b/c.md", "a/*.md", False),
        ("a/b/c.md", "a/**/*.md", True),
        ("a/c.md", "a/**/*.md", True),
        ("a/b/c.md", "a/**", True),
        ("a/index.md", "a/!(index)*.md", False),
        ("a/boats.md", "a/!(index)*.md", True),
        ("a/b.ipynb", "a/*.{md,ipynb}", True),
        ("a/b.md", "./a/?.md", True),
    ],
)
def test_globs_match_as_in_the_build(path: str, glob: str, expected: bool) -> None:
    """Patterns of the table of contents are such."""
    assert glob_matches(path, glob) is expected
