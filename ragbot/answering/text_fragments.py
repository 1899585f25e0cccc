"""Make the text fragment by which a browser finds and lights up words on a page (https://wicg.github.io/scroll-to-text-fragment/)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

from ragbot.books.markup.prose import prose_blocks
from ragbot.books.markup.readable import readable

# So many words at each end of what is cited are named; fewer where what is cited is that short.
END_WORDS = 6
FEWEST_WORDS = 2
# More words are named where fewer stand elsewhere on the page before.
MOST_WORDS = 14
PAGES_REMEMBERED = 256
DIRECTIVES_REMEMBERED = 4096

# Generators print these in other ways than they are written: typographic quotes, dashes, an ellipsis,
# symbols.
_CHANGED = re.compile(
    r"[\"'‘’“”`]|--|\.\.\.|…|\(c\)|\(r\)|\(tm\)|:[a-z_]+:|\\|\$|[<>{}|]|->|<-|=>", re.IGNORECASE
)
_EDGE = re.compile(r"^[^\w]+|[^\w]+$")
_MARKUP = str.maketrans("", "", "*_`\\")


@lru_cache(maxsize=DIRECTIVES_REMEMBERED)
def text_directive(source: str, start: int, end: int, *, page: str = "") -> str:
    """Give what follows `:~:text=` for a span of a chunk's source; empty if none of its words are fit.

    `page` is the source of the whole page: where the first words stand on it earlier too, more are named.
    """
    runs = _runs(source, start, end)
    if not runs:
        return ""
    first, last = runs[0], runs[-1]
    total = sum(len(run) for run in runs)
    if len(runs) == 1 and total <= 2 * END_WORDS:
        return _spelt(first)
    opening = _opening(first, _plain_page(page) if page else "")
    closing = last[-END_WORDS:]
    if last is first and len(opening) + len(closing) > len(first):
        return _spelt(opening if len(opening) >= len(closing) else first)
    return f"{_spelt(opening)},{_spelt(closing)}"


def _opening(words: Sequence[str], page: str) -> Sequence[str]:
    """The first few words, or more where the page holds these few more than once."""
    length = min(END_WORDS, len(words))
    while page and length < min(MOST_WORDS, len(words)) and page.count(_key(words[:length])) > 1:
        length += 2
    return words[:length]


def _runs(source: str, start: int, end: int) -> list[list[str]]:
    """Runs of words that a page prints as they are written, each within one block and one line of code."""
    runs: list[list[str]] = []
    for block in prose_blocks(source):
        begin, stop = max(block.start, start), min(block.end, end)
        if begin >= stop or block.kind in ("heading", "table_head", "other"):
            continue
        plain = readable(source[begin:stop], kind=block.kind if block.kind == "code" else "").text
        lines = plain.split("\n") if block.kind == "code" else _cells(plain, block.kind)
        for line in lines:
            runs += _safe_runs(line)
    return _ends(runs)


def _cells(plain: str, kind: str) -> list[str]:
    return re.split(r"\s{2,}", plain) if kind == "table_row" else [" ".join(plain.split())]


def _safe_runs(line: str) -> list[list[str]]:
    """The words of a line, parted where one of them may look otherwise on the page."""
    runs: list[list[str]] = [[]]
    for word in line.split():
        if _CHANGED.search(word):
            runs.append([])
        else:
            runs[-1].append(word)
    return [run for run in (_trimmed(run) for run in runs) if run]


def _trimmed(run: list[str]) -> list[str]:
    """A run without signs at its ends: a browser looks for whole words."""
    while run and not _EDGE.sub("", run[0]):
        run = run[1:]
    while run and not _EDGE.sub("", run[-1]):
        run = run[:-1]
    if run:
        run = list(run)
        run[0] = re.sub(r"^[^\w]+", "", run[0])
        run[-1] = re.sub(r"[^\w]+$", "", run[-1])
    return run


def _ends(runs: list[list[str]]) -> list[list[str]]:
    """The runs without the shortest at either end, as far as longer ones are there."""
    first = next((i for i, run in enumerate(runs) if len(run) >= FEWEST_WORDS), None)
    if first is None:
        return runs[:1]
    last = next(i for i in range(len(runs) - 1, -1, -1) if len(runs[i]) >= FEWEST_WORDS)
    return runs[first : last + 1]


def _spelt(words: Sequence[str]) -> str:
    """Words as they stand in a directive, where hyphens, commas and ampersands are syntax."""
    return quote(" ".join(words), safe="").replace("-", "%2D")


def _key(words: Sequence[str]) -> str:
    return " ".join(words).casefold().translate(_MARKUP)


@lru_cache(maxsize=PAGES_REMEMBERED)
def _plain_page(source: str) -> str:
    return " ".join(source.casefold().translate(_MARKUP).split())
