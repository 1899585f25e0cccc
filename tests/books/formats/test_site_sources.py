"""Read the sources of VitePress, Starlight and Hugo: addresses, anchors, order and blocks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ragbot.books.files import BookFolder
from ragbot.books.formats.source_includes import expand_includes
from ragbot.books.formats.vitepress import vue_slug
from ragbot.books.loader import load_book
from ragbot.books.markup.component_words import unwrap_components
from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.books.markup.mdx_markdown import as_markdown, without_modules
from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.rewriting import (
    rewrite_lines,
    shown_source,
    unwrap_containers,
    unwrap_indented,
    without_attributes,
    without_scripts,
)
from ragbot.core.domain import Book, LeftOut

KEY = "# A\n\nPressing <Key k='z' /> will undo.\n"
INDENTED = (
    "import A, {\n  B,\n} from 'a';\n\n# A\n\nexport const C = () => {\n\n  return 1;\n};\n\n"
    "<Tabs>\n  <TabItem label='Oars'>\n\n    Oil them.\n\n  </TabItem>\n</Tabs>\n"
)


def laid(root: Path, files: dict[str, str]) -> Book:
    """Write a project and read it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load_book(root)


def outline(book: Book) -> list[tuple[str, str, tuple[str, ...]]]:
    """The address, title and parts of each page."""
    return [(page.address, page.title, page.parts) for page in book.pages]


# --- VitePress ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("clean", "suffix"), [("", ".html"), ("cleanUrls: true,", "")])
def test_vitepress_has_the_addresses_and_order_of_its_configuration(
    tmp_path: Path, clean: str, suffix: str
) -> None:
    """The alphabet is no order, and a file's path is no address."""
    config = (
        f"export default {{ title: 'Boats', {clean} srcDir: './src', themeConfig: {{ "
        "nav: [{text: 'Alpha', link: '/alpha'}], // sidebar comes below\n"
        "sidebar: [{text: 'Guide', base: '/guide/', items: ["
        "{text: 'Oars first', link: 'oars'}, {text: 'Sails', link: '/guide/sails.md'}]}]}}}"
    )
    page = "# {}\n\nx\n\n## Größe 1\n\nx\n\n## Größe 1\n\nx\n\n## Own {{#mine}}\n\nx\n"
    book = laid(
        tmp_path,
        {
            ".vitepress/config.ts": config,
            "src/alpha.md": page.format("Alpha"),
            "src/index.md": "# Home\n\nx\n",
            "src/guide/sails.md": page.format("Sailing"),
            "src/guide/oars.md": page.format("Oars"),
            "README.md": "# Repository\n",
        },
    )

    assert book.title == "Boats"
    assert outline(book) == [
        ("", "Home", ()),
        (f"guide/oars{suffix}", "Oars first", ()),
        (f"guide/sails{suffix}", "Sails", ()),
        (f"alpha{suffix}", "Alpha", ()),
    ]
    anchors = [section.anchor for section in book.pages[1].sections]
    assert [anchor for anchor in anchors if anchor] == ["große-1", "große-1-1", "mine"]


def test_slugs_are_those_of_vitepress() -> None:
    """Each generator has rules of its own."""
    assert vue_slug("2. C++ & `friends` — \u201cthe rest\u201d?") == "_2-c-friends-—-the-rest"
    assert vue_slug("Élan vital") == "elan-vital"


def test_imported_code_and_included_pages_are_put_in(tmp_path: Path) -> None:
    """The line itself was told to readers."""
    book = laid(
        tmp_path,
        {
            ".vitepress/config.js": "",
            "a.md": "# A\n\n<<< @/code/a.js{1 js:line-numbers}\n\n<!--@include: ./part.inc-->\n",
            "code/a.js": "let a = 1\n",
            "part.inc": "A part.\n",
        },
    )

    assert book.pages[0].source == "# A\n\n```js\nlet a = 1\n```\n\nA part.\n"


# --- Starlight ---------------------------------------------------------------------------------


