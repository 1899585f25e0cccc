"""Find pages that only repeat others: print views, and books on one page beside their chapters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

REPEATS = "It repeats the text of other pages."

# Two chapters that repeat each other's text are chapters all the same.
LEAST_PAGES = 3
LEAST_SHARE = 0.9

# Shorter paragraphs, such as "See also", stand on many pages, and so do those on more pages than these.
_LEAST_CHARACTERS = 40
_MOST_PAGES = 20

_TARGET = re.compile(r"\]\([^()\n]*\)")


def repeating_pages(sources: Mapping[str, str]) -> dict[str, str]:
    """Return the pages whose text is that of at least three other, shorter pages, with the reason."""
    paragraphs = {path: _paragraphs(source) for path, source in sources.items()}
    lengths = {path: sum(found.values()) for path, found in paragraphs.items()}
    holders: dict[int, list[str]] = {}
    for path, found in paragraphs.items():
        for paragraph in found:
            holders.setdefault(paragraph, []).append(path)
    return {
        path: REPEATS
        for path in sources
        if lengths[path] and _is_repeating(path, paragraphs[path], holders, lengths)
    }


def _is_repeating(
    path: str, paragraphs: Mapping[int, int], holders: Mapping[int, list[str]], lengths: Mapping[str, int]
) -> bool:
    shared: Counter[str] = Counter()
    for paragraph, length in paragraphs.items():
        if len(holders[paragraph]) <= _MOST_PAGES:
            shared.update(dict.fromkeys(holders[paragraph], length))
    whole = {
        other
        for other, length in shared.items()
        if lengths[other] < lengths[path] and length >= LEAST_SHARE * lengths[other]
    }
    told = sum(length for paragraph, length in paragraphs.items() if not whole.isdisjoint(holders[paragraph]))
    return len(whole) >= LEAST_PAGES and told >= LEAST_SHARE * lengths[path]


def _paragraphs(source: str) -> dict[int, int]:
    """Return the hashes of a page's longer paragraphs with their lengths, without targets of links."""
    found: dict[int, int] = {}
    for paragraph in _TARGET.sub("]", source).split("\n\n"):
        words = " ".join(paragraph.split())
        if len(words) >= _LEAST_CHARACTERS:
            found[hash(words)] = len(words)
    return found
