"""Test Docusaurus addresses, order and parts against real builds of Docusaurus 3.10."""

from pathlib import Path

import pytest

from ragbot.books.formats.docusaurus import strip_number_prefix
from ragbot.books.formats.docusaurus_config import parse_site_config
from ragbot.books.loader import load_book
from ragbot.books.markup.blocks import parse_page
from ragbot.books.read_options import ReadOptions
from ragbot.core.errors import BookError

SHIPPED = Path(__file__).parents[3] / "books" / "physical-ai"


@pytest.fixture
def site(tmp_path):
    (tmp_path / "docusaurus.config.js").write_text("module.exports = {title: 'Tiny'};")

    def write(path, text):
        file = tmp_path / "docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("name", "plain", "number"),
    [
        ("01-intro", "intro", 1),
        ("003 - spaced", "spaced", 3),
        ("1. one", "one", 1),
        ("4_under", "under", 4),
        ("2021-11-foo", "2021-11-foo", None),
        ("7.0-foo", "7.0-foo", None),
        ("12", "12", None),
        ("week-1", "week-1", None),
        ("5-", "5-", None),
    ],
)
def test_number_prefix_is_stripped_unless_it_is_a_date_or_a_version(name, plain, number):
    """The address has no number, the order has."""
    assert strip_number_prefix(name) == (plain, number)


@pytest.mark.parametrize(
    ("path", "text", "address"),
    [
        ("intro.md", "# T", "docs/intro"),
        ("01-basics/02-second.md", "# T", "docs/basics/second"),
        ("intro/index.md", "# T", "docs/intro/"),
        ("intro/README.md", "# T", "docs/intro/"),
        ("tutorial/tutorial.md", "# T", "docs/tutorial/"),
        ("index.md", "# T", "docs/"),
        ("a/b.md", "---\nid: other\n---\n# T", "docs/a/other"),
        ("a/b.md", "---\nslug: /abs/path/\n---\n# T", "docs/abs/path/"),
        ("a/b.md", "---\nslug: ./rel\n---\n# T", "docs/a/rel"),
        ("a/b.md", "---\nslug: ../up\n---\n# T", "docs/up"),
        ("a/b.md", "---\nslug: /\n---\n# T", "docs/"),
        ("a/05-b.md", "---\nparse_number_prefixes: false\n---\n# T", "docs/a/05-b"),
        ("2021-11-notes/2021-11-02-note.md", "# T", "docs/2021-11-notes/2021-11-02-note"),
        ("a b.md", "# T", "docs/a%20b"),
    ],
)
def test_page_has_the_address_that_docusaurus_gives_it(site, path, text, address):
    """A citation's link must open the page."""
    root = site(path, text)

    assert load_book(root).pages[0].address == address


@pytest.mark.parametrize(
    ("slug", "address"),
    [
        ("/javascript:alert(1)//", "javascript%3Aalert(1)//"),
        ("/https://evil.example/login", "https%3A//evil.example/login"),
        ("//evil.example/login", "evil.example/login"),
        ("/\\\\evil.example/login", "%5C%5Cevil.example/login"),
        ("/std/a:b", "std/a:b"),
    ],
)
def test_address_at_the_root_is_never_that_of_another_site(site, slug, address):
    """It is joined to the site's own, and a reader follows it."""
    root = site("a.md", f"---\nslug: {slug}\n---\n# T")
    (root / "docusaurus.config.js").write_text(
        "module.exports = {presets: [['classic', {docs: {routeBasePath: '/'}}]]};"
    )

    assert load_book(root).pages[0].address == address


@pytest.mark.parametrize(
    ("name", "text"), [("json", '{"label": "a\\ud800b\\u0000"}'), ("yml", 'label: "a?b\\0"')]
)
def test_label_is_text_that_every_database_takes(site, name, text):
    """JSON and YAML can name what is no character."""
    site(f"c/_category_.{name}", text)

    assert load_book(site("c/x.md", "# X")).pages[0].parts == ("a?b",)


def test_pages_stand_in_the_order_of_the_generated_sidebar(site):
    """Position first, then the number in the name, then the name; folders by their category's position."""
    site("z.md", "---\nsidebar_position: 1\n---\n# Z")
    site("a.md", "# A")
    site("02-b.md", "# B")
    site("api/x.md", "# X")
    site("api/_category_.json", '{"label": "API ref", "position": 1.5}')
    site("guides/_category_.yml", "label: Guides!\nposition: 9\n")
    root = site("guides/10-late.md", "# Late")
    site("guides/9-early.md", "# Early")

    pages = load_book(root).pages

    assert [page.title for page in pages] == ["Z", "X", "B", "Early", "Late", "A"]
    assert pages[1].parts == ("API ref",)
    assert pages[3].parts == ("Guides!",)