def test_starlight_reads_one_language_in_the_order_of_the_sidebar(tmp_path: Path) -> None:
    """The page for lost readers was a chapter, and each chapter came once a language."""
    config = (
        "export default defineConfig({ site: 'x', integrations: [starlight({ title: 'Boats', "
        "defaultLocale: 'root', locales: { root: {label: 'English', lang: 'en'}, de: {label: 'Deutsch'} }, "
        "sidebar: ['zeta', {label: 'Parts', items: [{label: 'Alpha', slug: 'alpha'}]}, "
        "{label: 'Reference', autogenerate: {directory: 'ref'}}] })]})"
    )
    content = "src/content/docs"
    book = laid(
        tmp_path,
        {
            "astro.config.mjs": config,
            f"{content}/index.mdx": "---\ntitle: Home\n---\nimport {Card} from 'x';\n\n"
            '<Card title="Oars" icon="x">\n\nPush the **water**.\n\n</Card>\n',
            f"{content}/404.md": "---\ntitle: Lost\n---\nx\n",
            f"{content}/zeta.md": "---\ntitle: Zeta\n---\nx\n\n## Grip\n\nx\n",
            f"{content}/alpha.md": "---\ntitle: Alpha\n---\n:::tip[Dry]\nKeep it dry.\n:::\n",
            f"{content}/ref/a-b.md": "---\ntitle: AB\nslug: other/place\n---\nx\n",
            f"{content}/draft.md": "---\ntitle: D\ndraft: true\n---\nx\n",
            f"{content}/de/zeta.md": "---\ntitle: Zett\n---\nx\n",
        },
    )

    assert book.title == "Boats"
    assert outline(book) == [
        ("", "Home", ()),
        ("zeta/", "Zeta", ()),
        ("alpha/", "Alpha", ()),
        ("other/place/", "AB", ()),
    ]
    assert [section.anchor for section in book.pages[1].sections] == ["", "grip"]
    assert book.pages[0].source.split() == ["**Oars**", "Push", "the", "**water**."]
    assert book.pages[2].source.split("\n\n")[0] == "**Dry**"


@pytest.mark.parametrize(
    ("include", "shown"),
    [
        ("<<< @/code/a.js#dry{1 js:line-numbers} [a.js]", "```js\ndry();\n\nkeep();\n```"),
        ("<<< @/code/a.js#wet", "```js\nwet();\n```"),
        ("<<< @/code/a.js#deep", "```js\nkeep();\n```"),
        ("<<< @/code/b.js#none{2}", "```js\none();\ntwo();\n```"),
        ("<!--@include: ./part.inc{2,3}-->", "two\nthree"),
        ("<!--@include: ./part.inc{7,}-->", "five"),
        ("<!-- @include: ./part.inc{,1} -->", "one"),
        ("<!--@include: ./part.inc{,1}-->", "one"),
        ("<!--@include: ./part.inc#four-->", "four"),
        ("<!--@include: ./part.inc#four{1,1}-->", "four"),
    ],
)
def test_included_text_is_what_the_page_selects(tmp_path: Path, include: str, shown: str) -> None:
    """The whole file was told, with its marks."""
    code = (
        "start();\n  // #region dry\n  dry();\n\n  /* #region deep */\n  keep();\n  /* #endregion deep */\n"
        "  // #endregion dry\n// #region wet\nwet();\n// #endregion\nend();\n"
    )
    files = {
        ".vitepress/config.js": "",
        "code/a.js": code,
        "code/b.js": "one();\ntwo();\n",
        "part.inc": "one\ntwo\nthree\n<!-- #region four -->\nfour\n<!-- #endregion four -->\nfive",
        "a.md": f"# A\n\n{include}\n",
    }

    (page,) = laid(tmp_path, files).pages

    assert page.source.removeprefix("# A\n").strip() == shown


