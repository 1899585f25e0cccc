"""Turn a reader's selection into a passage, and find the passages of the book that contain it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from itertools import groupby

from ragbot.core.code_fences import fenced_code
from ragbot.core.domain import Chunk, Passage
from ragbot.core.text import WORD_OR_SIGN, count_tokens, folded

# A passage contains a selection if this share of the shorter one's runs of words is in the other: text
# selected on a page has no markup, and may begin in the middle of a word.
RUN_WORDS = 4
LEAST_SHARED = 0.6

_WORD = re.compile(WORD_OR_SIGN)
# Two are the least, so that a fence has three.
_BACK_TICKS = re.compile("``+")


def passage_of_selection(selection: str, places: Sequence[Passage]) -> Passage:
    """Return the selection as a passage for the generator, with the metadata of its first place, if any.

    Lines that are code in its places are code in the passage: what is selected on a page has no fences.
    """
    known = places[0].chunk if places else None
    text = _with_fences(selection, _code_lines(places))
    return Passage(
        Chunk(
            id=known.id if known else str(uuid.uuid5(uuid.NAMESPACE_OID, selection)),
            path=known.path if known else "",
            heading_path=known.heading_path if known else (),
            title=known.title if known else "",
            address=known.address if known else "",
            anchor=known.anchor if known else "",
            start=0,
            end=len(text),
            text=text,
            search_text=text,
            tokens=count_tokens(text),
        ),
        score=1.0,
    )


def standing_in(selection: str, passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages that contain the selection or are part of it, by overlap, largest first."""
    selected = _words(selection)
    shares = [(_shared(selected, _words(passage.chunk.text)), passage) for passage in passages]
    standing = [(share, passage) for share, passage in shares if share >= LEAST_SHARED]
    standing.sort(key=lambda pair: -pair[0])
    return [passage for _, passage in standing]


def _code_lines(places: Sequence[Passage]) -> set[str]:
    """Return the lines of code in passages, with single spaces."""
    chunks = [place.chunk for place in places]
    codes = [one.text[code.code_start : code.code_end] for one in chunks for code in fenced_code(one.text)]
    codes += [one.text for one in chunks if one.in_code]
    return {_spaced(line) for code in codes for line in code.splitlines() if line.strip()}


def _with_fences(selection: str, code_lines: set[str]) -> str:
    """Return a selection with fences around its lines of code, of which the first and the last may be cut."""
    lines = selection.splitlines()
    is_code = [_spaced(line) in code_lines for line in lines]
    if not any(is_code):
        return selection
    written = [number for number, line in enumerate(lines) if line.strip()]
    if len(written) > 1 and is_code[written[1]]:
        is_code[written[0]] |= any(code.endswith(_spaced(lines[written[0]])) for code in code_lines)
    if len(written) > 1 and is_code[written[-2]]:
        is_code[written[-1]] |= any(code.startswith(_spaced(lines[written[-1]])) for code in code_lines)
    fence = "`" * (max(map(len, _BACK_TICKS.findall(selection)), default=2) + 1)
    pieces: list[str] = []
    for belongs, run in groupby(zip(lines, _bridged(lines, is_code), strict=True), key=lambda pair: pair[1]):
        text = "\n".join(line for line, _ in run)
        pieces.append(f"{fence}\n{text}\n{fence}" if belongs else text)
    return "\n".join(pieces)


def _bridged(lines: Sequence[str], is_code: Sequence[bool]) -> list[bool]:
    """Return which lines are code, empty ones between two of them included."""
    bridged = list(is_code)
    last = None
    for number, is_one in enumerate(is_code):
        if is_one and last is not None:
            bridged[last:number] = [True] * (number - last)
        if is_one:
            last = number
        elif lines[number].strip():
            last = None
    return bridged


def _spaced(line: str) -> str:
    return " ".join(line.split())


def _words(text: str) -> list[str]:
    return _WORD.findall(folded(text))


def _shared(selected: list[str], words: list[str]) -> float:
    # A selection of two words is one run of two.
    length = min(RUN_WORDS, len(selected))
    runs, others = _runs(selected, length), _runs(words, length)
    smaller = min(len(runs), len(others))
    return len(runs & others) / smaller if smaller else 0.0


def _runs(words: list[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)} if length else set()
