"""Read a project of Quartz, and a vault of Obsidian without one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from ragbot.books.loader import load_book

SCRIPT = """
const config = { configuration: {
    pageTitle: "Boats", // the name
    ignorePatterns: ["private", "**/drafts", ".obsidian"],
    theme: { fontOrigin: "private" } },
  plugins: { filters: [Plugin.RemoveDrafts()] } }
"""
YAML = "configuration:\n  pageTitle: Boats\n  ignorePatterns:\n    - private\n    - '**/drafts'\n"
PAGES = {
    "index.md": "Welcome to [[Oars & Öl|the oars]].",
    "Wood/index.md": "---\ntitle: All wood\n---\nText.",
    "Wood/Oars & Öl.md": (
        "Long -> strong, a <= b.\n\n## Care?\n\n> [!tip] Dry\n> They last.\n\n## Care?\n\n`a -> b`"
    ),
    "Wood/What is 5%.md": "---\ntitle: Five\n---\nText.",
    "Wood/drafts/secret.md": "Text.",
    "private/secret.md": "Text.",
    "drafts/secret.md": "Text.",
    "early.md": "---\ndraft: true\n---\nText.",
    "said early.md": "---\ndraft: 'true'\n---\nText.",
}


@pytest.fixture(params=[("quartz.config.ts", SCRIPT), ("quartz.config.yaml", YAML)], ids=["4", "5"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A project of version 4, and of version 5."""
    name, config = request.param
    for path, text in PAGES.items():
        (tmp_path / "content" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "content" / path).write_text(text)
    (tmp_path / name).write_text(config)
    return tmp_path


def test_pages_have_the_addresses_of_the_site(project: Path) -> None:
    """Version 5 writes them in lower case; drafts and ignored folders are not there."""
    is_fifth = (project / "quartz.config.yaml").exists()
    titles = {
        "": "Boats",
        "Wood/": "All wood",
        "Wood/Oars--and--Öl": "Oars & Öl",
        "Wood/What-is-5-percent": "Five",
    }

    book = load_book(project)

    assert book.title == "Boats"
    assert {unquote(page.address): page.title for page in book.pages} == {
        address.lower() if is_fifth else address: title for address, title in titles.items()
    }


def test_script_that_a_newer_project_has_kept_counts_for_nothing(project: Path) -> None:
    """Version 5 reads its own configuration."""
    (project / "quartz.config.yaml").write_text(YAML)
    (project / "quartz.config.ts").write_text(SCRIPT.replace("Boats", "Old boats"))

    book = load_book(project)

    assert book.title == "Boats"
    assert "wood/" in [page.address for page in book.pages]


def test_pages_read_as_on_the_site(project: Path) -> None:
    """Arrows, titles of callouts and numbered anchors are those of the site; code is as it was written."""
    page = next(page for page in load_book(project).pages if page.title.startswith("Oars"))

    assert "Long → strong, a ⇐ b." in page.source
    assert "> **Dry**\n>\n> They last." in page.source
    assert "`a -> b`" in page.source
    assert [section.anchor for section in page.sections] == ["", "care", "care-1"]


def test_only_what_is_published_is_read_where_pages_say_so(project: Path) -> None:
    """Version 4 has a filter for it."""
    (project / "quartz.config.yaml").unlink(missing_ok=True)
    (project / "quartz.config.ts").write_text(SCRIPT.replace("RemoveDrafts", "ExplicitPublish"))
    (project / "content" / "index.md").write_text("---\npublish: true\n---\nText.")

    assert [page.path for page in load_book(project).pages] == ["content/index.md"]


def test_vault_alone_is_read_without_its_marks(tmp_path: Path) -> None:
    """Its links by names lead to its own files, so a folder of Markdown is known to be a vault."""
    (tmp_path / "Oars.md").write_text("# Oars\n\nOf [[wood|good wood]]. ==Oil them.== ^oil\n\n%%todo%%\n")
    (tmp_path / "Wood.md").write_text("# Wood\n\nNumbers like [[1]] stay.\n")

    oars, wood = load_book(tmp_path).pages

    assert oars.source.strip() == "# Oars\n\nOf [good wood](wood). Oil them."
    assert "Numbers like [[1]] stay." in wood.source
