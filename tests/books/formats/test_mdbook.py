"""Test mdBook: the summary's order, includes, hidden lines and anchors."""

import pytest

from ragbot.books.files import BookFolder
from ragbot.books.formats.mdbook_hidden_lines import remove_hidden_lines
from ragbot.books.formats.mdbook_includes import IncludeExpander, select_lines
from ragbot.books.formats.mdbook_summary import parse_summary
from ragbot.books.loader import load_book
from ragbot.books.read_options import ReadOptions
from ragbot.core.errors import BookError

SUMMARY = """# Summary

[Foreword](foreword.md)

# Basics

- [One](ch01.md)
    - [One *and* a half](./sub/README.md)
- [Draft]()
    - [Under the draft](ch02.md)

---

# Advanced

1. [Three](<a b.md>)

[Appendix](appendix.md)
"""


@pytest.fixture
def book(tmp_path):
    (tmp_path / "src" / "sub").mkdir(parents=True)
    (tmp_path / "book.toml").write_text('[book]\ntitle = "Tiny"\n')
    (tmp_path / "src" / "SUMMARY.md").write_text(SUMMARY)
    for name in ("foreword", "ch01", "sub/README", "ch02", "a b", "appendix", "unlisted"):
        (tmp_path / "src" / f"{name}.md").write_text(f"# {name}\n\nText of {name}.\n")
    return tmp_path


def test_summary_gives_order_titles_and_parts():
    """Drafts have no page, but lend their title; prefix and suffix chapters stand under no part."""
    assert [(chapter.title, chapter.link, chapter.parts) for chapter in parse_summary(SUMMARY)] == [
        ("Foreword", "foreword.md", ()),
        ("One", "ch01.md", ("Basics",)),
        ("One and a half", "sub/README.md", ("Basics", "One")),
        ("Under the draft", "ch02.md", ("Basics", "Draft")),
        ("Three", "a b.md", ("Advanced",)),
        ("Appendix", "appendix.md", ()),
    ]


def test_summarys_own_title_is_no_part():
    """Whatever it is called; parts come after it."""
    summary = "# Table of contents\n\n- [One](one.md)\n\n## Basics\n\n- [Two](two.md)\n"

    assert [chapter.parts for chapter in parse_summary(summary)] == [(), ("Basics",)]


def test_backslashes_before_signs_are_no_part_of_a_link():
    """GitBook's editor writes them."""
    (chapter,) = parse_summary(r"* [Summary of changes](help/summary\_of\_changes.md)")

    assert chapter.link == "help/summary_of_changes.md"


def test_links_to_other_sites_are_no_chapters():
    """GitBook's menus have them; they were told as files that are missing."""
    others = ("https://example.org/code/", "mailto:a@example.org", "//x.org/")
    summary = "* [One](one.md)\n" + "".join(f"* [Other]({link})\n" for link in others)

    assert [chapter.link for chapter in parse_summary(summary)] == ["one.md"]


def test_chapters_have_the_addresses_that_mdbook_writes(book):
    """README becomes the folder's index; what the summary does not list is no page."""
    loaded = load_book(book)

    assert loaded.title == "Tiny"
    assert [page.address for page in loaded.pages] == [
        "foreword.html",
        "ch01.html",
        "sub/index.html",
        "ch02.html",
        "a%20b.html",
        "appendix.html",
    ]


def test_missing_chapter_is_skipped_and_named(book):
    """One lost file must not fail the book."""
    (book / "src" / "ch02.md").unlink()

    loaded = load_book(book)

    assert [skipped.path for skipped in loaded.skipped] == ["src/ch02.md"]
    assert len(loaded.pages) == 5


def test_headings_have_mdbook_anchors(book):
    """Attributes name the id; others come from the text."""
    (book / "src" / "ch01.md").write_text("# One\n\n## Über *x*\n\n## Own {#mine .wide}\n\n## Über x\n")

    page = load_book(book).pages[1]

    assert [section.anchor for section in page.sections] == ["", "Über-x", "mine", "Über-x-1"]
    assert page.sections[2].heading_path == ("Basics", "One", "Own")