def test_index_page_gives_its_folder_a_label_and_a_place(site):
    """A category without a description takes its index's."""
    site("ref/index.md", "---\nsidebar_position: 1\nsidebar_label: Reference\n---\n# Ref")
    site("ref/a.md", "# A")
    root = site("b.md", "---\nsidebar_position: 2\n---\n# B")

    pages = load_book(root).pages

    assert [(page.title, page.parts) for page in pages] == [("Ref", ()), ("A", ("Reference",)), ("B", ())]


def test_hidden_draft_and_unlisted_pages_are_no_part_of_the_book(site):
    """What the site does not show must not be quoted."""
    site("_part.md", "# no")
    site("_hidden/x.md", "# no")
    site("draft.md", "---\ndraft: true\n---\n# no")
    site("unl.md", "---\nunlisted: true\n---\n# no")
    root = site("yes.md", "# yes")
    (root / "README.md").write_text("# no")

    assert [page.title for page in load_book(root).pages] == ["yes"]


def test_first_level_headings_have_no_anchor(site):
    """Docusaurus renders them without an id."""
    root = site("late.md", "Intro.\n\n# Late\n\ntext\n\n## Two\n")

    assert [section.anchor for section in load_book(root).pages[0].sections] == ["", "", "two"]


def test_config_literals_are_read_without_running_the_code():
    """Comments, themes and other plugins must not mislead."""
    config = parse_site_config(
        """
        // routeBasePath: 'no'
        export default { title: 'My "Book"', baseUrl: '/base/', trailingSlash: true,
          presets: [['classic', { docs: { path: './manual', routeBasePath: '/' } }]],
          plugins: [['@docusaurus/plugin-content-docs', { id: 'api', path: 'api', routeBasePath: 'api' }]],
          themeConfig: { docs: { sidebar: { hideable: true } } } };
        """
    )

    assert [(docs.path, docs.route) for docs in config.docs] == [("manual", ""), ("api", "api")]
    assert (config.base_url, config.trailing_slash) == ("/base/", True)


def test_docs_of_the_plugins_first_instance_are_read_once():
    """They were read a second time as the preset's, which is not there."""
    config = parse_site_config(
        "export default { plugins: [['@docusaurus/plugin-content-docs', { sidebarPath: './sidebars.ts' }]] };"
    )

    assert [(docs.path, docs.route, docs.sidebars) for docs in config.docs] == [
        ("docs", "docs", "sidebars.ts")
    ]


def test_shipped_book_is_read_whole():
    """The numbers of a real build: 44 pages, 659 anchors."""
    book = load_book(SHIPPED)

    assert (len(book.pages), book.skipped) == (44, ())
    assert sum(bool(section.anchor) for page in book.pages for section in page.sections) == 659
    assert book.pages[0].address == "docs/intro/"


def test_docs_folder_of_another_name_is_known_by_its_sidebar_keys(tmp_path):
    """Only Docusaurus reads them."""
    (tmp_path / "01-a.md").write_text("---\nsidebar_position: 1\n---\n# A")

    assert load_book(tmp_path).pages[0].address == "docs/a"


def test_docs_folder_alone_is_read_like_the_project():
    """An operator may point to either."""
    whole, alone = load_book(SHIPPED), load_book(SHIPPED / "docs")

    assert [page.address for page in whole.pages] == [page.address for page in alone.pages]
    assert alone.pages[0].path == "intro/index.md"


# --- versions and sidebars ---------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", "current"])
def test_page_is_read_in_the_sites_own_language(versioned, version):
    """The default language may have a folder of its own; those of others are not read."""
    name = version or "version-2.0"
    for locale in ("pt", "de"):
        folder = versioned / "i18n" / locale / "docusaurus-plugin-content-docs" / name
        folder.mkdir(parents=True)
        (folder / "zeta.md").write_text(f"# Zeta {locale}\n")
    (versioned / "docusaurus.config.ts").write_text(
        "export default {title: 'Tiny', i18n: {defaultLocale: 'pt', locales: ['pt', 'de']}};"
    )

    pages = load_book(versioned, options=ReadOptions(version=version)).pages

    assert [page.title for page in pages] == ["Zeta pt"]


