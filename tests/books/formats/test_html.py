"""Test built HTML sites: main content, anchors, code and reading order."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from ragbot.books.files import Choice
from ragbot.books.formats.html import read_html_page
from ragbot.books.loader import load_book
from ragbot.books.markup.readable import readable_words
from ragbot.books.read_options import ReadOptions


def page(body, path="a.html"):
    return read_html_page(path, f"<html><head><title>A - Site</title></head><body>{body}</body></html>")


def anchors(body):
    return [section.anchor for section in page(body).sections]


@pytest.mark.parametrize(
    "body",
    [
        "<nav>menu</nav><main><h1>T</h1><p>Prose.</p></main><footer>foot</footer>",
        "<header>top</header><h1>T</h1><p>Prose.</p><aside>side</aside><script>x()</script>",
        '<div class="sphinxsidebar">s</div><div class="body" role="main"><h1>T</h1><p>Prose.</p></div>',
        '<div role="main">x<div itemprop="articleBody"><h1>T</h1><p>Prose.</p></div></div>',
        '<div id="content"><main><h1>T</h1><p>Prose.</p></main></div>',
    ],
)
def test_only_the_main_content_is_kept(body):
    """Menus repeat on every page and answer nothing."""
    assert page(body).source.strip() == "# T\n\nProse."


def test_page_of_several_articles_is_read_whole():
    """Of a page of questions with an article for each the first question alone was read."""
    articles = "".join(f"<article><h2>Question {n}?</h2><p>Answer {n}.</p></article>" for n in (1, 2, 3))
    teasers = "<article><p>More.</p></article>" * 2

    assert "Answer 3." in page(f"<main><h1>Questions</h1>{articles}</main>").source
    assert (
        "More."
        not in page(f"<main><article><h1>T</h1><p>{'Prose. ' * 9}</p></article>{teasers}</main>").source
    )


@pytest.mark.parametrize(
    "heading",
    [
        '<h2 id="x">Two<a class="headerlink" href="#x">¶</a></h2>',
        '<h2><a class="header" href="#x" id="x">Two</a></h2>',
        '<h2><a name="x"></a>Two</h2>',
        '<a id="x"></a><h2>Two</h2>',
        '<section id="x"><h2>Two</h2></section>',
        '<h2 class="anchor" id="x">Two<a href="#x" class="hash-link">\u200b</a></h2>',
    ],
)
def test_anchor_is_found_where_generators_put_it(heading):
    """Docusaurus, mdBook, Sphinx and hand-written pages differ."""
    found = page(f"<main><h1>One</h1><p>p</p>{heading}<p>q</p></main>").sections[1]

    assert (found.heading_path, found.anchor) == (("One", "Two"), "x")


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ("<span>1.1.7</span><span>Names</span>", "1.1.7 Names"),
        ("<span>Chapter 2:</span><em>Names</em>", "Chapter 2: Names"),
        ("<span>2</span>D names", "2D names"),
        ("H<sub>2</sub><i>O</i>", "H2O"),
    ],
)
def test_number_of_a_heading_is_no_part_of_its_first_word(heading, title):
    """Some pages part the two by a margin alone."""
    assert page(f"<main><h1>T</h1><p>p</p><h2>{heading}</h2><p>q</p></main>").sections[1].heading_path == (
        "T",
        title,
    )


@pytest.mark.parametrize(
    "link", ["", '<a class="headerlink" href="#x">¶</a>', '<a href="#x">#</a>', " #", "¶"]
)
def test_heading_keeps_the_sign_of_its_language(link):
    """ "Learn C" is another book."""
    found = page(f'<main><h1 id="c">Learn C#{link}</h1><p>p</p><h2 id="x">Why F#{link}</h2><p>q</p></main>')

    assert found.title == "Learn C#"
    assert (found.sections[1].heading_path, found.sections[1].anchor) == (("Learn C#", "Why F#"), "x")


def test_code_keeps_its_language_and_lines():
    """Colouring wraps every word and line in elements."""
    body = (
        '<main><div class="language-bash"><pre class="prism"><code><span>ls<br></span><span>pwd<br></span>'
        '</code></pre></div><div class="highlight-python notranslate">'
        "<pre><span>a</span> &lt; b\n</pre></div>"
        "</main>"
    )

    assert page(body).source.strip() == "```bash\nls\npwd\n```\n\n```python\na < b\n```"


def test_code_that_is_broken_in_the_source_is_one_piece():
    """Sphinx breaks long commands between words, and the converter made two pieces of them."""
    code = '<code><span class="pre">tea</span>\n<span class="pre">--hot</span></code>'

    assert page(f"<p>Run {code} now.</p>").source.endswith("Run `tea --hot` now.\n")


def test_what_is_written_out_is_no_markup():
    """A reader saw "/Users/ /bin"."""
    read = page(
        "<p>In /Users/&lt;name&gt;/bin, 3 &lt; 4, &amp;lt; <code>&lt;b&gt;</code> A&amp;B.</p>"
    ).source

    assert read.endswith("In /Users/\\<name>/bin, 3 < 4, \\&lt; `<b>` A&B.\n")
    assert readable_words(read).endswith("In /Users/<name>/bin, 3 < 4, &lt; <b> A&B.")


def test_field_to_try_out_code_opens_no_sections():
    """The documentation of MyST has such Markdown with what it makes of it."""
    field = "<label><textarea># Oars\n\n&lt;b&gt;Row&lt;/b&gt;</textarea></label>"

    found = page(f"<main><h1>T</h1>{field}<p>So it looks.</p></main>")

    assert found.source.strip() == "# T\n\n```\n# Oars\n\n<b>Row</b>\n```\n\nSo it looks."
    assert len(found.sections) == 1


def test_heading_with_angle_brackets_keeps_them():
    """Type parameters are words of a heading."""
    assert page("<main><h1>Vec&lt;T&gt;</h1><p>x</p></main>").title == "Vec<T>"


def test_pages_follow_the_next_links(tmp_path):
    """The site's own reading order, whatever the names."""
    for name, after in (("index", "z"), ("z", "b"), ("b", ""), ("a", "")):
        link = f'<link rel="next" href="{after}.html">' if after else ""
        (tmp_path / f"{name}.html").write_text(f"<head>{link}</head><main><h1>{name}</h1>text</main>")
    for name in ("404", "print", "search", "genindex"):
        (tmp_path / f"{name}.html").write_text("<main>no</main>")
    (tmp_path / "old.html").write_text('<meta http-equiv="refresh" content="0; url=a.html"><main>gone</main>')

    book = load_book(tmp_path)

    assert [page.title for page in book.pages] == ["index", "z", "b", "a"]
    assert book.pages[0].address == ""


