"""Read the sources of a site on gitbook.com, which are no HonKit's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ragbot.books.chunking.chunker import chunk_book
from ragbot.books.loader import load_book
from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import unit_words
from ragbot.books.read_options import ReadOptions
from ragbot.core.domain import Book
from ragbot.core.errors import BookError

SUMMARY = """# Table of contents

* [Welcome](README.md)

## Boats

* [Oars](boats/oars.md)
  * [Sails](boats/sails/README.md)
"""
PAGES = {
    "SUMMARY.md": SUMMARY,
    "README.md": "# Boats\n\nx",
    "boats/oars.md": "# Oars\n\nx",
    "boats/sails/README.md": "# Sails\n\nx",
    "notes.md": "# Notes\n\nx",
}
TABS = """{% tabs %}
{% tab title="Bob's" %}
Run setup.exe.
{% endtab %}

{% tab title="Linux" %}
Run apt.
{% endtab %}
{% endtabs %}
"""


def laid(root: Path, files: dict[str, str]) -> Book:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return load_book(root)


def text_of(root: Path, text: str, **files: str) -> str:
    """Return the text of the only page of a book."""
    book = laid(root, {".gitbook.yaml": "", "SUMMARY.md": "* [A](a.md)\n", "a.md": text, **files})
    return book.pages[0].source.strip()


def test_addresses_and_order_are_those_of_the_site(tmp_path: Path) -> None:
    """Every link ended in `.html`, as HonKit's do."""
    book = laid(tmp_path, PAGES | {".gitbook.yaml": "root: ./\n"})

    assert book.layout is not None
    assert "GitBook" in book.layout.name
    assert [(page.address, page.title, page.parts) for page in book.pages] == [
        ("", "Welcome", ()),
        ("boats/oars", "Oars", ("Boats",)),
        ("boats/sails", "Sails", ("Boats", "Oars")),
    ]
    assert [left.files for left in book.left_out] == [2]


def test_book_may_lie_in_a_folder_that_the_configuration_names(tmp_path: Path) -> None:
    """Repositories of programs keep it in `docs`."""
    config = "root: ./guide/\nstructure:\n  readme: boats/oars.md\n"
    book = laid(
        tmp_path, {".gitbook.yaml": config, **{f"guide/{name}": text for name, text in PAGES.items()}}
    )

    assert [page.address for page in book.pages] == ["", "", "boats/sails"]
    (tmp_path / ".gitbook.yaml").write_text("root: ../\n")
    (tmp_path / "SUMMARY.md").write_text(SUMMARY)
    with pytest.raises(BookError, match="outside"):
        load_book(tmp_path)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({}, "HonKit"),
        ({"boats/oars.md": TABS}, "GitBook"),
        ({".gitbook/assets/a.svg": ""}, "GitBook"),
        ({".gitbook.yaml": "", "book.json": "{}"}, "HonKit"),
        ({"boats/oars.md": TABS, "package.json": '{"devDependencies": {"honkit": "6"}}'}, "HonKit"),
    ],
)
def test_gitbooks_own_files_and_blocks_tell_it_from_honkit(
    tmp_path: Path, files: dict[str, str], name: str
) -> None:
    """Both have a summary."""
    book = laid(tmp_path, PAGES | files)

    assert book.layout is not None
    assert book.layout.name.startswith(f"a project of {name} ")


def test_tabs_keep_their_labels(tmp_path: Path) -> None:
    """What to do on two systems was one paragraph, without the names of the two."""
    book = laid(tmp_path, {".gitbook.yaml": "", "SUMMARY.md": "* [A](a.md)\n", "a.md": TABS})
    (chunk,) = chunk_book(book)

    assert [
        unit_words(chunk.text[block.start : block.end], block.kind) for block in prose_blocks(chunk.text)
    ] == [*("Bob's", "Run setup.exe.", "Linux", "Run apt.")]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            '{% code title="a.js" overflow="wrap" %}\n```js\na\n```\n{% endcode %}',
            "**a.js**\n\n```js\na\n```",
        ),
        ('{% hint style="danger" %}\nDo not.\n{% endhint %}', "**Danger**\n\nDo not."),
        ('{% hint style="info" %}\nDo.\n{% endhint %}', "Do."),
        (
            '1. a\n\n   {% hint style="warning" %}\n   Do not.\n   {% endhint %}',
            "1. a\n\n\n   **Warning**\n\n   Do not.",
        ),
        ('{% embed url="https://x.test" %}\nA film\n{% endembed %}', "A film"),
        ('## Grip <a href="#own" id="own"></a>', "## Grip {#own}"),
        ('{% include ".gitbook/includes/part.md" %}', "Part."),
        ("```liquid\n{% tabs %}\n```", "```liquid\n{% tabs %}\n```"),
    ],
)
def test_blocks_become_paragraphs_under_their_titles(tmp_path: Path, written: str, shown: str) -> None:
    """Their marks are tools of the author."""
    part = "---\ntitle: Part\n---\n\nPart.\n"

    assert text_of(tmp_path, written, **{".gitbook/includes/part.md": part}) == shown


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    """A chapter, and a part that a page includes; one that includes itself ends."""
    text = '{% include "gone.md" %}\n{% include "a.md" %}\nx'
    book = laid(tmp_path, {".gitbook.yaml": "", "SUMMARY.md": "* [A](a.md)\n* [B](b.md)\n", "a.md": text})

    assert {skipped.path for skipped in book.skipped} == {"a.md", "b.md"}
    assert book.pages[0].source.count("x") < 9


def test_there_is_nothing_to_build(tmp_path: Path) -> None:
    """GitBook does it on its own servers."""
    laid(tmp_path, PAGES | {".gitbook.yaml": ""})

    with pytest.raises(BookError, match="address of its site"):
        load_book(tmp_path, options=ReadOptions(built=True))


@pytest.mark.parametrize("piece", ["{% a ", "{% tab a=", '# a <a id="a" ', "# " + " " * 99, "{% tab a='"])
def test_repeated_piece_takes_time_in_proportion(tmp_path: Path, piece: str) -> None:
    """Whoever uploads a book chooses its text."""
    started = time.process_time()

    text_of(tmp_path, f"x\n{piece * (200_000 // len(piece))} %}}\n")

    assert time.process_time() - started < 15