@pytest.fixture
def versioned(tmp_path):
    """A project with a released version, an older one, and one in work."""
    (tmp_path / "docusaurus.config.ts").write_text("export default {title: 'Tiny'};")
    (tmp_path / "versions.json").write_text('["2.0", "1.0"]')
    for folder in ("docs", "versioned_docs/version-2.0", "versioned_docs/version-1.0"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "zeta.md").write_text(f"# Zeta\n\n{folder}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("version", "address", "folder"),
    [
        ("", "docs/zeta", "versioned_docs/version-2.0"),
        ("2.0", "docs/zeta", "versioned_docs/version-2.0"),
        ("1.0", "docs/1.0/zeta", "versioned_docs/version-1.0"),
        ("current", "docs/next/zeta", "docs"),
    ],
)
def test_released_version_is_read_unless_another_is_named(versioned, version, address, folder):
    """Answers came from text that no reader of the release had seen."""
    page = load_book(versioned, options=ReadOptions(version=version)).pages[0]

    assert (page.address, page.path) == (address, f"{folder}/zeta.md")


def test_version_in_work_is_the_site_where_the_configuration_says_so(versioned):
    """Some projects publish what they write at once."""
    (versioned / "docusaurus.config.ts").write_text(
        "presets: [['classic', {docs: {routeBasePath: 'docs', lastVersion: 'current'}}]]"
    )

    assert [(page.address, page.path) for page in load_book(versioned).pages] == [
        ("docs/zeta", "docs/zeta.md")
    ]


@pytest.mark.parametrize(
    ("settings", "version", "address"),
    [
        ("lastVersion: 'current', versions: {current: {label: '3', path: '3.0'}}", "", "docs/3.0/zeta"),
        ("versions: {current: {path: 'wip'}, '1.0': {label: 'Old', path: '/lts/'}}", "1.0", "docs/lts/zeta"),
        ("versions: {current: {path: 'wip'}, '1.0': {label: 'Old', path: '/lts/'}}", "", "docs/zeta"),
        ("versions: {current: {path: 'wip'}, '1.0': {label: 'Old'}}", "current", "docs/wip/zeta"),
        ('versions: {"2.0": {path: "two"}, "1.0": {path: ""}}', "", "docs/two/zeta"),
        ('versions: {"2.0": {path: "two"}, "1.0": {path: ""}}', "1.0", "docs/zeta"),
    ],
)
def test_version_has_the_route_that_the_configuration_gives_it(versioned, settings, version, address):
    """A version's `path` was taken for the folder of the pages, and the project was refused."""
    (versioned / "docusaurus.config.ts").write_text(
        f"export default {{presets: [['classic', {{docs: {{{settings}}}}}]]}}"
    )

    (page,) = load_book(versioned, options=ReadOptions(version=version)).pages

    assert page.address == address


def test_unknown_version_is_refused_with_the_known_ones(versioned):
    """An option that is read and ignored would publish the wrong text."""
    with pytest.raises(BookError, match=r"no version 3\.0 .* there are: 2\.0, 1\.0, current"):
        load_book(versioned, options=ReadOptions(version="3.0"))
    (versioned / "mkdocs").mkdir()
    (versioned / "mkdocs" / "mkdocs.yml").write_text("site_name: B")
    with pytest.raises(BookError, match="this is one of MkDocs"):
        load_book(versioned / "mkdocs", options=ReadOptions(version="1.0"))


SIDEBARS = """
// The book's order.
import type {SidebarsConfig} from '@docusaurus/plugin-content-docs';
const sidebars: SidebarsConfig = {
  book: [
    'zeta', /* the first */
    {type: 'category', label: "The author's: parts", link: {type: 'doc', id: 'parts/index'},
     items: ['parts/own']},
    {type:'doc', id:'alpha', label:'A'},
    {Generated: [{type: 'autogenerated', dirName: 'gen'}]},
    {type: 'link', label: 'Elsewhere', href: 'https://x.test'},
  ],
};
export default sidebars;
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sidebars.ts", SIDEBARS),
        ("sidebars.js", SIDEBARS.replace("const sidebars: SidebarsConfig =", "module.exports =")),
        ("custom.js", SIDEBARS),
    ],
)
def test_pages_come_in_the_order_of_the_sidebar_with_its_labels(site, name, text):
    """The alphabet and the folders' names are no order and no labels."""
    for path in ("alpha.md", "zeta.md", "parts/index.md", "gen/b.md", "gen/a.md", "unlisted.md"):
        root = site(path, f"# {path}\n\nx\n")
    site("parts/01-x.md", "---\nid: own\n---\n# Own\n\nx\n")
    (root / name).write_text(text)
    if name == "custom.js":
        (root / "docusaurus.config.js").write_text(
            "docs: {routeBasePath: 'docs', sidebarPath: require.resolve('./custom.js')}"
        )

    assert [(page.address, page.parts) for page in load_book(root).pages] == [
        ("docs/zeta", ()),
        ("docs/parts/", ("The author's: parts",)),
        ("docs/parts/own", ("The author's: parts",)),
        ("docs/alpha", ()),
        ("docs/gen/a", ("Generated",)),
        ("docs/gen/b", ("Generated",)),
        ("docs/unlisted", ()),
    ]


