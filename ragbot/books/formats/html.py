"""Convert a built HTML page to Markdown: its main content only, with the site's own anchors."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from html import escape
from urllib.parse import quote

from html_to_markdown import ConversionOptions, convert
from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragbot.books.formats.html_definitions import join_definitions, mark_definitions
from ragbot.books.formats.html_layout_tables import replace_code_tables, replace_layout_tables
from ragbot.books.formats.html_mathml import loses_nothing, tex_of
from ragbot.books.formats.html_notes import plain_notes
from ragbot.books.formats.html_tabs import label_tab_panels
from ragbot.books.formats.html_themes import main_content, theme_of
from ragbot.books.formats.html_tree import new_element, parse_html
from ragbot.books.formats.markdown import Heading, build_sections, find_headings
from ragbot.books.formats.page_names import readable_name
from ragbot.books.markup.blocks import parse_page
from ragbot.core.domain import Dialect, Page
from ragbot.core.errors import FileUnreadable
from ragbot.core.markdown_escaping import escape_tags

HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})

# How much larger a page may become as Markdown: a table's widest row adds empty cells to all others.
MAX_GROWTH = 4
GROWTH_FREE_CHARACTERS = 100_000

_NUMBER = re.compile(r"\s*(?:[^\W\d]{1,12} )?\d{1,3}(?:\.\d{1,3}){0,5}[.:]?")
_HEADINGS = "h1, h2, h3, h4, h5, h6"
_LANGUAGE = re.compile(
    r"(?:^|\s)(?:(?:language|lang|highlight)-|sourceCode\s+(?:numberSource\s+)?)(?P<name>[\w+#.-]+)"
)
_NO_LANGUAGES = frozenset({"default", "none", "plaintext", "text", "txt", "ansi"})
# A formula's alternative text in words, or for want of one: "x equals StartFraction ...".
_PROSE = re.compile(r"[^\\^_{}]*[A-Za-z]{3,} [^\\^_{}]*\Z")
# Of Chroma, Rouge, Expressive Code and highlight.js.
_LINE_NUMBERS = "pre :is(.ln, .lnt, .lineno, .hljs-ln-numbers)"
# Private-use signs mark the headings through the conversion.
_MARK = re.compile("\ue000(?P<number>\\d+)\ue001")
# What MathJax looks for in a page; an environment of equations stands for itself.
_DELIMITED = re.compile(
    r"\\(?P<sign>[(\[])(?P<tex>.*)\\[)\]]"
    r"|\\begin\{equation\*?\}(?P<equation>.*)\\end\{equation\*?\}"
    r"|(?P<environment>\\begin\{(?P<name>\w+\*?)\}.*\\end\{(?P=name)\})",
    re.DOTALL,
)
_BARE_FORMULA = re.compile(r"\\\((?P<inline>.{1,1000}?)\\\)|\\\[(?P<display>.{1,4000}?)\\\]", re.DOTALL)
# Stands for a backslash, which the converter would escape.
_ESCAPE = "\ue004"
_PICTURE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp)", re.IGNORECASE)
_TITLE_SIGNS = re.compile(r"\s+[|—–•·]\s+|\s+-\s+|\s+:: ")
_PERMALINK_SIGNS = " ¶\u200b"
_OPTIONS = ConversionOptions(
    extract_metadata=False,
    autolinks=False,
    default_title=False,
    # Without them a power becomes digits of the number before it.
    sup_symbol="<sup>",
    sub_symbol="<sub>",
)


class NoText(FileUnreadable):
    """Report that a page has no text of its own: it is a frame, or a page of pictures."""


def read_html_page(path: str, source: str) -> Page:
    """Read an HTML file as a page whose source is its main content in Markdown.

    Raises FileUnreadable if it holds no text or exceeds a limit.
    """
    return convert_html_page(path, source, parse_html(source))


def convert_html_page(path: str, source: str, tree: LexborHTMLParser) -> Page:
    """Convert a parsed HTML file to a page, as `read_html_page` does. Changes the tree."""
    theme = theme_of(tree)
    main = main_content(tree, theme)
    if main is None:
        raise FileUnreadable("The page has no body.")
    plain_notes(main)
    anchors, titles = _marked_headings(main)
    replace_code_tables(main)
    _plain_code(main)
    _escaped_tags(main, source)
    _plain_mathematics(main)
    if theme.has_bare_formulas or "mathjax" in source.casefold():
        _plain_bare_formulas(main)
    _plain_pictures(main)
    _plain_captions(main)
    replace_layout_tables(main)
    label_tab_panels(main)
    mark_definitions(main)
    converted = join_definitions(convert(main.html or "", _OPTIONS).content or "").replace(_ESCAPE, "\\")
    if len(converted) > MAX_GROWTH * len(source) + GROWTH_FREE_CHARACTERS:
        raise FileUnreadable("The page holds a table with far more empty cells than filled ones.")
    text, positions = _without_marks(converted)
    if not text.strip():
        raise NoText("The page holds no text.")
    address = site_address(path)
    if theme.is_routed:
        # The site's own script shows "not found" under the file's name.
        address = address.removesuffix(".html")
    heads = _heads(text, positions, anchors, titles)
    title = _title(tree, path, theme.numbers)
    return _page(path, text, address=address, title=title, heads=heads)


def _page(path: str, text: str, *, address: str, title: str, heads: list[tuple[Heading, str]]) -> Page:
    tops = [heading for heading, _ in heads if not heading.is_nested]
    # Some generators write a page's title as a heading of the second level.
    opening = tops[0] if tops and (tops[0].level == 1 or tops[0].text == title) else None
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
        anchor = _anchor(node)
        _drop_permalinks(node)
        _part_number(node)
        # "C#" ends in its sign; behind a blank it is a permalink's.
        text = " ".join(node.text().split()).rstrip(_PERMALINK_SIGNS).removesuffix(" #")
        if not text:
            continue
        anchors.append(anchor)
        titles.append(text)
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


def _part_number(heading: LexborNode) -> None:
    """Part a heading's number from its words, where each is an element and only a margin parts them."""
    number = next(heading.iter(), None)
    if number is None or number.prev is not None or not _NUMBER.fullmatch(number.text()):
        return
    words = number.next
    if words is not None and words.is_element_node and words.text()[:1].isalpha():
        number.insert_after(" ")