@pytest.mark.parametrize("base", ["", "docs/"])
def test_vitepress_rewrites_addresses_and_excludes_drafts(tmp_path: Path, base: str) -> None:
    """Many translated sites keep the original in a folder, and show it at their root."""
    config = (
        "export default { cleanUrls: true, srcExclude: ['**/drafts/**', 'TODO.md'], rewrites: {\n"
        "'packages/:pkg/src/:slug.md': ':pkg/:slug.md', 'packages/:pkg/README.md': ':pkg/index.md',\n"
        "'en/:rest*': ':rest*' }, themeConfig: { sidebar: ["
        "{text: 'Sails', link: '/sails'}, {text: 'First', link: '/guide/oars'}, "
        "{text: 'Keel', link: '/keel/'}]}}"
    )
    names = ("en/index", "en/guide/oars", "en/sails", "packages/keel/README", "packages/keel/src/deep")
    names += ("en/drafts/new", "TODO", "zh/index", "zh/sails", "zh/guide/oars")
    book = laid(
        tmp_path,
        {f"{base}.vitepress/config.ts": config, **{f"{base}{name}.md": "# T\n\nx\n" for name in names}},
    )

    assert [(page.address, page.title) for page in book.pages] == [
        *(("", "T"), ("sails", "Sails"), ("guide/oars", "First"), ("keel/", "Keel"), ("keel/deep", "T")),
    ]
    assert {left.reason: left.files for left in book.left_out} == {
        "It is a draft, or the site does not build it.": 2,
        "It is in another language than the book.": 3,
    }
    assert book.notes == ()


@pytest.mark.parametrize(
    "rewrites", ["rewrites: make()", "rewrites(id) { return id }", "rewrites: { 'a/:b(\\\\d+)': ':b' }"]
)
def test_rewrites_that_only_the_site_can_make_are_told(tmp_path: Path, rewrites: str) -> None:
    """Links would be dead, and the operator would not know."""
    book = laid(tmp_path, {".vitepress/config.ts": f"export default {{ {rewrites} }}", "a.md": "# A\n\nx\n"})

    assert [note.startswith("Some addresses are made by `rewrites`") for note in book.notes] == [True]


# --- Hugo --------------------------------------------------------------------------------------


def test_hugo_orders_by_weight_and_names_sections(tmp_path: Path) -> None:
    """Drafts were chapters, and front matter in TOML was text."""
    book = laid(
        tmp_path,
        {
            "hugo.toml": 'title = "Boats"\nbaseURL = "https://x.test/"\n[languages.en]\n[languages.de]\n',
            "content/_index.md": "+++\ntitle = 'Home'\n+++\nWelcome.\n",
            "content/boats/_index.md": "---\ntitle: All boats\nweight: 2\n---\nx\n",
            "content/boats/Rowing Boat.md": "+++\ntitle = 'Rowing'\nweight = 2\n+++\n"
            '{{% hint info %}}\nKeep *dry*.\n{{% /hint %}}\n\n{{< figure src="a.png" title="An oar" >}}\n',
            "content/boats/sails.md": "---\ntitle: Sails\nweight: 1\nslug: sail\n---\nx\n",
            "content/boats/sails.de.md": "---\ntitle: Segel\n---\nx\n",
            "content/first/index.md": "---\ntitle: First\nweight: 1\n---\nx\n",
            "content/draft.md": "+++\ntitle = 'D'\ndraft = true\n+++\nx\n",
        },
    )

    assert book.title == "Boats"
    assert outline(book) == [
        ("", "Home", ()),
        ("first/", "First", ()),
        ("boats/", "All boats", ()),
        ("boats/sail/", "Sails", ("All boats",)),
        ("boats/rowing-boat/", "Rowing", ("All boats",)),
    ]
    assert book.pages[-1].source.split() == ["Keep", "*dry*.", "**An", "oar**"]


