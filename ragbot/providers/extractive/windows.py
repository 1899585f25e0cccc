"""Choose what an answer shows: windows of a few units around the best ones, each in one passage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from ragbot.providers.extractive.lists import (
    ITEMS,
    LONGEST_GAP,
    RUN_TOKENS,
    WINDOW_TOKENS,
    group_row,
    is_in_list,
    is_named,
    item_of,
    items_around,
    list_extent,
    remedy,
    short_list,
    subsections,
    whole_list_budget,
    with_ends,
    without_other_rows,
)
from ragbot.providers.extractive.question import AskedFor, Want
from ragbot.providers.extractive.reading import ReadPassage
from ragbot.providers.extractive.scoring import DEFINES, Candidate
from ragbot.providers.extractive.units import Unit

# They hold the evidence more often than bare sentences do (docs/search.md).
WINDOWS = 4
ANSWER_TOKENS = 200
# A section of sentences that says how to do something is shown whole up to this length.
SHORT_SECTION_TOKENS = 120
# A unit is shown if its score (log-odds) is at most this far below the best one's; where a cross-encoder has
# read the units, at most the second, since its scores lie closer together: of 655 answers 480 have the
# evidence above "See also" (482), in 144 tokens (167).
SCORE_MARGIN, READ_SCORE_MARGIN = 1.5, 1.0
# What has one short answer: a definition and at most one other wording of it are enough.
MOST_WINDOWS = MappingProxyType({Want.MEANING: 2, Want.NUMBER: 3, Want.YES_NO: 3})
# These ask for one fact, which the sentences before it do not state.
ONE_FACT = frozenset({Want.NUMBER, Want.YES_NO, Want.OTHER})
# A unit that shares more of its terms with one already shown (Jaccard index) is left out.
MOST_SHARED = 0.8


@dataclass(frozen=True, slots=True)
class Window:
    """Hold the units of one passage that are shown together: their indexes in order, and the best score.

    `is_run` says that a whole list was asked for: where it is cut, the reader is told. `is_further` says that
    it answers clearly less well than the best one: it is shown behind the answer, under "See also".
    """

    passage: int
    units: tuple[int, ...]
    score: float
    is_run: bool = False
    is_further: bool = False


def choose_windows(
    candidates: Sequence[Candidate],
    passages: Sequence[ReadPassage],
    asked: AskedFor,
    *,
    tokens: int = ANSWER_TOKENS,
    most: int = WINDOWS,
) -> list[Window]:
    """Choose windows around the best candidates until `tokens` or `most` is reached. Returns them best first.

    `candidates` are units of `passages`, sorted best first. Windows of one passage follow on each other;
    those that touch are joined, and all of them where a list or steps are asked for.
    """
    if not candidates:
        return []
    most = min(most, MOST_WINDOWS.get(asked.want, most))
    taken: dict[int, set[int]] = {}
    found: dict[int, list[Window]] = {}
    # What may be compared stands in one list, too.
    is_run = asked.wants_steps or asked.want in (Want.LIST, Want.CHOICE)
    left, count = tokens, 0
    margin = SCORE_MARGIN if candidates[0].relevance is None else READ_SCORE_MARGIN
    least = -math.inf
    for candidate in _without_other_parts(without_other_rows(candidates, asked), passages):
        if count == most or candidate.score < least:
            break
        chosen = taken.setdefault(candidate.passage, set())
        if candidate.index in chosen or _is_said(candidate, taken, passages):
            continue
        passage = passages[candidate.passage]
        window = _window_around(passage, candidate, asked, left, is_best=not count) - chosen
        cost = sum(passage.units[index].unit.tokens for index in window)
        if (count and cost > left) or candidate.index not in without_loose_leads(passage, chosen | window):
            continue
        least = max(least, candidate.score - margin)
        chosen |= window
        found.setdefault(candidate.passage, []).append(
            Window(candidate.passage, tuple(window), candidate.score, is_run)
        )
        left -= cost
        count += 1
    return [
        replace(window, units=shown)
        for passage, windows in found.items()
        for window in joined(windows)
        if (shown := _rounded_off(passages[passage], set(window.units), is_run=is_run))
    ]


def _window_around(
    passage: ReadPassage, candidate: Candidate, asked: AskedFor, left: int, *, is_best: bool
) -> set[int]:
    """Return the units that are shown around a candidate, of which `left` is the tokens that remain.

    Around the best one the whole list, or the remedy of a fault, may cost more.
    """
    wants_run = _wants_run(passage, candidate, asked) or (
        is_best and asked.wants_steps and _tells_in_prose(passage, candidate.index)
    )
    budget = min(left, RUN_TOKENS if wants_run else WINDOW_TOKENS)
    if wants_run and is_best:
        start = candidate.index + _leads_to_list(passage, candidate.index)
        budget = whole_list_budget(passage, start, budget)
    alone = candidate.defines >= DEFINES or (candidate.keys > 0 and not wants_run)
    window = _window(passage, candidate.index, budget, asked, alone=alone)
    if asked.is_trouble and asked.wants_steps and is_best and not alone:
        window |= remedy(passage, candidate.index)
    if asked.want is Want.LIST and is_best:
        window |= subsections(passage, max(window))
    if is_best and not candidate.keys and not is_named(candidate.read.unit, asked.text):
        window |= short_list(passage, candidate.index)
    return window


def joined(windows: Sequence[Window]) -> list[Window]:
    """Join windows of one passage that touch, and all of runs; each group stands where its first stood."""
    groups: list[Window] = []
    for window in windows:
        near = {index + step for index in window.units for step in (-1, 0, 1)}
        touching = [group for group in groups if window.is_run or not near.isdisjoint(group.units)]
        units = {*window.units, *(index for group in touching for index in group.units)}
        first = touching[0] if touching else window
        whole = replace(first, units=tuple(sorted(units)))
        groups = [
            whole if group is first else group for group in groups if group is first or group not in touching
        ]
        if not touching:
            groups.append(whole)
    return groups


def _without_other_parts(candidates: Sequence[Candidate], passages: Sequence[ReadPassage]) -> list[Candidate]:
    """Leave out the other parts of a passage if the best unit is the bold line that heads one of them."""
    best = candidates[0]
    if not best.read.unit.parts:
        return list(candidates)
    units = passages[best.passage].units
    end = next((i for i in range(best.index + 1, len(units)) if units[i].unit.parts), len(units))
    part = range(best.index, end)
    return [one for one in candidates if one.passage != best.passage or one.index in part]


def _rounded_off(passage: ReadPassage, chosen: set[int], *, is_run: bool) -> tuple[int, ...]:
    """Return the units in order, with gaps filled, announced units added and unfollowed lead-ins removed.

    With `is_run` lists get the few items that are missing at their beginning and end.
    """
    whole = _without_gaps(passage, chosen)
    if is_run:
        whole = with_ends(passage, _with_sentences_between(passage, whole))
    return without_loose_leads(passage, _with_announced(passage, whole))


def _with_announced(passage: ReadPassage, chosen: set[int]) -> set[int]:
    """Add the short unit that a list item announces ("3. Check the file:" and a command)."""
    whole = set(chosen)
    for index in chosen:
        item = passage.units[index].unit
        if item.kind == "list_item" and item.announces and index + 1 < len(passage.units):
            behind = passage.units[index + 1].unit
            is_short = behind.tokens <= WINDOW_TOKENS and not behind.is_diagram
            if is_short and behind.kind in ("code", "list_item") and behind.heading == item.heading:
                whole.add(index + 1)
    return whole


def _without_gaps(passage: ReadPassage, chosen: set[int]) -> set[int]:
    """Add the items that are missing between two items of one list: a missing step would mislead."""
    ordered = sorted(chosen)
    whole = set(chosen)
    for before, after in pairwise(ordered):
        between = range(before + 1, after)
        ends = (passage.units[before].unit, passage.units[after].unit)
        if (
            0 < len(between) <= LONGEST_GAP
            and all(unit.kind == "list_item" for unit in ends)
            and all(is_in_list(passage.units[index].unit) for index in between)
            and all(passage.units[index].unit.heading == ends[0].heading for index in (*between, after))
        ):
            whole.update(between)
    return whole


def _with_sentences_between(passage: ReadPassage, chosen: set[int]) -> set[int]:
    """Add the sentence that is missing between two sentences of a section: it may be a step, too."""
    whole = set(chosen)
    for before, after in pairwise(sorted(chosen)):
        units = [passage.units[index].unit for index in range(before, after + 1)]
        is_one = after == before + 2 and all(unit.kind == "sentence" for unit in units)
        if is_one and len({unit.heading for unit in units}) == 1 and units[1].tokens <= WINDOW_TOKENS:
            whole.add(before + 1)
    return whole


def without_loose_leads(passage: ReadPassage, chosen: set[int]) -> tuple[int, ...]:
    """Return the units in order, without those that announce something which is not shown."""
    shown: set[int] = set()
    items: set[int] = set()
    # From the end: the unit that one announces may itself have been removed.
    for index in sorted(chosen, reverse=True):
        unit = passage.units[index].unit
        is_followed = index + 1 in shown and _announced(unit, index, passage.units[index + 1].unit)
        if not unit.announces or is_followed or index in items:
            shown.add(index)
            items.add(unit.item)
    return tuple(sorted(shown))


def _announced(unit: Unit, index: int, behind: Unit) -> bool:
    """Return whether a unit that announces something is followed by that."""
    if behind.heading != unit.heading:
        return False
    return unit.kind == "list_item" or behind.lead == index or behind.block == unit.block


def _is_said(candidate: Candidate, taken: dict[int, set[int]], passages: Sequence[ReadPassage]) -> bool:
    """Return whether a unit that is already shown has nearly the same words."""
    terms = candidate.read.terms
    for passage, indexes in taken.items():
        for index in indexes:
            shown = passages[passage].units[index].terms
            if len(terms & shown) >= MOST_SHARED * max(len(terms | shown), 1):
                return True
    return False


def _wants_run(passage: ReadPassage, candidate: Candidate, asked: AskedFor) -> bool:
    """Return whether a whole run of steps or items is shown with a unit."""
    unit = passage.units[item_of(passage, candidate.index)].unit
    if asked.wants_steps:
        return unit.kind in ("list_item", "code") or unit.leads or unit.lead >= 0
    if unit.leads and _leads_to_list(passage, candidate.index):
        # The answer is the sentence with what it names.
        return True
    if asked.want is not Want.LIST:
        return False
    following = passage.units[candidate.index + 1].unit if candidate.index + 1 < len(passage.units) else None
    announces = following is not None and following.kind in ITEMS and following.heading == unit.heading
    return unit.kind in ITEMS or announces


def _tells_in_prose(passage: ReadPassage, index: int) -> bool:
    """Return whether a section is short and has no list or listing: what to do stands in its sentences."""
    heading = passage.units[index].unit.heading
    section = [read.unit for read in passage.units if read.unit.heading == heading]
    tokens = sum(unit.tokens for unit in section)
    return tokens <= SHORT_SECTION_TOKENS and all(unit.kind == "sentence" for unit in section)


def _leads_to_list(passage: ReadPassage, index: int) -> bool:
    """Return whether a list or table follows on a sentence, which it introduces."""
    behind = passage.units[index + 1].unit if index + 1 < len(passage.units) else None
    return behind is not None and behind.lead == index and behind.kind in ITEMS


def _window(passage: ReadPassage, index: int, budget: int, asked: AskedFor, *, alone: bool) -> set[int]:
    """Return a unit, the units it needs, and its neighbours up to `budget` tokens: those after it first.

    With `alone`, for a definition, other blocks are left out.
    """
    units = passage.units
    shown = {index}
    spent = units[index].unit.tokens
    for needed in needed_units(passage, index):
        if needed not in shown:
            shown.add(needed)
            spent += units[needed].unit.tokens
    first, last = min(index, *shown) if units[index].unit.kind == "sentence" else index, index
    start = _first_of_run(passage, index, asked)
    while True:
        after, before = last + 1, first - 1
        if before >= start and spent + units[before].unit.tokens <= budget:
            first = before
            spent += 0 if before in shown else units[before].unit.tokens
            shown.add(before)
        elif _joins(passage, index, after, asked, alone=alone) and spent + units[after].unit.tokens <= budget:
            last = after
            spent += 0 if after in shown else units[after].unit.tokens
            shown.add(after)
        elif (
            not alone
            and _joins(passage, index, before, asked)
            and spent + units[before].unit.tokens <= budget
        ):
            first = before
            spent += 0 if before in shown else units[before].unit.tokens
            shown.add(before)
        else:
            return shown


def _first_of_run(passage: ReadPassage, index: int, asked: AskedFor) -> int:
    """Return the index of the first item of a list that is asked for: it is shown from there."""
    item = item_of(passage, index)
    if not (asked.wants_steps or asked.want is Want.LIST) or passage.units[item].unit.kind not in ITEMS:
        return index
    return list_extent(passage, item).start


def needed_units(passage: ReadPassage, index: int) -> list[int]:
    """Return the units without which one cannot be understood: its lead-in, and the sentence it refers to."""
    units = passage.units
    unit = units[index].unit
    needed = []
    item = item_of(passage, index)
    if item != index and units[item].unit.tokens <= WINDOW_TOKENS:
        needed.append(item)
    if unit.lead >= 0:
        needed += [unit.lead, *_leant_on(passage, unit.lead)]
    needed += [one for one in items_around(passage, index) if units[one].unit.tokens <= WINDOW_TOKENS]
    needed += group_row(passage, index)
    needed += _leant_on(passage, index)
    behind = units[index + 1].unit if index + 1 < len(units) else None
    if behind is not None and (
        (behind.explains and behind.block == unit.block)
        or (behind.mends and behind.heading == unit.heading)
        or (unit.leads and behind.lead == index)
    ):
        needed.append(index + 1)
    return needed


def _leant_on(passage: ReadPassage, index: int) -> list[int]:
    """Return the units before a sentence that speaks of them ("This is known as ..."), the nearest first.

    At the beginning of a paragraph these are the list or the last sentence above it. They may lean back too.
    """
    units = passage.units
    found: list[int] = []
    left = RUN_TOKENS
    while index and units[index].unit.leans_back:
        unit, before = units[index].unit, units[index - 1].unit
        if before.heading != unit.heading:
            break
        if before.kind == "list_item" and before.block != unit.block:
            extent = list_extent(passage, index - 1)
            group = [*reversed(extent), *([before.lead] if before.lead >= 0 else [])]
        elif before.kind == "sentence" and not before.is_label:
            group = [index - 1]
        else:
            break
        left -= sum(units[other].unit.tokens for other in group)
        if left < 0:
            break
        found += group
        index = min(group)
    return found


def _joins(passage: ReadPassage, index: int, other: int, asked: AskedFor, *, alone: bool = False) -> bool:
    """Return whether a neighbour may be shown with a unit: it has the same heading and a fitting kind."""
    if other not in range(len(passage.units)):
        return False
    unit, neighbour = passage.units[index].unit, passage.units[other].unit
    lower = passage.units[other if other > index else other + 1]
    # The next entry of a glossary is another subject.
    if lower.unit.parts or (passage.is_glossary and lower.openings):
        return False
    if alone and neighbour.block != unit.block:
        return False
    if other < index and unit.kind == "sentence" and asked.want in ONE_FACT:
        return False
    if neighbour.heading != unit.heading or neighbour.is_side != unit.is_side:
        return False
    if neighbour.is_diagram or neighbour.is_fold:
        return False
    if unit.kind == "sentence" and neighbour.kind == "table_row" and neighbour.lead != index:
        return False
    if neighbour.is_tree:
        return asked.wants_tree
    if neighbour.kind == "code":
        return asked.wants_code or unit.kind == "code" or asked.wants_steps
    return True
