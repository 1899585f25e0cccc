"""Choose what an overview shows: the summary or the opening sentences of each passage."""

from __future__ import annotations

from collections.abc import Sequence

from ragbot.core.text import STOPS
from ragbot.providers.extractive.reading import ReadPassage
from ragbot.providers.extractive.units import Unit
from ragbot.providers.extractive.windows import Window, without_loose_leads

# The minimum for each page of an overview, enough for a sentence.
LEAST_OPENING_TOKENS = 25
FEWEST_OPENING_WORDS = 5


def overview_windows(passages: Sequence[ReadPassage], *, tokens: int) -> list[Window]:
    """Choose the opening sentences of each passage, in order, with an equal share of the tokens each."""
    share = max(tokens // max(len(passages), 1), LEAST_OPENING_TOKENS)
    windows: list[Window] = []
    left = tokens
    for number, passage in enumerate(passages):
        chosen = _opening(passage, share)
        spent = sum(passage.units[index].unit.tokens for index in chosen)
        if chosen and (not windows or spent <= left):
            windows.append(Window(number, without_loose_leads(passage, set(chosen)), 0.0))
            left -= spent
    return [window for window in windows if window.units]


def _opening(passage: ReadPassage, share: int) -> list[int]:
    """Return the units of a passage's summary, else its first sentences, up to `share` tokens."""
    sums_up = any(read.unit.is_summary for read in passage.units)
    chosen: list[int] = []
    spent = 0
    for index, read in enumerate(passage.units):
        unit = read.unit
        opens = unit.is_summary and unit.kind != "code" if sums_up else _opens_well(unit)
        if opens and not (chosen and spent + unit.tokens > share):
            chosen.append(index)
            spent += unit.tokens
        elif chosen:
            break
    return chosen


def _opens_well(unit: Unit) -> bool:
    """Return whether a unit is a whole sentence that can open a summary."""
    whole = (
        unit.words.rstrip("*_ ").endswith((".", "!", *STOPS))
        and len(unit.words.split()) >= FEWEST_OPENING_WORDS
    )
    return unit.kind == "sentence" and whole and not unit.is_side