@pytest.mark.parametrize(
    ("shortcode", "shown"),
    [
        ('{{< details summary="Technical information" class="aside" >}}', "**Technical information**"),
        ('{{< details "Technical information" >}}', "**Technical information**"),
        ('{{< details class="aside" >}}', ""),
    ],
)
def test_hugo_shows_the_summary_of_what_unfolds_and_no_other_argument(
    tmp_path: Path, shortcode: str, shown: str
) -> None:
    """Its arguments stood in passages."""
    page = f"---\ntitle: A\n---\n{shortcode}\nOars.\n{{{{< /details >}}}}\n"
    book = laid(tmp_path, {"hugo.toml": 'baseURL = "https://x.test/"\n', "content/a.md": page})

    assert book.pages[0].source.strip() == f"{shown}\n\nOars.".strip()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('If a {{< tip text="node" term_id="nodes" >}} fails', "If a node fails"),
        ('If the {{< tip term_id="kubelet" >}} fails', "If the kubelet fails"),
        ('Press {{< kbd "Ctrl" >}} and {{< kbd "A" >}}.', "Press Ctrl and A."),
        ('- {{< badge text="beta" >}} Oars', "- beta Oars"),
        ('| {{< badge content="beta" >}} | Oars |', "| beta | Oars |"),
        ('A {{< icon "star" >}} and a {{< img "a.png" >}} and a {{< x "a.png" >}}.', "A  and a  and a ."),
        ('The {{< tip "A spar." >}}boom{{< /tip >}} swings.', "The boom swings."),
        ('[Oars]({{< relref "oars.md" >}}) and {{< ref "oars.md" >}}.', "[Oars]() and ."),
        ('## Oars {{< badge text="beta" >}}', "## Oars"),
    ],
)
def test_hugo_shows_words_that_a_sentence_is_given(tmp_path: Path, line: str, shown: str) -> None:
    """Sentences lacked their subjects."""
    book = laid(tmp_path, {"hugo.toml": "", "content/a.md": f"# A\n\n{line}\n"})

    assert book.pages[0].source.removeprefix("# A\n\n").rstrip() == shown


def test_hugo_sets_titles_of_blocks_apart(tmp_path: Path) -> None:
    """A title and a sentence were one sentence, which no page has; two tabs were one text."""
    page = (
        '# A\n\n{{% alert title="Warning" %}}\nDry it.\n{{% /alert %}}\n\n{{< tabpane text=true >}}\n'
        '{{% tab header="macOS" %}}\nBrew.\n{{% /tab %}}\n{{% tab header="Linux" %}}\nApt.\n{{% /tab %}}\n'
        '{{< /tabpane >}}\n\n1. Step\n\n   {{< alert title="Note" >}}\n   Row.\n   {{< /alert >}}\n'
    )
    book = laid(tmp_path, {"hugo.toml": "", "content/a.md": page})

    blocks = [block for block in book.pages[0].source.split("\n\n") if block.strip()]
    assert [block.strip() for block in blocks] == [
        *("# A", "**Warning**", "Dry it.", "**macOS**", "Brew.", "**Linux**", "Apt."),
        *("1. Step", "**Note:**\n   Row."),
    ]


def test_hugo_shows_tabs_of_code_as_code(tmp_path: Path) -> None:
    """A comment was a heading with a dead link, and the command was prose."""
    page = (
        '# A\n\n{{< tabpane >}}\n{{< tab header="Bash" lang="bash" >}}\n# Install it\nrow install\n'
        '{{< /tab >}}\n{{< tab header="Plain" >}}\nrow\n{{< /tab >}}\n{{< /tabpane >}}\n\n'
        '{{< tab "Words" >}}\nRow.\n{{< /tab >}}\n'
    )
    book = laid(tmp_path, {"hugo.toml": "", "content/a.md": page})

    assert [section.heading_path[-1] for section in book.pages[0].sections] == ["A"]
    blocks = [block.strip() for block in book.pages[0].source.split("\n\n") if block.strip()]
    assert blocks[1:] == [
        *("**Bash**", "```bash\n# Install it\nrow install\n```"),
        *("**Plain**", "```\nrow\n```", "**Words**", "Row."),
    ]


def test_hugo_fills_in_parameters_of_the_page_its_sections_and_the_site(tmp_path: Path) -> None:
    """A command without its version number is not the one that the site shows."""
    page = (
        '---\ntitle: A\noar: long\n---\n`get v{{< param version >}}`, {{% param "oar" %}}, '
        "{{< param Lake.depth >}}, {{< param none >}}.\n"
    )
    files = {
        "config/_default/hugo.toml": 'title = "Boats"\n',
        "config/_default/params.toml": 'version = "1"\n[lake]\ndepth = 7\n',
        "content/boats/_index.md": "---\ntitle: Boats\ncascade:\n  version: 2.0.1\n---\nx\n",
        "content/boats/a.md": page,
    }

    book = laid(tmp_path, files)

    assert book.pages[-1].source == "`get v2.0.1`, long, 7, .\n"


