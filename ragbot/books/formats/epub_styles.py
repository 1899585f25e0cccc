"""Give a chapter's headings, code and lists their elements where its style sheets alone tell them apart.

Kindle Create writes all paragraphs as `div` with classes of their own: a heading is one in a larger type, a
line of code one in a fixed-width font, and an item begins with a bullet that was typed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragbot.books.formats.html_tree import new_element

_BLOCKS = frozenset({"body", "blockquote", "dd", "div", "dt", "li", "p", "section", "td", "th"})
_PARAGRAPHS = frozenset({"div", "p"})
_CODE = frozenset({"code", "kbd", "pre", "samp", "tt"})
# Characters of a style sheet that are read.
_LONGEST_SHEET = 500_000
_CLASS = re.compile(r"\s*(?:[\w-]+)?\.([\w-]+)\s*")
_LENGTH = re.compile(r"\s*(-?(?:\d{1,6}(?:\.\d{1,20})?|\.\d{1,20}))\s*(rem|em|%|px|pt)\s*")
# Of an em. (Points and pixels are those of a browser's usual type.)
_UNITS = {"rem": 1.0, "em": 1.0, "%": 0.01, "px": 1 / 16, "pt": 1 / 12}
_RELATIVE = frozenset({"em", "%"})
_FIXED_WIDTH = re.compile(r"mono|courier|consol|menlo|source code", re.IGNORECASE)
_BULLETS = "•●○◦▪▫■□‣·"
_BULLET = re.compile(rf"[{_BULLETS}]\s+\S")
_BLANKS = " \t\n\xa0\u2002\u2003"

# As a share of the text's type.
_LARGER = 1.15
_LONGEST_TITLE = 150
# Of the chapter's blocks; where more are in a larger type, it tells no titles.
_MOST_TITLES = 1 / 2
_MOST_LEVELS = 4
# Width of a character of code, in em.
_CODE_ADVANCE = 0.6
_WIDEST_INDENT = 40


@dataclass(frozen=True, slots=True)
class Style:
    """Hold what a class says of its element's type; None where it says nothing. `indent` is in em."""

    size: float | None = None
    is_relative: bool = False
    is_fixed: bool | None = None
    indent: float | None = None


@dataclass(slots=True)
class _Block:
    """Hold a paragraph with the letters of its text by their size, and how many are in a fixed-width font."""

    node: LexborNode
    indent: float
    sizes: Counter[float] = field(default_factory=Counter)
    fixed: int = 0
    is_outer: bool = False

    @property
    def kind(self) -> str:
        """Return whether it is a line of code, an item with a typed bullet, text, or a cell and the like."""
        if self.node.tag not in _PARAGRAPHS:
            return "other"
        if self.fixed and self.fixed == self.sizes.total():
            return "code"
        return "item" if _BULLET.match(self.node.text().strip(_BLANKS)) else "text"


@dataclass(frozen=True, slots=True)
class _Computed:
    size: float = 1.0
    is_fixed: bool = False
    indent: float = 0.0
    block: int = 0


def read_styles(sheet: str) -> dict[str, Style]:
    """Read what a style sheet says of classes; other rules are passed over."""
    first, *commented = sheet[:_LONGEST_SHEET].split("/*")
    rules = first + "".join(piece.partition("*/")[2] for piece in commented)
    styles: dict[str, Style] = {}
    for rule in rules.split("}"):
        head, _, body = rule.rpartition("{")
        said = _declared(body)
        # (Before the selectors of a rule in `@media` stand its conditions.)
        for selector in head.rpartition("{")[2].split(","):
            if (found := _CLASS.fullmatch(selector)) is not None:
                styles[found[1]] = said
    return styles


def _declared(body: str) -> Style:
    style = Style()
    for declaration in body.split(";"):
        name, _, value = declaration.partition(":")
        length = _LENGTH.fullmatch(value)
        match name.strip().lower():
            case "font-size" if length is not None:
                size = float(length[1]) * _UNITS[length[2]]
                style = replace(style, size=size, is_relative=length[2] in _RELATIVE)
            case "font-family":
                style = replace(style, is_fixed=_FIXED_WIDTH.search(value) is not None)
            case "text-indent" if length is not None and length[2] != "%":
                style = replace(style, indent=float(length[1]) * _UNITS[length[2]])
    return style


