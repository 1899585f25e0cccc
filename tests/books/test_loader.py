"""Test which formats are recognised, which files are skipped and which books are refused."""

import zipfile
from dataclasses import replace

import pytest

from ragbot.books.loader import PAGE_READERS, load_book
from ragbot.core.errors import BookError

LINES = (
    "---\ntitle: A\n---\n\nimport B, {\n  C,\n} from './x';\n\n# A\n\nTerm\n: Definition.\n\n<Tabs>\n"
    '<TabItem value="a" label="Oars">\n\nRow.\n\n</TabItem>\n</Tabs>\n\n:::tip[Dry]\nDry it.\n:::\n\n'
    "```sh\nrow\n```\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n"
)


def test_plain_folder_is_read_in_natural_order_with_its_index_first(tmp_path):
    """Ten comes after nine, and a folder's README opens it."""
    for path in ("10-z.md", "9-y.md", "sub/b.md", "sub/README.md", "README.md"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(f"# {path}\n\ntext\n")

    book = load_book(tmp_path)

    assert [page.path for page in book.pages] == [
        "README.md",
        "9-y.md",
        "10-z.md",
        "sub/README.md",
        "sub/b.md",
    ]
    assert book.pages[3].address == "sub/README.md"


def test_page_that_no_database_takes_is_skipped_with_a_reason(tmp_path, monkeypatch):
    """It would end the ingestion without a word of the page, if a reader ever left such characters."""
    (tmp_path / "a.md").write_text("# Hi\n\nthere\n")
    read = PAGE_READERS[".md"]
    monkeypatch.setitem(
        PAGE_READERS, ".md", lambda path, source: replace(read(path, source), source=f"{source}\0")
    )

    with pytest.raises(BookError, match="NUL"):
        load_book(tmp_path / "a.md")


@pytest.mark.parametrize("name", ["a.md", "a.mdx", "a.html"])
def test_single_file_is_a_book(tmp_path, name):
    """The smallest book is a page."""
    (tmp_path / name).write_text("# Hi\n\nthere\n" if name != "a.html" else "<h1>Hi</h1>there")

    book = load_book(tmp_path / name)

    assert [(page.path, page.title) for page in book.pages] == [(name, "Hi")]


def test_bad_files_are_skipped_with_a_reason_and_the_rest_is_read(tmp_path):
    """One bad file never fails the book."""
    (tmp_path / "good.md").write_text("# Good\n\ntext\n")
    (tmp_path / "nul.md").write_bytes(b"a\x00b")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    (tmp_path / "wide.md").write_text("x", encoding="utf-16")
    (tmp_path / "png.md").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "big.md").write_text("x" * 2_000)
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    with zipfile.ZipFile(tmp_path / "zip.md", "w") as archive:
        archive.writestr("a", "b")

    book = load_book(tmp_path, max_file_bytes=1_000)

    reasons = {skipped.path: skipped.reason for skipped in book.skipped}
    assert [page.path for page in book.pages] == ["good.md"]
    assert set(reasons) == {f"{n}.md" for n in ("nul", "latin", "wide", "png", "big", "gone", "loop", "zip")}
    assert "UTF-16" in reasons["wide.md"]
    assert "ZIP" in reasons["zip.md"]
    assert "2,000 bytes" in reasons["big.md"]
    assert all(reason.endswith(".") for reason in reasons.values())


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    """A book must not carry the server's files into answers."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("# Secret")
    root = tmp_path / "book"
    root.mkdir()
    (root / "good.md").write_text("# Good\n\ntext")
    (root / "file.md").symlink_to(outside / "secret.md")
    (root / "folder").symlink_to(outside)
    (root / "ring").symlink_to(root)

    book = load_book(root)

    assert [page.title for page in book.pages] == ["Good"]
    assert {skipped.path for skipped in book.skipped} == {"file.md", "folder", "ring"}


def test_hidden_folders_and_packages_are_passed_over_silently(tmp_path):
    """A report about node_modules helps no author."""
    for path in (".git/a.md", "node_modules/b.md", "c.md"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("# T\n\ntext")

    book = load_book(tmp_path)

    assert ([page.path for page in book.pages], book.skipped) == (["c.md"], ())


def test_byte_order_mark_is_not_in_the_source(tmp_path):
    """Offsets count from the first character that is seen."""
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbf# Hi\r\n\r\ntext\r\n")

    page = load_book(tmp_path).pages[0]

    assert (page.title, page.source) == ("Hi", "# Hi\n\ntext\n")


@pytest.mark.parametrize(
    "files",
    [
        {"docusaurus.config.js": "", "docs/a.md": LINES},
        {"book.toml": "", "src/SUMMARY.md": "[A](a.md)\n", "src/a.md": LINES},
        {"SUMMARY.md": "* [A](a.md)\n", "a.md": LINES},
        {".vitepress/config.js": "", "a.md": LINES},
        {"astro.config.mjs": "starlight({})", "src/content/docs/a.mdx": LINES},
        {"hugo.toml": "", "content/a.md": LINES},
        {"mkdocs.yml": "site_name: B\n", "docs/a.md": LINES},
        {"a.mdx": LINES},
        {"a.md": LINES},
    ],
    ids=["docusaurus", "mdbook", "honkit", "vitepress", "starlight", "hugo", "mkdocs", "mdx", "plain"],
)
def test_book_of_windows_is_read_like_any_other(tmp_path, files):
    """Labels of tabs were lost, imports were sections, and each line of code ended in a sign."""
    for name, text in files.items():
        for system, ends in (("unix", "\n"), ("windows", "\r\n")):
            path = tmp_path / system / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.replace("\n", ends).encode())

    assert load_book(tmp_path / "windows").pages == load_book(tmp_path / "unix").pages


@pytest.mark.parametrize("name", ["missing", "empty", "images", "notes.docx"])
def test_nothing_readable_is_refused_with_what_was_expected(tmp_path, name):
    """The operator learns what was found, what was expected and what to do."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"x")
    (tmp_path / "notes.docx").write_bytes(b"x")

    with pytest.raises(BookError, match="Expected"):
        load_book(tmp_path / name)


def test_folder_of_bad_files_alone_is_refused_with_the_first_reason(tmp_path):
    """A book without pages is no book."""
    (tmp_path / "a.md").write_bytes(b"\x00")

    with pytest.raises(BookError, match="NUL"):
        load_book(tmp_path)


def test_progress_is_called_with_each_file(tmp_path):
    """The command line shows that something happens."""
    (tmp_path / "a.md").write_text("# A\n\ntext")
    paths = []

    load_book(tmp_path, progress=paths.append)

    assert paths == ["a.md"]


def test_broken_front_matter_does_not_lose_the_page(tmp_path):
    """Authors write colons without quotes."""
    (tmp_path / "a.md").write_text("---\ntitle: One: two\ntags: [a\n---\n\ntext\n")

    assert load_book(tmp_path).pages[0].title == "One: two"
