"""Choose the released one of the copies that a site holds of itself, and leave chapters with such names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ragbot.books.formats.html_versions import copies_of_site
from ragbot.books.loader import load_book
from ragbot.core.domain import Book

NAMES = ("index", "oars", "sails")
FOR_PULL_REQUEST = "It is a copy of the site for a pull request."
IN_DEVELOPMENT = "It is a copy of the site in development."
FOR_ANOTHER_VERSION = "It is a copy of the site for another version."


def read(folder: Path, pages: Mapping[str, str]) -> Book:
    """Write the pages, each with a title and a head, and read them as a built site."""
    for path, title in pages.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(
            f"<!doctype html><title>{title}</title><main><h1>{title}</h1><p>Of {path}.</p></main>"
        )
    return load_book(folder)


def copy(folder: str, version: str = "") -> dict[str, str]:
    """Make the pages of one copy of a book; the title of its front page tells the version."""
    titles = (f"Boats {version}".strip(), "Oars", "Sails")
    return {f"{folder}{name}.html": title for name, title in zip(NAMES, titles, strict=True)}


def paths(book: Book) -> list[str]:
    return [page.path for page in book.pages]


def reasons(book: Book) -> dict[str, int]:
    return {left.reason: left.files for left in book.left_out}


@pytest.mark.parametrize(
    "previews",
    [("pull357/", "pr-12/"), ("preview/pr-1/", "preview/fix-typos/"), ("previews/PR3/", "preview/")],
)
def test_copies_below_the_book_are_no_part_of_it(tmp_path: Path, previews: tuple[str, str]) -> None:
    """Hundreds of previews lie beside a book on the branch of its pages; each sentence came as often."""
    pages = copy("")
    for folder in ("dev/", "v1.2/", "stable/", *previews):
        pages |= copy(folder, folder.strip("v/") if folder == "v1.2/" else "")

    book = read(tmp_path, pages)

    assert paths(book) == ["index.html", "oars.html", "sails.html"]
    assert reasons(book) == {FOR_PULL_REQUEST: 6, IN_DEVELOPMENT: 3, FOR_ANOTHER_VERSION: 6}


def test_copy_that_the_front_page_leads_to_is_the_book(tmp_path: Path) -> None:
    """Documenter's site has no page of its own but one that redirects."""
    (tmp_path / "index.html").write_text('<meta http-equiv="refresh" content="0; url=./v1.2/">')
    pages = copy("v1.2/", "1.2") | copy("v1.3/", "1.3") | copy("dev/") | copy("previews/PR12/")

    book = read(tmp_path, pages)

    assert paths(book) == ["v1.2/index.html", "v1.2/oars.html", "v1.2/sails.html"]


@pytest.mark.parametrize(
    ("folders", "released"),
    [
        (("en/latest/", "en/stable/", "en/v1.2/"), "en/stable/"),
        (("latest/", "dev/", "2.0/", "1.0/"), "latest/"),
        (("v1.9/", "v1.10/", "v1/", "v2.0-rc1/", "main/"), "v1.10/"),
        (("versions/1.0/", "versions/1.1/"), "versions/1.1/"),
        (("main/", "pr-7/"), "main/"),
        (("3.12/", "3/", "3.13/"), "3.13/"),
    ],
)
def test_released_copy_is_known_by_its_name(tmp_path: Path, folders: tuple[str, ...], released: str) -> None:
    """Where nothing else tells it, names do."""
    pages = {path: title for folder in folders for path, title in copy(folder, "1.0").items()}

    book = read(tmp_path, pages)

    assert paths(book) == [f"{released}{name}.html" for name in NAMES]


def test_copy_that_the_front_page_links_most_is_the_book(tmp_path: Path) -> None:
    """Docsy's menu lists all versions, the one in work too; the author's own links lead to the released."""
    menu = "".join(f'<a href="/docs/{name}/">{name}</a>' for name in ("v1.1", "v1.2", "v1.3"))
    (tmp_path / "index.html").write_text(
        f"<!doctype html><nav>{menu}{menu}</nav><main><h1>Boats</h1>"
        '<p>Go <a href="/docs/v1.2/oars.html">on</a>.'
    )
    pages = {
        path: title for name in ("v1.1", "v1.2", "v1.3") for path, title in copy(f"docs/{name}/").items()
    }

    book = read(tmp_path, pages)

    assert paths(book)[1:] == [f"docs/v1.2/{name}.html" for name in NAMES]


def test_copy_that_others_name_as_their_original_is_the_book(tmp_path: Path) -> None:
    """The author says which one search engines should show."""
    for folder in ("stable/", "2.0/"):
        for name in NAMES:
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.html").write_text(
                f'<link rel="canonical" href="https://boats.test/book/2.0/{name}.html">'
                f"<main><h1>{name}</h1><p>x</p></main>"
            )

    assert paths(load_book(tmp_path)) == [f"2.0/{name}.html" for name in NAMES]


@pytest.mark.parametrize(
    "pages",
    [
        # A part for developers has a front page and an installation of its own.
        copy("") | {"dev/index.html": "For developers", "dev/oars.html": "Build oars"},
        # Two versions of an interface are two chapters of a book that is larger.
        {f"{name}.html": name for name in "abcdefg"}
        | {f"api/v{n}/{name}.html": name for n in (1, 2) for name in ("index", "users", "orders")},
        # Chapters have numbers, and each has exercises.
        {f"{n}/{name}.html": f"{n} {name}" for n in (1, 2, 3) for name in ("index", "exercises")},
        {
            f"1.{n}/{name}.html": title
            for n, names in ((1, "Oars"), (2, "Sails"))
            for name, title in (("index", names), ("exercises", "Exercises"), ("summary", "Summary"))
        },
        # One copy alone is the book, whatever its name.
        copy("dev/"),
        copy("preview/"),
    ],
    ids=["developers", "interface", "numbers", "sections", "one", "preview"],
)
def test_chapters_with_such_names_stay(tmp_path: Path, pages: dict[str, str]) -> None:
    """A book without a chapter is worse than one that says a sentence twice."""
    assert sorted(paths(read(tmp_path, pages))) == sorted(pages)


def test_order_and_title_are_those_of_the_copy_that_is_read(tmp_path: Path) -> None:
    """The navigation stands on the front page of the copy."""
    for folder in ("stable/", "dev/"):
        read_pages = copy(folder)
        (tmp_path / folder).mkdir()
        for path, title in read_pages.items():
            (tmp_path / path).write_text(
                '<meta property="og:site_name" content="The Book of Boats">'
                '<nav><a href="sails.html">Sails</a><a href="oars.html">Oars</a></nav>'
                f"<main><h1>{title}</h1><p>x</p></main>"
            )

    book = load_book(tmp_path)

    assert book.title == "The Book of Boats"
    assert paths(book) == ["stable/index.html", "stable/sails.html", "stable/oars.html"]


def test_addresses_alone_need_more_of_them() -> None:
    """A chapter and a book share the names of a page or two; of a copy nearly all are the same."""
    few = [*(f"{name}.html" for name in "abc"), *(f"dev/{name}.html" for name in "abc")]
    many = [*(f"{name}.html" for name in "abcde"), *(f"dev/{name}.html" for name in "abcde")]

    assert copies_of_site(dict.fromkeys(few, ""), least_shared=5) == {}
    assert copies_of_site(dict.fromkeys(many, ""), least_shared=5) == {
        f"dev/{name}.html": IN_DEVELOPMENT for name in "abcde"
    }
