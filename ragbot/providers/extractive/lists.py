"""Find the lists and tables of a passage: from where to where one goes, and when it is shown whole."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragbot.providers.extractive.question import AskedFor, Want
from ragbot.providers.extractive.reading import ReadPassage
from ragbot.providers.extractive.scoring import Candidate
from ragbot.providers.extractive.units import Unit

ITEMS = ("list_item", "table_row")
_NAME = re.compile(r"(?P<name>[^:–—]{1,40}?)(?:\s*[:–—]|\s+-)\s")
# Steps and lists are shown whole up to this length.
RUN_TOKENS = 150
# The list that answers best may be longer: a list without its first or last item misleads.
WHOLE_LIST_TOKENS = 260
# Up to so many missing items of a list are shown too, if they have no more tokens than a window.
LONGEST_GAP = 3
WINDOW_TOKENS = 60
# A list of so many items, and of no more tokens than a run, is shown whole with the one that answers.
MOST_SHORT = 5
# The steps against a fault begin within so many units after its description.
REMEDY_WITHIN = 4


def item_of(passage: ReadPassage, index: int) -> int:
    """Return the index of the list item or the term that a unit belongs to; its own if it belongs to none."""
    units = passage.units
    item = index
    while item and units[item].unit.in_item:
        item -= 1
    if item == index or units[item].unit.heading != units[index].unit.heading:
        return index
    # A definition has the term and its first paragraph in one block.
    while item and units[item - 1].unit.block == units[item].unit.block:
        item -= 1
    return item if units[item].unit.kind in ("list_item", "sentence") else index


def list_extent(passage: ReadPassage, index: int) -> range:
    """Return the indexes of the list or table that an item is in, with all paragraphs of its items."""

    def belongs(other: int) -> bool:
        if not 0 <= other < len(passage.units):
            return False
        unit = passage.units[other].unit
        if unit.heading != own.heading:
            return False
        if own.kind != "list_item":
            return unit.kind == own.kind and unit.lead == own.lead
        if unit.kind == "code" and not unit.in_item:
            return unit.lead == own.lead
        # What stands in an item of the list belongs to it; what stands beside it in one item does not.
        while unit.item not in (own.item, -1):
            unit = passage.units[unit.item].unit
        return unit.item == own.item and unit.kind == "list_item" and unit.lead == own.lead

    own = passage.units[index].unit
    # A list within an item is one of its own if a sentence in the item introduces it.
    while own.item >= 0 and passage.units[own.item].unit.lead == own.lead:
        own = passage.units[own.item].unit
    first = last = index
    while belongs(first - 1):
        first -= 1
    while belongs(last + 1):
        last += 1
    while passage.units[first].unit.kind == "code" or (first < index and passage.units[first].unit.in_item):
        first += 1
    while passage.units[last].unit.kind == "code" and not passage.units[last].unit.in_item:
        last -= 1
    return range(first, last + 1)


def items_around(passage: ReadPassage, index: int) -> list[int]:
    """Return the indexes of the items that a unit stands in, the nearest first."""
    found: list[int] = []
    while (index := passage.units[index].unit.item) >= 0:
        found.append(index)
    return found


def group_row(passage: ReadPassage, index: int) -> list[int]:
    """Return the row above that names the group of a table's row, if there is one."""
    for other in range(index, -1, -1):
        unit = passage.units[other].unit
        if unit.kind != "table_row" or unit.heading != passage.units[index].unit.heading:
            break
        if unit.parts:
            return [other]
    return []


def without_other_rows(candidates: Sequence[Candidate], asked: AskedFor) -> list[Candidate]:
    """Leave out the other rows of a table of which the question names one: they are about other things."""
    named: dict[int, int] = {}
    for one in candidates if asked.want is not Want.LIST else ():
        named[one.passage] = max(named.get(one.passage, 0), one.keys)
    return [
        one
        for one in candidates
        if one.keys >= named.get(one.passage, 0) or one.read.unit.kind != "table_row"
    ]


