"""Find literals in the configuration of a site that is written in JavaScript or TypeScript."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from ragbot.books.files import BookFolder

# (An unclosed comment or text takes the rest: searching its end from each character on would take hours.)
# Texts come first: a glob such as `**/*.md` begins no comment.
_COMMENT = re.compile(
    r"(?P<text>\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|`(?:[^`\\]|\\.)*+`?)"
    r"|/\*(?:(?!\*/).)*+(?:\*/)?|(?<![:'\"\w])//[^\n]*",
    re.DOTALL,
)
_QUOTED = re.compile(r"(?P<quote>['\"`])(?P<text>[^'\"`\n$]{1,500})(?P=quote)")
_BRACE = re.compile("[{}]")
_KEY = re.compile(r"(?P<key>\w+)['\"]?\s*:\s*\Z")

MAX_SCRIPT_CHARACTERS = 200_000
# The longest sidebars have some thousands.
MAX_BRACES = 20_000


def read_script(folder: BookFolder, paths: Sequence[str]) -> str:
    """Return the text of the first of the files that is there, without comments."""
    for path in paths:
        if folder.has(path):
            return without_script_comments(folder.read_text(path)[:MAX_SCRIPT_CHARACTERS])
    return ""


def without_script_comments(script: str) -> str:
    """Remove comments of both kinds."""
    return _COMMENT.sub(lambda found: found["text"] or "", script)


def braced(script: str, opening: int) -> str:
    """Return the text from an opening brace to the one that closes it; to the end if none does."""
    depth = 0
    for brace in islice(_BRACE.finditer(script, opening), MAX_BRACES):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return script[opening : brace.end()]
    return script[opening:]


def own_keys(block: str) -> str:
    """Return a block in braces without the blocks inside of it: what is said of itself."""
    pieces: list[str] = []
    depth = position = 0
    for brace in islice(_BRACE.finditer(block), MAX_BRACES):
        if depth <= 1:
            pieces.append(block[position : brace.start()])
        depth += 1 if brace[0] == "{" else -1
        position = brace.end()
    return "".join(pieces)


def literal(script: str, key: str, default: str = "") -> str:
    """Return the first literal text of a key; code is not run, so `default` stands for a computed one."""
    match = re.search(rf"\b{key}['\"]?\s*:\s*(['\"`])(?P<text>(?:(?!\1)[^$\n])*)\1", script)
    return match["text"].strip() if match else default


def is_true(script: str, key: str) -> bool:
    """Return whether a key is set to true."""
    return re.search(rf"\b{key}['\"]?\s*:\s*true\b", script) is not None


def keyed_texts(script: str, start: str) -> Iterator[tuple[str, str]]:
    """Yield each literal text behind the first place of `start`, with its key; "" in a list."""
    begin = script.find(start)
    for match in _QUOTED.finditer(script, begin) if begin >= 0 else ():
        key = _KEY.search(script, max(begin, match.start() - 60), match.start())
        yield (key["key"] if key else "", match["text"])
