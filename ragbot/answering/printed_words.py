"""Find the words of a passage that every site generator prints exactly as they are written."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ragbot.books.markup.prose import ProseBlock
from ragbot.books.markup.readable import readable_blocks
from ragbot.books.markup.readable_text import ReadableText
from ragbot.core.code_fences import opening_fence

CACHED_PASSAGES = 256
# Characters. A longer word (an address, a key) is not used.
LONGEST_WORD = 300

# In Chinese and Japanese a clause counts as a word.
_WORD = re.compile(r"[^\s、。，！？；：]+[、。，！？；：」』”’）]*|\S")
# Text that a generator may replace as a whole: mathematics, expressions, symbols, fractions.
_REPLACED = re.compile(
    r"\$\$[^$]{1,1000}\$\$|\$[^$\n]{1,200}\$|\{[^{}\n]{0,200}\}|\\[(\[].{0,200}?\\[)\]]"
    r"|\([crp]\)|\(tm\)|\+-|:[a-z_]+:|(?<!\d)[13]/[248](?!\d)",
    re.IGNORECASE,
)
# Signs that a generator may replace: straight quotes, dashes, an ellipsis, arrows, its own markup.
_CHANGED = re.compile(r"[\"'`\\${}<>\[\]^|]|-{2,3}|\.\.\.|~~|==|\+\+|->|<-|=>")
_CHANGED_OR_MARKUP = re.compile(rf"{_CHANGED.pattern}|[*_#:]")
# Lines of code with an instruction for the generator are omitted or changed.
_FOR_GENERATOR = re.compile(r"highlight-(?:next-line|start|end)|\bANCHOR(?:_END)?:|\(\d{1,3}\)!|\[!code\b")
_DIAGRAM = re.compile(
    r"[ \t>]*(?:`{3,}|~{3,})[ \t]*\{?(?:mermaid|plantuml|dot|graphviz|d2|ditaa|nomnoml|vega(?:-lite)?)\b",
    re.I,
)

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PrintedRun:
    """Describe consecutive words of a block with only blanks between them.

    `words` are spans of `text`, the words of the block. `block` is the block's index and `start` its offset
    in the passage; `readable` maps its text to its source. `opens` and `closes` say whether the run reaches
    the block's beginning and end.
    """

    block: int
    start: int
    readable: ReadableText
    words: tuple[Span, ...]
    opens: bool
    closes: bool

    @property
    def text(self) -> str:
        """Return the words of the block."""
        return self.readable.text

    def span(self, first: int, after: int) -> Span:
        """Return the span of `text` from the first letter of words to the last; empty without letters."""
        start, end = self.words[first][0], self.words[after - 1][1]
        while start < end and not is_letter(self.text[start]):
            start += 1
        while start < end and not is_letter(self.text[end - 1]):
            end -= 1
        return start, end

    def source_offset(self, offset: int) -> int:
        """Return the offset in the passage of a character of `text`."""
        return self.start + self.readable.source_offset(offset)


def is_letter(sign: str) -> bool:
    """Return whether a sign belongs to a word: a letter, digit, combining mark or underscore."""
    return sign.isalnum() or sign == "_" or unicodedata.category(sign)[0] == "M"


@lru_cache(maxsize=CACHED_PASSAGES)
def printed_runs(source: str, in_code: bool = False) -> tuple[PrintedRun, ...]:
    """Return the runs of a passage in order; with `in_code` it begins within fenced code.

    Headings have none, because generators put links into them, and neither do diagrams.
    """
    return tuple(
        run
        for number, (block, plain) in enumerate(readable_blocks(source, in_code))
        if block.kind not in ("heading", "other") and not _DIAGRAM.match(source, block.start)
        for run in _runs_of(source, number, block, plain)
    )


def _runs_of(source: str, number: int, block: ProseBlock, plain: ReadableText) -> Iterator[PrintedRun]:
    groups: list[list[Span]] = [[]]
    before = 0
    is_code = block.kind == "code"
    for start, end, is_parted in _pieces(plain, _changes(source, block, plain)):
        gap = plain.text[before:start]
        # Blanks in code are printed as written; a text fragment can only name single blanks.
        if is_parted or _is_broken(plain.breaks, before, start) or (is_code and gap not in ("", " ")):
            groups.append([])
        groups[-1].append((start, end))
        before = end
    first = len(plain.text) - len(plain.text.lstrip())
    last = len(plain.text.rstrip())
    for words in groups:
        if words and any(map(is_letter, plain.text[words[0][0] : words[-1][1]])):
            opens, closes = words[0][0] == first, words[-1][1] == last
            yield PrintedRun(number, block.start, plain, tuple(words), opens, closes)


@dataclass(frozen=True, slots=True)
class _Changes:
    """Hold the spans of a block's words that a page may print differently: as a whole, or single signs."""

    replaced: Sequence[Span]
    signs: Sequence[Span]


