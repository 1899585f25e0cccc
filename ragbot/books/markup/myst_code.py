"""Choose the lines of listings of MyST 2: of cells without their options, of files that pages include."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable

from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.books.markup.myst import LANGUAGE, MystDirective
from ragbot.books.markup.pandoc_tables import barred_table

LITERAL_INCLUDES = frozenset({"literalinclude", "include"})

_CHOOSING = frozenset({"lines", "start-line", "end-line", "start-at", "start-after", "end-at", "end-before"})

# `#| label: tides` in a cell.
_CELL_OPTION = re.compile(r"[ \t]*(?:#|//|%|--)\|[ \t]?(?P<key>[\w-]+)[ \t]*:[ \t]*(?P<value>[^\n]*)")
_CELL_LINE = re.compile(r"[ \t]*(?:#|//|%|--)\|[^\n]*")
_LINES = re.compile(r"(?P<first>\d{1,9})(?:[ \t]*(?P<dash>-)[ \t]*(?P<last>\d{1,9})?)?")

_LANGUAGES = {
    "py": "python",
    "js": "javascript",
    "ts": "typescript",
    "md": "markdown",
    "yml": "yaml",
    "sh": "bash",
}


def cell_options(body: list[str]) -> tuple[dict[str, str], list[str]]:
    """Part the options that begin a cell from its code."""
    options: dict[str, str] = {}
    count = 0
    for line in body:
        if not _CELL_LINE.fullmatch(line):
            break
        found = _CELL_OPTION.fullmatch(line)
        if found is not None:
            options[found["key"]] = found["value"].strip().strip("\"'")
        count += 1
    return options, body[count:]


def code_language(directive: MystDirective) -> str:
    """Return the language of a listing, as its fence names it."""
    options = directive.options
    named = options.get("language") or options.get("lang") or options.get("code") or ""
    if not named and directive.name in LITERAL_INCLUDES:
        suffix = directive.title.rpartition(".")[2]
        named = _LANGUAGES.get(suffix, suffix)
    elif not named and directive.name == "myst":
        named = "markdown"
    found = LANGUAGE.match(named or directive.title)
    language = found[0] if found is not None else "python" if directive.name == "code-cell" else ""
    return "python" if language.startswith("ipython") else language


def is_literal(directive: MystDirective) -> bool:
    """Return whether a file is included as a listing."""
    return directive.name == "literalinclude" or bool(
        {"literal", "lang", "language", "code"} & directive.options.keys()
    )


def table_of_csv(body: list[str], header: str) -> list[str]:
    """Return comma-separated values as a table of Markdown; without a header, their first row is its head."""
    lines = [header, *body] if header else body
    try:
        rows = [
            [cell.strip().replace("|", "\\|") for cell in row]
            for row in csv.reader(lines, skipinitialspace=True)
            if row
        ]
    except csv.Error:
        return body
    return [*barred_table(rows[0], rows[1:])] if rows else []


def included_lines(directive: MystDirective, included: Callable[[str], str]) -> list[str]:
    """Return the lines of the file that a directive names: all, or those that its options choose."""
    text = included(directive.title)
    options = directive.options
    if not _CHOOSING & options.keys():
        is_page = directive.name == "include" and not is_literal(directive)
        text = text[parse_front_matter(text).end :] if is_page else text
    lines = text.removesuffix("\n").split("\n")
    if chosen := options.get("lines"):
        return [line for piece in chosen.split(",") for line in _numbered(lines, piece.strip())]
    start, end = options.get("start-line", ""), options.get("end-line", "")
    if start or end:
        return lines[_number(start, 0) : _number(end, len(lines))]
    return _between(lines, options)


def _number(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else otherwise


def _numbered(lines: list[str], piece: str) -> list[str]:
    found = _LINES.fullmatch(piece)
    if found is None:
        return []
    first = int(found["first"])
    last = int(found["last"]) if found["last"] else len(lines) if found["dash"] else first
    return lines[max(first - 1, 0) : last]


def _between(lines: list[str], options: dict[str, str]) -> list[str]:
    """Return the lines between two that hold the words of `start-at` or `start-after`, and of the end's."""
    first = 0
    for key, offset in (("start-at", 0), ("start-after", 1)):
        if words := options.get(key):
            first = next((place for place, line in enumerate(lines) if words in line), 0) + offset
    last = len(lines)
    for key, offset in (("end-at", 1), ("end-before", 0)):
        if words := options.get(key):
            # (The first line itself is not looked at.)
            places = range(first + 1, len(lines))
            last = next((place + offset for place in places if words in lines[place]), len(lines))
    return lines[first:last]