def test_pages_follow_the_contents_where_no_page_names_the_next(tmp_path):
    """A menu on the first page is a table of contents."""
    (tmp_path / "index.html").write_text(
        '<nav><a href="b.html">B</a><a href="a.html#x">A</a></nav><main>hi</main>'
    )
    (tmp_path / "a.html").write_text("<main><h1>A</h1>a</main>")
    (tmp_path / "b.html").write_text("<main><h1>B</h1>b</main>")

    assert [page.path for page in load_book(tmp_path).pages] == ["index.html", "b.html", "a.html"]


def test_absurd_nesting_is_skipped_and_quick(tmp_path):
    """A parser takes minutes over three hundred thousand open elements."""
    (tmp_path / "bad.html").write_text("<div>" * 300_000)
    (tmp_path / "good.html").write_text("<main><h1>Good</h1>text</main>")

    book = load_book(tmp_path)

    assert [page.title for page in book.pages] == ["Good"]
    assert "deep" in book.skipped[0].reason


def test_large_page_of_a_generator_is_read():
    """Printed books are one page of some megabytes, with scripts that compare."""
    part = (
        '<section id="s"><h2 id="h">Two</h2><p>Some <b class="x">bold</b> and <i>other</i> words of a '
        "<a href=a.html>link</a>.</p><pre><code class=language-rust><span class=k>fn</span> main() {}"
        "</code></pre><ul><li>one<li>two</ul></section>"
    )
    script = f"<script>{'for(i=0;i<b&&i<s;i++)if(a<i >b)x+=1;' * 5_000}</script>"

    assert page(f"<main><h1>T</h1>{script}{part * 4_000}</main>").title == "T"


def test_address_of_a_page_is_never_that_of_another_site():
    """The author of a book chooses its file names."""
    assert page("<p>text</p>", path="javascript:alert(1).html").address == "javascript%3Aalert%281%29.html"


def test_page_of_docusaurus_stands_at_its_route():
    """Under the file's name its script shows "not found" in place of the page."""
    source = '<head><meta name="generator" content="Docusaurus v3.10.2"></head><body><p>text</p></body>'

    assert read_html_page("docs/intro.html", source).address == "docs/intro"
    assert read_html_page("docs/index.html", source).address == "docs/"
    assert read_html_page("docs/intro.html", "<body><p>text</p></body>").address == "docs/intro.html"


def test_formula_of_katex_is_its_tex():
    """The page holds it three times, for eyes, for readers aloud and for writers."""
    formula = (
        '<span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>p</mi></mrow>'
        '<annotation encoding="application/x-tex">p = 4</annotation></semantics></math></span>'
        '<span class="katex-html">p</span></span>'
    )

    assert page(f"<p>Here {formula} bar.</p>").source.strip() == "Here $p = 4$ bar."
    assert page(f'<p><span class="katex-display">{formula}</span></p>').source.strip() == "$$p = 4$$"