def test_hugo_includes_files_without_their_front_matter(tmp_path: Path) -> None:
    """A site that keeps what its pages share in files of their own had lost most of some pages."""
    files = {
        "hugo.toml": 'title = "Boats"\n',
        "content/a.md": '# A\n\n{{% include "_common/dry.md" %}}\n\n'
        '{{< readfile file="row.sh" code="true" lang="sh" >}}\n',
        "content/_common/dry.md": '---\ntitle: x\n---\nKeep dry.\n\n{{% include "/_common/wet.md" %}}\n',
        "content/_common/wet.md": "Not wet.\n",
        "content/row.sh": "# row\nrow --fast\n",
    }

    book = laid(tmp_path, files)

    (page,) = book.pages
    assert page.source.split("\n\n")[1:3] == ["Keep dry.", "Not wet."]
    assert "```sh\n# row\nrow --fast\n```" in page.source
    assert len(page.sections) == 1


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("A -- b", "a--b"),
        ("A---b", "ab"),
        ("`--x` c", "--x-c"),
        ('Don\'t [say](x) "no"', "dont-say-no"),
        ("**Don't** panic", "don-panic"),
        ('*a "b" c* d', "a--d"),
        ("[`c` and d](x)", "c"),
        ("[a *b* c](x)", "a"),
        ("[*a* b](x)", "a"),
        ("**a & b**", "a--b"),
        ("[a\\_b c](x)", "a_b-c"),
        ("[Don't][x] go", "don-go"),
    ],
)
def test_hugo_makes_anchors_of_the_first_piece_of_what_is_marked(
    tmp_path: Path, heading: str, anchor: str
) -> None:
    """Seen in what Hugo 0.168 builds; each other anchor is a dead link."""
    page = f"---\ntitle: A\n---\n## {heading}\n\nx\n\n[x]: y\n"

    book = laid(tmp_path, {"hugo.toml": 'title = "B"\n', "content/a.md": page})

    assert book.pages[0].sections[0].anchor == anchor


def test_hugo_makes_anchors_by_the_sites_typographer(tmp_path: Path) -> None:
    """It may be off, or write dashes another way."""
    for settings, anchor in (("disable = true", "dont--go"), ('endash = "-"', "don-go")):
        config = f"[markup.goldmark.extensions.typographer]\n{settings}\n"
        page = "---\ntitle: A\n---\n## *Don't*--go\n\nx\n"

        book = laid(tmp_path, {"hugo.toml": config, "content/a.md": page})

        assert book.pages[0].sections[0].anchor == anchor


def test_pages_that_hugo_does_not_write_are_no_chapters(tmp_path: Path) -> None:
    """Their links are dead: those for lists alone, those whose time is over or to come."""
    words = "---\ntitle: Words\ncascade:\n  build:\n    render: never\nbuild:\n  render: always\n---\nx\n"
    files = {
        "content/words/_index.md": words,
        "content/words/oar.md": "---\ntitle: Oar\n---\nx\n",
        "content/old.md": "---\ntitle: Old\nexpiryDate: 2020-01-01\n---\nx\n",
        "content/new.md": "---\ntitle: New\npublishDate: 2999-01-01T00:00:00Z\n---\nx\n",
        "content/now.md": "---\n# kept\n---\nx\n",
    }

    book = laid(tmp_path / "a", {"hugo.toml": 'title = "B"\n', **files})
    all_times = laid(tmp_path / "b", {"hugo.toml": "buildFuture = true\nbuildExpired = true\n", **files})

    assert {page.address for page in book.pages} == {"words/", "now/"}
    assert book.left_out == (LeftOut("It is a draft, or the site does not build it.", ".md", 3),)
    assert {page.address for page in all_times.pages} == {"words/", "now/", "old/", "new/"}
    assert next(page.source for page in book.pages if page.address == "now/") == "x\n"


