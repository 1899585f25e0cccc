"""Write definition lists as PHP Markdown Extra does, so that a term stays with what it means.

The converter makes a paragraph of each term and of each definition, which a search then finds apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from selectolax.lexbor import LexborNode

# Private-use signs mark the beginnings through the conversion: of a definition, and of a term's next name.
_DEFINITION, _NEXT_TERM = "\ue002", "\ue003"
_SIGNS = re.compile(f"[{_DEFINITION}{_NEXT_TERM}]")
_MARKED = re.compile(rf"(?P<indent>[ \t>]*)(?P<sign>[{_DEFINITION}{_NEXT_TERM}])[ \t]*")
# Lines that are no term: the end of a listing, and a row of a table.
_NO_TERM = re.compile(r"[ \t>]*(?:`{3}|~{3}|\|)")
# Characters; longer ones are paragraphs.
_LONGEST_TERM = 300
_BLOCK_TAGS = ("p", "ul", "ol", "dl", "pre", "table", "div", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = ", ".join(_BLOCK_TAGS)


def mark_definitions(main: LexborNode) -> None:
    """Mark each definition that begins with words, behind its term, and each further name of a term."""
    for node in main.css("dd"):
        terms = _terms_of(node)
        words = _first_words(node)
        if terms and words is not None and all(map(_is_term, terms)):
            _put_first(words, _DEFINITION)
            for term in terms[:-1]:
                _put_first(term, _NEXT_TERM)


def join_definitions(converted: str) -> str:
    """Return the converted text with each marked definition in the line below its term, after a colon."""
    if not _SIGNS.search(converted):
        return converted
    lines: list[str] = []
    for line in converted.split("\n"):
        marked = _MARKED.match(line)
        if marked is not None and _ends_in_term(lines):
            # The empty line between the two.
            lines.pop()
            colon = ": " if marked["sign"] == _DEFINITION else ""
            line = f"{marked['indent']}{colon}{line[marked.end() :]}"
        lines.append(_SIGNS.sub("", line))
    return "\n".join(lines)


def _ends_in_term(lines: Sequence[str]) -> bool:
    """Return whether lines end in one that may be a term, and an empty one."""
    if len(lines) < 2 or lines[-1].strip(" \t>"):
        return False
    return bool(lines[-2].strip(" \t>")) and _NO_TERM.match(lines[-2]) is None


def _is_term(node: LexborNode) -> bool:
    """Return whether a `dt` holds no more than some words. A colon at their end is removed: one is added."""
    for colon in node.css("span.colon"):
        colon.decompose()
    texts = [child for child in node.traverse(include_text=True) if child.is_text_node]
    last = next((child for child in reversed(texts) if (child.text_content or "").strip()), None)
    if last is not None and (text := (last.text_content or "").rstrip()).endswith(":"):
        last.replace_with(text.removesuffix(":"))
    words = node.text().strip()
    return bool(words) and len(words) <= _LONGEST_TERM and not node.css(_BLOCKS)


def _first_words(node: LexborNode) -> LexborNode | None:
    """Return what holds the first words of a definition: itself, or its first paragraph; None for a list."""
    for child in node.iter(include_text=True):
        if child.is_text_node:
            if child.text(deep=False).strip():
                return node
        elif child.is_element_node:
            if child.tag == "p":
                return child if child.text(strip=True) else None
            return None if child.tag in _BLOCK_TAGS or child.css(_BLOCKS) else node
    return None


def _put_first(node: LexborNode, sign: str) -> None:
    first = node.child
    if first is not None and first.is_text_node:
        first.replace_with(f"{sign}{(first.text_content or '').lstrip()}")
    elif first is not None:
        first.insert_before(sign)


def _terms_of(definition: LexborNode) -> list[LexborNode]:
    """Return the `dt` elements right before a definition, the nearest first."""
    terms: list[LexborNode] = []
    before = definition.prev
    while before is not None and (before.tag == "dt" or not before.is_element_node):
        if before.tag == "dt":
            terms.append(before)
        before = before.prev
    return terms
