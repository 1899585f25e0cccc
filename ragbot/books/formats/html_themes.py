"""Describe the pages that site generators and their themes build: where the text is, and what is not text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragbot.books.formats.html_quarto import prepare_quarto_page
from ragbot.books.formats.html_tree import letters_in, new_paragraph


@dataclass(frozen=True, slots=True)
class Theme:
    """Describe the pages of one generator by CSS selectors.

    `mark` selects something that every page has and pages of others have not. `main` are the elements that
    hold the text, the most reliable first. `drop` are parts of them that are not the author's words. `lists`
    selects something that only lists of pages, blog posts and the like have. `is_routed` is true if pages
    are served without the suffix of their files. `numbers` matches what the generator puts before a
    heading's words. `labels` selects what names a box (a note, a theorem, a listing) and opens no section.
    `has_bare_formulas` is true if formulas stand in the text as MathJax takes them, in no element of their
    own. `prepare` changes what only a look at the whole page tells to be the generator's, or its script's.
    """

    name: str
    mark: str
    main: tuple[str, ...]
    drop: str = ""
    lists: str = ""
    is_routed: bool = False
    numbers: re.Pattern[str] | None = None
    labels: str = ""
    has_bare_formulas: bool = False
    prepare: Callable[[LexborHTMLParser, LexborNode], None] | None = None


# `Chapter 1. Oars`, `A.2. Oars`, with blanks at which no line breaks.
_DOCBOOK_NUMBER = re.compile(r"\s*(?:[^\W\d]+\xa0)?(?:\d+|[A-Z])(?:\.\d+)*\.\xa0\s*")


THEMES = (
    Theme(
        "Docusaurus",
        mark="meta[name=generator][content^=Docusaurus]",
        main=(".theme-doc-markdown", "article .markdown", "article", "main"),
        drop=".hash-link, .theme-doc-toc-mobile, .theme-doc-breadcrumbs, .theme-doc-version-badge, "
        ".theme-doc-version-banner, .theme-doc-footer, .pagination-nav",
        # (The class of a document holds its id, which may be "plugin-blog", too.)
        lists="html.plugin-blog, html.blog-wrapper, html.search-page-wrapper, "
        "html:is([class^='docs-tag'], [class*=' docs-tag']):not(.docs-doc-page)",
        is_routed=True,
    ),
    Theme(
        "Starlight",
        mark="meta[name=generator][content^=Starlight], .sl-markdown-content",
        main=("main",),
        drop=".sl-anchor-link, mobile-starlight-toc, starlight-toc, starlight-menu-button, "
        ".pagination-links, .expressive-code figcaption, .expressive-code .copy",
    ),
    Theme(
        "VitePress",
        mark="meta[name=generator][content^=VitePress], .VPContent",
        main=(".vp-doc",),
        drop="span.lang, .line-numbers-wrapper, .VPDocFooter",
        lists=".VPHome:not(:has(.vp-doc))",
    ),
    Theme(
        "VuePress",
        mark="meta[name=generator][content^=VuePress], .vp-theme-container, .theme-default-content",
        main=("[vp-content]", ".theme-default-content"),
        drop=".line-numbers, .line-numbers-wrapper, .vp-copy-code-button",
    ),
    Theme(
        "MkDocs Material",
        mark="meta[name=generator][content*=mkdocs-material], .md-content",
        main=(".md-content__inner", "article"),
        drop=".headerlink, .md-content__button, .md-source-file, .md-feedback, .md-tags, .md-post__meta, "
        ".md-clipboard, .md-code__nav",
        lists=".md-content--post, .md-post, .md-search-result--page",
    ),
    Theme(
        "mdBook",
        mark="#mdbook-content, #content > main .header, #mdbook-sidebar",
        main=("#mdbook-content main", "#content > main", "main"),
        drop=".buttons, .boring, .nav-chapters",
    ),
    # Its pages are HonKit's, too.
    Theme(
        "bookdown",
        mark="meta[name=generator][content^=bookdown]",
        main=("section.normal", "main#content", "main"),
        drop="#header h1.title, .header-section-number, .toc-section-number, .anchor-section, .chapter-nav",
    ),
    Theme(
        "HonKit",
        mark="meta[name=generator][content^=HonKit], meta[name=generator][content^=GitBook], .book-body",
        main=("#book-search-results .search-noresults section", "section.normal", ".page-inner"),
        drop=".search-results, .header-section-number",
    ),
    Theme(
        "Quarto",
        mark="meta[name=generator][content^=quarto]",
        main=("main#quarto-document-content", "main"),
        drop=".header-section-number, .chapter-number, .quarto-page-breadcrumbs, .toc-actions, .nav-page, "
        ".anchorjs-link, .code-copy-button, .code-annotation-anchor, .quarto-title-meta, .quarto-listing, "
        ".screen-reader-only",
        labels=".callout-title-container, .code-with-filename-file",
        prepare=prepare_quarto_page,
    ),
    Theme(
        "PreTeXt",
        mark="meta[name=Generator][content*=PreTeXt], meta[name=generator][content*=PreTeXt], body.pretext",
        main=("#ptx-content", ".ptx-content", "main.ptx-main"),
        # What has no title is called by its kind and number, and so is what others refer to.
        drop=":not(article) > .heading:has(> .title) > :is(.type, .codenumber, .period), .permalink, "
        ".autopermalink, .code-box .copy, .summary-links, .ptx-toc-heading",
        labels="article > .heading",
        # Sheets to be printed repeat what the pages have.
        lists="body.standalone",
    ),
    Theme(
        "Antora",
        mark="meta[name=generator][content^=Antora]",
        main=("article.doc",),
        drop="a.anchor, .toc, .edit-this-page, .pagination, .breadcrumbs, .page-versions",
        has_bare_formulas=True,
    ),
    Theme(
        "Asciidoctor",
        mark="meta[name=generator][content^=Asciidoctor]",
        main=("body",),
        drop="#toc, .toc, #footer, #header .details, a.anchor",
        has_bare_formulas=True,
    ),
    Theme(
        "DocBook",
        mark="meta[name=generator]:is([content^=DocBook], [content^=publican]), .navheader, .docnav",
        main=("body",),
        # The banner, the title and the path are Publican's.
        drop="#banner, body > p#title, #breadcrumbs, .navheader, .navfooter, .docnav, .toc, "
        ".list-of-figures, .list-of-tables, .list-of-examples",
        numbers=_DOCBOOK_NUMBER,
    ),
    Theme(
        "Docsy",
        mark=".td-content, body.td-page",
        main=(".td-content",),
        drop=".td-heading-self-link, .td-page-meta, .td-page-meta__lastmod, .reading-time, .section-index, "
        "[class^=feedback--]",
        lists="body.td-blog, body.td-searchpage",
    ),
    Theme(
        "Hugo Book",
        mark="main.container .book-page",
        main=("article.book-article, article.markdown", ".book-page"),
        drop=".anchor, .book-toc, .book-header, .book-footer, .book-menu",
        lists="body.book-kind-taxonomy, body.book-kind-term, body.book-kind-section.book-type-posts",
    ),
    Theme(
        "Just the Docs",
        mark=".main-content-wrap, #main-content.main-content",
        main=("#main-content main", "#main-content", "main"),
        drop=".breadcrumb-nav, .site-footer",
    ),
    Theme(
        "MyST",
        mark=".myst-primary-sidebar, .article.content, article[class*=article-grid]",
        main=("article", "main"),
        # Cells that are not to be shown are there, hidden by a class.
        drop=".myst-fm-block-header, .myst-fm-authors-affiliations, .myst-fm-block-date-doi, "
        ".myst-footer-links, .myst-backmatter-parts, header a[title^='Link to '], .myst-footnote-backlinks, "
        ".react-syntax-highlighter-line-number, .myst-jp-nb-block.hidden, "
        ":is(h1, h2, h3, h4, h5, h6) > span.mr-3.select-none, "
        "[aria-label='Link to this Section']",
        labels="div.myst-admonition-header, div.myst-proof-header, div.myst-exercise-header, "
        ".myst-aside-title, .myst-card-title, .myst-code-filename-title",
    ),
    Theme(
        "Sphinx",
        mark=".sphinxsidebar, .wy-nav-content, .bd-main, .furo-main, article[role=main], .document .body, "
        "script[src*='_static/documentation_options.js']",
        main=("[itemprop=articleBody]", "article.bd-article", "div.body[role=main]", "div.body", "article"),
        drop=".headerlink, .viewcode-link, .linenos, .sphinxsidebar, .related, .related-pages, "
        ".prev-next-area, .prev-next-footer, .content-icon-container, .edit-this-page, .toc-drawer",
    ),
)

GENERAL = Theme(
    "",
    mark="",
    main=(
        "[itemprop=articleBody]",
        ".theme-doc-markdown",
        "div.body[role=main]",
        "div.body",
        "#content > main",
        "article",
        "main",
        "[role=main]",
    ),
    drop=".hash-link, .headerlink, .anchor-link, .pagination-nav, "
    ".sphinxsidebar, .related, .buttons, .boring, .linenos, span.link-target",
)

# Never an author's words, whatever made the page.
_NOT_PROSE = (
    "script, style, noscript, template, svg, button:not([role=tab]), form, nav, iframe, "
    "footer:not(.myst-card-footer), .katex-html, .sr-only, .visually-hidden, .screen-reader-text"
)
_AROUND_BODY = "header, aside, [role=navigation], [role=banner], [role=contentinfo], #sidebar, .menu"

# What names a box beside the text, in DocBook's pages and those after them.
_BOX_LABELS = ", ".join(
    f"div.{box} > h3.title" for box in ("note", "tip", "important", "caution", "warning", "sidebar")
)

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_INLINE = frozenset(
    "abbr b bdi cite code del em font i ins kbd mark q s small span strong sub sup u var".split()
)
_MAX_INLINE_DEPTH = 4

# A link's words by which readers are asked to edit the page. (They stand in the text of some themes.)
_EDIT = re.compile(
    r"(?:edit|improve|suggest (?:an )?edits?(?: to)?|view|show)(?: the)?"
    r"(?: (?:this|page|source|code|history))*"
    r"(?: (?:on|in) (?:github|gitlab|bitbucket|codeberg))?|(?:report|open)(?: an?)? issue",
    re.IGNORECASE,
)


def theme_of(tree: LexborHTMLParser) -> Theme:
    """Return the theme that built a page; one that fits most pages if none is recognised."""
    return next((theme for theme in THEMES if tree.css_first(theme.mark) is not None), GENERAL)


def main_content(tree: LexborHTMLParser, theme: Theme) -> LexborNode | None:
    """Return the element that holds the page's own text, without menus, buttons and the like."""
    selectors = (*theme.main, *GENERAL.main)
    found = next(
        (node for selector in selectors for node in tree.css(selector) if node.text(strip=True)), None
    )
    if found is not None and not theme.name:
        found = _whole_page(found)
    main = found or tree.body
    if main is None:
        return None
    around = "" if found and found.tag != "body" else f", {_AROUND_BODY}"
    if theme.main[0] == "body":
        # The page's head holds its title there.
        around = ""
    if theme.prepare is not None:
        theme.prepare(tree, main)
    drop = f"{_NOT_PROSE}, {theme.drop or GENERAL.drop}, {GENERAL.drop}{around}"
    for node in main.css(drop):
        node.decompose()
    if theme.numbers is not None:
        _drop_numbers(main, theme.numbers)
    for heading in main.css(f"{theme.labels}, {_BOX_LABELS}" if theme.labels else _BOX_LABELS):
        heading.replace_with(new_paragraph(heading, bold=True))
    _drop_edit_links(main)
    return main