@pytest.mark.parametrize("before", ["", " ", "\n  "])
def test_anchor_is_found_with_blanks_before_a_permalink(before):
    """VitePress writes one, and all anchors of a site were lost."""
    heading = f'<h2 id="grip">Grip{before}<a class="header-anchor" href="#grip">\u200b</a>\n</h2>'

    assert anchors(f"<main><h1>Oars</h1><p>x</p>{heading}<p>y</p></main>") == ["", "grip"]


def test_heading_that_is_its_own_permalink_keeps_its_words():
    """VuePress and mdBook wrap the heading."""
    heading = '<h2 id="grip"><a class="header-anchor" href="#grip"><span>Grip</span></a></h2>'

    assert page(f"<main><h1>Oars</h1><p>x</p>{heading}<p>y</p></main>").sections[1].heading_path == (
        "Oars",
        "Grip",
    )


def test_picture_written_into_the_page_is_its_alternative_text():
    """Kilobytes of base64 once filled a chunk."""
    body = '<main><h1>T</h1><p>See <img alt="oar" src="data:image/png;base64,iVBOR=="></p></main>'

    assert page(body).source.strip() == "# T\n\nSee oar"


def test_invitation_to_edit_is_no_text_and_hides_no_title():
    """It stood in front of the title, which was told twice."""
    body = (
        '<article><a href="edit">Edit this page</a><h1 id="t">Oars</h1><h2 id="g">Grip</h2><p>Push.</p>'
        "<p>You may <a href='x'>edit this page of the log</a>.</p></article>"
    )

    found = page(body)

    assert [section.heading_path for section in found.sections] == [("Oars",), ("Oars", "Grip")]
    assert "Edit this page" not in found.source
    assert "edit this page of the log" in found.source


@pytest.mark.parametrize(
    "body",
    [
        "<p>If you found a fault, please <a href='https://x.test/issues'>open an issue</a>.</p>",
        "<p>Choose <a href='edit/'>Edit</a>, or <b><a href='https://x.test/'>View the source</a></b>.</p>",
        "<ul><li><a href='show/'>Show</a></li><li><a href='#edit'>Edit</a></li></ul>",
        "<h2 id='edit'><a class='header' href='#edit'>Edit</a></h2>",
        "<h2><a href='https://x.test/view'>View the source</a></h2>",
    ],
)
def test_link_within_other_words_is_text(body):
    """ "If you found a fault, please ." asks for nothing."""
    words = readable_words(page(f"<main><h1>Oars</h1>{body}</main>").source)

    assert words == "Oars " + " ".join(LexborHTMLParser(body.replace("</li>", "</li> ")).body.text().split())


@pytest.mark.parametrize(
    "body",
    [
        "<p><a href='https://x.test/'>Edit this page</a> | <a href='https://x.test/new'>Open issue</a></p>",
        "<div><span><a href='https://x.test/edit/a.md'>Edit</a></span></div>",
        "<a href='../edit.md'>Edit this page on GitHub</a>",
    ],
)
def test_link_that_asks_to_edit_the_page_is_no_text(body):
    """It stands on each page of some sites."""
    assert readable_words(page(f"<main><h1>Oars</h1>{body}<p>Push.</p></main>").source).endswith("Push.")
    assert "Edit" not in page(f"<main><h1>Oars</h1>{body}<p>Push.</p></main>").source


def test_link_behind_the_words_of_a_heading_is_none_of_them():
    """Wikis have it behind each."""
    heading = "<h2>Grip <span>[<a href='?action=edit'>edit</a>]</span></h2>"

    assert "edit" not in page(f"<main><h1>Oars</h1>{heading}<p>Push.</p></main>").source


def test_words_for_screen_readers_and_frames_of_code_are_no_text():
    """Starlight writes "Section titled" behind each heading, VitePress the language before each listing."""
    starlight = (
        '<meta name="generator" content="Starlight v0.36"><main><h1>T</h1><h2 id="g">Grip</h2>'
        '<a class="sl-anchor-link" href="#g"><span class="sr-only">Section titled “Grip”</span></a>'
        '<div class="expressive-code"><figure><figcaption><span class="sr-only">Terminal window</span>'
        '</figcaption><pre data-language="sh"><code><div class="ec-line">a</div><div class="ec-line">b</div>'
        "</code></pre></figure></div></main>"
    )
    vitepress = (
        '<meta name="generator" content="VitePress v1"><main><div class="vp-doc"><h1>T</h1>'
        '<div class="language-js"><button title="Copy Code"></button><span class="lang">js</span>'
        "<pre><code>a</code></pre></div></div></main>"
    )

    assert page(starlight).source.strip() == "# T\n\n## Grip\n\n```sh\na\nb\n```"
    assert page(vitepress).source.strip() == "# T\n\n```js\na\n```"


