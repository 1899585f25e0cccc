"""Put the text of included files where a page of Markdown names them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from posixpath import normpath
from textwrap import dedent

from ragbot.books.files import BookFolder
from ragbot.books.markup.code_spans import fenced
from ragbot.core.code_fences import FenceFollower
from ragbot.core.errors import FileUnreadable

MAX_DEPTH = 5
MAX_CHARACTERS = 1_000_000

# `--8<-- "part.md:name"`, `{! part.md !}`, `{* part.py hl[1] *}`, `<<< @/a.js{1,2}`.
_INCLUDE = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?:;?)-+8<-+[ \t]+[\"'](?P<snippet>[^\"'\n]+)[\"']"
    r"|\{!>?(?P<included>[^\n!]+)!\}"
    r"|\{\*[ \t]*(?P<code>\S++)[^\n]*\*\}"
    r"|<!--[ \t]*@include:[ \t]*(?P<vue>(?:(?!-->)[^\s{>#])++)[^\n]*-->"
    r"|<<<[ \t]*(?P<imported>@?[^\s{\[#]+)[^\n]*)[ \t]*$",
    re.MULTILINE,
)
_SECTION = re.compile(r"^[^\n]*--8<--\s*\[(start|end):\s*(?P<name>[\w-]+)\s*\][^\n]*\n?", re.MULTILINE)
_SELECTION = re.compile(r":(?P<selection>[\w-]+(?::\d*)?)$")
# What VitePress selects: `#region`, and of included Markdown the lines `{3,}`.
_REGION = re.compile(r"#(?P<name>[\w*]+(?:-[\w*]+)*)")
_LINES = re.compile(r"\{(?P<first>\d*),(?P<last>\d*)\}")
# `// #region name`, `/* #endregion */`, `<!-- #region name -->`.
_REGION_MARK = re.compile(
    r"[ \t]*+(?://|/\*|<!--|::|--|'|#|rem\b)[ \t]*+#?[ \t]*+(?P<ends>end[ \t]?)?region\b(?P<name>[^\n]*)",
    re.IGNORECASE,
)
_MARKDOWN = frozenset({".md", ".markdown", ".txt", ".inc", ".html", ".htm"})


class IncludedFiles:
    """Read the files that one page includes, up to `MAX_CHARACTERS` in all.

    `bases` are the folders that paths may be relative to.
    """

    def __init__(self, folder: BookFolder, bases: Iterable[str]) -> None:
        self._folder, self._bases = folder, tuple(bases)
        self._read = 0

    def text(self, name: str, *bases: str) -> str:
        """Return the text of a file that the page names, seen from the first folder that has it.

        `bases` come before the page's own. A file that is not there, or cannot be read, has no text. Raises
        FileUnreadable beyond the limit, which also ends files that include themselves.
        """
        name = name.lstrip("/")
        for base in (*bases, *self._bases):
            path = normpath(f"{base}/{name}" if base else name)
            if self._folder.has_included(path):
                return self._counted(path)
        return ""

    def _counted(self, path: str) -> str:
        try:
            text = self._folder.read_included(path)
        except FileUnreadable:
            return ""
        self._read += len(text) + 1
        if self._read > MAX_CHARACTERS:
            raise FileUnreadable(f"Its includes hold more than {MAX_CHARACTERS:,} characters.")
        return text


def expand_includes(folder: BookFolder, text: str, bases: Iterable[str]) -> str:
    """Replace each include by its file's text. One that is not found in the book's folder leaves nothing.

    `bases` are the folders that paths may be relative to. Code comes in a fence of its own, unless the
    include stands in one. Raises FileUnreadable if the files are too long together.
    """
    return _expanded(IncludedFiles(folder, bases), text, 0)


def _expanded(files: IncludedFiles, text: str, depth: int) -> str:
    pieces: list[str] = []
    position = 0
    fences = FenceFollower()
    for match in _INCLUDE.finditer(text):
        before = text[position : match.start()]
        pieces.append(before)
        position = match.end()
        for line in before.split("\n"):
            fences.kind_of(line)
        is_in_fence = fences.opening is not None
        found = _content(files, match, depth)
        suffix = PurePosixPath(_named(match)).suffix.lower()
        if suffix == ".svg" and not is_in_fence:
            # It is a drawing, whose words are no sentences.
            found = ""
        if found and suffix not in _MARKDOWN and not is_in_fence:
            found = fenced(found, suffix.lstrip("."))
        pieces.append("\n".join(f"{match['indent']}{line}".rstrip() for line in found.split("\n")))
    pieces.append(text[position:])
    return "".join(pieces)


def _named(match: re.Match[str]) -> str:
    name = match["snippet"] or match["included"] or match["code"] or match["imported"] or match["vue"]
    return _SELECTION.sub("", name.strip())


def _content(files: IncludedFiles, match: re.Match[str], depth: int) -> str:
    if depth >= MAX_DEPTH:
        return ""
    text = files.text(_named(match).removeprefix("@/"))
    if match["vue"] or match["imported"]:
        return _expanded(files, _selected_by_vitepress(text, match), depth + 1).strip("\n")
    selection = _SELECTION.search((match["snippet"] or "").strip())
    return _expanded(files, _selected(text, selection["selection"] if selection else ""), depth + 1).strip(
        "\n"
    )


def _selected_by_vitepress(text: str, match: re.Match[str]) -> str:
    """Return the region that an include names, all of the text if it has none, and the lines of it."""
    options = match.string[match.end("vue" if match["vue"] else "imported") : match.end()]
    region = _REGION.match(options)
    if region is not None:
        text = _region(text.split("\n"), region["name"]) or text
    lines = _LINES.search(options) if match["vue"] else None
    if lines is None:
        return text
    first, last = int(lines["first"][:9] or 1), int(lines["last"][:9] or text.count("\n") + 1)
    return "\n".join(text.split("\n")[max(first - 1, 0) : last])


def _region(lines: list[str], name: str) -> str:
    """Return the lines of a region without the marks of others, or nothing if it is not there."""
    found: list[str] | None = None
    depth = 0
    for line in lines:
        mark = _REGION_MARK.match(line)
        named = mark["name"].replace("-->", "").replace("*/", "").strip(' \t\r"') if mark else ""
        if found is None:
            found = [] if mark and not mark["ends"] and named == name else None
        elif mark is None:
            found.append(line)
        elif not mark["ends"]:
            depth += 1
        elif named == name or depth == 0:
            break
        else:
            depth -= 1
    return dedent("\n".join(found or ()))


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
