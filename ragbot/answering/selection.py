"""Turn a reader's selection into a passage, and find the passages of the book that contain it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence

from ragbot.core.domain import Chunk, Passage
from ragbot.core.text import WORD_OR_SIGN, count_tokens, folded

# A passage contains a selection if this share of the shorter one's runs of words is in the other: text
# selected on a page has no markup, and may begin in the middle of a word.
RUN_WORDS = 4
LEAST_SHARED = 0.6

_WORD = re.compile(WORD_OR_SIGN)


def passage_of_selection(selection: str, place: Passage | None) -> Passage:
    """Return the selection as a passage for the generator, with the metadata of `place` if there is one."""
    known = place.chunk if place else None
    return Passage(
        Chunk(
            id=known.id if known else str(uuid.uuid5(uuid.NAMESPACE_OID, selection)),
            path=known.path if known else "",
            heading_path=known.heading_path if known else (),
            title=known.title if known else "",
            address=known.address if known else "",
            anchor=known.anchor if known else "",
            start=0,
            end=len(selection),
            text=selection,
            search_text=selection,
            tokens=count_tokens(selection),
        ),
        score=1.0,
    )


def standing_in(selection: str, passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages that contain the selection or are part of it, by overlap, largest first."""
    selected = _words(selection)
    shares = [(_shared(selected, _words(passage.chunk.text)), passage) for passage in passages]
    standing = [(share, passage) for share, passage in shares if share >= LEAST_SHARED]
    standing.sort(key=lambda pair: -pair[0])
    return [passage for _, passage in standing]


def _words(text: str) -> list[str]:
    return _WORD.findall(folded(text))


def _shared(selected: list[str], words: list[str]) -> float:
    # A selection of two words is one run of two.
    length = min(RUN_WORDS, len(selected))
    runs, others = _runs(selected, length), _runs(words, length)
    smaller = min(len(runs), len(others))
    return len(runs & others) / smaller if smaller else 0.0


def _runs(words: list[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)} if length else set()
