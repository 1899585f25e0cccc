"""Choose what an answer shows: windows of a few units around the best ones, each within one section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragbot.providers.extractive.question import AskedFor, Want
from ragbot.providers.extractive.reading import ReadPassage
from ragbot.providers.extractive.scoring import Candidate

# Of the question sets' answers, those with up to four windows of some sixty tokens held the evidence most
# often: 55 % against 35 % with three bare sentences (see docs/search.md).
WINDOWS = 4
WINDOW_TOKENS = 60
# Steps and lists are shown whole, as far as that goes.
RUN_TOKENS = 150
ANSWER_TOKENS = 200
# A lesser unit is shown only if its score (in log-odds) is near the best one's.
SCORE_MARGIN = 2.0
# What says the same words again adds nothing.
MOST_SHARED = 0.8


@dataclass(frozen=True, slots=True)
class Window:
    """Units of one passage to be shown together: their indexes in order, and the best one's score."""

    passage: int
    units: tuple[int, ...]
    score: float


def choose_windows(
    candidates: Sequence[Candidate],
    passages: Sequence[ReadPassage],
    asked: AskedFor,
    *,
    tokens: int = ANSWER_TOKENS,
    most: int = WINDOWS,
) -> list[Window]:
    """Choose windows around the best candidates, best first, until the tokens are used up.

    `candidates` come best first and are of `passages`. A window that touches another is joined to it.
    """
    if not candidates:
        return []
    taken: dict[int, set[int]] = {}
    scores: dict[int, float] = {}
    left, count = tokens, 0
    least = candidates[0].score - SCORE_MARGIN
    for candidate in candidates:
        if count == most or candidate.score < least:
            break
        chosen = taken.setdefault(candidate.passage, set())
        if candidate.index in chosen or _is_said(candidate, taken, passages):
            continue
        units = passages[candidate.passage].units
        budget = min(left, RUN_TOKENS if _wants_run(candidate, asked) else WINDOW_TOKENS)
        window = _window(passages[candidate.passage], candidate.index, budget, asked) - chosen
        cost = sum(units[index].unit.tokens for index in window)
        if count and cost > left:
            continue
        chosen |= window
        scores.setdefault(candidate.passage, candidate.score)
        left -= cost
        count += 1
    found = [
        Window(passage, run, scores[passage])
        for passage, chosen in taken.items()
        if chosen
        for run in [tuple(sorted(chosen))]
    ]
    return sorted(found, key=lambda window: -window.score)


def _is_said(candidate: Candidate, taken: dict[int, set[int]], passages: Sequence[ReadPassage]) -> bool:
    """Whether another unit that is shown says the same in nearly the same words."""
    terms = candidate.read.terms
    for passage, indexes in taken.items():
        for index in indexes:
            shown = passages[passage].units[index].terms
            if len(terms & shown) >= MOST_SHARED * max(len(terms | shown), 1):
                return True
    return False


def _wants_run(candidate: Candidate, asked: AskedFor) -> bool:
    unit = candidate.read.unit
    if asked.want is Want.STEPS:
        return unit.kind in ("list_item", "code") or unit.leads or unit.lead >= 0
    return asked.want is Want.LIST and (unit.kind in ("list_item", "table_row") or unit.leads)


def _window(passage: ReadPassage, index: int, budget: int, asked: AskedFor) -> set[int]:
    """A unit with what it hangs on, then its neighbours as far as the budget goes: the ones behind it first."""
    units = passage.units
    shown = {index}
    spent = units[index].unit.tokens
    for needed in _needed(passage, index):
        if needed not in shown:
            shown.add(needed)
            spent += units[needed].unit.tokens
    first, last = min(index, *shown) if units[index].unit.kind == "sentence" else index, index
    while True:
        after, before = last + 1, first - 1
        if _joins(passage, index, after, asked) and spent + units[after].unit.tokens <= budget:
            last = after
            spent += 0 if after in shown else units[after].unit.tokens
            shown.add(after)
        elif _joins(passage, index, before, asked) and spent + units[before].unit.tokens <= budget:
            first = before
            spent += 0 if before in shown else units[before].unit.tokens
            shown.add(before)
        else:
            return shown


def _needed(passage: ReadPassage, index: int) -> list[int]:
    """The units without which one cannot be understood: its lead-in, and the sentence that it leans on."""
    units = passage.units
    unit = units[index].unit
    needed = []
    if unit.lead >= 0:
        needed.append(unit.lead)
    if unit.leans_back and index and units[index - 1].unit.block == unit.block:
        needed.append(index - 1)
    if unit.leads and index + 1 < len(units) and units[index + 1].unit.lead == index:
        needed.append(index + 1)
    return needed


def _joins(passage: ReadPassage, index: int, other: int, asked: AskedFor) -> bool:
    """Whether a neighbour may be shown with a unit: under the same heading, and worth showing."""
    if not 0 <= other < len(passage.units):
        return False
    unit, neighbour = passage.units[index].unit, passage.units[other].unit
    if neighbour.heading != unit.heading or neighbour.is_side != unit.is_side or neighbour.is_diagram:
        return False
    if neighbour.kind == "code":
        return asked.wants_code or unit.kind == "code" or asked.want is Want.STEPS
    return True