def test_include_puts_the_file_in_and_source_is_the_text_after_it(book):
    """Quotes are taken from what the reader sees."""
    (book / "src" / "code.rs").write_text("// ANCHOR: a\nlet a = 1;\n// ANCHOR_END: a\nlet b = 2;\n")
    (book / "src" / "ch01.md").write_text(
        "# One\n\n```rust\n{{#include code.rs:a}}\n```\n\n\\{{#include x}}\n"
    )

    assert load_book(book).pages[1].source == "# One\n\n```rust\nlet a = 1;\n```\n\n{{#include x}}\n"


@pytest.mark.parametrize(
    ("selection", "lines"),
    [
        ("", "1\n2\n3\n4"),
        ("2", "2"),
        ("2:3", "2\n3"),
        (":2", "1\n2"),
        ("3:", "3\n4"),
        ("9", ""),
        ("nowhere", ""),
    ],
)
def test_selection_takes_lines_from_one(selection, lines):
    """mdBook counts lines from one and includes the last."""
    assert select_lines("1\n2\n3\n4\n", selection) == lines


@pytest.mark.parametrize("target", ["../../secret.txt", "/etc/passwd", "nowhere.md", "link.txt"])
def test_include_from_outside_stays_as_it_is_written(book, target):
    """A book must not carry the server's files into answers."""
    (book.parent / "secret.txt").write_text("secret")
    (book / "src" / "link.txt").symlink_to(book.parent / "secret.txt")
    includes = IncludeExpander(BookFolder(book))

    text = includes.expand("src/ch01.md", f"a {{{{#include {target}}}}} b")

    assert text == f"a {{{{#include {target}}}}} b"
    assert len(includes.notices) == 1


@pytest.fixture
def repository(book):
    """The book in a folder of a Git repository, with a program, a secret and a hidden folder beside it."""
    guide = book / "repository" / "guide"
    (guide / "src").mkdir(parents=True)
    (guide / "book.toml").write_text("")
    (guide / "src" / "SUMMARY.md").write_text("[One](one.md)\n")
    (guide / "src" / "one.md").write_text(
        "".join(f"{{{{#include {name}}}}}\n" for name in ("../../lamp.rs", "../../.env", "../../../far.rs"))
    )
    for name in ("repository/lamp.rs", "repository/.env", "far.rs"):
        (book / name).write_text(f"the text of {name}\n")
    (book / "repository" / ".git").mkdir()
    return book / "repository"


@pytest.mark.parametrize("given", ["", "guide"])
def test_file_of_the_books_repository_is_included(repository, given):
    """A guide shows the programs that lie beside it; what is hidden or lies farther out is not told."""
    found = load_book(repository / given, options=ReadOptions(reads_repository=True))

    assert "the text of repository/lamp.rs" in found.pages[0].source
    assert "repository/.env" not in found.pages[0].source
    assert "far.rs\n" not in found.pages[0].source.replace("../../../far.rs", "")


def test_uploaded_book_includes_nothing_from_around_its_folder(repository):
    """Who uploads a book must not read the repository that the server runs in."""
    found = load_book(repository / "guide")

    assert "the text of" not in found.pages[0].source
    assert "lies outside of the book" in found.skipped[0].reason


def test_include_loop_ends(book):
    """A file that includes itself twice would grow without end."""
    (book / "src" / "ch01.md").write_text("x {{#include ch01.md}} {{#include ch01.md}}\n")

    page = load_book(book).pages[1]

    assert len(page.source) < 100_000


def test_hidden_lines_are_not_in_the_text():
    """What the site hides is not quoted; `##` writes a hash."""
    source = "```rust\n# use a;\nlet x = 1;\n#\n#[derive(A)]\n## not hidden\n    # fn y() {}\n```\n"

    assert remove_hidden_lines(source, {}) == "```rust\nlet x = 1;\n#[derive(A)]\n# not hidden\n```\n"


def test_hidden_lines_of_other_languages_need_their_prefix():
    """A Python comment stays unless the book says otherwise."""
    assert remove_hidden_lines("```python\n# a\nb\n```\n", {}) == "```python\n# a\nb\n```\n"
    assert remove_hidden_lines("```python\n~a\nb\n```\n", {"python": "~"}) == "```python\nb\n```\n"
    assert remove_hidden_lines("```py,hidelines=!!\n!!a\nb\n```\n", {}) == "```py,hidelines=!!\nb\n```\n"