@pytest.mark.parametrize(
    ("formula", "source"),
    [
        (
            '<span class="katex"><math><annotation encoding="application/x-tex">a</annotation></math></span>',
            "$a$",
        ),
        ('<math alttext="a" display="block"><mi>a</mi></math>', "$$a$$"),
        ('<mjx-container display="true"><mjx-math></mjx-math><math alttext="a"/></mjx-container>', "$$a$$"),
        (r'<span class="math">\(a\)</span>', "$a$"),
        (r'<span class="math">\(\{a,\,b\} &lt; c \\ d&lt;e\)</span>', r"$\{a,\,b\} < c \\ d< e$"),
    ],
)
def test_formula_is_its_tex_source(formula, source):
    """What a page shows of it is many boxes with a letter each."""
    assert page(f"<main><h1>T</h1><p>x {formula} y</p></main>").source.split("\n")[2] == f"x {source} y"


def site(folder, pages):
    """Write pages of a site and read them."""
    for path, (head, body) in pages.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        html = head if head.startswith("<html") else f"<html><head>{head}</head>"
        (folder / path).write_text(f"<!doctype html>{html}<body><main>{body}</main></body></html>")
    return load_book(folder)


def docusaurus(version, language="en"):
    return (
        f'<html lang="{language}"><head><meta name="generator" content="Docusaurus v3">'
        f'<meta name="docusaurus_version" content="{version}">'
        f'<meta name="docusaurus_tag" content="docs-default-{version}"></head>'
    )


def test_one_language_and_the_released_version_are_read(tmp_path):
    """Each source came two or three times, the unreleased text first."""
    text = "<h1>T</h1><p>x</p>"
    book = site(
        tmp_path,
        {
            "index.html": ('<html lang="en"><head></head>', text),
            "docs/oars/index.html": (docusaurus("2.0"), text),
            "docs/next/oars/index.html": (docusaurus("current"), text),
            "docs/1.0/oars/index.html": (docusaurus("1.0"), text),
            "de/docs/oars/index.html": (docusaurus("2.0", "de-DE"), text),
        },
    )

    assert [page.path for page in book.pages] == ["index.html", "docs/oars/index.html"]
    assert {left.reason: left.files for left in book.left_out} == {
        "It is in another language than the book.": 1,
        "It is of another version than the released one.": 2,
    }


def test_blogs_lists_and_copies_are_no_pages(tmp_path):
    """The oldest post was the first page, and named the book."""
    text = "<h1>T</h1><p>x</p>"
    copy = '<link rel="canonical" href="https://book.test/base/oars/">'
    book = site(
        tmp_path,
        {
            **{
                f"{path}/index.html": ("", text)
                for path in (
                    "oars",
                    "sails",
                    "blog/2020/a",
                    "blog/archive",
                    "tags",
                    "tags/x",
                    "page/2",
                    "authors",
                )
            },
            "1.0/oars/index.html": (copy, text),
            "oars/index.html": (copy, text),
        },
    )

    assert [page.address for page in book.pages] == ["oars/", "sails/"]


def test_pages_that_all_name_the_front_page_as_original_are_no_copies(tmp_path):
    """A template with the site's address in it names it on every page, also of a short book."""
    head = '<link rel="canonical" href="https://book.test/">'
    paths = ("index", "oars", "sails", "masts")
    book = site(tmp_path, {f"{path}.html": (head, f"<h1>{path}</h1><p>x</p>") for path in paths})

    assert [page.path for page in book.pages] == ["index.html", "masts.html", "oars.html", "sails.html"]


def test_document_about_blogs_is_no_post(tmp_path):
    """Docusaurus writes a document's id into the class of its page."""
    documents = ("guides/blog-setup", "api/plugin-blog", "api/docs-tags-list", "search-page")
    lists = ("blog-wrapper blog-post-page plugin-blog", "docs-wrapper docs-tags-list-page plugin-docs")
    classes = {name: f"docs-wrapper plugin-docs docs-doc-page docs-doc-id-{name}" for name in documents}
    classes |= {f"x{number}": name for number, name in enumerate((*lists, "search-page-wrapper"))}
    head = '<html class="{}"><head><meta name="generator" content="Docusaurus v3.9"></head>'
    book = site(
        tmp_path,
        {f"{path}.html": (head.format(name), f"<h1>{path}</h1><p>x</p>") for path, name in classes.items()},
    )

    assert sorted(page.title for page in book.pages) == sorted(documents)