def apply_styles(tree: LexborHTMLParser, styles: Mapping[str, Style]) -> None:
    """Replace what looks like a heading, a listing or a list by one. Changes the tree."""
    blocks = _blocks(tree, styles)
    kinds = {id(block): block.kind for block in blocks}
    sizes = Counter[float]()
    for block in blocks:
        sizes.update(block.sizes if kinds[id(block)] != "code" else {})
    usual = max(sizes, key=lambda size: sizes[size], default=1.0)
    titles = [block for block in blocks if kinds[id(block)] in ("text", "item") and _is_title(block, usual)]
    if len(titles) > _MOST_TITLES * len(blocks):
        titles = []
    levels = sorted({_size(block) for block in titles}, reverse=True)
    kinds.update({id(block): "title" for block in titles})
    for kind, group in groupby(blocks, key=lambda block: kinds[id(block)]):
        run = list(group)
        if kind == "title":
            for block in run:
                level = min(levels.index(_size(block)) + 1, _MOST_LEVELS)
                words = escape(" ".join(block.node.text().split()))
                block.node.replace_with(new_element(f"<h{level}>{words}</h{level}>"))
        elif kind == "code":
            lines = "\n".join(map(_code_line, run))
            _replace_all(run, f"<pre><code>{escape(lines)}</code></pre>")
        elif kind == "item":
            _replace_all(
                run, f"<ul>{''.join(f'<li>{_without_bullet(block.node)}</li>' for block in run)}</ul>"
            )


def _blocks(tree: LexborHTMLParser, styles: Mapping[str, Style]) -> list[_Block]:
    """Return the blocks in order that hold text and no other blocks, with the letters of their text."""
    computed: dict[int, _Computed] = {}
    blocks: dict[int, _Block] = {}
    for node in tree.body.traverse(include_text=True) if tree.body is not None else ():
        above = computed.get(node.parent.mem_id if node.parent is not None else 0, _Computed())
        if not node.is_text_node:
            own = _with_classes(above, node, styles)
            if node.tag in _BLOCKS:
                if above.block in blocks:
                    blocks[above.block].is_outer = True
                own = replace(own, block=node.mem_id)
                blocks[node.mem_id] = _Block(node, own.indent)
            computed[node.mem_id] = own
        elif above.block in blocks:
            letters = sum(not sign.isspace() for sign in node.text_content or "")
            if letters:
                blocks[above.block].sizes[round(above.size, 2)] += letters
                blocks[above.block].fixed += letters if above.is_fixed else 0
    return [block for block in blocks.values() if not block.is_outer and block.sizes]


def _with_classes(above: _Computed, node: LexborNode, styles: Mapping[str, Style]) -> _Computed:
    own = replace(above, is_fixed=above.is_fixed or node.tag in _CODE)
    for name in (node.attributes.get("class") or "").split()[:20]:
        style = styles.get(name)
        if style is None:
            continue
        if style.size is not None:
            own = replace(own, size=above.size * style.size if style.is_relative else style.size)
        if style.is_fixed is not None:
            own = replace(own, is_fixed=style.is_fixed)
        if style.indent is not None:
            own = replace(own, indent=style.indent)
    return own


def _size(block: _Block) -> float:
    return min(block.sizes)


def _is_title(block: _Block, usual: float) -> bool:
    words = block.node.text()
    is_short = len(words) <= _LONGEST_TITLE and any(map(str.isalpha, words))
    return is_short and _size(block) >= _LARGER * usual


def _code_line(block: _Block) -> str:
    for line_break in block.node.css("br"):
        line_break.replace_with("\n")
    indent = min(max(round(block.indent / _CODE_ADVANCE), 0), _WIDEST_INDENT)
    return " " * indent + block.node.text().replace("\xa0", " ").strip("\n")


def _without_bullet(node: LexborNode) -> str:
    """Return what a block holds without the bullet at its beginning."""
    for text in [inner for inner in node.traverse(include_text=True) if inner.is_text_node]:
        rest = (text.text_content or "").lstrip(_BULLETS + _BLANKS)
        text.replace_with(rest)
        if rest:
            break
    return node.inner_html or ""


def _replace_all(blocks: Sequence[_Block], html: str) -> None:
    first, *others = blocks
    first.node.replace_with(new_element(html))
    for block in others:
        block.node.decompose()
