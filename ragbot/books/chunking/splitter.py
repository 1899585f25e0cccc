"""Split blocks that are too large for a chunk at items, rows, sentences or lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ragbot.books.markup.blocks import MarkdownBlock, line_spans
from ragbot.core.text import count_tokens, sentence_spans

# Code and tables read badly when cut: they may be this much larger than a chunk should be.
WHOLE_ALLOWANCE = 1.5

# A sentence end is looked for in runs of this length, so that a huge line stays linear.
_RUN = 20_000

_BLANK_LINE = re.compile(r"(?:\r\n?|\n)(?:[ \t]*(?:\r\n?|\n))+")
_WORD = re.compile(r"\S{1,200}")

_Offsets = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Hold a range of a page that is not split further.

    `stands_alone` marks a part of split code, which is not joined to other pieces.
    """

    start: int
    end: int
    tokens: int
    kind: str
    stands_alone: bool = False


def split_block(source: str, block: MarkdownBlock, limit: int) -> Iterator[TextPiece]:
    """Yield a block whole if it has at most `limit` tokens, else in parts: items, rows, sentences, lines.

    Code and tables may be `WHOLE_ALLOWANCE` times as large.
    """
    tokens = count_tokens(source[block.start : block.end])
    allowance = WHOLE_ALLOWANCE if block.kind in ("code", "table") else 1
    if tokens <= limit * allowance:
        yield TextPiece(block.start, block.end, tokens, block.kind)
    elif block.kind == "code":
        yield from _code(source, block, limit)
    elif block.children:
        yield from _children(source, block, limit)
    else:
        yield from _text(source, block, limit)


def _children(source: str, block: MarkdownBlock, limit: int) -> Iterator[TextPiece]:
    """Yield the children in order; text between them (deeper than the parser goes) is split as text."""
    position = block.start
    for child in block.children:
        if source[position : child.start].strip():
            yield from _text(source, MarkdownBlock("paragraph", position, child.start), limit)
        start = max(child.start, position)
        if child.end > start:
            yield from split_block(source, _moved(child, start), limit)
            position = child.end
    if source[position : block.end].strip():
        yield from _text(source, MarkdownBlock("paragraph", position, block.end), limit)


def _moved(child: MarkdownBlock, start: int) -> MarkdownBlock:
    if start == child.start:
        return child
    return MarkdownBlock(child.kind, start, child.end, child.children, child.level, child.is_fence)


def _code(source: str, block: MarkdownBlock, limit: int) -> Iterator[TextPiece]:
    for start, end in _group(source, _paragraphs(source, block.start, block.end), limit, _lines):
        yield TextPiece(start, end, count_tokens(source[start:end]), "code", stands_alone=True)


def _text(source: str, block: MarkdownBlock, limit: int) -> Iterator[TextPiece]:
    for start, end in _group(source, _sentences(source, block.start, block.end), limit, _words):
        yield TextPiece(start, end, count_tokens(source[start:end]), block.kind)


def _group(
    source: str,
    spans: Iterable[_Offsets],
    limit: int,
    finer: Callable[[str, int, int], Iterable[_Offsets]] | None,
) -> Iterator[_Offsets]:
    """Join neighbouring ranges up to the limit; split one that is too large by `finer`."""
    start = end = total = -1
    for begin, stop in spans:
        tokens = count_tokens(source[begin:stop])
        if start >= 0 and (total + tokens > limit):
            yield start, end
            start = -1
        if tokens > limit and finer is not None:
            yield from _group(source, finer(source, begin, stop), limit, _finer_than(finer))
        elif start < 0:
            start, end, total = begin, stop, tokens
        else:
            end, total = stop, total + tokens
    if start >= 0:
        yield start, end


def _finer_than(
    cut: Callable[[str, int, int], Iterable[_Offsets]],
) -> Callable[[str, int, int], Iterable[_Offsets]] | None:
    return _words if cut is _lines else None


def _paragraphs(source: str, start: int, end: int) -> Iterator[_Offsets]:
    position = start
    for gap in _BLANK_LINE.finditer(source, start, end):
        if source[position : gap.start()].strip():
            yield position, gap.start()
        position = gap.end()
    if source[position:end].strip():
        yield position, end


def _lines(source: str, start: int, end: int) -> Iterator[_Offsets]:
    return (span for span in line_spans(source, start, end) if source[span[0] : span[1]].strip())


def _sentences(source: str, start: int, end: int) -> Iterator[_Offsets]:
    for begin in range(start, end, _RUN):
        for first, last in sentence_spans(source[begin : min(begin + _RUN, end)]):
            yield begin + first, begin + last


def _words(source: str, start: int, end: int) -> Iterator[_Offsets]:
    return (match.span() for match in _WORD.finditer(source, start, end))
