"""Find the heads of Markdown's tables, for parts of a table that stand without it."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

_RULE = re.compile(
    r"^[ \t>]*+\|?(?:[ \t]*+:?-+:?[ \t]*+[|+])++(?:[ \t]*+:?-+:?[ \t]*+\|?)?[ \t]*+(?=\r?$)", re.MULTILINE
)
_MARGIN = " \t>"
# The words of a cell, for the rule below it.
_SIGNS = re.compile(r"(?:\\.|[^|\\])+")


class TableSpan(NamedTuple):
    """Hold the offsets of a table's body, with its head as it is written."""

    start: int
    end: int
    head: str


@lru_cache(maxsize=8)
def tables_of(source: str) -> tuple[TableSpan, ...]:
    """Return the tables of a page in order; the row above the rule is a table's head."""
    found: list[TableSpan] = []
    for rule in _RULE.finditer(source) if "|" in source else ():
        above = source.rfind("\n", 0, max(rule.start() - 1, 0)) + 1
        head = source[above : rule.start()].strip().lstrip(_MARGIN)
        if "|" in head and (not found or above >= found[-1].end):
            found.append(TableSpan(rule.end(), _body_end(source, rule.end()), head))
    return tuple(found)


def table_head(source: str, start: int) -> str:
    """Return the head of the table in whose body an offset of a page lies; "" elsewhere."""
    tables = tables_of(source)
    number = bisect_right(tables, start, key=lambda table: table.start) - 1
    return tables[number].head if number >= 0 and start < tables[number].end else ""


def below_head(head: str, rows: str) -> str:
    """Return the rows of a table, and what follows them, as a table of its own under its head."""
    return f"{head}\n{_SIGNS.sub('---', head)}\n{rows}" if head else rows


def _body_end(source: str, position: int) -> int:
    """Return the end of the rows from an offset at a line's end on."""
    while (begin := source.find("\n", position) + 1) > 0:
        line_end = source.find("\n", begin)
        end = len(source) if line_end < 0 else line_end
        if source.find("|", begin, end) < 0:
            return position
        position = end
    return position