def test_chapter_with_the_name_of_a_list_is_a_page(tmp_path):
    """Manuals tell how to search, to tag and to print; what a generator makes stands at the root."""
    chapters = ("guide/archive", "guide/categories", "guide/print", "guide/search", "guide/search/filters")
    chapters += ("guide/tags", "guide/tags/x", "guide/toc", "status/404")
    tools = ("404.html", "search/index.html", "print.html", "de/search.html", "1.2/genindex.html")
    lists = ("tags/index.html", "en/categories/index.html")
    book = site(
        tmp_path,
        {
            "index.html": ("", "<h1>T</h1><p>x</p>"),
            **{f"{path}/index.html": ("", "<h1>T</h1><p>x</p>") for path in chapters},
            **dict.fromkeys((*tools, *lists), ("", "<h1>T</h1><p>x</p>")),
            "docs/tags/index.html": ('<meta name="robots" content="noindex">', "<h1>T</h1><p>x</p>"),
        },
    )

    assert sorted(page.address for page in book.pages) == ["", *(f"{path}/" for path in chapters)]
    assert {left.reason: left.files for left in book.left_out} == {
        "It searches, lists or repeats the site's pages.": 5,
        "It is a page of the site's blog, or a list of pages.": 3,
    }


def test_chapter_about_assets_is_a_page(tmp_path):
    """A folder of that name may hold a demonstration, too, which is built by nothing."""
    built = '<meta name="generator" content="mkdocs-1.6, mkdocs-material-9.5">'
    book = site(
        tmp_path,
        {
            "index.html": (built, "<h1>T</h1><p>x</p>"),
            "guide/assets/losses/index.html": (built, "<h1>T</h1><p>x</p>"),
            "guide/assets/demo.html": ("", "<h1>T</h1><p>x</p>"),
        },
    )

    assert [page.address for page in book.pages] == ["", "guide/assets/losses/"]
    assert [left.reason for left in book.left_out] == ["The pages link to it; it is no chapter."]


def test_chosen_part_of_a_site_keeps_its_search_chapter(tmp_path):
    """The folder that holds all chosen pages is not the site's root."""
    site(tmp_path, dict.fromkeys(("index.html", "guide/search.html"), ("", "<h1>T</h1><p>x</p>")))

    book = load_book(tmp_path, options=ReadOptions(choice=Choice(include=("guide/**",))))

    assert [page.address for page in book.pages] == ["guide/search.html"]


def test_order_begins_where_the_front_page_redirects_to(tmp_path):
    """PreTeXt's front page is a redirect that names the book; sheets for print are no pages."""
    (tmp_path / "index.html").write_text(
        "<html><head><meta http-equiv='refresh' content=\"0; URL='preface.html'\">"
        "<meta property='book:title' content='Boats'></head></html>"
    )
    page = (
        "<html><head><meta name=generator content=PreTeXt><title>{title}</title></head><body class='{kind}'>"
        "<a class=next-button href='{to}'></a><div id=ptx-content><h2 class=heading>"
        "<span class=type>Section</span> <span class=codenumber>2</span> <span class=title>"
        "{title}</span></h2><p>Text.</p><h3 class=heading><span class=type>Example</span>"
        " <span class=codenumber>2.1</span></h3><p>Text.</p></div></body></html>"
    )
    for name, to, title, kind in (
        ("preface", "oars.html", "Preface", "pretext"),
        ("oars", "", "Oars", "pretext"),
        ("Sheet", "", "Sheet", "pretext standalone worksheet"),
    ):
        (tmp_path / f"{name}.html").write_text(page.format(to=to, title=title, kind=kind))

    book = load_book(tmp_path)

    assert book.title == "Boats"
    assert [page.title for page in book.pages] == ["Preface", "Oars"]
    assert book.pages[1].sections[1].heading_path == ("Oars", "Example 2.1")


def test_sources_beside_the_pages_do_not_make_a_folder_of_markdown(tmp_path):
    """Sphinx copies them into the site, and a book of notebooks has few pages."""
    (tmp_path / "_sources").mkdir()
    for name in "abc":
        (tmp_path / "_sources" / f"{name}.md").write_text(f"# {name}\n\nText.\n")
    (tmp_path / "index.html").write_text("<!doctype html><main><h1>Boats</h1><p>Text.</p></main>")

    assert [page.address for page in load_book(tmp_path).pages] == [""]


def test_page_that_repeats_all_others_is_no_page(tmp_path):
    """A print view doubles every source; each link into it leads past the chapter's own page."""
    texts = [f"Chapter {name} tells at length of the {name} of a boat, and of its care." for name in "abcde"]
    for name, text in zip("abcde", texts, strict=True):
        (tmp_path / f"{name}.html").write_text(f"<main><h1>{name}</h1><p>{text}</p></main>")
    (tmp_path / "whole.html").write_text(
        "<main>" + "".join(f"<h1>{text[8]}</h1><p>{text}</p>" for text in texts) + "</main>"
    )
    (tmp_path / "intro.html").write_text(f"<main><p>{texts[0]}</p><p>{texts[1]}</p></main>")

    book = load_book(tmp_path)

    assert "whole.html" not in [page.path for page in book.pages]
    assert len(book.pages) == 6
    assert [left.reason for left in book.left_out] == ["It repeats the text of other pages."]