def _plain_code(main: LexborNode) -> None:
    """Replace highlighted code by plain code, so that the converter sees its language and line ends.

    What a page has in a field to be tried out is code, too.
    """
    for number in main.css(_LINE_NUMBERS):
        number.decompose()
    for pre in main.css("pre, textarea"):
        for line_break in pre.css("br"):
            line_break.replace_with("\n")
        for line in pre.css("code > div"):
            line.insert_after("\n")
        language = _language(pre)
        text = pre.text().strip("\n")
        attribute = f' class="language-{escape(language)}"' if language else ""
        pre.replace_with(new_element(f"<pre><code{attribute}>{escape(text)}\n</code></pre>"))
    # The converter parts a span of code at the ends of its lines, which only the page's source has.
    for span in main.css("code:not(pre code)"):
        if "\n" in (text := span.text()):
            span.replace_with(new_element(f"<code>{escape(' '.join(text.split()))}</code>"))


def _escaped_tags(main: LexborNode, source: str) -> None:
    """Escape what is written out in a page's text and would be a tag or an entity in Markdown: "<name>"."""
    if "&lt;" not in source and "&amp;" not in source:
        return
    _rewrite_words(main, lambda text: escape_tags(text, _ESCAPE))


def _rewrite_words(main: LexborNode, rewrite: Callable[[str], str]) -> None:
    """Rewrite each text of a page that is no code."""
    for node in [node for node in main.traverse(include_text=True) if node.is_text_node]:
        text = node.text_content or ""
        written = rewrite(text)
        if written != text and not _is_code(node):
            node.replace_with(written)


def _plain_mathematics(main: LexborNode) -> None:
    """Replace a formula by its TeX source: what the page holds beside what it shows, or what MathML says."""
    for formula in main.css(".katex, mjx-container, math:not(math math)"):
        source = _tex(formula)
        if source:
            above = formula.parent
            is_display = (
                above is not None and "katex-display" in (above.attributes.get("class") or "")
            ) or formula.attributes.get("display") in ("block", "true")
            formula.replace_with(_between("$$" if is_display else "$", source))

    for formula in main.css(".math, .arithmatex, .process-math"):
        delimited = _DELIMITED.fullmatch(formula.text().strip())
        if delimited is not None:
            marks = "$" if delimited["sign"] == "(" else "$$"
            source = delimited["tex"] or delimited["equation"] or delimited["environment"] or ""
            formula.replace_with(_between(marks, source))