def _whole_page(found: LexborNode) -> LexborNode:
    """Return the `main` around an article that holds less than half of its words beside other articles.

    A page of questions may have an article for each; teasers of other pages are shorter than the page's own.
    """
    around: LexborNode | None = found
    while around is not None and around.tag != "main":
        around = around.parent
    if found.tag != "article" or around is None or len(around.css("article")) == 1:
        return found
    return around if len(around.text(strip=True)) > 2 * len(found.text(strip=True)) else found


def _drop_edit_links(main: LexborNode) -> None:
    """Drop the links that ask to edit the page: alone in a block, or behind the words of a heading."""
    has_words: dict[int, bool] = {}
    for link in main.css("a"):
        words = " ".join(link.text().split())
        if not _EDIT.fullmatch(words) or _may_lead_to_chapter(link.attributes.get("href") or "", words):
            continue
        block = link.parent
        for _ in range(_MAX_INLINE_DEPTH):
            if block is not None and block.tag in _INLINE:
                block = block.parent
        if block is None:
            continue
        if block.mem_id not in has_words:
            has_words[block.mem_id] = _has_words_besides_links(block)
        if has_words[block.mem_id] == (block.tag in _HEADINGS):
            link.decompose()


def _may_lead_to_chapter(href: str, words: str) -> bool:
    """Return whether a link leads to a place on its page, or may be the name of another page: "Edit"."""
    is_place = href.startswith("#") and href != "#"
    return is_place or (" " not in words and not re.search(r"://|\?|^#?$|^javascript:", href))


def _has_words_besides_links(block: LexborNode) -> bool:
    for child in block.iter(include_text=True):
        if child.is_text_node or child.tag in _INLINE:
            links = child.css("a") if child.is_element_node else ()
            if letters_in(child.text()) > sum(letters_in(link.text()) for link in links):
                return True
    return False


def _drop_numbers(main: LexborNode, numbers: re.Pattern[str]) -> None:
    for heading in main.css("h1, h2, h3, h4, h5, h6"):
        for node in heading.traverse(include_text=True):
            if node.is_text_node and node.text().strip():
                found = numbers.match(node.text())
                if found is not None:
                    node.replace_with(node.text()[found.end() :])
                break
