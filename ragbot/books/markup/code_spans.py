"""Put code in a fence, and keep code within a line as it is while the words around it are rewritten."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_TICKS = re.compile(r"`+")
_FENCES = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)
# Code stands as a number between two signs that no text has, so that patterns see one word.
OPENS, CLOSES = "\ue000", "\ue001"
_HELD = re.compile(rf"{OPENS}(?P<number>\d{{1,6}}){CLOSES}")


def fenced(text: str, language: str = "") -> str:
    """Return code in a fence that is longer than those inside of it."""
    longest = max((len(found[1]) for found in _FENCES.finditer(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def find_code_spans(line: str) -> list[tuple[int, int]]:
    """Return where code begins and ends, its ticks included; ticks without their like are text."""
    runs = [found.span() for found in _TICKS.finditer(line)]
    partners: list[int] = [-1] * len(runs)
    last: dict[int, int] = {}
    for number in range(len(runs) - 1, -1, -1):
        length = runs[number][1] - runs[number][0]
        partners[number] = last.get(length, -1)
        last[length] = number
    spans: list[tuple[int, int]] = []
    number = 0
    while number < len(runs):
        partner = partners[number]
        if partner >= 0:
            spans.append((runs[number][0], runs[partner][1]))
        number = partner + 1 if partner >= 0 else number + 1
    return spans


def rewrite_around_code(text: str, rewrite: Callable[[str], str]) -> str:
    """Return text rewritten by a function that gets a sign in place of each piece of code.

    Code is looked for within each line.
    """
    if "`" not in text:
        return rewrite(text)
    held: list[str] = []
    pieces: list[str] = []
    position = 0
    for start, end in _spans_of_lines(text):
        pieces += (text[position:start], f"{OPENS}{len(held)}{CLOSES}")
        held.append(text[start:end])
        position = end
    shown = rewrite("".join((*pieces, text[position:])))

    def code(found: re.Match[str]) -> str:
        number = int(found["number"])
        return held[number] if number < len(held) else found[0]

    return _HELD.sub(code, shown)


def _spans_of_lines(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    for line in text.split("\n"):
        yield from ((position + start, position + end) for start, end in find_code_spans(line))
        position += len(line) + 1
