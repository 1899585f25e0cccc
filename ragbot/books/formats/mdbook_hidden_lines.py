"""Remove the lines of code that mdBook hides."""

from __future__ import annotations

import re

from ragbot.books.markup.blocks import MarkdownBlock, line_spans, parse_page
from ragbot.core.code_fences import opening_fence
from ragbot.core.domain import Dialect

_RUST_LINE = re.compile(r"(?P<indent>\s*)#(?P<next>.?)(?P<rest>.*)")
_HIDE = re.compile(r"hidelines=(?P<prefix>\S+)")


def remove_hidden_lines(source: str, hidelines: dict[str, str]) -> str:
    """Remove hidden lines from fences: `# ` in Rust, else the prefix that the fence or the book names.

    `hidelines` maps a language to its prefix.
    """
    if "```" not in source and "~~~" not in source:
        return source
    pieces, position = [], 0
    for fence in _fences(parse_page(source, Dialect.MARKDOWN).blocks):
        pieces.append(source[position : fence.start])
        pieces.append(_shown(source, fence, hidelines))
        position = fence.end
    pieces.append(source[position:])
    return "".join(pieces)


def _fences(blocks: tuple[MarkdownBlock, ...]) -> list[MarkdownBlock]:
    found: list[MarkdownBlock] = []
    for block in blocks:
        if block.is_fence:
            found.append(block)
        found.extend(_fences(block.children))
    return found


def _shown(source: str, fence: MarkdownBlock, hidelines: dict[str, str]) -> str:
    text = source[fence.start : fence.end]
    opening = opening_fence(text)
    info = opening.info.strip() if opening is not None else ""
    words = re.split(r"[,\s]+", info)
    own = _HIDE.search(info)
    if words[0] == "rust":
        return _visible_lines(text, None)
    prefix = own["prefix"].rstrip(",") if own else hidelines.get(words[0])
    return _visible_lines(text, prefix) if prefix else text


def _visible_lines(text: str, prefix: str | None) -> str:
    lines = line_spans(text, 0, len(text))
    pieces = []
    for position, (start, end) in enumerate(lines):
        after = lines[position + 1][0] if position + 1 < len(lines) else len(text)
        line = text[start:end] if position == 0 else _line(text[start:end], prefix)
        if line is not None:
            pieces.append(line + text[end:after])
    return "".join(pieces)


def _line(line: str, prefix: str | None) -> str | None:
    """Return the line as it is shown, or None if it is hidden."""
    if prefix is not None:
        return None if line.lstrip().startswith(prefix) else line
    match = _RUST_LINE.fullmatch(line)
    if match is None:
        return line
    if match["next"] == "#":
        return f"{match['indent']}#{match['rest']}"
    return None if match["next"] in ("", " ") else line
