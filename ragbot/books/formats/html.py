"""Convert a built HTML page to Markdown: its main content only, with the site's own anchors."""

from __future__ import annotations

import re
from bisect import bisect_left
from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

from html_to_markdown import ConversionOptions, convert
from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragbot.books.formats.html_tree import parse_html
from ragbot.books.formats.markdown import Heading, build_sections, find_headings
from ragbot.books.markup.blocks import parse_page
from ragbot.core.domain import Dialect, Page
from ragbot.core.errors import FileUnreadable

HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})

# How much larger a page may become as Markdown: a table's widest row adds empty cells to all others.
MAX_GROWTH = 4
GROWTH_FREE_CHARACTERS = 100_000

# Selectors of the element that holds a page's own text, the most reliable first.
_MAIN = (
    "[itemprop=articleBody]",
    ".theme-doc-markdown",
    "div.body[role=main]",
    "div.body",
    "#content > main",
    "article",
    "main",
    "[role=main]",
)
_NOT_PROSE = (
    "script, style, noscript, template, svg, button, form, nav, iframe, footer, .katex-html, .linenos, "
    ".hash-link, .headerlink, .anchor-link, .theme-doc-toc-mobile, .theme-doc-breadcrumbs, "
    ".theme-doc-version-badge, .theme-doc-footer, .pagination-nav, .sphinxsidebar, .related, .buttons, "
    ".boring"
)
_AROUND_BODY = "header, aside, [role=navigation], [role=banner], [role=contentinfo], #sidebar, .menu"
_ROUTED = "meta[name=generator][content^=Docusaurus]"
_HEADINGS = "h1, h2, h3, h4, h5, h6"
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight)-(?P<name>[\w+#.-]+)")
# Private-use signs mark the headings through the conversion.
_MARK = re.compile("\ue000(?P<number>\\d+)\ue001")
_PERMALINK = re.compile(r"[\s¶#\u200b]+$")
_OPTIONS = ConversionOptions(extract_metadata=False, autolinks=False, default_title=False)


def read_html_page(path: str, source: str) -> Page:
    """Read an HTML file as a page whose source is its main content in Markdown.

    Raises FileUnreadable if it holds no text or exceeds a limit.
    """
    return convert_html_page(path, source, parse_html(source))


def convert_html_page(path: str, source: str, tree: LexborHTMLParser) -> Page:
    """Convert a parsed HTML file to a page, as `read_html_page` does. Changes the tree."""
    main = main_content(tree)
    if main is None:
        raise FileUnreadable("The page has no body.")
    anchors, titles = _marked_headings(main)
    _plain_code(main)
    _plain_mathematics(main)
    _part_tab_labels(main)
    converted = convert(main.html or "", _OPTIONS).content or ""
    if len(converted) > MAX_GROWTH * len(source) + GROWTH_FREE_CHARACTERS:
        raise FileUnreadable("The page holds a table with far more empty cells than filled ones.")
    text, positions = _without_marks(converted)
    if not text.strip():
        raise FileUnreadable("The page holds no text.")
    address = site_address(path)
    if tree.css_first(_ROUTED) is not None:
        # Docusaurus's own script shows "not found" under the file's name.
        address = address.removesuffix(".html")
    heads = _heads(text, positions, anchors, titles)
    return _page(path, text, address=address, title=_title(tree, path), heads=heads)


def main_content(tree: LexborHTMLParser) -> LexborNode | None:
    """Return the element that holds the page's own text, without menus, buttons and the like."""
    found = next((node for selector in _MAIN for node in tree.css(selector) if node.text(strip=True)), None)
    main = found or tree.body
    if main is None:
        return None
    for node in main.css(_NOT_PROSE if found else f"{_NOT_PROSE}, {_AROUND_BODY}"):
        node.decompose()
    return main


def _page(path: str, text: str, *, address: str, title: str, heads: list[tuple[Heading, str]]) -> Page:
    tops = [heading for heading, _ in heads if not heading.is_nested]
    opening = tops[0] if tops and tops[0].level == 1 and not text[: tops[0].start].strip() else None
    title = (opening.text if opening else "") or title
    sections = build_sections(text, heads, opening=opening, path=(title,))
    return Page(path, title, address, text, sections, Dialect.CONVERTED)


def site_address(path: str) -> str:
    """Return the address at which a site serves a file: a folder's index at the folder itself."""
    return quote(re.sub(r"(^|/)index\.html?$", r"\1", path))


def _marked_headings(main: LexborNode) -> tuple[list[str], list[str]]:
    anchors: list[str] = []
    titles: list[str] = []
    for node in main.css(_HEADINGS):
        text = _PERMALINK.sub("", " ".join(node.text().split()))
        if not text:
            continue
        anchors.append(_anchor(node))
        titles.append(text)
        _drop_permalinks(node)
        node.insert_child(f"\ue000{len(anchors) - 1}\ue001")
    return anchors, titles


def _anchor(node: LexborNode) -> str:
    """Return a heading's anchor: its own id, that of an anchor inside or before it, or of its section."""
    for candidate in [node, *node.css("[id], a[name]")]:
        if name := candidate.attributes.get("id") or candidate.attributes.get("name"):
            return name
    before = _element_before(node)
    if before is not None and before.tag in ("a", "span") and not before.text(strip=True):
        return before.attributes.get("id") or before.attributes.get("name") or ""
    parent = node.parent
    if before is None and parent is not None and parent.tag in ("section", "div"):
        return parent.attributes.get("id") or ""
    return ""


def _element_before(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and not before.is_element_node and not before.text(strip=True):
        before = before.prev
    return before


def _drop_permalinks(node: LexborNode) -> None:
    for link in node.css("a"):
        if link.text(strip=True) in ("", "¶", "#", "🔗", "\u200b"):
            link.decompose()


def _plain_code(main: LexborNode) -> None:
    """Replace highlighted code by plain code, so that the converter sees its language and line ends."""
    for pre in main.css("pre"):
        for line_break in pre.css("br"):
            line_break.replace_with("\n")
        language = _language(pre)
        text = pre.text().strip("\n")
        attribute = f' class="language-{escape(language)}"' if language else ""
        plain = LexborHTMLParser(f"<pre><code{attribute}>{escape(text)}\n</code></pre>").css_first("pre")
        if plain is not None:
            pre.replace_with(plain)


def _plain_mathematics(main: LexborNode) -> None:
    """Replace each of KaTeX's formulas, which has two renderings and the TeX source, by the source."""
    for formula in main.css(".katex"):
        note = formula.css_first("annotation[encoding='application/x-tex']")
        if note is not None:
            above = formula.parent
            is_display = above is not None and "katex-display" in (above.attributes.get("class") or "")
            marks = "$$" if is_display else "$"
            formula.replace_with(f"{marks}{note.text(strip=True)}{marks}")


def _part_tab_labels(main: LexborNode) -> None:
    """Put each tab's label on a line of its own: in the HTML, all labels are on one line."""
    for label in main.css(".tabbed-labels label"):
        paragraph = LexborHTMLParser(f"<p>{escape(label.text(strip=True))}</p>").css_first("p")
        if paragraph is not None:
            label.replace_with(paragraph)


def _language(pre: LexborNode) -> str:
    nodes = [pre, *pre.css("code")]
    outer = pre.parent
    for _ in range(3):
        if outer is not None:
            nodes.append(outer)
            outer = outer.parent
    for node in nodes:
        match = _LANGUAGE.search(node.attributes.get("class") or "")
        if match is not None and match["name"] not in ("default", "none"):
            return match["name"]
    return ""


def _without_marks(converted: str) -> tuple[str, dict[int, int]]:
    """Return the text without heading marks, and the offset of each mark in it."""
    pieces: list[str] = []
    positions: dict[int, int] = {}
    position = length = 0
    for match in _MARK.finditer(converted):
        piece = converted[position : match.start()]
        pieces.append(piece)
        length += len(piece)
        positions[int(match["number"])] = length
        position = match.end()
    pieces.append(converted[position:])
    return "".join(pieces), positions


def _heads(
    text: str, positions: dict[int, int], anchors: list[str], titles: list[str]
) -> list[tuple[Heading, str]]:
    """Pair the headings of the converted text with the anchors and words of the originals."""
    heads: list[tuple[Heading, str]] = []
    waiting = sorted((start, number) for number, start in positions.items())
    starts = [start for start, _ in waiting]
    for heading in find_headings(parse_page(text, Dialect.CONVERTED), Dialect.CONVERTED):
        first = bisect_left(starts, heading.start)
        if first < len(waiting) and starts[first] <= heading.end:
            number = waiting[first][1]
            named = Heading(heading.level, titles[number], "", heading.start, heading.end, heading.is_nested)
            heads.append((named, anchors[number]))
        elif heading.text:
            heads.append((heading, ""))
    return heads


def _title(tree: LexborHTMLParser, path: str) -> str:
    node = tree.css_first("title")
    title = " ".join(node.text().split()) if node else ""
    # Generators write the page's title before the site's.
    return re.split(r"\s+[|—–]\s+|\s+-\s+", title)[0] or PurePosixPath(path).stem