def whole_list_budget(passage: ReadPassage, index: int, budget: int) -> int:
    """Return the tokens of the list that a unit is in, with its lead-in, if not too many; else `budget`."""
    item = item_of(passage, index)
    unit = passage.units[item].unit
    if unit.kind not in ITEMS:
        return budget
    whole = (*list_extent(passage, item), *([unit.lead] if unit.lead >= 0 else []))
    tokens = sum(passage.units[other].unit.tokens for other in whole)
    return max(budget, tokens) if tokens <= WHOLE_LIST_TOKENS else budget


def is_named(unit: Unit, question: str) -> bool:
    """Return whether a question has the name that an item begins with ("Salt - how much was added")."""
    match = _NAME.match(unit.words)
    return match is not None and match["name"].casefold() in question.casefold()


def short_list(passage: ReadPassage, index: int) -> set[int]:
    """Return the whole list that an item is in, with its lead-in, if it is short; an item alone misleads."""
    unit = passage.units[index].unit
    if unit.kind not in ITEMS or unit.lead < 0:
        return set()
    whole = {unit.lead, *list_extent(passage, index)}
    tokens = sum(passage.units[other].unit.tokens for other in whole)
    return whole if len(whole) <= MOST_SHORT + 1 and tokens <= RUN_TOKENS else set()


def with_ends(passage: ReadPassage, chosen: set[int]) -> set[int]:
    """Add the first and last items of the lists that are shown in part, if these are few and short."""
    whole = set(chosen)
    for index in {item_of(passage, index) for index in chosen}:
        if passage.units[index].unit.kind not in ITEMS:
            continue
        extent = list_extent(passage, index)
        for missing in (range(extent.start, index), range(index + 1, extent.stop)):
            absent = [other for other in missing if other not in whole]
            tokens = sum(passage.units[other].unit.tokens for other in absent)
            if len(absent) <= LONGEST_GAP and tokens <= WINDOW_TOKENS:
                whole.update(absent)
    return whole


def remedy(passage: ReadPassage, index: int) -> set[int]:
    """Return what a section says against a fault: a short section whole, else the steps that soon follow."""
    heading = passage.units[index].unit.heading
    section = {
        number
        for number, read in enumerate(passage.units)
        if read.unit.heading == heading and not (read.unit.is_diagram or read.unit.is_fold)
    }
    is_one = not any(passage.units[number].unit.parts for number in section)
    if is_one and sum(passage.units[number].unit.tokens for number in section) <= WHOLE_LIST_TOKENS:
        return section
    for lead in range(index + 1, min(index + 1 + REMEDY_WITHIN, len(passage.units) - 1)):
        unit, behind = passage.units[lead].unit, passage.units[lead + 1].unit
        if unit.heading != heading or unit.parts:
            break
        if unit.leads and behind.kind == "list_item" and behind.lead == lead:
            steps = {lead, *list_extent(passage, lead + 1)}
            tokens = sum(passage.units[step].unit.tokens for step in steps)
            return steps if tokens <= RUN_TOKENS else set()
    return set()


def subsections(passage: ReadPassage, index: int) -> set[int]:
    """Return the first unit of each section below the one that ends with a unit: headings may be a list, too.

    None if there is but one, or if they have too many tokens for a list.
    """
    units = passage.units
    depth = units[index].depth + 1
    found: list[int] = []
    for other in range(index + 1, len(units)):
        if units[other].depth < depth:
            break
        if units[other].depth == depth and units[other].unit.heading != units[other - 1].unit.heading:
            found.append(other)
    tokens = sum(units[other].unit.tokens for other in found)
    return set(found) if len(found) > 1 and tokens <= WHOLE_LIST_TOKENS else set()


def is_in_list(unit: Unit) -> bool:
    """Return whether a unit is an item, or may stand between two items of one list."""
    return unit.kind in ("list_item", "code") or unit.in_item
