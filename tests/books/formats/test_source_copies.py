"""Read one language and one version of sources that hold several."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.formats.html_selection import LIST, OTHER_LANGUAGE
from ragbot.books.formats.html_versions import OLD
from ragbot.books.formats.source_copies import PlacedSource, find_copies
from ragbot.books.loader import load_book

NAMES = ("oars", "sails", "masts", "knots", "hulls", "locks")


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("settings", "chosen"), [("", "v1.10"), ("params: {latest_stable_version: v1.9}\n", "v1.9")]
)
def test_released_version_of_a_hugo_project_is_the_book(tmp_path: Path, settings: str, chosen: str) -> None:
    """Each question was answered out of nine versions."""
    versions = ("v1.2", "v1.9", "v1.10")
    pages = {f"content/docs/{version}/{name}.md": f"# {name}\n" for version in versions for name in NAMES}
    old = {f"content/docs/v0.1/old-{name}.md": f"# Old {name}\n" for name in NAMES}
    about = {"hugo.yaml": f"title: Boats\n{settings}", "content/about.md": "# About\n"}
    written(tmp_path, {**pages, **old, **about})

    book = load_book(tmp_path)

    assert f"docs/{chosen}/oars/" in [page.address for page in book.pages]
    assert len(book.pages) == len(NAMES) + 1
    assert [(out.reason, out.files) for out in book.left_out] == [(OLD, 3 * len(NAMES))]


def test_translation_in_a_folder_of_vitepress_is_left_out(tmp_path: Path) -> None:
    """Its pages stand beside the originals, and its configuration in a folder."""
    pages = {f"{folder}{name}.md": f"# {name}\n" for folder in ("", "zh/") for name in NAMES}
    more = {"zh/old.md": "# Old\n", "go/oars.md": "# In Go\n"}
    config = {
        ".vitepress/config/index.ts": "title: 'Boats'",
        ".vitepress/config/en.ts": "sidebar: ['/sails']",
    }
    written(tmp_path, {**config, **pages, **more})

    book = load_book(tmp_path)

    assert (book.title, book.pages[0].path) == ("Boats", "sails.md")
    assert {page.path for page in book.pages} == {*(f"{name}.md" for name in NAMES), "go/oars.md"}
    assert [(out.reason, out.files) for out in book.left_out] == [(OTHER_LANGUAGE, len(NAMES) + 1)]


def test_blog_of_a_project_is_no_part_of_its_book(tmp_path: Path) -> None:
    """Its oldest post was the first chapter; a blog alone is what there is to read."""
    posts = {"content/blog/_index.md": "# News\n", "content/en/blog/2021/a.md": "# We sail\n"}
    written(tmp_path / "a", {"hugo.toml": "title = 'B'\n", **posts, "content/oars.md": "# Oars\n"})
    written(tmp_path / "b", {"hugo.toml": "title = 'B'\n", **posts})

    book, blog = load_book(tmp_path / "a"), load_book(tmp_path / "b")

    assert [page.path for page in book.pages] == ["content/oars.md"]
    assert [(out.reason, out.files) for out in book.left_out] == [(LIST, 2)]
    assert len(blog.pages) == 2


def test_locales_of_starlight_are_left_out_as_other_languages(tmp_path: Path) -> None:
    """The report called them drafts."""
    config = "starlight({title: 'B', locales: {root: {label: 'E', lang: 'en'}, fr: {label: 'F'}}})"
    pages = {f"src/content/docs/{name}.md": "# Oars\n" for name in ("oars", "fr/oars", "fr/rames")}
    written(tmp_path, {"astro.config.mjs": config, **pages})

    book = load_book(tmp_path)

    assert len(book.pages) == 1
    assert [(out.reason, out.files) for out in book.left_out] == [(OTHER_LANGUAGE, 2)]


def test_of_languages_that_each_have_a_folder_one_is_the_book() -> None:
    """Nothing stands beside the folders, and eight languages were one English book."""
    pages = {
        f"{folder}/{name}": f"{folder}/{'' if name == 'index' else f'{name}.html'}"
        for folder, names in {"en": NAMES, "fr": NAMES[:4], "ja": ("boats",)}.items()
        for name in ("index", *names)
    } | {"index": ""}

    assert find_copies({path: PlacedSource(address, "") for path, address in pages.items()}) == {
        path: OTHER_LANGUAGE for path in pages if path.startswith(("fr", "ja"))
    }


def test_folders_that_repeat_nothing_are_kept() -> None:
    """A chapter may be called as a language is, or as a version."""
    pages = {path: PlacedSource(path, "") for path in ("it/a", "it/b", "c", "v1/d", "v2/e", "v2/")}

    assert find_copies(pages) == {}


def test_content_that_hugo_mounts_has_the_addresses_of_its_root(tmp_path: Path) -> None:
    """All links went to `/en/oars/`."""
    mounts = '[[module.mounts]]\nsource = "content/en"\ntarget = "content"\n'
    written(tmp_path, {"hugo.toml": mounts, "content/en/oars.md": "# Oars\n", "content/LICENSE.md": "# L\n"})

    assert [page.address for page in load_book(tmp_path).pages] == ["oars/"]


def test_docusaurus_project_with_a_relative_path_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages beside the project are looked for from the folder above, which has an absolute path."""
    config = "module.exports = {title: 'B', presets: [['classic', {docs: {path: '../docs'}}]]}"
    written(tmp_path, {"website/docusaurus.config.js": config, "docs/oars.md": "# Oars\n"})
    monkeypatch.chdir(tmp_path)

    assert [page.path for page in load_book(Path("website")).pages] == ["docs/oars.md"]
    assert [page.path for page in load_book(Path()).pages] == ["docs/oars.md"]
