"""Read a passage once and remember it: its units with their stems, and those of its headings."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from ragbot.core.domain import Chunk
from ragbot.providers.extractive.units import TextBlock, Unit, units_of

# Reading one costs some 2 ms, and a book has some thousands.
PASSAGES_REMEMBERED = 4096

_IN_PARENTHESES = re.compile(r"(.+?)\s*\(([^()]+)\)\W*")

Terms = frozenset[str]


@dataclass(frozen=True, slots=True)
class ReadUnit:
    """Hold a unit with its stems, its heading's, and those of what it would define in each spelling.

    `around` are the stems of the unit with its neighbours, as many as would be shown with it.
    """

    unit: Unit
    terms: Terms
    heading_terms: Terms
    openings: tuple[Terms, ...]
    around: Terms


@dataclass(frozen=True, slots=True)
class ReadPassage:
    """A passage's units in order.

    `pairs` are its neighbouring stems. `path_terms` are the stems of its heading path, `title_terms` of its
    last heading.
    """

    units: tuple[ReadUnit, ...]
    path_terms: Terms
    title_terms: Terms
    terms: Terms
    pairs: frozenset[tuple[str, str]]


class PassageReader:
    """Read passages and remember the last few thousand. Safe between threads.

    `terms` gives the stems of a text in a language, `blocks` cuts a passage into what reads as one thing, and
    `words` takes the markup out of a piece of a given kind.
    """

    def __init__(
        self,
        *,
        terms: Callable[[str, str], list[str]],
        blocks: Callable[[str], Sequence[TextBlock]],
        words: Callable[[str, str], str],
    ) -> None:
        self._terms = terms
        self._blocks = blocks
        self._words = words
        self._lock = threading.Lock()
        self._read: LRUCache[tuple[str, str, str], ReadPassage] = LRUCache(PASSAGES_REMEMBERED)

    def ordered_terms(self, language: str, text: str) -> list[str]:
        """The stems of a text in order."""
        return self._terms(language, text)

    def terms(self, language: str, text: str) -> Terms:
        """The stems of a text."""
        return frozenset(self._terms(language, text))

    def blocks(self, text: str) -> Sequence[TextBlock]:
        """The blocks of a text."""
        return self._blocks(text)

    def words(self, text: str, kind: str) -> str:
        """The words of a piece of Markdown."""
        return self._words(text, kind)

    def read(self, chunk: Chunk, language: str) -> ReadPassage:
        """Give a chunk's units; equal texts under equal headings are read once."""
        key = (chunk.id, language, chunk.text)
        with self._lock:
            known = self._read.get(key)
        if known is None:
            known = self._read_anew(chunk, language)
            with self._lock:
                self._read[key] = known
        return known

    def _read_anew(self, chunk: Chunk, language: str) -> ReadPassage:
        text = chunk.text
        blocks = self._blocks(text)
        units = units_of(text, blocks, headings=chunk.heading_path, words=self._words)
        ordered = [self._terms(language, self._words(text[unit.start : unit.end], "terms")) for unit in units]
        stems = [frozenset(terms) for terms in ordered]
        title = self.terms(language, chunk.heading_path[-1]) if chunk.heading_path else frozenset()
        inner: dict[int, Terms] = {-1: title}
        for heading in {unit.heading for unit in units} - {-1}:
            block = blocks[heading]
            inner[heading] = self.terms(language, self._words(text[block.start : block.end], "heading"))
        read = tuple(
            ReadUnit(
                unit=unit,
                terms=stems[index],
                heading_terms=inner[unit.heading],
                openings=tuple(
                    terms for name in _spellings(unit.opening) if (terms := self.terms(language, name))
                ),
                around=stems[index].union(*(stems[near] for near in _near(units, index))),
            )
            for index, unit in enumerate(units)
        )
        path = self.terms(language, " ".join(chunk.heading_path))
        pairs = frozenset(pair for terms in ordered for pair in itertools.pairwise(terms))
        return ReadPassage(read, path, title, path.union(*stems, *inner.values()), pairs)


def _spellings(name: str) -> Iterator[str]:
    """Yield a name as it stands, without its parentheses, and what stands in these ("DOF (degrees ...)")."""
    if name:
        yield name
        if (match := _IN_PARENTHESES.fullmatch(name)) is not None:
            yield match[1]
            yield match[2]


def _near(units: Sequence[Unit], index: int) -> list[int]:
    """The indexes of a unit's neighbours under the same heading, and of what leads to it."""
    near = (index - 1, index + 1, units[index].lead)
    return [n for n in near if 0 <= n < len(units) and units[n].heading == units[index].heading]