def test_a_blog_alone_is_a_book(tmp_path):
    """Leaving all out would leave nothing."""
    assert len(site(tmp_path, {"blog/a/index.html": ("", "<h1>A</h1><p>x</p>")}).pages) == 1


def test_book_is_named_and_begun_by_the_site_itself(tmp_path):
    """A chapter's name is no name of a book, and the alphabet is no order."""
    nav = '<nav><a href="zeta/">Z</a><a href="alpha/">A</a></nav><h1>Home</h1><p>x</p>'
    book = site(
        tmp_path,
        {
            "index.html": ("<title>Home | Boats</title>", nav),
            "alpha/index.html": ("<title>Alpha | Boats</title>", "<h1>Alpha</h1><p>x</p>"),
            "zeta/index.html": ("<title>Zeta | Boats</title>", "<h1>Zeta</h1><p>x</p>"),
        },
    )

    assert (book.title, [page.title for page in book.pages]) == ("Boats", ["Home", "Zeta", "Alpha"])


def test_page_without_text_is_left_out_and_is_no_fault(tmp_path):
    """Front pages are pictures and links; --strict must not fail over them."""
    book = site(tmp_path, {"index.html": ("", "<nav>x</nav>"), "a.html": ("", "<h1>A</h1><p>x</p>")})

    assert ([page.path for page in book.pages], book.skipped) == (["a.html"], ())


def test_banner_and_numbers_of_publican_are_no_text():
    """Each page of a well-known handbook began with an advertisement, and was called "2. Who ..."."""
    page = read_html_page(
        "who.html",
        "<html><head><meta name=generator content='publican v4.3.2'>"
        "<title>2.&nbsp;Who Reads</title></head><body>"
        "<div id=banner><a href=/get>Download the ebook</a></div>"
        "<p id=title><a href=/><img alt='Product Site'></a></p><ul class=docnav><li>Prev</li></ul>"
        "<div class=section><h2 class=title><a id=who></a>2.&nbsp;Who Reads</h2>"
        "<div class=para>Keepers.</div></div></body></html>",
    )

    assert page.title == "Who Reads"
    assert page.source.split() == ["##", "Who", "Reads", "Keepers."]
    assert [section.heading_path for section in page.sections] == [("Who Reads",)]


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (
            '<figure><img src="a.png" alt="An oar."><figcaption>Figure 1: An oar.</figcaption></figure>',
            "![](a.png)",
        ),
        (
            '<div><img src="a.png" alt="The \'old\' oar"><p class="caption">The ‘old’ oar</p></div>',
            "![](a.png)",
        ),
        ('<p><img src="a.png" alt="_images/a.png"></p>', "![](a.png)"),
        (
            '<figure><img src="a.png" alt="Long wood"><figcaption>An oar.</figcaption></figure>',
            "![Long wood](a.png)",
        ),
    ],
)
def test_words_of_a_picture_stand_there_once(figure: str, shown: str) -> None:
    """A caption twice counts twice in the search, and a file's name is none."""
    page = read_html_page("a.html", f"<main><h1>Oars</h1><p>Text.</p>{figure}</main>")

    assert shown in page.source


@pytest.mark.parametrize("name", ["data-content", "data-bs-content"])
def test_note_that_opens_on_a_click_is_read(name: str) -> None:
    """bookdown's newest pages keep them in an attribute."""
    mark = f'<a class="footnote-ref" {name}="&lt;p&gt;Of &lt;b&gt;ash&lt;/b&gt;.&lt;/p&gt;"><sup>1</sup></a>'

    page = read_html_page("a.html", f"<main><h1>Oars</h1><p>Wood{mark} is dry.</p></main>")

    assert "Wood (Of ash.) is dry." in page.source


QUARTO = """<html><head><meta name="generator" content="quarto-1.7.34"><title>Boats</title></head><body>
<nav id="quarto-sidebar"><div class="sidebar-title"><a href="./">Boats</a></div>
<div class="sidebar-item-container"><a class="sidebar-link active">{entry}</a></div></nav>
<main id="quarto-document-content"><header id="title-block-header"><h1 class="title">{title}</h1></header>
{text}</main></body></html>"""
LETTER = '<span class="chapter-number">B</span>&nbsp; <span class="chapter-title">Oars</span>'
NUMBER = '<span class="chapter-number">2</span>&nbsp; <span class="chapter-title">Oars</span>'


