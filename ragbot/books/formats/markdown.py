"""Split a Markdown page into sections at its headings, with anchors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ragbot.books.markup.attribute_lists import id_in_attributes
from ragbot.books.markup.blocks import MarkdownBlock, ParsedPage, parse_page
from ragbot.books.markup.script_prose import NO_ANCHOR
from ragbot.books.markup.slugs import Slugger
from ragbot.core.domain import Dialect, Section
from ragbot.core.invisible_characters import without_invisible
from ragbot.core.text import folded

# A longer heading is a paragraph by mistake; its markup is not parsed, which would be slow.
MAX_HEADING = 1_000

# (Possessive, so that a run of blanks is scanned once and not from each of them on.)
_CLASSIC_ID = re.compile(r"(?<!\s)\s*+\{#(?P<id>[\w-]+)[^{}\n]*\}\s*$")
_ATTRIBUTES = re.compile(r"(?<!\s)\s*+\{(?P<attributes>[^{}\n]*)\}\s*$")
_COMMENT_ID = re.compile(r"(?:\{\s*/\*|<!--)\s*#(?P<id>[^\s*]+)[^\r\n]*?(?:\*/\s*\}|-->)\s*$")
_ATX = re.compile(r"(?P<marks>#{1,6})(?:[ \t]+|$)")
_ATX_CLOSE = re.compile(r"(?:^|(?<![ \t])[ \t]++)#++[ \t]*$")
_UNDERLINE = re.compile(r"(?:\r\n?|\n)[ \t>]*[=-]+[ \t]*$")

_REFERENCE = re.compile(r"(?<![!\\])\[(?P<label>[^\[\]]{1,300})\]\[(?P<name>[^\[\]]{0,300})\]")

_DEFINITION = re.compile(r"^ {0,3}\[([^\[\]\n]{1,300})\]:", re.MULTILINE)

_FOOTNOTE = re.compile(r"(?<!\\)\[\^[^\[\]\s]{1,60}\]")
_CODE = re.compile(r"(`[^`]*`)")
_DIRECTIVE = re.compile(r"(?<![:\\]):[A-Za-z][\w-]*(?![\w:-])(?:\{[^{}]*\})?")
_LINE_END = re.compile(r"[\r\n]")
_SIGNS = re.compile(r"[^\w\s]+")
_QUOTE_MARKS = "> \t\r\n"

_inline = MarkdownIt("commonmark").enable("strikethrough")


@dataclass(frozen=True, slots=True)
class Heading:
    """Describe a heading; `text` is free of markup.

    `own_id` is the id that the author wrote, if any. `is_nested` is true inside a list or a quotation: such a
    heading has an anchor, but opens no section. `slug_text` is the text that the anchor is made of, with its
    white space unchanged, and `markdown` what it is parsed from. `has_anchor` is false if the site gives it
    none that is known: it is counted nowhere, and is found under the anchor of the heading above.
    """

    level: int
    text: str
    own_id: str
    start: int
    end: int
    is_nested: bool = False
    slug_text: str = ""
    has_anchor: bool = True
    markdown: str = ""


@dataclass(frozen=True, slots=True)
class AnchorRules:
    """Describe how a site generator makes anchors.

    `h1_has_anchor` is false if headings of the first level get none. `slug_text` returns what an anchor is
    made of from a heading's Markdown, where that is not simply its words.
    """

    new_slugger: Callable[[], Slugger]
    h1_has_anchor: bool = True
    slug_text: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class PageSections:
    """Hold a page's title and its sections."""

    title: str
    sections: tuple[Section, ...]


def find_headings(page: ParsedPage, dialect: Dialect) -> list[Heading]:
    """Find all headings of a page in order, in lists and quotations too."""
    found: list[Heading] = []
    stack = [(block, False) for block in reversed(page.blocks)]
    while stack:
        block, is_nested = stack.pop()
        if block.kind == "heading":
            found.append(_heading(page, block, dialect, is_nested))
        stack.extend((child, True) for child in reversed(block.children))
    return found


def split_page(
    source: str, dialect: Dialect, anchors: AnchorRules, *, title: str, fallback: str, parts: tuple[str, ...]
) -> PageSections:
    """Split a page into sections under `parts`.

    An empty `title` is replaced by the heading that the page begins with, by the only one of the first level,
    or by `fallback`.
    """
    page = parse_page(source, dialect)
    headings = find_headings(page, dialect)
    opening = _opening(page, headings)
    title = title or (opening.text if opening else _only_title(headings)) or fallback
    names = _anchored(headings, anchors)
    return PageSections(title, build_sections(page.prose.text, names, opening=opening, path=(*parts, title)))


def build_sections(
    prose: str, names: list[tuple[Heading, str]], *, opening: Heading | None, path: tuple[str, ...]
) -> tuple[Section, ...]:
    """Build the sections between headings; text before the first heading is a section too.

    `names` are the headings with their anchors, `opening` the heading that is the page's title, `path` the
    titles down to the page's own.
    """
    sections: list[Section] = []
    above: list[tuple[int, str]] = []
    tops = [(heading, anchor) for heading, anchor in names if not heading.is_nested]
    first = tops[0][0].start if tops else len(prose)
    if prose[:first].strip():
        sections.append(Section(path, "", 0, first))
    for position, (heading, anchor) in enumerate(tops):
        end = tops[position + 1][0].start if position + 1 < len(tops) else len(prose)
        if heading is opening:
            above = [] if _alike(heading.text, path[-1]) else [(1, heading.text)]
            anchor = ""
        elif heading.level == 1 and _alike(heading.text, path[-1]):
            above = []
        else:
            above = [*(outer for outer in above if outer[0] < heading.level), (heading.level, heading.text)]
        names_above = tuple(text for _, text in above if text)
        sections.append(Section((*path, *names_above), anchor, heading.start, end))
    return tuple(sections)


