"""Read MkDocs projects: addresses, anchors, navigation, includes and blocks of Material."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragbot.books.formats.html_selection import OTHER_LANGUAGE
from ragbot.books.formats.mkdocs import markdown_slugger
from ragbot.books.loader import load_book
from ragbot.core.domain import Book
from ragbot.core.errors import BookError


def project(root: Path, config: str, **pages: str) -> Book:
    """Write a project and read it; two underscores in a name stand for a folder."""
    (root / "mkdocs.yml").write_text(config)
    for name, text in pages.items():
        path = root / "docs" / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load_book(root)


def text_of(root: Path, text: str, config: str = "site_name: B\n") -> str:
    """Return the text of a project's only page."""
    return project(root, config, a=text).pages[0].source


def test_addresses_anchors_and_order_are_those_of_the_site(tmp_path: Path) -> None:
    """All links of such books were dead."""
    config = """
site_name: Boats
nav:
  - index.md
  - Parts of a boat:
      - Oars and more: parts/oars.md
      - parts/sails.md
      - Elsewhere: https://example.org/
plugins: [search, !ENV [X, y]]
markdown_extensions: {toc: {slugify: !!python/name:x.y }}
copyright: Copyright &copy; us
"""
    book = project(
        tmp_path,
        config,
        zzz="# Last\n\nx\n",
        index="# Home\n\nx\n",
        parts__sails="---\ntitle: Sails\n---\n\nx\n",
        parts__oars="# Oars\n\nx\n\n## Grip\n\nx\n\n## Grip\n\nx\n\n## Größe { #size }\n\nx\n",
    )

    assert book.title == "Boats"
    assert [(page.address, page.title, page.parts) for page in book.pages] == [
        ("", "Home", ()),
        ("parts/oars/", "Oars and more", ("Parts of a boat",)),
        ("parts/sails/", "Sails", ("Parts of a boat",)),
        ("zzz/", "Last", ()),
    ]
    assert [section.anchor for section in book.pages[1].sections] == ["", "grip", "grip_1", "size"]


def test_addresses_without_folders(tmp_path: Path) -> None:
    """Some sites are read from a disk."""
    config = "site_name: B\nuse_directory_urls: false\n"
    book = project(tmp_path, config, a="x\n", index="x\n", sub__README="x\n")

    assert [page.address for page in book.pages] == ["index.html", "a.html", "sub/index.html"]


@pytest.mark.parametrize(
    ("heading", "ascii_slug", "unicode_slug"),
    [
        ("Größe und Gewicht", "groe-und-gewicht", "größe-und-gewicht"),
        ("C++ & friends", "c-friends", "c--friends"),
        ("`__init__` again", "__init__-again", "__init__-again"),
        ("灯台", "_1", "灯台"),
    ],
)
def test_slugs_are_those_of_python_markdown(heading: str, ascii_slug: str, unicode_slug: str) -> None:
    """Anchors were made as GitHub makes them."""
    text = heading.replace("`", "")

    assert markdown_slugger(is_unicode=False)(text) == ascii_slug
    assert markdown_slugger(is_unicode=True)(text) == unicode_slug


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (
            '!!! tip "Dry"\n\n    Push it.\n\n    Twice.\n\nNext.',
            "**Dry**\n\n\nPush it.\n\nTwice.\n\n\nNext.",
        ),
        ("??? note\n    Push it.", "**Note**\n\nPush it.\n"),
        ('!!! note ""\n    Push it.', "Push it.\n"),
        ('!!!tip "Dry"\n    Push it.', "**Dry**\n\nPush it.\n"),
        ("!!!tip\n    Push it.", "**Tip**\n\nPush it.\n"),
        ("???note\n    Push it.", "**Note**\n\nPush it.\n"),
        ('???+note "Dry"\n    Push it.', "**Dry**\n\nPush it.\n"),
        ('=== "Linux"\n\n    ```bash hl_lines="2"\n    a\n    ```', "**Linux**\n\n\n```bash\na\n```\n"),
        ('!!! tip "**Oars** and *sails*"\n    Push.', "**Oars and sails**\n\nPush.\n"),
        ('1. Row.\n\n    !!! tip "Dry *oars*"\n\n        Push.', "1. Row.\n\n    **Dry oars:**\n    Push.\n"),
        ('1. Row.\n\n    !!! tip "Wet?"\n        - Push.', "1. Row.\n\n    **Wet?**\n    - Push.\n"),
        ("!!! a\n    !!! b\n        Deep.", "**A**\n\n**B**\n\nDeep.\n\n"),
        ("/// note | Dry\nPush it.\n///", "**Dry**\n\nPush it.\n"),
        ("::: boats.Oar\n    options:\n      x: 1\n\nNext.", "Next."),
        ("See [`Oar`][boats.Oar]{ .x } :material-boat:.", "See `Oar`."),
        ('See [oars](a.md){ target="_blank" }.', "See [oars](a.md)."),
        ('## Oars {: translate="no" }\n\nx\n{: title="y" }', "## Oars\n\nx\n"),
        (
            "- :material-boat: Row :material-oar:, then\n    :material-sun: rest :octicons-x-16:",
            "- Row, then\n     rest",
        ),
        (
            "`a`{ .x } writes `{: .x }`, `:material-boat:`, `b`{ k='v' }",
            "`a` writes `{: .x }`, `:material-boat:`, `b`",
        ),
        ("a <!-- TODO: wrong --> b", "a  b"),
        ("```\n!!! tip\n    <!-- kept -->\n```", "```\n!!! tip\n    <!-- kept -->\n```"),
    ],
)
def test_blocks_become_the_words_that_readers_see(tmp_path: Path, block: str, words: str) -> None:
    """Marks stood in quotes, and indented prose counted as code."""
    assert text_of(tmp_path, block).strip("\n") == words.strip("\n")