@pytest.mark.parametrize(
    ("entry", "title", "text", "shown"),
    [
        (NUMBER, NUMBER, "<p>Wood.</p>", "# Oars\n\nWood."),
        (LETTER, "Appendix B — Oars", "<p>Wood.</p>", "# Oars\n\nWood."),
        (LETTER, "Anhang B. <em>Oars</em>", "<p>Wood.</p>", "# *Oars*\n\nWood."),
        ("Plan", "Plan B — Oars", "<p>Wood.</p>", "# Plan B — Oars\n\nWood."),
        ("Oars", "Boats", '<section id="o" class="level1"><h1>Oars</h1>Wood.</section>', "# Oars\n\nWood."),
        ("Oars", "Row", '<section id="o" class="level1"><h1>Oars</h1></section>', "# Row\n\n# Oars"),
        ("Boats", "Boats", "<p>Wood.</p>", "# Boats\n\nWood."),
    ],
)
def test_titles_of_quarto_are_those_of_the_author(entry: str, title: str, text: str, shown: str) -> None:
    """Numbers are the generator's; the book's name stands above the title of its first page."""
    page = read_html_page("a.html", QUARTO.format(entry=entry, title=title, text=text))

    assert page.source.strip() == shown


def test_keys_of_quarto_are_shown_without_its_script():
    """A script writes those of the reader's system."""
    keys = '<kbd data-mac="Cmd-B" data-windows="Ctrl-B"></kbd>, <kbd data-mac="F1" data-linux="F1"></kbd>'
    text = f'<p>Press {keys}, <kbd data-mac="Cmd-X">Ctrl-X</kbd>.</p>'

    page = read_html_page("a.html", QUARTO.format(entry="Oars", title="Oars", text=text))

    assert page.source.strip() == "# Oars\n\nPress `Ctrl-B` (Mac: Cmd-B), `F1`, `Ctrl-X`."


def test_listing_of_quarto_has_its_name_and_language_and_no_numbers():
    """The name stood in a listing of its own, and the numbers of notes in the code."""
    code = '<a class="code-annotation-anchor">1</a><span>row()</span>'
    text = (
        '<div class="callout"><div class="callout-header"><div class="callout-title-container">Dry</div>'
        '</div><p>Keep it.</p></div><div class="code-with-filename"><div class="code-with-filename-file">'
        "<pre><strong>a.py</strong></pre></div>"
        '<pre class="sourceCode numberSource python number-lines"><code class="sourceCode python">'
        f"{code}</code></pre></div>"
    )

    page = read_html_page("a.html", QUARTO.format(entry="Oars", title="Oars", text=text))

    assert page.source.strip() == "# Oars\n\n**Dry**\n\nKeep it.\n\n**a.py**\n\n```python\nrow()\n```"


def test_pages_of_myst_follow_each_other_where_the_menu_is_folded(tmp_path):
    """The front page's menu has no links to the pages of a part that is folded up."""
    for name, after in (("index", "wood"), ("wood", "oars"), ("oars", "boats"), ("boats", "")):
        link = f'<a class="myst-footer-link myst-footer-link-next" href="/{after}">On</a>' if after else ""
        folder = tmp_path if name == "index" else tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "index.html").write_text(
            '<nav class="myst-primary-sidebar"><a href="/boats">Boats</a></nav>'
            f'<main><article class="article content"><h1>{name}</h1><p>Text.</p>{link}</article></main>'
        )

    assert [page.title for page in load_book(tmp_path).pages] == ["index", "wood", "oars", "boats"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            '<figure id="a"><figcaption><p><a href="#a">Figure 1:</a>An oar</p></figcaption></figure>',
            "*Figure 1: An oar*",
        ),
        (
            '<figure id="a"><figcaption><p><a href="#a">(a)</a>An oar</p></figcaption></figure>',
            "*(a) An oar*",
        ),
        (
            '<section><header>References<a href="#references" title="Link to References">¶</a></header>'
            "<p>Oar (2001).</p></section>",
            "References\n\nOar (2001).",
        ),
        (
            '<pre><code><span class="react-syntax-highlighter-line-number">1\n</span></code>'
            '<code class="language-python">row()</code></pre>',
            "```python\nrow()\n```",
        ),
        ('<div class="myst-jp-nb-block hidden"><pre>gone()</pre></div><p>Row.</p>', "Row."),
        ('<p>Row.</p><footer class="myst-card-footer"><p>On.</p></footer>', "Row.\n\nOn."),
        (
            '<h2 id="a"><span class="mr-3 select-none">1.2</span><span>Row</span></h2><p>On.</p>',
            "## Row\n\nOn.",
        ),
        (
            '<div class="myst-proof-header"><a href="#t">Theorem 1</a> (Tides)</div><p>Twice.</p>',
            "**Theorem 1 (Tides)**\n\nTwice.",
        ),
        (
            '<details><summary class="myst-admonition-header">Dry</summary><p>Row.</p></details>',
            "**Dry**\n\nRow.",
        ),
        ('<div class="myst-fm-block-date-doi"><time>March 1, 1897</time></div><p>Row.</p>', "Row."),
        (
            '<ol><li>Wood.<div class="myst-footnote-backlinks"><a href="#b">↩</a></div></li></ol>',
            "1. Wood.",
        ),
    ],
)  # fmt: skip
def test_words_of_myst_are_those_of_the_author(written, shown):
    """Numbers of lines stood in the code, and cells on the page that its author had removed."""
    page = read_html_page(
        "a.html", f'<main><article class="article content"><h1>Oars</h1>{written}</article></main>'
    )

    assert page.source.strip() == f"# Oars\n\n{shown}"


