"""Match paths against the globs in a site's configuration, in linear time whatever they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ragbot.books.markup.script_values import ScriptText, parse_script_value


def listed_texts(script: str, key: str) -> list[str]:
    """Return the texts in the literal list of a key, such as globs; none for what is computed."""
    found = re.search(rf"\b{key}['\"]?\s*:\s*(?=\[)", script)
    value = parse_script_value(script, found.end()).value if found else None
    return [one.text for one in value if isinstance(one, ScriptText)] if isinstance(value, list) else []


def matches_any(path: str, globs: Iterable[str]) -> bool:
    """Return whether a path matches one of the globs: `**` is any folders, `*` any letters of a name."""
    return any(_matches(path, glob.removeprefix("./")) for glob in globs)


def _matches(path: str, glob: str) -> bool:
    pieces = glob.split("/")
    # The pieces that the next name may match.
    reached = _with_skipped({0}, pieces)
    for name in path.split("/"):
        matched = {
            piece if pieces[piece] == "**" else piece + 1
            for piece in reached
            if piece < len(pieces) and (pieces[piece] == "**" or fnmatchcase(name, pieces[piece]))
        }
        reached = _with_skipped(matched, pieces)
    return len(pieces) in reached


def _with_skipped(reached: set[int], pieces: list[str]) -> set[int]:
    """Add what follows each `**`, which may stand for no folder at all."""
    found = set(reached)
    for piece in range(len(pieces)):
        if piece in found and pieces[piece] == "**":
            found.add(piece + 1)
    return found
