"""Count the prose of a folder in formats that are not read."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ragbot.books.files import BookFolder
from ragbot.books.formats.html_tree import parse_html
from ragbot.books.not_pages import MYST_INDEX, is_repository_file, lies_in_template_folder, repeats_page
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import text_length

# Formats of prose that are not read, with the program that makes HTML of them.
CONVERTERS = {
    ".rst": "sphinx-build",
    ".adoc": "asciidoctor",
    ".asc": "asciidoctor",
    ".asciidoc": "asciidoctor",
    ".qmd": "quarto render",
    ".rmd": "bookdown",
    ".ipynb": "jupyter-book build",
    ".ptx": "pretext build web",
    ".tex": "pandoc or make4ht",
    ".org": "pandoc",
    ".textile": "pandoc",
    ".mediawiki": "pandoc",
    ".rdoc": "rdoc",
    ".dbk": "xsltproc",
    ".typ": "pandoc",
    ".txt": "pandoc, or the suffix .md",
}
UNREAD_SUFFIXES = frozenset(CONVERTERS)

# Folders of a built site's code, and of tests.
_NOT_PROSE = frozenset({"_static", "_modules", "test", "tests", "fixtures", "testdata"})
_TEXT_FILES_OF_PROGRAMS = re.compile(
    r"(?:requirements|constraints|robots|cmakelists|llms|humans|ads|security|license|licence|copying|notice"
    r"|authors|version|top_level|words?|wordlist|output)\b.*|.*requirements.*|google\w+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UnreadProse:
    """Hold the files and characters of one suffix that were not read."""

    suffix: str
    files: int
    characters: int


def count_unread(
    folder: BookFolder, suffixes: Collection[str], known_paths: Iterable[str]
) -> tuple[UnreadProse, ...]:
    """Count the prose in files with the suffixes, the most first.

    Files that are no text count nothing, and neither do those of `known_paths` in another format.
    """
    is_myst = folder.has(MYST_INDEX)
    known = {stem for path in known_paths for stem in (path, _stem(path))}
    files: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for path in folder.files(frozenset(suffixes)):
        suffix = PurePosixPath(path).suffix.lower()
        if _stem(path) in known or path in known or _is_left_aside(path, suffix, is_myst=is_myst):
            continue
        try:
            text = folder.read_text(path)
        except FileUnreadable:
            continue
        files[suffix] += 1
        characters[suffix] += _prose_length(text, suffix)
    return tuple(UnreadProse(suffix, files[suffix], count) for suffix, count in characters.most_common())


def _stem(path: str) -> str:
    """Return a path without its suffix; a folder's index has the folder's."""
    pure = PurePosixPath(path)
    is_inner_index = pure.stem == "index" and len(pure.parts) > 1
    return (pure.parent if is_inner_index else pure.with_suffix("")).as_posix()


def _is_left_aside(path: str, suffix: str, *, is_myst: bool) -> bool:
    pure = PurePosixPath(path)
    return (
        repeats_page(path, is_myst=is_myst)
        or lies_in_template_folder(path)
        or not _NOT_PROSE.isdisjoint(pure.parts[:-1])
        or is_repository_file(path, beside_content=True)
        or (suffix == ".txt" and _TEXT_FILES_OF_PROGRAMS.fullmatch(pure.stem) is not None)
    )


def _prose_length(text: str, suffix: str) -> int:
    if suffix == ".ipynb":
        return _notebook_length(text)
    if suffix in (".html", ".htm", ".xhtml"):
        return _html_length(text)
    return text_length(text)


def _html_length(text: str) -> int:
    """Return the length of a page's text without its menus; 0 if it cannot be parsed."""
    try:
        body = parse_html(text).body
    except FileUnreadable:
        return 0
    for part in body.css("script, style, nav") if body is not None else ():
        part.decompose()
    return text_length(body.text(separator=" ")) if body is not None else 0


def _notebook_length(text: str) -> int:
    """Return the length of a notebook's cells without their outputs."""
    try:
        cells = json.loads(text)["cells"]
        return sum(text_length("".join(cell["source"])) for cell in cells)
    except (ValueError, LookupError, TypeError, RecursionError):
        return 0