@pytest.mark.parametrize("box", ["note", "tip", "warning"])
def test_boxes_of_docbook_open_no_sections(box):
    """What stood below a box stood under its name, "Tip"."""
    read = page(
        f'<h2>Wicks</h2><div class="{box}"><h3 class="title">Tip</h3><p>Trim.</p></div><p>Then light.</p>'
    )

    assert [section.heading_path[-1] for section in read.sections] == ["Wicks"]
    assert "**Tip**\n\nTrim." in read.source


def test_boxes_of_pretext_open_no_sections():
    """What follows a note or a theorem belongs to the section again; a theorem keeps its number."""

    def heading(kind, number, title):
        parts = {"type": kind, "codenumber": number, "title": title}
        return " ".join(f'<span class="{name}">{words}</span>' for name, words in parts.items())

    theorem = f'<h3 class="heading">{heading("Theorem", "2.1", "Tides.")}</h3><p>They come twice.</p>'
    box = f'<article class="theorem" id="t">{theorem}</article>'
    opening = f'<h2 class="heading">{heading("Section", "1.1", "Moon")}</h2>'
    section = f'<section id="s">{opening}{box}<p>Sailors know it.</p></section>'

    read = read_html_page(
        "a.html",
        '<html><head><meta name="generator" content="PreTeXt"><title>A</title></head><body>'
        f'<div id="ptx-content"><h1>A</h1>{section}</div></body></html>',
    )

    assert [one.heading_path for one in read.sections] == [("A",), ("A", "Moon")]
    assert "**Theorem 2.1 Tides.**\n\nThey come twice.\n\nSailors know it." in read.source


@pytest.mark.parametrize(
    ("written", "source"),
    [
        (r"\(p = 4.2\)", "$p = 4.2$"),
        (r"\begin{equation*}P = pV\end{equation*}", "$$P = pV$$"),
        (r"\begin{align}a &amp;= b\end{align}", r"$$\begin{align}a &= b\end{align}$$"),
    ],
)
def test_formula_that_mathjax_will_set_is_its_tex_source(written, source):
    """PreTeXt marks them for MathJax, environments without delimiters."""
    assert (
        source
        in page(f'<main><h1>A</h1><p>x <span class="process-math">{written}</span> y</p></main>').source
    )


def test_links_that_are_whole_addresses_order_the_pages(tmp_path):
    """Zola writes no others, and names the site alone in each page's title."""
    for name, after in (("ant", "zebra"), ("moose", ""), ("zebra", "moose")):
        (tmp_path / name).mkdir()
        link = f'<a rel="next" href="https://book.test/zoo/{after}/">Next</a>' if after else ""
        body = f"<body><main><h1>{name}</h1><p>p</p></main>{link}</body>"
        text = f"<html><head><title>Zoo</title></head>{body}</html>"
        (tmp_path / name / "index.html").write_text(text)

    book = load_book(tmp_path)

    assert [page.title for page in book.pages] == ["ant", "zebra", "moose"]
    assert book.title == "Zoo"


def test_contents_stand_behind_a_front_page_that_leads_to_one_page(tmp_path):
    """Antora's front page is a redirect into the book's component."""
    (tmp_path / "book").mkdir()
    redirect = '<meta http-equiv="refresh" content="0; url=book/index.html">'
    (tmp_path / "index.html").write_text(f'{redirect}<h1>Redirect</h1><a href="book/index.html">There</a>')
    menu = "".join(f'<a href="{name}.html">{name}</a>' for name in ("index", "zebra", "ant", "moose"))
    for name in ("index", "ant", "moose", "zebra"):
        head = f"<html><head><title>{name} - Zoo</title></head>"
        text = f"{head}<body><nav>{menu}</nav><main><h1>{name}</h1><p>p</p></main></body></html>"
        (tmp_path / "book" / f"{name}.html").write_text(text)

    assert [page.title for page in load_book(tmp_path).pages] == ["index", "zebra", "ant", "moose"]
