"""Divide the chosen windows into the answer and what follows it under "See also"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import groupby

from ragbot.core.text import asks
from ragbot.providers.extractive.lists import (
    ITEMS,
    RUN_TOKENS,
    item_of,
    items_around,
    list_extent,
    short_list,
)
from ragbot.providers.extractive.question import AskedFor, Want
from ragbot.providers.extractive.reading import ReadPassage
from ragbot.providers.extractive.scoring import Candidate
from ragbot.providers.extractive.units import Unit
from ragbot.providers.extractive.value_kinds import holds_measure, holds_value
from ragbot.providers.extractive.windows import Window, needed_units, without_loose_leads

# Log-odds. Of the best passage so much less than the best window still belongs to the answer; the rest and
# other passages are shown under "See also". Of 295 answers of nine books that hold the evidence, 90 % hold it
# in the answer so made; passages with nearly the same score bring it in 11 more, and are noise in 46.
FURTHER_MARGIN = 0.5
# Windows that are no further apart are equally good: the passage that the search found first answers.
NEARLY_EQUAL = 0.2
# Log-odds. Of the answer's windows, what is so much worse than the best unit surrounds it. Of 216 answers of
# six books 98 have the evidence and at most two sentences beside it, as many with 0.4, and 93 with 1.0.
UNIT_MARGIN = 0.6
# What is so much worse is not shown at all, unless it belongs to a paragraph of the answer; the second where
# a cross-encoder has read the units (windows.READ_SCORE_MARGIN).
LEAST_MARGIN, READ_LEAST_MARGIN = 2.0, 1.5
# A sentence that takes back a part of the one before it.
_LIMITS = re.compile(
    r"(?:but|however|except|unless|although|though|still|nevertheless|instead|otherwise|unfortunately)\b",
    re.IGNORECASE,
)
# Tokens of a sentence that leans on one which answers, and comes with it.
LONGEST_SEQUEL = 40
# "Also see the chapter on tea."
_POINTS = re.compile(r"(?:(?:also|then)\s+)?see\b", re.IGNORECASE)
# A paragraph of so many sentences, up to so many tokens, is shown whole where a reason or a yes or no is
# asked for: one sentence says it and the next one why. Of 655 answers 5 more hold their evidence so.
SHORT_PARAGRAPH = 3
SHORT_PARAGRAPH_TOKENS = 100
# These are shown whole, with what lies between.
_WHOLE = frozenset({Want.STEPS, Want.MEANING})


def further_last(
    windows: Sequence[Window],
    passages: Sequence[ReadPassage],
    candidates: Sequence[Candidate],
    asked: AskedFor,
    question: Set[str],
) -> list[Window]:
    """Mark what answers clearly less well than the best window as further, and put it last.

    A comparison stays as it is: it needs both sides. `candidates` have the scores of the units in the
    windows' passages, `question` is the stems of the question. A window with a value of the kind that is
    asked for is better than any without.
    """
    if asked.want is Want.CHOICE:
        return list(windows)
    answering = [window for window in windows if _has_value(window, passages, asked)] or windows
    highest = max(window.score for window in answering)
    best = min(
        (window for window in answering if window.score >= highest - NEARLY_EQUAL),
        key=lambda window: (window.passage, -window.score),
    )
    least = best.score - FURTHER_MARGIN
    marked = [
        replace(window, is_further=window.passage != best.passage or window.score < least)
        for window in windows
    ]
    if asked.want is not Want.LIST and (asked.is_trouble or asked.want in _WHOLE):
        return sorted(marked, key=lambda window: window.is_further)
    passage, scores = passages[best.passage], _scores(best.passage, candidates, asked)
    margin = LEAST_MARGIN if candidates[0].relevance is None else READ_LEAST_MARGIN
    divided: list[Window] = []
    for window in marked:
        if window.is_further:
            divided.append(window)
        elif asked.want is Want.LIST:
            divided += _list_alone(window, passage, scores)
        else:
            divided += _parts(window, passage, scores, asked, question, margin=margin)
    return sorted(_drop_shown_units(divided, best.passage), key=lambda window: window.is_further)


def unheaded_first(windows: Sequence[Window], passages: Sequence[ReadPassage]) -> list[Window]:
    """Put what stands above all headings of a passage before its windows below one, which show theirs."""

    def is_headed(window: Window) -> bool:
        return passages[window.passage].units[window.units[0]].unit.heading >= 0

    return [
        window
        for _, group in groupby(windows, key=lambda window: (window.passage, window.is_further))
        for window in sorted(group, key=is_headed)
    ]


def _drop_shown_units(windows: Sequence[Window], passage: int) -> list[Window]:
    """Leave out of a passage's further windows what its answer shows."""
    own = [window for window in windows if window.passage == passage]
    shown = {index for window in own if not window.is_further for index in window.units}
    divided = [
        replace(window, units=tuple(index for index in window.units if index not in shown))
        if window.passage == passage and window.is_further
        else window
        for window in windows
    ]
    return [window for window in divided if window.units]