@pytest.mark.parametrize(
    ("opening", "title"),
    [
        ("```admonish", "**Note**"),
        ("```admonish warning", "**Warning**"),
        ('```admonish tip "Keep it dry"', "**Keep it dry**"),
        ("```admonish title='Keep it dry', collapsible=true", "**Keep it dry**"),
        ('```admonish danger title="Keep it dry" id="dry"', "**Keep it dry**"),
        ("~~~admonish info", "**Info**"),
    ],
)
def test_admonition_in_a_fence_is_prose_under_its_title(book, opening, title):
    """mdbook-admonish shows it as a box; a reader would see the fence of a listing."""
    marks = opening[:3]
    (book / "src" / "ch01.md").write_text(
        f"# One\n\nBefore.\n\n{opening}\nMoss *grows*.\n{marks}\n\nAfter.\n"
    )

    text = next(page.source for page in load_book(book).pages if page.path == "src/ch01.md")
    assert text == f"# One\n\nBefore.\n\n{title}\n\nMoss *grows*.\n\n\nAfter.\n"


def test_lines_for_a_preprocessor_are_no_text(book):
    """The site shows what it makes of them; without one, mdBook shows them as they are written."""
    text = "# One\n\n{{%session outline}}\n\nRow {{it}}.\n\n```\n{{%kept}}\n```\n\n  {{#cmdrun ls}}\n"
    (book / "src" / "ch01.md").write_text(text)

    plain = load_book(book).pages[1].source
    (book / "book.toml").write_text("[preprocessor.course]\n")
    made = load_book(book).pages[1].source

    assert "{{%session outline}}" in plain
    assert made.split() == ["#", "One", "Row", "{{it}}.", "```", "{{%kept}}", "```"]


def test_admonition_without_a_title_and_with_a_listing_keeps_both(book):
    """An empty title shows none; a longer fence may hold a listing."""
    source = '````admonish ""\nRun it:\n\n```sh\nmoss\n```\n````\n\n```sh\necho admonish\n```\n'
    (book / "src" / "ch01.md").write_text(source)

    text = next(page.source for page in load_book(book).pages if page.path == "src/ch01.md")
    assert text == "Run it:\n\n```sh\nmoss\n```\n\n\n```sh\necho admonish\n```\n"


def test_book_without_a_summary_says_what_to_do(tmp_path):
    """The operator learns the file that is missing."""
    (tmp_path / "book.toml").write_text("[book]\n")

    with pytest.raises(BookError, match=r"SUMMARY\.md"):
        load_book(tmp_path)


def test_title_of_the_configuration_is_text_that_every_database_takes(book):
    """TOML can name NUL."""
    (book / "book.toml").write_text('[book]\ntitle = "Ti\\u0000ny"\n')

    assert load_book(book).title == "Tiny"


def test_configuration_with_thousands_of_redirects_is_read(book):
    """Old books have moved many pages."""
    redirects = "".join(f'"/old/{n}.html" = "https://doc.example.org/a/{n}.html"\n' for n in range(2_000))
    (book / "book.toml").write_text(f'[book]\ntitle = "Tiny"\n[output.html.redirect]\n{redirects}')

    assert load_book(book).title == "Tiny"


@pytest.mark.parametrize("folder", ["javascript:alert(1)", "https:/evil.example"])
def test_address_of_a_chapter_is_never_that_of_another_site(tmp_path, folder):
    """The author of a book chooses its file names."""
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "a.md").write_text("# A\n\ntext\n")
    (tmp_path / "SUMMARY.md").write_text(f"- [A](<{folder}/a.md>)\n")

    assert ":" not in load_book(tmp_path).pages[0].address


@pytest.mark.parametrize(
    ("config", "title"), [('{"title": "Boats"}', "Boats"), ("{", ""), ('{"title": 3}', "")]
)
def test_title_of_a_honkit_book_is_that_of_its_configuration(tmp_path, config, title):
    """Without it the book has the name of its first page."""
    (tmp_path / "book.json").write_text(config)
    (tmp_path / "README.md").write_text("# Welcome\n\ntext\n")
    (tmp_path / "SUMMARY.md").write_text("- [Welcome](README.md)\n")

    assert load_book(tmp_path).title == title
