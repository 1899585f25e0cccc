"""Read a project of Zola with its addresses, anchors and order, as its documentation has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.loader import load_book


def page(title: str, *lines: str, body: str = "Text.") -> str:
    return "\n".join(("+++", f'title = "{title}"', *lines, "+++", "", body, ""))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Two sections, one by weight and one by date."""
    for name, text in {
        "config.toml": 'base_url = "https://book.test"\ntitle = "Boats"\n[languages.de]\n',
        "content/_index.md": page("Home"),
        "content/wood/_index.md": page("Wood", 'sort_by = "weight"', "weight = 1"),
        "content/wood/Oars and Öl.md": page("Oars", "weight = 2"),
        "content/wood/masts/index.md": page("Masts", "weight = 1"),
        "content/wood/oars.de.md": page("Riemen"),
        "content/wood/draft.md": page("Draft", "draft = true"),
        "content/news/_index.md": page("News", 'sort_by = "date"', "weight = 2"),
        "content/news/2026-01-02-first.md": page("First", "date = 2026-01-02"),
        "content/news/second.md": page("Second", "date = 2026-02-03", 'slug = "two"'),
        "content/news/moved.md": page("Moved", "date = 2025-02-03", 'path = "else/where"'),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_pages_stand_in_order_at_their_addresses(book: Path) -> None:
    """Sections by weight, pages as each section says, dates before names dropped."""
    found = load_book(book)

    assert found.title == "Boats"
    assert [(entry.address, entry.title) for entry in found.pages] == [
        ("", "Home"),
        ("wood/", "Wood"),
        ("wood/masts/", "Masts"),
        ("wood/oars-and-ol/", "Oars"),
        ("news/", "News"),
        ("news/two/", "Second"),
        ("news/first/", "First"),
        ("else/where/", "Moved"),
    ]
    assert found.pages[2].parts == ("Wood",)


def test_shortcodes_are_their_words_and_anchors_are_plain(book: Path) -> None:
    """What the site draws is not known; Markdown in a block is prose."""
    (book / "content" / "wood" / "masts" / "index.md").write_text(
        page(
            "Masts",
            body='{{ figure(src="a.png", caption="A mast") }}\n\n{% note(kind="tip") %}\nStep it.\n'
            "{% end %}\n\n"
            "## Größe & Maß\n\n## Größe & Maß\n\n```\n{{ kept() }}\n```\n<!-- more -->",
        )
    )

    masts = next(entry for entry in load_book(book).pages if entry.title == "Masts")

    assert masts.source.split() == [
        *("**A", "mast**", "Step", "it.", "##", "Größe", "&", "Maß", "##", "Größe", "&", "Maß"),
        *("```", "{{", "kept()", "}}", "```"),
    ]
    assert [section.anchor for section in masts.sections] == ["", "grosse-mass", "grosse-mass-1"]