def _has_value(window: Window, passages: Sequence[ReadPassage], asked: AskedFor) -> bool:
    return any(
        _holds_what_is_asked(asked, passages[window.passage].units[index].unit.words)
        for index in window.units
    )


def _holds_what_is_asked(asked: AskedFor, words: str) -> bool:
    """Return whether words hold the value that a number is asked for; True for other questions."""
    return holds_value(asked.value, words) and holds_measure(asked.measure, words)


def _scores(passage: int, candidates: Sequence[Candidate], asked: AskedFor) -> Mapping[int, float]:
    """Return the scores of a passage's units. Where a number is asked for, those without one have less."""
    found = [one for one in candidates if one.passage == passage]
    return {
        one.index: one.score - (0 if _holds_what_is_asked(asked, one.read.unit.words) else UNIT_MARGIN)
        for one in found
    }


def _says_enough(units: Sequence[int], passage: ReadPassage, asked: AskedFor, question: Set[str]) -> bool:
    """Return whether units hold the value that is asked for, and more than the question's own words.

    For what is asked with yes or no these are enough.
    """
    read = [passage.units[index] for index in units]
    if not any(_holds_what_is_asked(asked, one.unit.words) for one in read):
        return False
    return asked.want is Want.YES_NO or any(one.terms - question for one in read)


def _parts(
    window: Window,
    passage: ReadPassage,
    scores: Mapping[int, float],
    asked: AskedFor,
    question: Set[str],
    *,
    margin: float,
) -> list[Window]:
    """Return the units of an answer's window that are nearly as good as the best one, then others as further.

    Of the others those that are worse by more than `margin` are left out. Units come with those without
    which they cannot be understood. Where they do not say enough, but with the sentence after them do, that
    is taken, too.
    """
    best = max(scores.values())
    # (Beside a number only what takes it back is shown.)
    answer = _shown(
        window.units, passage, scores, best - UNIT_MARGIN, with_sequels=asked.want is not Want.NUMBER
    )
    if answer and not _says_enough(answer, passage, asked, question):
        behind = answer[-1] + 1
        is_next = behind in window.units and passage.units[behind].unit.kind == "sentence"
        more = (*answer, behind)
        if is_next and _says_enough(more, passage, asked, question):
            answer = more
    elif asked.want in (Want.CAUSE, Want.YES_NO):
        answer = _short_paragraph(answer, passage)
    others = [index for index in window.units if index not in answer]
    if not answer:
        return [window]
    further = _shown(others, passage, scores, best - margin, paragraphs=_paragraphs(answer, passage))
    return _divided(window, answer, further)


def _short_paragraph(units: tuple[int, ...], passage: ReadPassage) -> tuple[int, ...]:
    """Return the whole of the paragraph that units are sentences of, if it is short; else the units."""
    block = passage.units[units[0]].unit.block if units else -1
    whole = tuple(index for index, read in enumerate(passage.units) if read.unit.block == block)
    read = [passage.units[index].unit for index in whole]
    is_short = len(whole) <= SHORT_PARAGRAPH and sum(unit.tokens for unit in read) <= SHORT_PARAGRAPH_TOKENS
    is_prose = all(
        unit.kind == "sentence" and not (unit.announces or unit.is_side or asks(unit.words)) for unit in read
    )
    return whole if is_short and is_prose and {*units} <= {*whole} else units