@pytest.mark.parametrize(
    "text", ["module.exports = make({})", "module.exports = {a: [...b]}", "{a: [", "", "{"]
)
def test_sidebar_that_is_a_program_leaves_the_usual_order(site, text):
    """Code is not run."""
    site("b.md", "# B\n\nx\n")
    root = site("a.md", "# A\n\nx\n")
    (root / "sidebars.js").write_text(text)

    book = load_book(root)

    assert [page.address for page in book.pages] == ["docs/a", "docs/b"]
    assert [note.partition(":")[0] for note in book.notes] == (
        ["sidebars.js is more than literals"]
        if text in ("module.exports = {a: [...b]}", "{a: [", "{")
        else []
    )


def test_numbers_in_names_stay_where_the_configuration_says_so(site):
    """Links to the pages were dead."""
    site("10-guide/02-b.md", "# B\n\nx\n")
    root = site("9-guide/01-a.md", "# A\n\nx\n")
    (root / "docusaurus.config.js").write_text(
        "module.exports = {presets: [['classic', {docs: {numberPrefixParser: false}}]]};"
    )

    assert [(page.address, page.parts) for page in load_book(root).pages] == [
        ("docs/10-guide/02-b", ("10-guide",)),
        ("docs/9-guide/01-a", ("9-guide",)),
    ]


def test_pages_that_are_excluded_or_no_docs_are_counted_as_left_out(site):
    """Drafts were chapters, and nobody was told of a FAQ that is not read."""
    for path in ("drafts/b.md", "../src/pages/faq.mdx", "../src/pages/_part.md", "../blog/2026-01-01-new.md"):
        site(path, "# X\n\nx\n")
    root = site("a.md", "# A\n\nx\n")
    (root / "docusaurus.config.js").write_text(
        "module.exports = {presets: [['classic', {docs: {exclude: ['**/drafts/**']}, blog: {}}]]};"
    )

    book = load_book(root)

    assert [page.address for page in book.pages] == ["docs/a"]
    assert {(left.reason, left.suffix, left.files) for left in book.left_out} == {
        ("It is a draft, or the site does not build it.", ".md", 1),
        ("It is a page beside the docs (src/pages), which are the book.", ".mdx", 1),
        ("It is a page of the site's blog, or a list of pages.", ".md", 1),
    }


def test_questions_in_the_javascript_of_a_page_are_sections(site):
    """The site shows them, and gives them no anchor that is known: links lead to the heading above."""
    site("partials/_note.mdx", "Not a page.\n")
    root = site(
        "faq.mdx",
        "---\ntitle: FAQ\n---\n\nexport const F = [{ title: 'Is it wet?', content: `Yes.` }];\n\n"
        "## Oars[^1]\n\n<Rows rows={F} />\n\n## Is it wet?\n\nNo.\n\n[^1]: A note.\n",
    )

    (page,) = load_book(root).pages

    assert [(section.heading_path, section.anchor) for section in page.sections] == [
        (("FAQ", "Oars"), "oars"),
        (("FAQ", "Oars", "Is it wet?"), "oars"),
        (("FAQ", "Is it wet?"), "is-it-wet"),
    ]


def test_words_in_javascript_that_are_not_read_are_told(site):
    """Only the built site shows them."""
    book = load_book(site("a.mdx", "# A\n\n<Card note='" + "Words of a card. " * 20 + "' />\n\ntext\n"))

    note, components = book.notes
    assert "docs/a.mdx" in note
    assert "<Card> 1" in components
    assert "give the built HTML" in note


def test_titles_of_admonitions_are_paragraphs_or_labels_of_list_items(site):
    """A title with a citation of its own stood in answers, and its text apart from it."""
    root = site(
        "a.md",
        "# A\n\nRow.\n:::tip[**Dry** *oars*]{.x}\nPush.\n:::\n\n:::note Wet oars\n\nPull.\n\n:::\n\n"
        "1. Sit.\n\n    :::warning[Cold]\n    Wrap.\n    :::\n\n:::note\nRest.\n:::\n\n```\n:::tip[x]\n```\n",
    )

    (page,) = load_book(root).pages

    assert page.source == (
        "# A\n\nRow.\n\n**Dry oars**\n\nPush.\n:::\n\n\n**Wet oars**\n\n\nPull.\n\n:::\n\n"
        "1. Sit.\n\n\n    **Cold:**\n    Wrap.\n    :::\n\n:::note\nRest.\n:::\n\n```\n:::tip[x]\n```\n"
    )


