"""Find the words of a built book that stand where the output of a code cell stands."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import Path

from ragbot.books.loader import load_book
from ragbot.books.read_options import ReadOptions

RUN_SUFFIXES = frozenset({".rmd", ".qmd"})
PICTURES = ("*.png", "*.jpg", "*.jpeg", "*.gif", "*.svg", "*.pdf", "*.mp4", ".git")

_PLACE = "ragbotcellplace"
_WORD = re.compile(r"[^\W\d_]+")
_TARGETS = re.compile(r"\]\([^()\s]*\)|</?(?!https?:)[a-zA-Z][^<>]*>")
_CHUNK = re.compile(r"[ \t]*(?P<marks>`{3,}|~{3,})[ \t]*\{[^.=][^\n]*\}[ \t]*")
_VALUE = re.compile(r"(?<!`)`(?:r|\{r\}|\{python\})[ \t]+[^`\n]*`(?!`)")


def words_at_cells(source: Path, built: Mapping[str, str]) -> Counter[str]:
    """Count the words of built pages, by their addresses, that stand at the place of a cell or a value.

    The source is read once more with a mark at these places; what the build has beside a mark, and the source
    has not, was made by the run.
    """
    found = Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        marked = Path(name) / "book"
        shutil.copytree(source, marked, ignore=shutil.ignore_patterns(*PICTURES), symlinks=True)
        paths = [path for path in marked.rglob("*") if path.suffix.lower() in RUN_SUFFIXES]
        for path in (path for path in paths if path.is_file() and not path.is_symlink()):
            path.write_text(with_places(path.read_text(encoding="utf-8", errors="replace")), encoding="utf-8")
        if not paths:
            return found
        book = load_book(marked, options=ReadOptions(reads_repository=True))
    for page in book.pages:
        address = page.address.removesuffix("index.html").removesuffix("/")
        found += _beside_places(_words(built.get(address, "")), _words(page.source))
    return found


def with_places(text: str) -> str:
    """Return R Markdown with a mark behind each chunk and in place of each computed value."""
    shown: list[str] = []
    closing = ""
    # What stands between the first lines of hyphens is front matter.
    is_front = text.startswith("---")
    for number, line in enumerate(text.split("\n")):
        chunk = _CHUNK.fullmatch(line)
        if is_front:
            is_front = number == 0 or line.rstrip() not in ("---", "...")
            shown.append(line)
        elif closing:
            shown.append(line)
            if line.strip() == closing:
                shown += ("", _PLACE, "")
                closing = ""
        else:
            closing = chunk["marks"] if chunk else ""
            shown.append(line if line.startswith("#") else _VALUE.sub(_PLACE, line))
    return "\n".join(shown)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(_TARGETS.sub(" ", text))]


def _beside_places(built: list[str], source: list[str]) -> Counter[str]:
    found = Counter[str]()
    for tag, begin, end, first, last in SequenceMatcher(None, built, source, autojunk=False).get_opcodes():
        if tag in ("delete", "replace") and _PLACE in source[max(first - 1, 0) : last + 1]:
            found.update(built[begin:end])
    return found