def _list_alone(window: Window, passage: ReadPassage, scores: Mapping[int, float]) -> list[Window]:
    """Return the list that a window's best unit is in or leads to, then its other units as further."""
    best = max(window.units, key=lambda index: scores.get(index, -math.inf))
    items = [index for index in window.units if passage.units[index].unit.kind in ITEMS]
    if passage.units[item_of(passage, best)].unit.kind not in ITEMS:
        items = [index for index in items if passage.units[index].unit.lead == best]
        best = items[0] if items else best
    if not items:
        return [window]
    item = item_of(passage, best)
    extent = set(list_extent(passage, item))
    shown = {other for index in extent for other in (index, passage.units[index].unit.lead)}
    shown.update(items_around(passage, item))
    answer = tuple(index for index in window.units if index in shown)
    return _divided(window, answer, without_loose_leads(passage, set(window.units) - set(answer)))


def _divided(window: Window, answer: tuple[int, ...], further: tuple[int, ...]) -> list[Window]:
    """Return a window of the units that answer, and one of the others as further, if there are any."""
    others = [replace(window, units=further, is_further=True)] if further else []
    return [replace(window, units=answer), *others]


def _paragraphs(units: Sequence[int], passage: ReadPassage) -> Set[int]:
    """Return the blocks of which sentences are among the units."""
    found = (passage.units[index].unit for index in units)
    return {unit.block for unit in found if unit.kind == "sentence"}


def _shown(
    units: Sequence[int],
    passage: ReadPassage,
    scores: Mapping[int, float],
    least: float,
    *,
    paragraphs: Set[int] = frozenset(),
    with_sequels: bool = False,
) -> tuple[int, ...]:
    """Return those units that score at least so much, with what they need or announce, in order.

    All of the sentences in these paragraphs are returned, and with `with_sequels` those that speak of one.
    """
    chosen = {
        index
        for index in units
        if scores.get(index, -math.inf) >= least or passage.units[index].unit.block in paragraphs
    }
    for index in tuple(chosen):
        chosen.update(needed_units(passage, index), _announced_by(passage, index, units))
        if index + 1 in units:
            unit, behind = passage.units[index].unit, passage.units[index + 1].unit
            if _LIMITS.match(behind.words) or (with_sequels and _speaks_of(unit, behind)):
                chosen.add(index + 1)
    for index in tuple(chosen):
        if scores.get(index, -math.inf) >= least and (whole := short_list(passage, index)) <= {*units}:
            chosen.update(whole)
    chosen.update(_lists_of_several(chosen, passage))
    return without_loose_leads(passage, chosen.intersection(units))


def _speaks_of(unit: Unit, behind: Unit) -> bool:
    """Return whether a short sentence of the paragraph speaks of the one before it ("This is ...")."""
    if asks(behind.words) or behind.is_side or _POINTS.match(behind.words):
        return False
    return behind.leans_back and behind.block == unit.block and behind.tokens <= LONGEST_SEQUEL


def _lists_of_several(chosen: set[int], passage: ReadPassage) -> set[int]:
    """Return the short lists and tables of which two items are chosen, or one of two."""
    found: set[int] = set()
    for index in chosen:
        if passage.units[index].unit.kind in ITEMS:
            extent = list_extent(passage, index)
            tokens = sum(passage.units[other].unit.tokens for other in extent)
            shown = len(chosen.intersection(extent))
            if tokens <= RUN_TOKENS and shown >= min(2, len(extent) - 1):
                found.update(extent)
    return found


def _announced_by(passage: ReadPassage, index: int, units: Sequence[int]) -> list[int]:
    """Return those of some units that a unit announces: its list, or the listing behind it."""
    unit = passage.units[index].unit
    return [
        other
        for other in units
        if passage.units[other].unit.lead == index or (unit.announces and other == index + 1)
    ]
