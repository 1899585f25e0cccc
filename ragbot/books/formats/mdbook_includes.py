"""Expand mdBook's `{{#…}}` includes in a chapter."""

from __future__ import annotations

import re
from itertools import takewhile
from posixpath import dirname, normpath

from ragbot.books.files import BookFolder
from ragbot.core.errors import FileUnreadable

# mdBook's own limit on includes inside of includes.
MAX_DEPTH = 10

# Includes that multiply each other would fill the memory: a chapter is a few pages of text.
MAX_CHARACTERS = 1_000_000
MAX_INCLUDES = 1_000

_HELPER = re.compile(
    r"\\\{\{#[^{}\r\n]*\}\}|\{\{\s*#(?P<name>include|rustdoc_include|playground|playpen|title)\s+(?P<rest>[^}\r\n]+)\}\}"
)
_ANCHOR = re.compile(r"ANCHOR:\s*(?P<name>[\w-]+)")
_ANCHOR_END = re.compile(r"ANCHOR_END:\s*(?P<name>[\w-]+)")
_QUOTED = re.compile(r'"(?P<path>(?:[^"\\]|\\.)*)"(?P<rest>.*)')


class IncludeExpander:
    """Expand the includes of one chapter. Failed includes stay as written and are listed in `notices`."""

    def __init__(self, folder: BookFolder) -> None:
        self.notices: list[str] = []
        self._folder = folder
        self._size = self._count = 0

    def expand(self, path: str, text: str, depth: int = 0) -> str:
        """Return the text of the file at `path` with every include replaced by its content."""
        pieces, position = [], 0
        for match in _HELPER.finditer(text):
            pieces.append(text[position : match.start()])
            before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
            pieces.append(self._content(match, path, depth, indent=before if not before.strip() else ""))
            position = match.end()
        pieces.append(text[position:])
        return "".join(pieces)

    def _content(self, match: re.Match[str], path: str, depth: int, *, indent: str) -> str:
        if match["name"] is None:
            return match.group()[1:]
        if match["name"] == "title":
            return ""
        target, selection = _target(match["rest"], with_selection=match["name"].endswith("include"))
        full = normpath(f"{dirname(path)}/{target}" if dirname(path) else target)
        if depth >= MAX_DEPTH:
            return self._refused(
                match, f"{target} includes itself, or lies more than {MAX_DEPTH} includes deep"
            )
        self._count += 1
        if self._count > MAX_INCLUDES:
            return self._refused(match, f"the chapter has more than {MAX_INCLUDES:,} of them")
        if self._size > MAX_CHARACTERS:
            return self._refused(match, f"its includes hold more than {MAX_CHARACTERS:,} characters")
        if full.startswith("/"):
            return self._refused(match, f"{target} lies outside of the book")
        try:
            text = self._folder.read_included(full)
        except FileUnreadable as fault:
            return self._refused(match, f"{target} cannot be read: {fault}")
        self._size += len(text)
        if self._size > MAX_CHARACTERS:
            return self._refused(match, f"its includes hold more than {MAX_CHARACTERS:,} characters")
        content = self.expand(full, select_lines(text, selection), depth + 1)
        if match["name"] in ("playground", "playpen"):
            # mdBook makes a listing of it.
            content = f"```rust\n{content.rstrip()}\n```"
        return content.rstrip("\r\n").replace("\n", f"\n{indent}")

    def _refused(self, match: re.Match[str], reason: str) -> str:
        self.notices.append(f"An include was not expanded: {reason.rstrip('.')}.")
        return match.group()


def _target(rest: str, *, with_selection: bool) -> tuple[str, str]:
    quoted = _QUOTED.match(rest.strip())
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted["path"]), quoted["rest"].strip().removeprefix(":")
    words = rest.split()
    path, _, selection = (words[0] if words else "").partition(":")
    return path, selection if with_selection else ""


def select_lines(text: str, selection: str) -> str:
    """Return the lines that `2`, `2:5`, `:5`, `2:` or an anchor's name select, without anchor marks."""
    lines = text.splitlines()
    first, _, rest = selection.partition(":")
    if first and not first.isdecimal():
        lines = _between_anchors(lines, first)
    elif selection:
        start = max(int(first) - 1, 0) if first else 0
        last = rest.partition(":")[0]
        end = int(last) if last.isdecimal() else None if ":" in selection else start + 1
        lines = lines[start:end]
    return "\n".join(line for line in lines if not _marks_anchor(line))


def _between_anchors(lines: list[str], name: str) -> list[str]:
    starts = [
        number for number, line in enumerate(lines) if (m := _ANCHOR.search(line)) and m["name"] == name
    ]
    if not starts:
        return []
    inside = takewhile(lambda line: not _ends(line, name), lines[starts[0] + 1 :])
    return list(inside)


def _ends(line: str, name: str) -> bool:
    match = _ANCHOR_END.search(line)
    return match is not None and match["name"] == name


def _marks_anchor(line: str) -> bool:
    return bool(_ANCHOR.search(line) or _ANCHOR_END.search(line))
