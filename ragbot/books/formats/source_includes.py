"""Put the text of included files where a page of Markdown names them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from posixpath import normpath

from ragbot.books.files import BookFolder
from ragbot.core.errors import FileUnreadable

MAX_DEPTH = 5
MAX_CHARACTERS = 1_000_000

# `--8<-- "part.md:name"`, `{! part.md !}`, `{* part.py hl[1] *}`, `<<< @/a.js{1,2}`.
_INCLUDE = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?:;?)-+8<-+[ \t]+[\"'](?P<snippet>[^\"'\n]+)[\"']"
    r"|\{!>?(?P<included>[^\n!]+)!\}"
    r"|\{\*[ \t]*(?P<code>\S++)[^\n]*\*\}"
    r"|<!--@include:[ \t]*(?P<vue>(?:(?!-->)[^\s{>])++)[^\n]*-->"
    r"|<<<[ \t]*(?P<imported>@?[^\s{\[#]+)[^\n]*)[ \t]*$",
    re.MULTILINE,
)
_SECTION = re.compile(r"^[^\n]*--8<--\s*\[(start|end):\s*(?P<name>[\w-]+)\s*\][^\n]*\n?", re.MULTILINE)
_SELECTION = re.compile(r":(?P<selection>[\w-]+(?::\d*)?)$")
_IN_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})", re.MULTILINE)
_MARKDOWN = frozenset({".md", ".markdown", ".txt", ".inc", ".html", ".htm"})


def expand_includes(folder: BookFolder, text: str, bases: Iterable[str], *, depth: int = 0) -> str:
    """Replace each include by its file's text. One that is not found in the book's folder leaves nothing.

    `bases` are the folders that paths may be relative to. Code comes in a fence of its own, unless the
    include stands in one.
    """
    folders = tuple(bases)
    pieces: list[str] = []
    position = size = fences = 0
    for match in _INCLUDE.finditer(text):
        before = text[position : match.start()]
        pieces.append(before)
        position = match.end()
        fences += len(_IN_FENCE.findall(before))
        is_in_fence = fences % 2 == 1
        found = _content(folder, match, folders, depth=depth)
        size += len(found)
        if size > MAX_CHARACTERS:
            raise FileUnreadable(f"Its includes hold more than {MAX_CHARACTERS:,} characters.")
        suffix = PurePosixPath(_named(match)).suffix.lower()
        if suffix == ".svg" and not is_in_fence:
            # It is a drawing, whose words are no sentences.
            found = ""
        if found and suffix not in _MARKDOWN and not is_in_fence:
            found = f"```{suffix.lstrip('.')}\n{found}\n```"
        pieces.append("\n".join(f"{match['indent']}{line}".rstrip() for line in found.split("\n")))
    pieces.append(text[position:])
    return "".join(pieces)


def _named(match: re.Match[str]) -> str:
    name = match["snippet"] or match["included"] or match["code"] or match["imported"] or match["vue"]
    return _SELECTION.sub("", name.strip())


def _content(folder: BookFolder, match: re.Match[str], bases: tuple[str, ...], *, depth: int) -> str:
    if depth >= MAX_DEPTH:
        return ""
    name = _named(match).removeprefix("@/").lstrip("/")
    for base in bases:
        path = normpath(f"{base}/{name}" if base else name)
        if not folder.has_included(path):
            continue
        try:
            text = folder.read_included(path)
        except FileUnreadable:
            return ""
        selection = _SELECTION.search((match["snippet"] or "").strip())
        text = _selected(text, selection["selection"] if selection else "")
        return expand_includes(folder, text, bases, depth=depth + 1).strip("\n")
    return ""


def _selected(text: str, selection: str) -> str:
    """Return the lines that `2`, `2:5` or a section's name select, without marks of sections."""
    first, _, last = selection.partition(":")
    if first.isdecimal():
        lines = text.split("\n")
        end = int(last) if last.isdecimal() else len(lines) if ":" in selection else int(first)
        return "\n".join(lines[max(int(first) - 1, 0) : end])
    if selection:
        marks = [mark for mark in _SECTION.finditer(text) if mark["name"] == selection]
        text = text[marks[0].end() : marks[1].start() if len(marks) > 1 else len(text)] if marks else ""
    return _SECTION.sub("", text)