def test_components_whose_words_are_attributes_are_told(site):
    """Sentences lack what they name, and nothing showed it. Keys are shown."""
    site("b.mdx", "# B\n\nPress <Stroke of='y' />.\n\n<Method name='row' returns='void' />\n")
    root = site(
        "a.md",
        "# A\n\nPressing <Key mod='cmd' k='z' /> will undo <Stroke of='x' />.\n\n<Oar src='a.png' />\n",
    )

    book = load_book(root)

    assert book.notes == (
        "The words of 3 components are made by the site from attributes, and missing here "
        "(<Stroke> 2, <Method> 1): give the built HTML where you can.",
    )
    assert "Pressing `Cmd+Z` will undo" in book.pages[0].source


def test_partials_are_read_where_the_page_shows_them(site):
    """They are no pages of their own, so that their words would be nowhere."""
    (site("blocks/_table.mdx", "---\ntitle: T\n---\n| A |\n|---|\n| 1 |\n") / "_top.mdx").write_text("Top.\n")
    site("blocks/_note.mdx", "import Inner from '../_inner.md';\n\nA note.\n\n<Inner />\n")
    site("_inner.md", "Within.\n\nMore.\n")
    root = site(
        "guide/a.mdx",
        "import Table from '@site/docs/blocks/_table.mdx';\nimport Note from '../blocks/_note.mdx';\n"
        "import Top from '@site/\\_top.mdx';\nimport Gone from './_gone.mdx';\n"
        "import Code from './code.jsx';\n\n"
        "# A\n\n<Top />\n\n<Table />\n\nIn a line <Top />.[^1]\n\n<Gone />\n<Code />\n\n[^1]: <Note />\n",
    )

    book = load_book(root)

    (page,) = book.pages
    shown = [line for line in parse_page(page.source, page.dialect).prose.text.splitlines() if line.strip()]
    assert [line.rstrip() for line in shown] == [
        *("# A", "Top.", "| A |", "|---|", "| 1 |", "In a line        .[^1]"),
        *("[^1]: A note.", "    Within.", "    More."),
    ]
    assert [(skipped.path, skipped.reason) for skipped in book.skipped] == [
        ("docs/guide/a.mdx", "Its partial ./_gone.mdx is not there.")
    ]


def test_headings_of_a_partial_are_numbered_among_themselves(site):
    """Docusaurus makes the anchors of each file by itself: the second of the same name has no number."""
    site("_wet.mdx", "## Oars\n\nWet.\n\n## Oars ##\n\nWetter.\n\n### Own {#mine}\n\nx\n")
    root = site(
        "a.mdx", "import Wet from './_wet.mdx';\n\n# A\n\n## Oars\n\nDry.\n\n<Wet />\n\n## Oars\n\nEnd.\n"
    )

    (page,) = load_book(root).pages

    assert [section.anchor for section in page.sections[1:]] == ["oars", "oars", "oars-1", "mine", "oars-1"]
    assert [section.heading_path[1] for section in page.sections[1:]] == ["Oars"] * 5


def test_questions_in_imported_data_are_sections(site):
    """Authors keep them in JSON beside the page; what is no JSON is left as it is."""
    site("faq.json", '{"rows": [{"question": "Is it wet?", "answer": "Yes, \\"quite\\"."}]}')
    site("bad.json", "{")
    root = site(
        "a.mdx",
        "import Note from '@theme/Note';\nimport faq from './faq.json';\n"
        "import bad from '@site/docs/bad.json'\nimport Top from '@theme/Top';\n\n"
        "# A\n\n<Rows of={faq.rows} />\n\n```js\nimport faq from './faq.json';\n```\n",
    )

    (page,) = load_book(root).pages

    assert [section.heading_path for section in page.sections] == [("A",), ("A", "Is it wet?")]
    assert 'Yes, "quite".' in page.source
    assert "```js\nimport faq from './faq.json';\n```" in page.source


def test_partials_that_import_each_other_end(site):
    """A hostile page must not fill the memory."""
    line = "import A from './_a.mdx';\n\n" + "<A />\n\n" * 50 + "word\n"
    site("_a.mdx", line)

    book = load_book(site("b.mdx", line))

    assert len(book.pages[0].source) < 1_000_000
    assert len(book.skipped) == 1