def test_files_that_include_themselves_end(tmp_path: Path) -> None:
    """A few hundred such lines would be followed for ever."""
    for settings, page, line in (
        ("hugo.toml", "content/a.md", '{{% include "a.md" %}}'),
        ("mkdocs.yml", "docs/a.md", '--8<-- "docs/a.md"'),
    ):
        files = {settings: "title: B\n" if settings.endswith("yml") else 'title = "B"\n'}

        book = laid(
            tmp_path / settings, {**files, page: "# A\n" + f"{line}\n" * 3000, f"{page[:-4]}b.md": "# B\n"}
        )

        assert [skipped.reason for skipped in book.skipped] == [
            "Its includes hold more than 1,000,000 characters."
        ]


def test_hugo_shows_what_it_highlights_as_code(tmp_path: Path) -> None:
    """Its comments were headings with dead links."""
    page = (
        "# A\n\n{{< highlight toml >}}\n# no heading\na = 1\n{{< /highlight >}}\n\n"
        "{{< code-toggle file=hugo >}}\n# none\nb = 2\n{{< /code-toggle >}}\n\n{{</* highlight go */>}}\n"
    )
    book = laid(tmp_path, {"hugo.toml": 'title = "Boats"\n', "content/a.md": page})

    assert [section.heading_path[-1] for section in book.pages[0].sections] == ["A"]
    assert "```toml\n# no heading\na = 1\n```" in book.pages[0].source
    assert "```\n# none\nb = 2\n```" in book.pages[0].source
    assert book.pages[0].source.endswith("{{< highlight go >}}\n")


@pytest.mark.parametrize(
    ("config", "setting", "page", "anchor", "words"),
    [
        (".vitepress/config.js", "", "a.md", "fast-oars", "Row."),
        ("docusaurus.config.js", "module.exports = {}", "docs/a.md", "rocket-fast-oars", "Row."),
        ("hugo.toml", "enableEmoji = true", "content/a.md", "rocket-fast-oars", "Row."),
        ("hugo.toml", "title = 'B'", "content/a.md", "rocket-fast-oars", ":bulb: Row."),
        (
            "config.toml",
            "base_url = 'https://b.test'\n[markdown]\nrender_emoji = true",
            "content/a.md",
            "rocket-fast-oars",
            "Row.",
        ),
        ("config.toml", "base_url = 'https://b.test'", "content/a.md", "rocket-fast-oars", ":bulb: Row."),
        ("book.toml", "[book]", "src/a.md", "rocket-fast-oars", ":bulb: Row."),
    ],
)
def test_names_of_pictures_are_left_out_where_the_site_draws_them(
    tmp_path: Path, config: str, setting: str, page: str, anchor: str, words: str
) -> None:
    """They are words where it does not; anchors are made of the name or not, as the site does."""
    files = {config: setting, page: "# Boats\n\n## :rocket: Fast oars\n\n:bulb: Row.\n"}
    if config == "book.toml":
        files["src/SUMMARY.md"] = "- [A](a.md)\n"

    (read,) = laid(tmp_path, files).pages

    assert read.sections[-1].anchor == anchor
    assert read.source.rstrip().endswith(f"\n\n{words}")


# --- blocks ------------------------------------------------------------------------------------


def test_vitepress_heading_keeps_its_id_behind_a_badge(tmp_path: Path) -> None:
    """The id was told to readers, and the link was dead; what a component encloses is in the anchor."""
    page = (
        '# Oars\n\n## grip <Version type="new">4.1</Version> <Badge text="x" /> {#my-grip}\n\nHold.\n\n'
        '## blade <Version>3.2.0</Version>\n\nx\n\n::: tip Wet {#wet}\nRow <Oar label="it" /> on.\n:::\n'
    )
    book = laid(tmp_path, {".vitepress/config.js": "", "oars.md": page})

    (read,) = book.pages
    assert [section.anchor for section in read.sections] == ["", "my-grip", "blade-3-2-0"]
    assert "**Wet**" in read.source
    assert "**it**" in read.source


@pytest.mark.parametrize(
    "files",
    [
        {".vitepress/config.js": "", "a.md": KEY},
        {"astro.config.mjs": "starlight({})", "src/content/docs/a.mdx": KEY},
        {"a.mdx": KEY},
    ],
    ids=["vitepress", "starlight", "plain"],
)
def test_components_whose_words_are_attributes_are_told(tmp_path: Path, files: dict[str, str]) -> None:
    """Their sentences lack a word, and nothing showed it."""
    book = laid(tmp_path, files)

    assert len(book.notes) == 1
    assert "(<Key> 1)" in book.notes[0]


