"""Read the lists of awesome-pages and awesome-nav: what MkDocs itself made of the same folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.loader import load_book

PAGES = (
    "index",
    "zebra",
    "apple",
    "10-ten",
    "2-two",
    "guide/index",
    "guide/b",
    "guide/a",
    "guide/deep/x",
    "ref/one",
)
PAGES_PLUGIN, NAV_PLUGIN = "awesome-pages", "awesome-nav"


def order(root: Path, plugin: str, lists: dict[str, str], nav: str = "") -> list[str]:
    """Read a project and return its pages with the sections that they stand in."""
    (root / "mkdocs.yml").write_text(f"site_name: B\nplugins: [{plugin}]\n{nav}")
    for page in PAGES:
        path = root / "docs" / f"{page}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    for name, text in lists.items():
        (root / "docs" / name).write_text(text)
    return ["/".join((*page.parts, page.path.removeprefix("docs/"))) for page in load_book(root).pages]


GUIDE = ["Guide/guide/index.md", "Guide/guide/a.md", "Guide/guide/b.md", "Guide/Deep/guide/deep/x.md"]


@pytest.mark.parametrize(
    ("plugin", "lists", "expected"),
    [
        (
            PAGES_PLUGIN,
            {},
            ["index.md", "10-ten.md", "2-two.md", "apple.md", "zebra.md", *GUIDE, "Ref/ref/one.md"],
        ),
        (
            NAV_PLUGIN,
            {},
            ["index.md", "2-two.md", "10-ten.md", "apple.md", "zebra.md", *GUIDE, "Ref/ref/one.md"],
        ),
        (
            PAGES_PLUGIN,
            {
                ".pages": "nav:\n  - zebra.md\n  - guide\n  - ...\n",
                "guide/.pages": "title: The way\nnav: [index.md, deep, b.md]\n",
            },
            [
                "zebra.md",
                "The way/guide/index.md",
                "The way/Deep/guide/deep/x.md",
                "The way/guide/b.md",
                "index.md",
                "10-ten.md",
                "2-two.md",
                "apple.md",
                "Ref/ref/one.md",
                "guide/a.md",
            ],
        ),
        (
            PAGES_PLUGIN,
            {
                ".pages": "nav:\n  - ... | a*.md\n  - Beasts:\n    - Striped: zebra.md\n"
                "  - Web: https://example.org/\n  - ...\n",
                "guide/.pages": "hide: true\n",
            },
            [
                "apple.md",
                "Beasts/zebra.md",
                "index.md",
                "10-ten.md",
                "2-two.md",
                "Ref/ref/one.md",
                *(page.removeprefix("Guide/").removeprefix("Deep/") for page in GUIDE),
            ],
        ),
        (
            PAGES_PLUGIN,
            {".pages": "arrange: [ref, index.md]\n", "guide/.pages": "order: desc\n"},
            [
                "Ref/ref/one.md",
                "index.md",
                "10-ten.md",
                "2-two.md",
                "apple.md",
                "zebra.md",
                "Guide/guide/index.md",
                "Guide/guide/b.md",
                "Guide/guide/a.md",
                "Guide/Deep/guide/deep/x.md",
            ],
        ),
        (
            NAV_PLUGIN,
            {
                ".nav.yml": "nav:\n  - zebra.md\n  - guide\n  - '*'\n",
                "guide/.nav.yml": "nav: ['*.md', deep]\n",
            },
            [
                "zebra.md",
                "Guide/guide/a.md",
                "Guide/guide/b.md",
                "Guide/guide/index.md",
                "Guide/Deep/guide/deep/x.md",
                "2-two.md",
                "10-ten.md",
                "apple.md",
                "index.md",
                "Ref/ref/one.md",
            ],
        ),
    ],
)
def test_order_is_that_of_the_lists(
    tmp_path: Path, plugin: str, lists: dict[str, str], expected: list[str]
) -> None:
    """The order and the sections are those of MkDocs 1.6.1 with these plug-ins; what they hide comes last."""
    assert order(tmp_path, plugin, lists) == expected


def test_navigation_of_the_configuration_may_have_a_rest(tmp_path: Path) -> None:
    """Three dots stand for the pages that it does not name."""
    found = order(tmp_path, PAGES_PLUGIN, {}, nav="nav:\n  - zebra.md\n  - ...\n")

    assert found[:3] == ["zebra.md", "index.md", "10-ten.md"]


def test_lists_that_name_each_other_or_cannot_be_read_end(tmp_path: Path) -> None:
    """Each page is there once, and the operator is told."""
    lists = {
        ".pages": "nav: [guide, guide, guide/deep, ., .., ...]\n",
        "guide/.pages": "nav: [deep, deep, .]\n",
        "guide/deep/.pages": "nav: [x.md, ..\n",
    }
    found = order(tmp_path, PAGES_PLUGIN, lists)
    book = load_book(tmp_path)

    assert sorted(page.split("docs/")[-1].split("/")[-1] for page in found) == sorted(
        f"{page.split('/')[-1]}.md" for page in PAGES
    )
    assert [file.path for file in book.skipped] == ["docs/guide/deep/.pages"]