def test_small_pictures_leave_no_names(tmp_path: Path) -> None:
    """The site draws them, and counts none of them in an anchor."""
    text = (
        "# A\n\n## :warning: :material-boat: [Oar](a.md){ .x } grip\n\n:bulb: Push :8080:, a:b:c, `:bulb:`."
    )

    drawn = project(tmp_path, "site_name: B\nmarkdown_extensions: [pymdownx.emoji]\n", a=text).pages[0]
    printed = text_of(tmp_path, text)

    assert drawn.sections[1].heading_path == ("A", "Oar grip")
    assert drawn.sections[1].anchor == "oar-grip"
    assert drawn.source.endswith("\n\nPush :8080:, a:b:c, `:bulb:`.")
    assert printed.endswith("\n\n:bulb: Push :8080:, a:b:c, `:bulb:`.")


def test_letters_set_high_or_low_are_plain_where_the_site_sets_them(tmp_path: Path) -> None:
    """Elsewhere the signs are printed. Two signs are another mark, and code stays."""
    page = "# CO~2~ in air\n\nOn the 2^nd^ day, ~~never~~, ^^always^^ and `a~b~`.\n"
    config = "site_name: B\nmarkdown_extensions: [pymdownx.caret, pymdownx.tilde]\n"

    assert text_of(tmp_path, page) == page
    assert text_of(tmp_path, page, config) == page.replace("CO~2~", "CO2").replace("2^nd^", "2nd")


def test_zensical_is_read_as_mkdocs_is(tmp_path: Path) -> None:
    """It has the same Markdown, with more of it by default; compared with its own build, as addresses are."""
    (tmp_path / "pages" / "sub").mkdir(parents=True)
    (tmp_path / "zensical.toml").write_text(
        '[project]\nsite_name = "Boats"\ndocs_dir = "pages"\n'
        'nav = ["index.md", { Parts = ["oars.md", { "The sail" = "sub/sail.md" }] }]\n'
        "[project.theme]\nfeatures = []\n"
    )
    for name in ("oars", "sub/sail", "alone"):
        (tmp_path / f"pages/{name}.md").write_text("# Of ash\n\nx\n")
    (tmp_path / "pages/index.md").write_text(
        "# Boats\n\n## :warning: Größe\n\n!!! tip\n    :lucide-ship: Row.\n"
    )

    book = load_book(tmp_path)

    assert book.layout.name == "a project of Zensical (zensical.toml)"
    assert book.title == "Boats"
    assert [(page.address, page.title, page.parts) for page in book.pages] == [
        ("", "Boats", ()),
        ("oars/", "Of ash", ("Parts",)),
        ("sub/sail/", "The sail", ("Parts",)),
        ("alone/", "Of ash", ()),
    ]
    assert book.pages[0].sections[1].anchor == "groe"
    assert "**Tip**\n\n Row." in book.pages[0].source


