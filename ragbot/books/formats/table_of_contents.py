"""Compare the titles of a file's own table of contents; shared by the EPUB and PDF readers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

# Deeper entries are put under their outermost titles.
MAX_PARTS = 16
MAX_TITLE = 300


def shared_titles(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the titles that all heading paths begin with. `paths` must not be empty."""
    pairs = zip(min(paths), max(paths), strict=False)
    return tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
