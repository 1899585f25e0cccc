"""Read a project of Zola with its addresses, anchors and order, as its documentation has them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

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


def test_letters_that_zola_spells_by_its_own_table_lead_to_the_page(book: Path) -> None:
    """Zola 0.17.2 makes `bei-jing-1`, `obzor`, `don-t-naive-lodz` and `rocket`; three links were dead."""
    (book / "content" / "wood" / "masts" / "index.md").write_text(
        page("Masts", body="## 北京 1\n\nx\n\n## Обзор\n\nx\n\n## Don’t – Naïve Łódź\n\nx\n\n## 🚀\n\nx")
    )
    (book / "content" / "wood" / "北京.md").write_text(page("Pekin", "weight = 3"))

    found = load_book(book)

    masts = next(entry for entry in found.pages if entry.title == "Masts")
    assert [section.anchor for section in masts.sections] == ["", "", "don-t-naive-lodz", ""]
    assert next(entry.address for entry in found.pages if entry.title == "Pekin") == "wood/"
    assert found.notes[0].startswith("3 headings")


# As Zola 0.17.2 built them from the same pages: without a setting, with paths "safe", with dates kept.
ADDRESSES = {
    "My Wood/_index.md": ("My Wood/",) * 3,
    "My Wood/Dot. name (x).md": ("My Wood/dot-name-x/", "My Wood/Dot. name (x)/", "My Wood/dot-name-x/"),
    "My Wood/masts/index.md": ("My Wood/masts/",) * 3,
    "My Wood/what?.md": ("My Wood/what/",) * 3,
    "2024-05-06-Part/_index.md": ("2024-05-06-Part/",) * 3,
    "2024-05-06-Part/inner.md": ("2024-05-06-Part/inner/",) * 3,
    "news/2026-01-02-first one.md": (
        *("news/first-one/", "news/first one/"),
        "news/2026-01-02-first-one/",
    ),
    "news/2026-01-04 - third.md": ("news/third/", "news/ third/", "news/2026-01-04-third/"),
    "news/2026-01-05.md": ("news/2026-01-05/",) * 3,
    "news/2026-01-06-b/index.md": ("news/b/", "news/b/", "news/2026-01-06-b/"),
    "news/v1.2.md": ("news/v1-2/", "news/v1.2/", "news/v1-2/"),
    "noindex/deep/page.md": ("noindex/deep/page/",) * 3,
}
VALUES = {
    'slug = "Two Words"': ("news/two-words/", "news/Two Words/", "news/two-words/"),
    'slug = "a/b"': ("news/a-b/", "news/ab/", "news/a-b/"),
    'path = "else/Where Is"': ("else/Where Is/",) * 3,
    'path = "/abs/x/"': ("abs/x/",) * 3,
    'path = " sp.html "': ("sp.html/",) * 3,
    'aliases = ["old/place"]': ("news/p5/",) * 3,
}


@pytest.mark.parametrize(
    ("number", "settings"),
    [(0, ""), (1, '[slugify]\npaths = "safe"\n'), (2, "[slugify]\npaths_keep_dates = true\n")],
    ids=["none", "safe", "dates"],
)
def test_addresses_follow_the_settings_and_the_front_matter(
    tmp_path: Path, number: int, settings: str
) -> None:
    """A link to another place is dead; names of folders stay as they are."""
    wanted = {path: addresses[number] for path, addresses in ADDRESSES.items()}
    pages = {path: page("T") for path in ADDRESSES}
    for place, (values, addresses) in enumerate(VALUES.items()):
        pages[f"news/p{place}.md"] = page("T", values)
        wanted[f"news/p{place}.md"] = addresses[number]
    for path, text in pages.items():
        (tmp_path / "content" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "content" / path).write_text(text)
    (tmp_path / "config.toml").write_text(f'base_url = "https://book.test"\n{settings}')

    found = load_book(tmp_path)

    assert {entry.path.removeprefix("content/"): unquote(entry.address) for entry in found.pages} == wanted


def test_anchors_follow_the_settings(book: Path) -> None:
    """With "safe" only blanks are replaced."""
    (book / "zola.toml").write_text('base_url = "https://book.test"\n[slugify]\nanchors = "safe"\n')
    (book / "content" / "wood" / "masts" / "index.md").write_text(
        page("Masts", body="## Größe & Maß, é\n\nx\n\n## Größe & Maß, é\n\nx\n\n## Own {#My_Id}\n\nx")
    )

    masts = next(entry for entry in load_book(book).pages if entry.title == "Masts")

    assert [section.anchor for section in masts.sections][-3:] == [
        *("Größe_&_Maß,_é", "Größe_&_Maß,_é-1", "My_Id"),
    ]