def _alike(heading: str, title: str) -> bool:
    """Return whether two titles are equal without signs."""
    return _SIGNS.sub(" ", folded(heading)).split() == _SIGNS.sub(" ", folded(title)).split()


def plain_text(markdown: str) -> str:
    """Convert inline Markdown to plain text on one line."""
    return _on_one_line(_words(markdown))


def _on_one_line(words: str) -> str:
    return " ".join(without_invisible(words).split())


def _opening(page: ParsedPage, headings: list[Heading]) -> Heading | None:
    """Return the heading that serves as the page's title: of the first level, with no prose before it.

    A quotation may hold it.
    """
    first = next(iter(headings), None)
    if first is None or first.level != 1 or page.prose.text[: first.start].strip(_QUOTE_MARKS):
        return None
    is_listed = first.is_nested and page.source[first.start : first.end].lstrip()[:1] != ">"
    return None if is_listed else first


def _only_title(headings: list[Heading]) -> str:
    """Return the text of the only heading of the first level, or an empty text."""
    tops = [heading.text for heading in headings if heading.level == 1 and not heading.is_nested]
    return tops[0] if len(tops) == 1 else ""


def _anchored(headings: list[Heading], rules: AnchorRules) -> list[tuple[Heading, str]]:
    slug: Slugger = rules.new_slugger()
    named: list[tuple[Heading, str]] = []
    anchor = ""
    for heading in headings:
        if not heading.has_anchor:
            named.append((heading, anchor))
            continue
        words = rules.slug_text(heading.markdown) if rules.slug_text else heading.slug_text
        anchor = heading.own_id or slug(words)
        anchor = anchor if heading.level > 1 or rules.h1_has_anchor else ""
        named.append((heading, anchor))
    return named


def _heading(page: ParsedPage, block: MarkdownBlock, dialect: Dialect, is_nested: bool) -> Heading:
    # The block ends before a comment that was blanked, which may contain an id.
    raw = page.source[block.start : _line_end(page.source, block.end)]
    content = _content(page.prose.visible(block.start, block.end))
    if content.endswith(NO_ANCHOR):
        text = plain_text(content.removesuffix(NO_ANCHOR))
        return Heading(block.level, text, "", block.start, block.end, is_nested, has_anchor=False)
    content, own_id = _without_id(content, raw, dialect)
    content = _REFERENCE.sub(lambda link: _as_link(link, page.source), _FOOTNOTE.sub("", content))
    exact = _words(content).strip()
    slug_text = _mdx_slug_text(page, block) if dialect is Dialect.MDX and not own_id else exact
    text = _on_one_line(exact)
    return Heading(
        block.level, text, own_id, block.start, block.end, is_nested, slug_text=slug_text, markdown=content
    )


def _as_link(link: re.Match[str], source: str) -> str:
    """Write a link whose address the page defines elsewhere (`[words][name]`) as one with an address."""
    name = (link["name"] or link["label"]).casefold()
    return f"[{link['label']}](#)" if name in _defined_names(source) else link[0]


@lru_cache(maxsize=4)
def _defined_names(source: str) -> frozenset[str]:
    return frozenset(name.casefold() for name in _DEFINITION.findall(source))


def _mdx_slug_text(page: ParsedPage, block: MarkdownBlock) -> str:
    """Return the text that Docusaurus makes an anchor of: with an expression's code, without directives."""

    def code(start: int, end: int) -> str:
        return page.source[start + 1 : end - 1] if page.source[start] == "{" else ""

    content = _content(page.prose.visible(block.start, block.end, code))
    pieces = (piece if piece[:1] == "`" else _DIRECTIVE.sub("", piece) for piece in _CODE.split(content))
    return _words(_FOOTNOTE.sub("", "".join(pieces))).strip()


def _line_end(source: str, position: int) -> int:
    match = _LINE_END.search(source, position)
    return match.start() if match else len(source)


def _content(heading: str) -> str:
    """Return a heading's text without its marks."""
    heading = heading.strip()
    match = _ATX.search(heading)
    if match is not None and not _UNDERLINE.search(heading):
        return _ATX_CLOSE.sub("", heading[match.end() :].strip()).strip()
    return _UNDERLINE.sub("", heading).strip()


def _without_id(content: str, raw: str, dialect: Dialect) -> tuple[str, str]:
    if dialect is Dialect.MDX:
        comment = _COMMENT_ID.search(raw)
        if comment is not None:
            return content, comment["id"]
    match = (_CLASSIC_ID if dialect is Dialect.MDX else _ATTRIBUTES).search(content)
    if match is None or dialect is Dialect.CONVERTED:
        return content, ""
    own_id = match["id"] if dialect is Dialect.MDX else id_in_attributes(match["attributes"])
    return (content, "") if own_id is None else (content[: match.start()], own_id)


def _words(markdown: str) -> str:
    if len(markdown) > MAX_HEADING:
        return markdown
    pieces: list[str] = []
    _gather(inline_tokens(markdown), pieces)
    return "".join(pieces)


def inline_tokens(markdown: str) -> list[Token]:
    """Parse Markdown within a line; what is longer than `MAX_HEADING` is one text."""
    if len(markdown) > MAX_HEADING:
        return [Token("text", "", 0, content=markdown)]
    return [child for token in _inline.parseInline(markdown) for child in token.children or []]


def _gather(tokens: list[Token], pieces: list[str]) -> None:
    for token in tokens:
        if token.type in ("text", "code_inline", "text_special"):
            pieces.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            pieces.append("\n")
        elif token.type == "image":
            _gather(token.children or [], pieces)