@pytest.mark.parametrize("text", ["[project", "[project]\ndocs_dir = '../..'"])
def test_configuration_of_zensical_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    """The message names the file."""
    (tmp_path / "zensical.toml").write_text(text)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("# A\n\nx\n")

    with pytest.raises(BookError, match=r"zensical\.toml"):
        load_book(tmp_path)


def test_includes_are_the_text_of_their_files(tmp_path: Path) -> None:
    """One well-known book lost a third of its words; a file outside of the book is not told."""
    (tmp_path.parent / "secret.md").write_text("SECRET")
    (tmp_path / "part.md").write_text('Part one.\n\n--8<-- "part.md"\n')
    (tmp_path / "src.py").write_text("# --8<-- [start:b]\na = 1\n# --8<-- [end:b]\nb = 2\n")
    text = (
        '--8<-- "part.md"\n\n{! ../../secret.md !}\n\n{* ../src.py hl[1] *}\n\n'
        '```python\n--8<-- "src.py:b"\n```\n\n--8<-- "src.py:4:4"\n'
    )

    source = text_of(tmp_path, text)

    assert source.count("Part one.") == 5
    assert "SECRET" not in source
    assert "```py\na = 1\nb = 2\n```" in source
    assert "```python\na = 1\n```" in source
    assert "```py\nb = 2\n```" in source


def test_include_in_a_listing_that_shows_a_fence_gets_none_of_its_own(tmp_path: Path) -> None:
    """The inner fence was taken for the end of the listing."""
    (tmp_path / "src.py").write_text("a = 1\n")

    source = text_of(tmp_path, '````md\n```python\n--8<-- "src.py"\n```\n````\n')

    assert "````md\n```python\na = 1\n```\n````" in source


def test_configuration_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Wrong addresses are worse than none."""
    for config, reason in (
        ("nav: [", "not valid"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("docs_dir: ../x", "outside"),
    ):
        with pytest.raises(BookError, match=reason):
            project(tmp_path, config, a="x")


def test_text_that_comes_from_code_is_told_to_the_operator(tmp_path: Path) -> None:
    """mkdocstrings writes it when the site is built."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text("site_name: Boats\n")
    (tmp_path / "docs" / "index.md").write_text(
        "# Boats\n\n::: boats.Oar\n    options:\n        x: 1\n\n::: boats.Sail\n"
    )

    assert load_book(tmp_path).notes == (
        "2 places whose text the site takes from code, only the built book has: "
        "give the built HTML where you can.",
    )


def test_pages_that_the_configuration_excludes_are_no_part_of_the_book(tmp_path: Path) -> None:
    """Their links are dead: MkDocs does not build them."""
    config = """
site_name: B
exclude_docs: |
  # Notes of ours
  /drafts/
  !drafts/kept.md
  *.internal.md
  !
draft_docs: later.md
plugins:
  search: {lang: en}
  exclude: {glob: ["old/*", "README.md"]}
"""
    book = project(
        tmp_path,
        config,
        a="x\n",
        drafts__gone="x\n",
        drafts__kept="x\n",
        **{"b.internal": "x\n"},
        later="x\n",
        old__c="x\n",
        README="x\n",
    )

    assert [page.address for page in book.pages] == ["a/", "drafts/kept/"]
    assert sum(left.files for left in book.left_out) == 5


def test_pages_without_navigation_are_in_the_order_of_their_letters(tmp_path: Path) -> None:
    """MkDocs counts no numbers in names, and has a folder's pages before its folders."""
    book = project(tmp_path, "site_name: B\n", **{"2-b": "x\n", "10-a": "x\n", "a__z": "x\n", "index": "x\n"})

    assert [page.address for page in book.pages] == ["", "10-a/", "2-b/", "a/z/"]


