"""Find the list item that each unit of a passage stands in, by how far it is indented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragbot.providers.extractive.units import Unit

# An item that is indented by less is not nested: numbers may have two digits.
LEAST_INDENT = 2


def column_of(text: str, start: int) -> int:
    """Return how far the line is indented in which something begins, quotation marks among the blanks."""
    line = text[text.rfind("\n", 0, start) + 1 : start].expandtabs(4)
    return len(line) - len(line.lstrip(" >"))


def with_items(units: Sequence[Unit], text: str) -> list[Unit]:
    """Return units that know their items; a list within an item also what introduces it there."""
    found: list[Unit] = []
    # The last sentence of each item: it may introduce the list within.
    said: dict[int, int] = {}
    for index, (unit, item) in enumerate(zip(units, _items(units, text), strict=True)):
        lead = unit.lead
        if item >= 0 and unit.kind == "list_item" and (last := said.get(item)) is not None:
            lead = last if found[last].leads else lead
        elif item >= 0 and unit.kind == "sentence":
            said[item] = index
        found.append(replace(unit, item=item, lead=lead))
    return found


def _items(units: Iterable[Unit], text: str) -> Iterator[int]:
    """Yield the index of the item around each unit, or -1."""
    heading = -1
    # The columns and indexes of the items that are open.
    around: list[tuple[int, int]] = []
    for index, unit in enumerate(units):
        if unit.heading != heading or not (unit.kind == "list_item" or unit.in_item):
            heading, around = unit.heading, []
        if not (unit.kind == "list_item" or unit.in_item):
            yield -1
            continue
        column = column_of(text, unit.start)
        nested = LEAST_INDENT if unit.kind == "list_item" else 1
        # What belongs to the last item by its words alone stands in no deeper one.
        while around and column < around[-1][0] + nested and (unit.kind == "list_item" or len(around) > 1):
            around.pop()
        yield around[-1][1] if around else -1
        if unit.kind == "list_item":
            around.append((column, index))
