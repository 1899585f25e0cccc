"""Turn tables drawn with dashes or as grids, as Pandoc's Markdown has them, into tables with bars."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

# Rows of a table, and lines of its head, at most.
MAX_LINES = 1_000
MAX_HEAD_LINES = 20

_RULE = re.compile(r"[ ]{0,3}-{2,}(?:[ ]+-{2,})+[ ]*")
_BORDER = re.compile(r"[ ]{0,3}-{3,}[ ]*")
_DASHES = re.compile(r"-+")
# `+-----+=====+`; colons align.
_GRID = re.compile(r"[ ]{0,3}\+(?:[:-]-+:?\+|[:=]=+:?\+)+[ ]*")
_FENCE = re.compile(r"`{3,}|~{3,}")


@dataclass(frozen=True, slots=True)
class DrawnTable:
    """Hold a table's lines as they are shown, and the line behind its last one."""

    lines: tuple[str, ...]
    end: int


def read_drawn_table(lines: Sequence[str], start: int) -> DrawnTable | None:
    """Return the table that begins in a line, or None.

    Simple tables have a line for each row; where lines of dashes stand above and below, rows may have several
    and are parted by blank lines.
    """
    if start and lines[start - 1].strip():
        return None
    line = lines[start]
    if _GRID.fullmatch(line):
        return _grid(lines, start)
    if _BORDER.fullmatch(line):
        return _multiline(lines, start)
    if _RULE.fullmatch(line):
        return _simple(lines, start)
    has_rule = line.strip() and start + 1 < len(lines) and _RULE.fullmatch(lines[start + 1])
    return _simple(lines, start + 1, head=line) if has_rule else None


def _simple(lines: Sequence[str], rule: int, *, head: str = "") -> DrawnTable | None:
    end = rule + 1
    while end < len(lines) and lines[end].strip() and end - rule <= MAX_LINES:
        end += 1
    rows = [line for line in lines[rule + 1 : end] if not (_RULE.fullmatch(line) or _BORDER.fullmatch(line))]
    if not rows:
        return None
    starts = _starts(lines[rule])
    return DrawnTable(
        (*barred_table(_cells([head], starts), [_cells([row], starts) for row in rows]), ""), end
    )


def _multiline(lines: Sequence[str], start: int) -> DrawnTable | None:
    ahead = range(start + 1, min(start + 2 + MAX_HEAD_LINES, len(lines)))
    rule = next((each for each in ahead if not lines[each].strip() or _RULE.fullmatch(lines[each])), start)
    if not _RULE.fullmatch(lines[rule]):
        return None
    rows: list[list[str]] = [[]]
    for end in range(rule + 1, min(rule + MAX_LINES, len(lines))):
        line = lines[end]
        if _BORDER.fullmatch(line):
            starts = _starts(lines[rule])
            body = [_cells(row, starts) for row in rows if row]
            head = _cells(lines[start + 1 : rule], starts)
            return DrawnTable((*barred_table(head, body), ""), end + 1) if body else None
        if line.strip():
            rows[-1].append(line)
        else:
            rows.append([])
    return None


def _grid(lines: Sequence[str], start: int) -> DrawnTable | None:
    """Return a table with lines between its rows; one whose cells reach over several columns stays drawn."""
    edges = [place for place, sign in enumerate(lines[start].rstrip()) if sign == "+"]
    rows: list[list[str]] = []
    head: list[str] = []
    held: list[str] = []
    end = start + 1
    while end < len(lines) and end - start <= MAX_LINES and lines[end].strip()[:1] in ("|", "+"):
        line = lines[end].rstrip()
        if _GRID.fullmatch(line):
            if held:
                rows.append([_grid_cell(held, left, right) for left, right in pairwise(edges)])
            if "=" in line and rows:
                head, rows = rows[0], rows[1:]
            held = []
        elif len(line) == edges[-1] + 1 and all(line[edge] == "|" for edge in edges):
            held.append(line)
        else:
            return None
        end += 1
    if held or not rows:
        return None
    return DrawnTable((*barred_table(head or [""] * (len(edges) - 1), rows), ""), end)


def _grid_cell(lines: Sequence[str], left: int, right: int) -> str:
    """Return the words of a cell on one line; each line of a listing is code."""
    shown: list[str] = []
    is_code = False
    for line in lines:
        words = line[left + 1 : right].strip()
        if _FENCE.match(words):
            is_code = not is_code
        elif words:
            shown.append(f"`` {words} ``" if is_code and "`" in words else f"`{words}`" if is_code else words)
    return " ".join(shown).replace("|", "\\|")


def _starts(rule: str) -> list[int]:
    """Return where the columns begin, but for the first."""
    return [found.start() for found in _DASHES.finditer(rule)][1:]


def _cells(lines: Sequence[str], starts: list[int]) -> list[str]:
    """Return the cells of a row, each with the words of all its lines."""
    edges = [0, *starts, max([len(line) for line in lines] or [0])]
    return [
        " ".join(word for line in lines for word in line[begin : max(begin, end)].split()).replace("|", "\\|")
        for begin, end in pairwise(edges)
    ]


def barred_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table with bars; the cells' own bars are escaped before."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