@pytest.mark.parametrize("given", [".", "docs"])
@pytest.mark.parametrize("config", ["docs/_site/mkdocs.yml", "docs/setup/mkdocs.yaml"])
def test_configuration_that_lies_among_its_pages_is_found(tmp_path: Path, given: str, config: str) -> None:
    """Such a book was read as a plain folder: its links led to GitHub, and its pages went by name."""
    (tmp_path / config).parent.mkdir(parents=True)
    (tmp_path / config).write_text(
        "site_name: B\ndocs_dir: '../'\nuse_directory_urls: false\nnav: [Last.md, First.md]\n"
    )
    for name in ("First", "Last"):
        (tmp_path / "docs" / f"{name}.md").write_text(f"# {name}\n\nWords.\n")
    (tmp_path / "README.md").write_text("# A program\n")

    book = load_book(tmp_path / given)

    assert [page.address for page in book.pages] == ["Last.html", "First.html"]
    assert book.layout is not None
    assert "MkDocs" in book.layout.name


@pytest.mark.parametrize("config", [".github/mkdocs.yml", "config/en/mkdocs.yml", "web/mkdocs.yml"])
def test_configuration_that_lies_beside_its_pages_is_found(tmp_path: Path, config: str) -> None:
    """Its pages are named from there, and its settings may be another file's."""
    up = "../" * config.count("/")
    (tmp_path / config).parent.mkdir(parents=True)
    (tmp_path / config).write_text(f"INHERIT: {up}base.yml\ndocs_dir: {up}text\n")
    (tmp_path / "base.yml").write_text("site_name: Of the base\nnav: [b.md, a.md]\n")
    (tmp_path / "text").mkdir()
    for name in ("a", "b"):
        (tmp_path / "text" / f"{name}.md").write_text(f"# {name}\n\nWords.\n")

    book = load_book(tmp_path)

    assert book.title == "Of the base"
    assert [page.address for page in book.pages] == ["b/", "a/"]


def test_several_configurations_of_different_pages_are_none(tmp_path: Path) -> None:
    """Nobody can tell which of the languages is asked for."""
    for language in ("en", "fr"):
        (tmp_path / "config" / language).mkdir(parents=True)
        (tmp_path / "config" / language / "mkdocs.yml").write_text(f"docs_dir: ../../text/{language}\n")
        (tmp_path / "text" / language).mkdir(parents=True)
        (tmp_path / "text" / language / "a.md").write_text("# A\n\nWords.\n")

    book = load_book(tmp_path)

    assert book.layout is not None
    assert book.layout.name == "a folder of Markdown"


LANGUAGES = """
site_name: B
nav:
  - Home: index.md
  - Oars and more: oars.md
plugins:
  - i18n:
      docs_structure: STRUCTURE
      languages:
        - {locale: en, name: English, default: true}
        - {locale: pt-BR, name: Português}
"""


@pytest.mark.parametrize(
    ("structure", "pages"),
    [
        ("folder", {"en__index": "Hi", "en__oars": "O", "en__up__sea": "S", "pt-BR__oars": "R", "all": "A"}),
        ("suffix", {"index": "Hi", "oars.en": "O", "up__sea": "S", "oars.pt-BR": "R", "all": "A"}),
    ],
)
def test_book_is_the_language_at_the_sites_root(
    tmp_path: Path, structure: str, pages: dict[str, str]
) -> None:
    """All languages were told as one book, at addresses that the site has not, in no order."""
    book = project(tmp_path, LANGUAGES.replace("STRUCTURE", structure), **pages)

    assert [(page.address, page.title) for page in book.pages[:2]] == [
        ("", "Home"),
        ("oars/", "Oars and more"),
    ]
    assert {page.address for page in book.pages[2:]} == {"all/", "up/sea/"}
    assert [(left.reason, left.files) for left in book.left_out] == [(OTHER_LANGUAGE, 1)]


def test_languages_may_be_named_as_older_versions_of_the_plug_in_want_it(tmp_path: Path) -> None:
    """The default language may also list its pages itself."""
    older = "site_name: B\nplugins:\n- i18n: {default_language: en, languages: {en: English, fr: Français}}\n"
    newer = LANGUAGES.replace("default: true", "default: true, nav: [oars.md]").replace("STRUCTURE", "suffix")
    pages = {"index": "Hi", "oars": "O", "oars.fr": "R"}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert [page.address for page in project(tmp_path / "a", older, **pages).pages] == ["", "oars/"]
    assert [page.address for page in project(tmp_path / "b", newer, **pages).pages][:2] == ["oars/", ""]