def _changes(source: str, block: ProseBlock, plain: ReadableText) -> _Changes:
    if block.kind != "code":
        return _Changes(_outside(plain, _REPLACED), _outside(plain, _CHANGED))
    replaced = [_line_of(plain.text, match.start()) for match in _FOR_GENERATOR.finditer(plain.text)]
    if opening_fence(source[block.start : block.end]) is not None:
        return _Changes(replaced, ())
    # An indented block is code for some generators, and an admonition's text for others.
    return _Changes(
        sorted((*replaced, *_outside(plain, _REPLACED))),
        [match.span() for match in _CHANGED_OR_MARKUP.finditer(plain.text)],
    )


def _line_of(text: str, offset: int) -> Span:
    end = text.find("\n", offset)
    return text.rfind("\n", 0, offset) + 1, len(text) if end < 0 else end


def _outside(plain: ReadableText, pattern: re.Pattern[str]) -> list[Span]:
    """Return the spans of the pattern outside code spans."""
    found: list[Span] = []
    for match in pattern.finditer(plain.text):
        index = bisect_left(plain.code, (match.end(), 0)) - 1
        if index < 0 or plain.code[index][1] <= match.start():
            found.append(match.span())
    return found


def _pieces(plain: ReadableText, changes: _Changes) -> Iterator[tuple[int, int, bool]]:
    """Yield the pieces of words that are printed as written, and whether something else precedes each."""
    is_parted = False
    breaks = plain.breaks
    for match in _WORD.finditer(plain.text):
        start, end = match.span()
        at = bisect_left(breaks, start)
        is_touched = at < len(breaks) and breaks[at] <= end
        if is_touched or end - start > LONGEST_WORD or _overlapping(changes.replaced, start, end):
            is_parted = True
            continue
        position = start
        for begin, stop in [*_overlapping(changes.signs, start, end), (end, end)]:
            if position < begin and not _is_part_of_word(plain.text, match.span(), (position, begin)):
                yield position, begin, is_parted
                is_parted = False
            is_parted = is_parted or stop > begin
            position = max(position, stop)


def _is_part_of_word(text: str, word: Span, piece: Span) -> bool:
    """Return whether one sign is between a piece and another letter ("isn't"), so that no word ends there."""
    before, after = text[word[0] : piece[0]][-2:], text[piece[1] : word[1]][:2]
    return (len(before) == 2 and is_letter(before[0])) or (len(after) == 2 and is_letter(after[1]))


def _overlapping(spans: Sequence[Span], start: int, end: int) -> Sequence[Span]:
    """Return the spans that overlap with a word; `spans` must be in order."""
    first = bisect_left(spans, (start, start))
    if first and spans[first - 1][1] > start:
        first -= 1
    return spans[first : bisect_left(spans, (end, end), first)]


def _is_broken(breaks: Sequence[int], before: int, start: int) -> bool:
    index = bisect_left(breaks, before)
    return index < len(breaks) and breaks[index] <= start