@pytest.mark.parametrize(
    "files",
    [
        {"docusaurus.config.js": "", "docs/a.mdx": INDENTED},
        {"astro.config.mjs": "starlight({})", "src/content/docs/a.mdx": INDENTED},
        {"a.mdx": INDENTED},
    ],
    ids=["docusaurus", "starlight", "plain"],
)
def test_words_of_an_indented_component_are_a_paragraph(tmp_path: Path, files: dict[str, str]) -> None:
    """They were told as code, and what the page exports was told as words."""
    (page,) = laid(tmp_path, files).pages

    assert not any(word in page.source for word in ("export", "import"))
    kinds = {page.source[block.start :][:5]: block.kind for block in prose_blocks(page.source)}
    assert kinds["Oil t"] == "paragraph"


def test_types_within_code_are_no_components() -> None:
    """Interfaces are full of them; the code was torn in two, without its type."""
    text = '- Type: `<T>(oar: T) => void`\n- <Badge text="`<U>` now" /> and `a\n\n<Oar />`b\n'

    assert unwrap_components(text).split() == [
        *("-", "Type:", "`<T>(oar:", "T)", "=>", "void`", "-", "**`<U>`", "now**", "and", "`a", "`b")
    ]


def test_colours_of_a_terminal_are_not_told() -> None:
    """Listings of what programs print hold them as control sequences."""
    assert shown_source("```ansi\n\x1b[36mok\x1b[39m 1\x1b[1;2m\n```\n") == "```ansi\nok 1\n```\n"


def test_front_matter_may_name_a_value_and_use_it_again() -> None:
    """The page was called `*name`; names of lists could make a short text very large."""
    found = parse_front_matter("---\ntitle: Oars\ncascade:\n  version: &name v2\nlinkTitle: *name\n---\n")
    large = parse_front_matter("---\ntitle: Oars\na: &a [x, x]\nb: [*a, *a]\n---\n")

    assert (found.text("linkTitle"), found.values["cascade"]) == ("v2", {"version": "v2"})
    assert (large.text("title"), large.values["b"]) == ("Oars", "[*a, *a]")


def test_front_matter_in_toml_is_read() -> None:
    """Hugo's and Zola's authors write it."""
    found = parse_front_matter("+++\ntitle = 'A'\nweight = 3\n+++\ntext")

    assert (found.text("title"), found.number("weight"), found.end) == ("A", 3, 31)
    assert parse_front_matter("+++\nno toml\n+++\ntext").values == {}
    assert parse_front_matter("+++ text").end == 0


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("::: tip Dry\nKeep it dry.\n:::", "**Dry**\n\nKeep it dry.\n"),
        (":::caution\nKeep it dry.\n:::", "**Caution**\n\nKeep it dry.\n"),
        ("::: details Dry oars {open}\nRow.\n:::", "**Dry oars**\n\nRow.\n"),
        ("::::{note} Dry\nKeep it dry.\n::::", "**Dry**\n\nKeep it dry.\n"),
        ("::: tip **Dry** oars and *sails*\nRow.\n:::", "**Dry oars and sails**\n\nRow.\n"),
        ("- Row.\n\n  :::tip[Dry]\n  Push.\n  :::", "- Row.\n\n  **Dry:**\n  Push.\n"),
        ("::: code-group\n```js [a.js] {1}\na\n```\n:::", "\n```js\na\n```\n"),
        ("```\n::: tip\n```", "```\n::: tip\n```"),
        (
            "/// details | Dry\n    type: warning\n    attrs:\n        id: a\n\nKeep it dry.\n///",
            "**Dry**\n\n\n\nKeep it dry.",
        ),
        ("/// note | Dry\n    Keep it dry.\n///", "**Dry**\n\n    Keep it dry."),
        ("/// html | div.my-div\nKeep it.\n///", "Keep it."),
        ("/// caption | <\nAn oar.\n///", "An oar."),
    ],
)
def test_containers_become_paragraphs(block: str, words: str) -> None:
    """Marks stood in quotes."""
    assert unwrap_containers(block).strip("\n") == words.strip("\n")


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("!!! note\n\tKeep it.\n\n\tAlways.\n", "**Note**\n\nKeep it.\n\nAlways."),
        ('=== "Ash"\n\t```\n\ta\n\t```\nRow.', "**Ash**\n\n```\na\n```\n\nRow."),
        ("* Row.\n\n\t!!! note\n\t    Keep it.\n", "* Row.\n\n\t**Note:**\n\tKeep it."),
        ('!!! note\n\t!!! tip "Dry"\n\t\tKeep it.', "**Note**\n\n**Dry**\n\nKeep it."),
        ("!!! note\n    Keep it.\n\tAlways.", "**Note**\n\nKeep it.\nAlways."),
    ],
)
def test_a_tab_indents_as_four_blanks_do(block: str, words: str) -> None:
    """The text of such a note was told as code."""
    assert unwrap_indented(block).strip().replace("\n\n\n", "\n\n") == words


