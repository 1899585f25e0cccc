"""Read a page's path: its name in words, for pages that have no title, and its language."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

# Files that stand for their folder.
_INDEXES = frozenset({"index", "_index", "readme"})
# The first page of a book that says no title.
_FIRST = "Introduction"
_JOINTS = re.compile(r"[-_\s]+")


def readable_name(path: str, *, site: str = "") -> str:
    """Return a file's name as words: "three_feet.md" is "Three feet".

    An index has its folder's name, and that of the whole book the title of the site.
    """
    pure = PurePosixPath(path)
    name = pure.stem
    if name.lower() in _INDEXES:
        name = pure.parent.name
        if not name:
            return site or _FIRST
    words = _JOINTS.sub(" ", name).strip()
    return words[:1].upper() + words[1:] if words else name


def language_suffix(path: str) -> str:
    """Return what may say the language in a file's name: "fr" of "three_feet.fr.md", else an empty text."""
    return PurePosixPath(PurePosixPath(path).stem).suffix[1:].lower()
