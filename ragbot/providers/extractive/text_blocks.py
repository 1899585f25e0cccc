"""Describe the blocks of a passage, and find list items and rows that head what follows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

# A bar between cells.
BAR = re.compile(r"(?<!\\)\|")
# A list item that is a question and bold from end to end: what stands in it or below it is the answer.
_ASKS = re.compile(r"\s*(?P<mark>\*\*|__)(?:(?!(?P=mark)).){1,300}?[?？]\s*(?P=mark)\s*", re.DOTALL)


class TextBlock(Protocol):
    """Describe a block of a text: a heading, paragraph, quote, list item, listing or row of a table."""

    @property
    def kind(self) -> str:
        """Return the kind: heading, paragraph, quote, list_item, code, table_head, table_row or other."""
        ...

    @property
    def start(self) -> int:
        """Return the offset at which the block begins."""
        ...

    @property
    def end(self) -> int:
        """Return the offset after the block."""
        ...

    @property
    def in_item(self) -> bool:
        """Return whether the block belongs to a list item, and is not its first."""
        ...


def is_group_row(row: str) -> bool:
    """Return whether a table's row names the rows below it: it has its first cell alone.

    In a table of two columns the cell is bold: another one may lack its value.
    """
    first, *others = BAR.split(row.strip().removeprefix("|").removesuffix("|"))
    is_alone = bool(first.strip()) and bool(others) and not any(cell.strip() for cell in others)
    return is_alone and (len(others) > 1 or first.strip().startswith(("**", "__")))


def find_question_items(text: str, blocks: Sequence[TextBlock]) -> frozenset[int]:
    """Return the indexes of list items that are bold questions and have something in them or below them."""
    return frozenset(
        number
        for number, (block, below) in enumerate(pairwise(blocks))
        if block.kind == "list_item"
        and (below.in_item or (below.kind == "list_item" and _column(text, below) > _column(text, block)))
        and _ASKS.fullmatch(text, block.start, block.end)
    )


def _column(text: str, block: TextBlock) -> int:
    line = text[text.rfind("\n", 0, block.start) + 1 : block.start]
    return len(line) - len(line.lstrip(" \t"))