def test_components_keep_the_words_in_their_attributes() -> None:
    """Most words of two real pages were lost."""
    text = (
        '<Card title="Oars" description=\'Push the water.\' href="x"/>\n\n`<Card title="kept">` a < b > c\n'
    )

    assert "**Oars**\n\nPush the water." in unwrap_components(text)
    assert "a < b > c" in unwrap_components(text)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("a <!-- TODO(editor): wrong --> b", "a  b"),
        ("a {/* TODO */} b", "a  b"),
        ("[//]: # (a note)\nb", "\nb"),
        ("## A <!-- #own -->\n## B {/* #own */}", "## A <!-- #own -->\n## B {/* #own */}"),
        ("`<!-- shown -->` <!-- not -->", "`<!-- shown -->` "),
        ('```html title="a"\n<!-- shown -->\n```\n<!-- not -->', "```html\n<!-- shown -->\n```\n"),
        ("<!-- a\n```\nb\n```\n-->c", "c"),
        ("a <!-- not closed\n```\nb", "a "),
        ("```rust,editable,ignore\nlet a;\n```", "```rust\nlet a;\n```"),
        ("```{code-cell} ipython3\n1\n```", "```ipython3\n1\n```"),
        ("{/* not closed", "{/* not closed"),
    ],
)
def test_what_no_site_shows_is_no_text(source: str, shown: str) -> None:
    """Notes of the authors were quoted to readers and sent to the model."""
    assert shown_source(source) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("{/* " * 20_000, "<!--" * 20_000, "`" * 20_001, "```\n~~~\n" * 20_000, "` `` " * 20_000),
        *(
            "<script " * 20_000,
            '<A x="' * 20_000,
            "<A " * 20_000,
            "!!! " + " " * 100_000 + '"x',
            "!!! a" * 20_000,
        ),
        *(
            " " * 100_000 + "{",
            "{ .a " * 20_000,
            "::: " + "a" * 100_000,
            "import {\n" * 20_000,
            "{! " * 30_000,
        ),
        *("{*a" * 30_000, "<!--@include: a" * 10_000, '--8<-- "a"\n' * 5_000, "# [a][b]\n" * 5_000),
    ],
)
def test_text_that_is_made_to_take_long_takes_seconds_at_most(tmp_path: Path, text: str) -> None:
    """Whoever uploads a book chooses its text."""
    started = time.process_time()
    shown_source(text)
    rewritten = unwrap_components(as_markdown(without_scripts(unwrap_containers(unwrap_indented(text)))))
    rewrite_lines(rewritten, without_attributes)
    expand_includes(BookFolder(tmp_path), text, ("",))

    assert time.process_time() - started < 20


def test_scripts_and_imports_are_no_text() -> None:
    """They are for the browser."""
    text = (
        "<script setup>\nlet a\n</script>\n\nimport A from 'a';\n\nWords.\n\n```js\nimport B from 'b'\n```\n"
    )

    assert without_modules("import the data first.") == "import the data first."
    assert without_modules(without_scripts(text)).split() == [
        "Words.",
        "```js",
        "import",
        "B",
        "from",
        "'b'",
        "```",
    ]
