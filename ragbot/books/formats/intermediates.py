"""Tell a project's chapters from the files that a build made of them and left beside them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

INTERMEDIATE = "It is another form of a chapter beside it, as builds keep them; the chapter is read."

# What knitr and Quarto put before the suffix: `oars.knit.md`, `oars.html.md`, `oars-html.md`.
_STEP = re.compile(r"[.-](?:knit|utf8|html|pdf|latex|docx|epub|ipynb|gfm|markdown)$")


def find_intermediates(paths: Iterable[str], chapters: Collection[str], sources: tuple[str, ...]) -> set[str]:
    """Return the files that are made of others with the same name.

    `chapters` are the files that the book lists; none of them is returned. `sources` are the suffixes of what
    is run, the one that wins first; without one of them there, nothing is made of anything.
    """
    named: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        named[path[: -len(PurePosixPath(path).suffix)]].append(path)

    def rank(path: str) -> tuple[bool, int]:
        suffix = PurePosixPath(path).suffix.lower()
        return path not in chapters, sources.index(suffix) if suffix in sources else len(sources)

    found: set[str] = set()
    for name, group in named.items():
        origins = named.get(_STEP.sub("", name), [])
        if any(PurePosixPath(path).suffix.lower() in sources for path in origins):
            found.update(path for path in group if path != min(origins, key=rank))
    return found.difference(chapters)
