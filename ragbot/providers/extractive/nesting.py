"""Find the list item that each unit of a passage stands in, by how far it is indented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

# An item that is indented by less is not nested: numbers may have two digits.
LEAST_INDENT = 2


class Piece(Protocol):
    """Describe what is needed of a unit."""

    @property
    def start(self) -> int:
        """Return the offset in the passage."""
        ...

    @property
    def kind(self) -> str:
        """Return sentence, list_item, table_row or code."""
        ...

    @property
    def heading(self) -> int:
        """Return the block of the heading above, or -1."""
        ...

    @property
    def lead(self) -> int:
        """Return the index of the unit that leads to this one, or -1."""
        ...

    @property
    def in_item(self) -> bool:
        """Return whether it is a later block of a list item."""
        ...

    @property
    def leads(self) -> bool:
        """Return whether it is a sentence that introduces what follows."""
        ...


def margin_of(text: str, start: int) -> str:
    """Return the part of a line before what begins in it."""
    return text[text.rfind("\n", 0, start) + 1 : start]


def column_of(text: str, start: int) -> int:
    """Return how far the line is indented in which something begins, quotation marks among the blanks."""
    margin = margin_of(text, start).expandtabs(4)
    return len(margin) - len(margin.lstrip(" >"))


def nesting_of(units: Sequence[Piece], text: str) -> Iterator[tuple[int, int]]:
    """Yield for each unit the index of the item around it and of what introduces it, or -1.

    A list within an item is introduced by the sentence above it there.
    """
    # The last sentence of each item.
    said: dict[int, int] = {}
    for index, (unit, item) in enumerate(zip(units, _items(units, text), strict=True)):
        lead = unit.lead
        if item >= 0 and unit.kind == "list_item" and (last := said.get(item)) is not None:
            lead = last if units[last].leads else lead
        elif item >= 0 and unit.kind == "sentence":
            said[item] = index
        yield item, lead


def _items(units: Iterable[Piece], text: str) -> Iterator[int]:
    """Yield the index of the item around each unit, or -1."""
    heading = -1
    # The columns and indexes of the items that are open.
    around: list[tuple[int, int]] = []
    for index, unit in enumerate(units):
        is_item = unit.kind == "list_item"
        if unit.heading != heading or not (is_item or unit.in_item):
            heading, around = unit.heading, []
        if not (is_item or unit.in_item):
            yield -1
            continue
        column = column_of(text, unit.start)
        nested = LEAST_INDENT if is_item else 1
        # What belongs to the last item by its words alone stands in no deeper one.
        while around and column < around[-1][0] + nested and (is_item or len(around) > 1):
            around.pop()
        yield around[-1][1] if around else -1
        if is_item:
            around.append((column, index))
