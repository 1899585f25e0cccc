"""Parse Markdown into a tree of blocks with offsets into the source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ragbot.books.markup.definitions import ITEM_SIGN, are_terms, definitions_as_items, is_definition
from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.books.markup.not_prose import MaskedText, mask_markup
from ragbot.core.domain import Dialect
from ragbot.core.errors import FileUnreadable

# The longest novels, wrapped, have some; parsing takes a kilobyte and half a millisecond a line at worst.
MAX_LINES = 75_000

_LINE_END = re.compile(r"\r\n?|\n")

# (Without a title on a line of its own.)
_DEFINITION = re.compile(r"[ \t>]*\[(?:[^\[\]\\]|\\.){1,999}\]:[ \t]*\S[^\r\n]*(?:\r\n?|\n)")

_KINDS = {
    "paragraph_open": "paragraph",
    "heading_open": "heading",
    "fence": "code",
    "code_block": "code",
    "html_block": "html",
    "hr": "rule",
    "table_open": "table",
    "tr_open": "row",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "list_item_open": "item",
    "blockquote_open": "quote",
}


@dataclass(frozen=True, slots=True)
class MarkdownBlock:
    """Describe a block of a page: whole lines from `start` to `end`, without blank lines around.

    `level` is a heading's level, else 0. `is_fence` is true for fenced code, false for indented code. An
    `entry` holds the paragraph of a term, if there is one, and the list of its definitions.
    """

    kind: str
    start: int
    end: int
    children: tuple[MarkdownBlock, ...] = ()
    level: int = 0
    is_fence: bool = False


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """Hold a page's top blocks, and its text with everything blanked that is not prose."""

    source: str
    prose: MaskedText
    blocks: tuple[MarkdownBlock, ...]


def parse_page(source: str, dialect: Dialect) -> ParsedPage:
    """Parse a page. Front matter is blank in `prose` and belongs to no block.

    Raises FileUnreadable if it has more than MAX_LINES lines.
    """
    if source.count("\n") + source.count("\r") - source.count("\r\n") >= MAX_LINES:
        raise FileUnreadable(f"The page has more than {MAX_LINES:,} lines; split it into parts.")
    start = parse_front_matter(source).end if dialect is not Dialect.CONVERTED else 0
    rough = parse_blocks(source, dialect, start=start)
    prose = mask_markup(source, dialect, code=_code_spans(rough), start=start)
    if dialect is Dialect.MDX and len(prose.hidden) > bool(start):
        # Tags hide the blocks between them from a Markdown parser: parse again without them.
        return ParsedPage(source, prose, parse_blocks(prose.text, dialect))
    return ParsedPage(source, prose, rough)


def parse_blocks(text: str, dialect: Dialect, *, start: int = 0) -> tuple[MarkdownBlock, ...]:
    """Parse a text into its top blocks, with offsets into it; `start` is where parsing begins."""
    parser = _parser(dialect)
    starts = _line_starts(text, start)
    plain = text[start:]
    tokens = parser.parse(definitions_as_items(plain) if dialect is Dialect.MARKDOWN else plain)
    return _Tree(text, starts).blocks(tokens)


@cache
def _parser(dialect: Dialect) -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    # Link definitions leave no token behind; as paragraphs they keep their place.
    parser.disable("reference")
    parser.core.ruler.enableOnly(["normalize", "block"])
    if dialect is Dialect.MDX:
        parser.disable(["html_block", "code"])
    if dialect is Dialect.CONVERTED:
        parser.disable("html_block")
    return parser


def _line_starts(text: str, start: int) -> list[int]:
    return [start, *(match.end() for match in _LINE_END.finditer(text, start)), len(text)]


def _code_spans(blocks: tuple[MarkdownBlock, ...]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    stack = list(reversed(blocks))
    while stack:
        block = stack.pop()
        if block.kind == "code":
            spans.append((block.start, block.end))
        stack.extend(reversed(block.children))
    return spans


class _Tree:
    """Build nested blocks from the parser's flat list of tokens, without recursion."""

    def __init__(self, text: str, starts: list[int]) -> None:
        self.text, self.starts = text, starts

    def blocks(self, tokens: list[Token]) -> tuple[MarkdownBlock, ...]:
        """Return the top blocks of the tokens."""
        levels: list[list[MarkdownBlock]] = [[]]
        opened: list[Token] = []
        for token in tokens:
            if token.nesting == 1:
                opened.append(token)
                levels.append([])
            elif token.nesting == -1:
                children = levels.pop()
                self._add(levels[-1], opened.pop(), children)
            elif token.type in _KINDS:
                self._add(levels[-1], token, [])
        return tuple(levels[0])

    def _add(self, siblings: list[MarkdownBlock], token: Token, children: list[MarkdownBlock]) -> None:
        kind = _KINDS.get(token.type)
        if kind is None or token.map is None:
            siblings.extend(children)
            return
        start, end = self._span(token.map[0], token.map[1])
        if kind == "heading" and token.markup in ("-", "="):
            # Link definitions above an underline are no part of the heading; alone they are none.
            while (definition := _DEFINITION.match(self.text, start, end)) is not None:
                start = definition.end()
            if self.text[start:end].strip(" \t>-=") == "":
                kind, start = "paragraph", self._span(token.map[0], token.map[1])[0]
        if end > start and token.markup == ITEM_SIGN and is_definition(self.text, start):
            definitions = MarkdownBlock(kind, start, end, tuple(children))
            siblings.append(self._entry(siblings, definitions) if kind == "list" else definitions)
        elif end > start:
            level = int(token.tag[1]) if kind == "heading" else 0
            siblings.append(MarkdownBlock(kind, start, end, tuple(children), level, token.type == "fence"))

    def _entry(self, siblings: list[MarkdownBlock], definitions: MarkdownBlock) -> MarkdownBlock:
        """Join a list of definitions with the paragraph of their term, if it is the last of the siblings."""
        parts = [definitions]
        if siblings and siblings[-1].kind == "paragraph":
            term = siblings[-1]
            between = self.text[term.end : definitions.start]
            if are_terms(self.text[term.start : term.end], is_apart=len(between.splitlines()) > 1):
                parts.insert(0, siblings.pop())
        return MarkdownBlock("entry", parts[0].start, definitions.end, tuple(parts))

    def _span(self, first: int, after: int) -> tuple[int, int]:
        last = len(self.starts) - 1
        start, end = self.starts[min(first, last)], self.starts[min(after, last)]
        text = self.text[start:end]
        return _after_blank_lines(text, start), start + len(text.rstrip())


def _after_blank_lines(text: str, start: int) -> int:
    blank = len(text) - len(text.lstrip())
    line = max(text.rfind("\n", 0, blank), text.rfind("\r", 0, blank))
    return start + line + 1


def line_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the (start, end) offsets of the lines between two offsets, without line ends."""
    edges = [start, *(match.end() for match in _LINE_END.finditer(text, start, end)), end]
    return [(begin, begin + len(text[begin:stop].rstrip("\r\n"))) for begin, stop in pairwise(edges)]