def _plain_bare_formulas(main: LexborNode) -> None:
    """Replace the signs by which MathJax knows a formula in a page's text, where no element marks it."""
    _rewrite_words(main, partial(_BARE_FORMULA.sub, _in_dollars))


def _in_dollars(formula: re.Match[str]) -> str:
    inline = formula["inline"]
    return _between("$", inline) if inline else _between("$$", formula["display"])


def _between(marks: str, tex: str) -> str:
    """Return a formula that the converter keeps as it is; a blank in front of a letter is none in TeX."""
    kept = tex.strip().replace(f"{_ESCAPE}<", "< ").replace(_ESCAPE, "").replace("\\", _ESCAPE)
    return f"{marks}{kept}{marks}"


def _is_code(node: LexborNode) -> bool:
    """Return whether a text stands in code: Sphinx has an element around each of its words."""
    above = node.parent
    while above is not None and above.tag not in ("code", "pre", "kbd", "samp"):
        above = above.parent
    return above is not None


def _tex(formula: LexborNode) -> str:
    note = formula.css_first("annotation[encoding='application/x-tex']")
    if note is not None:
        return note.text(strip=True)
    found = [node for node in (formula, *formula.css("math")) if node.tag == "math"]
    named = next((alternative for node in found if (alternative := node.attributes.get("alttext"))), "")
    if named and not _PROSE.match(named):
        return named
    for node in found:
        if tex := tex_of(node):
            return "" if loses_nothing(node, tex) else tex
    return named


def _plain_pictures(main: LexborNode) -> None:
    """Replace pictures that are written into the page by their alternative text.

    Generators repeat a caption as that text, or put the file's name there for want of a better one.
    """
    for picture in main.css("img[alt]"):
        words = (picture.attributes.get("alt") or "").strip()
        repeated = _letters(words)
        if _PICTURE_NAME.fullmatch(words) or (repeated and repeated in _letters(_caption(picture))):
            picture.attrs["alt"] = ""
    for picture in main.css("img[src^='data:']"):
        picture.replace_with(picture.attributes.get("alt") or " ")


def _plain_captions(main: LexborNode) -> None:
    """Part the number that leads to a figure from its caption, where only a margin does that."""
    for link in main.css("figcaption a[href^='#']:first-child"):
        number = link.text().strip()
        if number.endswith((":", ")")):
            link.replace_with(f"{number} ")


def _caption(picture: LexborNode) -> str:
    """Return the caption of the figure that a picture stands in, or an empty text."""
    outer = picture.parent
    for _ in range(4):
        if outer is None:
            break
        caption = outer.css_first("figcaption, p.caption")
        if caption is not None:
            return str(caption.text())
        outer = outer.parent
    return ""


def _letters(text: str) -> str:
    """Return the letters of a text, whose quotes and dashes a caption sets in another way."""
    return "".join(character for character in text if character.isalnum())


def _language(pre: LexborNode) -> str:
    nodes = [pre, *pre.css("code")]
    outer = pre.parent
    for _ in range(3):
        if outer is not None:
            nodes.append(outer)
            outer = outer.parent
    for node in nodes:
        match = _LANGUAGE.search(node.attributes.get("class") or "")
        own = node.attributes.get("data-language") or node.attributes.get("data-lang") or ""
        name = match["name"] if match is not None else own
        if name and name not in _NO_LANGUAGES:
            return name
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
        if first < len(waiting) and starts[first] <= _line_end(text, heading.end):
            number = waiting[first][1]
            named = Heading(heading.level, titles[number], "", heading.start, heading.end, heading.is_nested)
            heads.append((named, anchors[number]))
        elif heading.text:
            heads.append((heading, ""))
    return heads


def _line_end(text: str, position: int) -> int:
    """Return the end of a line. (Blanks before a permalink stand between a heading and its mark.)"""
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def title_parts(tree: LexborHTMLParser, numbers: re.Pattern[str] | None = None) -> list[str]:
    """Return the parts of a page's title, without a number: generators write the page's before the site's."""
    node = tree.css_first("head > title")
    text = node.text() if node else ""
    return _TITLE_SIGNS.split(" ".join((numbers.sub("", text, 1) if numbers else text).split()))


def _title(tree: LexborHTMLParser, path: str, numbers: re.Pattern[str] | None) -> str:
    return title_parts(tree, numbers)[0] or readable_name(path)
