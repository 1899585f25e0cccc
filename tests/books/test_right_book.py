"""Refuse folders that are not the book, and say what to give instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.files import Choice
from ragbot.books.loader import load_book
from ragbot.books.not_pages import FRAME
from ragbot.books.read_options import ReadOptions
from ragbot.core.domain import LeftOut
from ragbot.core.errors import BookError

LONG = "The keel is laid first, and the ribs are bent after it has dried for a winter. " * 5
PAGE = "<!doctype html><html><head><title>Oars</title></head><body><main><h1>Oars</h1><p>Push.</p></main>"
FORCE = ReadOptions(force=True)


def laid(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def paths(root: Path, options: ReadOptions | None = None) -> list[str]:
    """List the paths of the pages that are read."""
    return [page.path for page in load_book(root, options=options).pages]


@pytest.mark.parametrize(
    "name",
    [
        "oars.rst",
        "oars.adoc",
        "oars.asc",
        "oars.Rmd",
        "oars.qmd",
        "oars.ptx",
        "oars.tex",
        "ch/1.txt",
        "a.org",
    ],
)
def test_a_readme_does_not_stand_for_chapters_that_are_not_read(tmp_path: Path, name: str) -> None:
    """Otherwise the README is published as the book, and the report says that all is well."""
    laid(tmp_path, {"README.md": "# Boats\n\nA book.\n", name: LONG})

    with pytest.raises(BookError, match=rf"1 \{Path(name).suffix.lower()} with "):
        load_book(tmp_path)

    assert paths(tmp_path, FORCE) == ["README.md"]


def test_notebooks_count_by_their_cells_alone(tmp_path: Path) -> None:
    """Their outputs are pictures and tables of numbers."""
    cell = '{"cells": [{"source": ["%s"], "outputs": [{"text": "%s"}]}]}'
    laid(tmp_path, {"README.md": "# Boats\n\nA book.\n", "oars.ipynb": cell % (LONG, "9" * 9_000)})

    with pytest.raises(BookError, match=f"1 .ipynb with {len(LONG.replace(' ', ''))} characters"):
        load_book(tmp_path)

    laid(tmp_path, {"oars.ipynb": cell % ("x", "9" * 9_000)})
    assert paths(tmp_path) == ["README.md"]


def test_a_readme_does_not_stand_for_a_page_of_html(tmp_path: Path) -> None:
    """One page of HTML is a book, too."""
    laid(tmp_path, {"README.md": "# Boats\n", "book.html": PAGE.replace("Push.", LONG)})

    with pytest.raises(BookError, match=r"1 \.html with"):
        load_book(tmp_path)


def test_little_prose_in_other_formats_is_counted_and_named(tmp_path: Path) -> None:
    """A book may have a file of notes, and the report says that it is not read."""
    book = load_book(
        laid(tmp_path, {"oars.md": f"# Oars\n\n{LONG}", "notes.rst": "Notes", "robots.txt": "-"})
    )

    assert [page.path for page in book.pages] == ["oars.md"]
    assert book.left_out == (LeftOut("Its format is not read.", ".rst", 1),)


@pytest.mark.parametrize(
    ("files", "named", "way"),
    [
        ({"conf.py": "html_theme = 'furo'", "index.rst": LONG}, "Sphinx", "_build/html"),
        ({"docs/conf.py": "extensions = []", "README.md": "# B"}, "Sphinx", "docs/_build/html"),
        ({"docs/source/conf.py": "extensions = []", "README.md": "# B"}, "Sphinx", "docs/build/html"),
        ({"docs/antora.yml": "name: b", "docs/modules/ROOT/pages/a.adoc": LONG}, "Antora", "docs/build/site"),
        ({"project.ptx": "<project/>", "source/main.ptx": LONG}, "PreTeXt", "output/web"),
        ({"_config.yml": "theme: just-the-docs", "index.md": "# A", "oars.md": "# O"}, "Jekyll", "_site"),
        ({"publican.cfg": "xml_lang: en-US", "en-US/Book.xml": LONG}, "Publican", "tmp/en-US/html"),
        ({"next.config.mjs": "import nextra from 'nextra'", "content/a.mdx": "# A"}, "Nextra", "out"),
        ({"astro.config.mjs": "export default {}", "src/content/a.md": "# A"}, "Astro", "dist"),
        (
            {"source.config.ts": "import {x} from 'fumadocs-mdx/config'", "content/docs/a.mdx": "# A"},
            "Fumadocs",
            "out",
        ),
        ({"gatsby-config.js": "module.exports = {}", "content/a.md": "# A"}, "Gatsby", "public"),
        ({"rspress.config.ts": "export default {}", "docs/a.md": "# A"}, "Rspress", "doc_build"),
        ({".eleventy.js": "module.exports = {}", "content/a.md": "# A"}, "Eleventy", "_site"),
        ({"eleventy.config.mjs": "export default {}", "a.md": "# A"}, "Eleventy", "_site"),
        ({"config.yaml": "carpentry: 'lab'\n", "episodes/a.Rmd": LONG}, "Carpentries Workbench", "site/docs"),
        ({"pelicanconf.py": "SITENAME = 'B'", "content/a.md": "# A"}, "Pelican", "output"),
        ({"conf.py": "BLOG_TITLE = 'B'", "pages/a.md": "# A"}, "Nikola", "output"),
        (
            {"_config.yml": "title: B", "package.json": '{"a": {"hexo": "7"}}', "source/a.md": "# A"},
            "Hexo",
            "public",
        ),
        ({"META-INF/container.xml": "<container/>", "text/1.xhtml": PAGE}, "unpacked EPUB", "book.epub"),
        ({"src/META-INF/container.xml": "<c/>", "src/t/1.xhtml": PAGE}, "unpacked EPUB", "book.epub"),
    ],
)
def test_sources_of_a_generator_are_refused_with_the_way(
    tmp_path: Path, files: dict[str, str], named: str, way: str
) -> None:
    """Their links would all be dead, and most of their words would be missing."""
    laid(tmp_path, files)

    with pytest.raises(BookError, match=f"This is an? {named} project .*Build it .*{tmp_path}/{way}"):
        load_book(tmp_path)


@pytest.mark.parametrize(
    ("config", "text", "title"),
    [
        ("_config.yml", "title: The Boat Wiki\n", "The Boat Wiki"),
        ("conf.py", "import sphinx\nproject = 'The Boat Wiki'\n", "The Boat Wiki"),
        ("_config.yml", "theme: minima\n", ""),
        ("_config.yml", "title: [\n", ""),
    ],
)
def test_title_of_forced_sources_is_that_of_their_site(
    tmp_path: Path, config: str, text: str, title: str
) -> None:
    """Readers know the book by it; "index" is no title."""
    laid(tmp_path, {config: text, "index.md": "Welcome.\n", "oar_blades.md": "Words.\n"})

    book = load_book(tmp_path, options=FORCE)

    assert book.title == title
    assert [page.title for page in book.pages] == [title or "Introduction", "Oar blades"]


def test_names_of_files_become_titles(tmp_path: Path) -> None:
    """A page without a heading has a name for readers, too."""
    laid(
        tmp_path, dict.fromkeys(("README.md", "hull-repair/index.md", "hull-repair/NMEA_2000.md"), "Words.\n")
    )

    titles = [page.title for page in load_book(tmp_path).pages]

    assert titles == ["Introduction", "Hull repair", "NMEA 2000"]


def test_files_that_jekyll_does_not_publish_are_left_out(tmp_path: Path) -> None:
    """Templates and drafts are no pages, posts and collections are."""
    config = (
        "title: B\ncollections: {chapters: {output: true}}\nexclude: [old, 'notes*']\ninclude: [_kept.md]\n"
    )
    shown = ("a.md", "_kept.md", "_chapters/1.md", "_posts/2026-01-01-news.md")
    hidden = ("_template.md", "_drafts/b.md", "old/c.md", "notes-1.md", "~d.md")
    laid(tmp_path, {"_config.yml": config, **dict.fromkeys((*shown, *hidden), "# T\n\nWords.\n")})
    laid(tmp_path, {"e.md": "---\npublished: false\n---\n# T\n\nWords.\n"})

    book = load_book(tmp_path, options=FORCE)

    assert {page.path for page in book.pages} == set(shown)
    assert book.left_out == (LeftOut("Jekyll does not publish it.", ".md", 6),)


def test_output_that_lies_there_is_named_and_taken_if_asked_for(tmp_path: Path) -> None:
    """The operator has built the book already, and gave the wrong folder."""
    laid(
        tmp_path,
        {"docs/conf.py": "project = 'b'", "docs/index.rst": LONG, "docs/_build/html/oars.html": PAGE},
    )

    with pytest.raises(BookError, match=r"output is there: give .*/docs/_build/html, or add --built"):
        load_book(tmp_path)

    book = load_book(tmp_path, options=ReadOptions(built=True))
    assert [(page.path, page.address) for page in book.pages] == [("oars.html", "oars.html")]
    assert book.layout.name == "the output of Sphinx"


def test_built_option_needs_a_generator_and_its_output(tmp_path: Path) -> None:
    """An option that does nothing would hide that the sources were read."""
    with pytest.raises(BookError, match="No site generator is recognised"):
        load_book(laid(tmp_path / "plain", {"a.md": "# A"}), options=ReadOptions(built=True))
    with pytest.raises(BookError, match="Build it first: `mdbook build`"):
        load_book(
            laid(tmp_path / "md", {"book.toml": "", "src/SUMMARY.md": ""}), options=ReadOptions(built=True)
        )


def test_sources_given_by_their_own_folder_are_recognised(tmp_path: Path) -> None:
    """Operators give the folder with the pages."""
    laid(
        tmp_path,
        {"mdbook/book.toml": "", "mdbook/src/SUMMARY.md": "- [A](a.md)", "mdbook/src/a.md": "# A\n\nx"},
    )
    laid(tmp_path / "star", {"astro.config.ts": "", "src/content/docs/a.md": "# A"})

    assert load_book(tmp_path / "mdbook" / "src").pages[0].address == "a.html"
    assert load_book(tmp_path / "star" / "src" / "content" / "docs").pages[0].address == "a/"


def test_built_site_is_no_source_of_the_project_above_it(tmp_path: Path) -> None:
    """The output of a generator lies beside its sources, and keeps some of its files."""
    laid(tmp_path, {"_quarto.yml": "", "docs/index.html": PAGE, "docs/_config.yml": "", "docs/b.html": PAGE})

    assert paths(tmp_path / "docs") == ["index.html", "b.html"]


def test_templates_are_no_pages(tmp_path: Path) -> None:
    """Today's book would be titled "page" and hold a template's tags."""
    laid(
        tmp_path,
        {
            "_templates/page.html": '{% extends "!page.html" %}',
            "layout.html": '<html>\n{{ define "main" }}<p>words</p>',
            "jinja.html": f"{PAGE}<pre>\n{{% extends 'a' %}}\n</pre>",
        },
    )

    book = load_book(tmp_path)

    assert [page.path for page in book.pages] == ["jinja.html"]
    assert [(left.suffix, left.files) for left in book.left_out] == [(".html", 2)]


@pytest.mark.parametrize("inside", ["content", "docs", "src"])
def test_files_about_the_repository_are_no_chapters(tmp_path: Path, inside: str) -> None:
    """They would be the first chapters, and README would name the book."""
    about = ("README", "CONTRIBUTING", "CODE_OF_CONDUCT", "LICENSE", "SECURITY", "CHANGELOG")
    laid(tmp_path, {f"{name}.md": f"# {name}\n\nwords\n" for name in about})
    laid(tmp_path, {f"{inside}/oars.md": "# Oars\n\nPush.\n", "appendix.md": "# Appendix\n\nRules.\n"})

    book = load_book(tmp_path)

    assert [page.path for page in book.pages] == ["appendix.md", f"{inside}/oars.md"]
    assert [(left.suffix, left.files) for left in book.left_out] == [(".md", 6)]


def test_readme_opens_a_flat_folder_of_chapters(tmp_path: Path) -> None:
    """On GitHub it is the page that readers see first; a chapter on history is one."""
    laid(tmp_path, {f"{name}.md": f"# {name}\n\nx\n" for name in ("README", "CONTRIBUTING", "history")})

    assert paths(tmp_path) == ["README.md", "history.md"]


def test_globs_choose_files(tmp_path: Path) -> None:
    """A site has pages that are no part of the book."""
    laid(tmp_path, {f"{name}.md": f"# {name}\n\nx\n" for name in ("a", "guide/b", "guide/old/c", "news/d")})

    def chosen(include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
        return paths(tmp_path, ReadOptions(choice=Choice(include, exclude)))

    assert chosen(include=("guide/**",)) == ["guide/b.md", "guide/old/c.md"]
    assert chosen(exclude=("news/", "**/old/*")) == ["a.md", "guide/b.md"]
    assert chosen(include=("*.md",)) == ["a.md"]
    assert load_book(tmp_path, options=ReadOptions(choice=Choice(("a.md",)))).left_out[0].files == 3


@pytest.mark.parametrize(
    ("files", "read_as", "address"),
    [
        ({"docs/.vitepress/config.mts": "", "docs/oars.md": "# A"}, "VitePress", "oars.html"),
        ({".vuepress/config.js": "", "oars.md": "# A"}, "VuePress", "oars.html"),
        ({"hugo.yaml": "title: T", "content/oars.md": "# A"}, "Hugo", "oars/"),
        ({"config.toml": 'baseURL = "x"', "content/oars.md": "# A"}, "Hugo", "oars/"),
        ({"_bookdown.yml": "", "index.Rmd": "# A", "oars.Rmd": "# Oars"}, "bookdown", "oars.html"),
        (
            {"index.Rmd": "---\nsite: bookdown::bookdown_site\n---\n# A", "o.Rmd": "# Oars"},
            "bookdown",
            "oars.html",
        ),
        ({"_quarto.yml": "project:", "index.qmd": "# A", "oars.qmd": "# Oars"}, "Quarto", "oars.html"),
        (
            {"_toc.yml": "root: a\nchapters: [{file: oars}]", "conf.py": "project = 'x'", "oars.md": "# A"},
            *("Jupyter Book", "oars.html"),
        ),
        ({"config.toml": 'base_url = "x"', "content/oars.md": "# A"}, "Zola", "oars/"),
        # A key of its front matter that Docusaurus has, too, makes no Docusaurus of it.
        ({"mkdocs.yml": "site_name: B", "docs/oars.md": "---\ntitle: A\n---\nx"}, "MkDocs", "oars/"),
    ],
)
def test_sources_of_a_generator_are_read_with_its_addresses(
    tmp_path: Path, files: dict[str, str], read_as: str, address: str
) -> None:
    """Their pages were read as plain files, and all links were dead."""
    book = load_book(laid(tmp_path, {**files, "README.md": "# Repository\n"}))

    assert book.layout.name.startswith(f"a project of {read_as} ")
    assert address in [page.address for page in book.pages]


def test_project_in_a_folder_of_any_name_is_found_if_the_prose_is_there(tmp_path: Path) -> None:
    """Its chapters were read as plain files; examples beside a book are not the book."""
    files = {"lectures/_toc.yml": "root: oars", "lectures/oars.md": f"# Oars\n\n{LONG}", "README.md": "# R\n"}
    laid(tmp_path, {**files, "examples/mkdocs.yml": "site_name: E", "examples/docs/a.md": "# A\n"})

    assert [page.address for page in load_book(tmp_path).pages] == ["oars.html"]

    laid(tmp_path, {"one.md": LONG * 2})
    assert "one.md" in paths(tmp_path)


@pytest.mark.parametrize("given", ["", "website"])
def test_docusaurus_in_a_folder_of_its_own_is_read(tmp_path: Path, given: str) -> None:
    """The layout of many projects: the pages lie beside the site."""
    laid(
        tmp_path,
        {
            "website/docusaurus.config.js": "module.exports = {title: 'Boats', presets: [['classic', "
            "{docs: {path: '../docs', routeBasePath: '/'}}]]}",
            "docs/a.md": "# A\n\nText.\n",
            "README.md": "# Repository\n",
        },
    )

    book = load_book(tmp_path / given)

    assert (book.title, [(page.path, page.address) for page in book.pages]) == ("Boats", [("docs/a.md", "a")])


def test_docusaurus_without_its_docs_names_the_setting(tmp_path: Path) -> None:
    """An uploaded `website` alone cannot hold what lies beside it."""
    laid(tmp_path, {"docusaurus.config.js": "docs: {path: '../pages', routeBasePath: '/'}"})

    with pytest.raises(BookError, match=r"docusaurus.config.js has its pages at `path: '../pages'`"):
        load_book(tmp_path)


def test_site_of_myst_is_read_without_the_copies_of_its_sources(tmp_path: Path) -> None:
    """Jupyter Book 2 leaves each notebook and what its code printed beside the pages, several times over."""
    notebook = f'{{"cells": [{{"cell_type": "markdown", "source": "{LONG * 20}"}}]}}'
    files = {"index.html": PAGE, "keel/index.html": PAGE.replace("Oars", "Keel"), "myst.xref.json": "{}"}
    for digit in "012345":
        files[f"build/oars-{digit * 32}.md"] = f"# Oars\n\n{LONG}"
        files[f"oars-{digit * 32}.ipynb"] = notebook
        files[f"build/oars-{digit * 32}.pdf"] = "%PDF-1.7"
        files[f"build/{digit * 32}.html"] = f"<div>{LONG}</div>"

    book = load_book(laid(tmp_path, files))

    assert [page.address for page in book.pages] == ["", "keel/"]
    assert book.layout is not None
    assert book.layout.name == "built HTML"
    assert book.left_out == ()


def test_sidebar_and_cover_of_docsify_are_no_chapters(tmp_path: Path) -> None:
    """A list of links would be quoted, and stand among the chapters."""
    frames = dict.fromkeys(
        ("docs/_sidebar.md", "docs/_coverpage.md", "docs/de/_navbar.md", "_Footer.md"), LONG
    )
    book = load_book(
        laid(tmp_path, {"docs/README.md": f"# Boats\n\n{LONG}\n", "docs/oars.md": LONG, **frames})
    )
    assert [page.path for page in book.pages] == ["docs/README.md", "docs/oars.md"]
    assert LeftOut(FRAME, ".md", 4) in book.left_out
