"""Analyse a passage and cache the result: an outline for its ranking, and its units for an answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cachetools import LRUCache

from ragbot.core.domain import Chunk
from ragbot.core.side_matter import is_glossary_heading, is_side_section, link_share
from ragbot.core.text import QUESTION_MARKS, asks
from ragbot.providers.extractive.question import is_negated, tells_to_remove
from ragbot.providers.extractive.text_blocks import TextBlock
from ragbot.providers.extractive.units import Unit, units_of

# A question compares thirty outlines, each of which takes 0.3 ms and 10 kB, and reads ten of the passages,
# each of which takes some 2 ms and 40 kB.
CACHED_OUTLINES, CACHED_PASSAGES = 4096, 1024

# "The correspondent of a document is ..." defines a correspondent.
_OF_SOMETHING = re.compile(
    r"(?:the|an?)\s+(.+?)(?:\s*\([^()]+\))?\s+of\s+(?:an?|the|each|your)\s+.+", re.IGNORECASE
)
_IN_PARENTHESES = re.compile(r"(.+?)\s*\(([^()]+)\)\W*")

Terms = frozenset[str]
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class ReadUnit:
    """Hold a unit with the stems that scoring compares with the question.

    `openings` are the stems of the term that the unit would define, one set for each spelling. `near` are
    those of its neighbours under the same heading and of its lead-in, `listed` those of the list or table in
    which it is an item, with the lead-in: the others' own sets, as copies would take most of the memory.
    `replies_to` are those of the question that it is the first to follow: a heading, a bold line, or the
    sentence before. `is_negated` marks a unit under a heading with a negation ("Not allowed"), `removes` one
    under a heading that says how something is removed ("Uninstalling"). `depth` is the length of the heading
    path of its section.
    `label` is the bold line above that names its part of the section, as that of a tab, or the row above
    that names a group of rows, or "".
    """

    unit: Unit
    terms: Terms
    heading_terms: Terms
    openings: tuple[Terms, ...]
    near: tuple[Terms, ...] = ()
    listed: tuple[Terms, ...] = ()
    replies_to: Terms = frozenset()
    is_negated: bool = False
    removes: bool = False
    depth: int = 0
    label: str = ""
    label_terms: Terms = frozenset()

    @property
    def names(self) -> tuple[Terms, Terms]:
        """Return the stems of the heading and of the bold line that the unit stands under."""
        return self.heading_terms, self.label_terms

    @property
    def around(self) -> Terms:
        """Return the stems of the unit, of its neighbours and of its lead-in."""
        return self.terms.union(*self.near)

    @property
    def whole_list(self) -> Terms:
        """Return the stems of the whole list; none for what is no item of a list."""
        return frozenset[str]().union(*self.listed)


@dataclass(frozen=True, slots=True)
class PassageOutline:
    """Hold what ranking compares with any question, made without parsing the passage.

    `terms` are all stems, those of its heading path included, which are `path_terms` too; `page_terms` are
    those of its page's title, and `headings` has those of each of its headings. `order` has all stems in
    order with a blank around each, and a line for each line of the text. `is_side` says that its section is
    about the book, and `link_share` which share of its words are links.
    """

    terms: Terms
    path_terms: Terms
    page_terms: Terms
    headings: tuple[Terms, ...]
    order: str
    is_side: bool
    link_share: float

    def has_pair(self, first: str, second: str) -> bool:
        """Return whether two stems follow one on the other within a line."""
        return f" {first} {second} " in self.order


@dataclass(frozen=True, slots=True, eq=False)
class ReadPassage:
    """Hold the units of a passage in order, and what scoring compares with any question.

    `path_terms` are the stems of its heading path, and `terms` those and all others. `is_glossary` says that
    it stands in one. It is compared by identity.
    """

    units: tuple[ReadUnit, ...]
    path_terms: Terms
    terms: Terms
    is_glossary: bool = False


class PassageReader:
    """Read passages and cache the last few thousand. Safe to call from several threads.

    `terms(language, text)` returns stems, `blocks(text, in_code)` splits a passage into paragraphs, list
    items and the like, and `words(text, kind)` removes the markup from a piece of that kind.
    """

    def __init__(
        self,
        *,
        terms: Callable[[str, str], list[str]],
        blocks: Callable[[str, bool], Sequence[TextBlock]],
        words: Callable[[str, str], str],
    ) -> None:
        self._terms = terms
        self._blocks = blocks
        self._words = words
        self._lock = threading.Lock()
        self._read: LRUCache[tuple[str, ...], ReadPassage] = LRUCache(CACHED_PASSAGES)
        self._outlines: LRUCache[tuple[str, ...], PassageOutline] = LRUCache(CACHED_OUTLINES)

    def ordered_terms(self, language: str, text: str) -> list[str]:
        """Return the stems of a text, in order."""
        return self._terms(language, text)

    def terms(self, language: str, text: str) -> Terms:
        """Return the set of a text's stems."""
        return frozenset(self._terms(language, text))

    def blocks(self, chunk: Chunk) -> Sequence[TextBlock]:
        """Return the blocks of a chunk's text."""
        return self._blocks(chunk.text, chunk.in_code)

    def words(self, text: str, kind: str) -> str:
        """Return the words of a piece of Markdown."""
        return self._words(text, kind)

    def read(self, chunk: Chunk, language: str) -> ReadPassage:
        """Return a chunk's units and stems, from the cache if it was read before."""
        return self._cached(self._read, self._read_anew, chunk, language)

    def outline(self, chunk: Chunk, language: str) -> PassageOutline:
        """Return what ranking compares of a chunk, from the cache if it was made before."""
        return self._cached(self._outlines, self._outlined, chunk, language)

    def _cached(
        self,
        cache: LRUCache[tuple[str, ...], Made],
        make: Callable[[Chunk, str], Made],
        chunk: Chunk,
        language: str,
    ) -> Made:
        key = (chunk.id, language, chunk.title, chunk.text)
        with self._lock:
            known = cache.get(key)
        if known is None:
            known = make(chunk, language)
            with self._lock:
                cache[key] = known
        return known

    def _outlined(self, chunk: Chunk, language: str) -> PassageOutline:
        title = chunk.heading_path[-1] if chunk.heading_path else ""
        names = dict.fromkeys(
            (title, *(inner.heading_path[-1] for inner in chunk.sections if inner.heading_path))
        )
        path = self.terms(language, " ".join(chunk.heading_path))
        # The text to be searched has no markup; the heading path is its first paragraph.
        head, parted, text = chunk.search_text.partition("\n\n")
        text = text if parted else head
        lines = [self._terms(language, line) for line in text.splitlines() if line.strip()]
        return PassageOutline(
            terms=path.union(*lines),
            path_terms=path,
            page_terms=self.terms(language, chunk.title),
            headings=tuple(self.terms(language, name) for name in names),
            order="\n".join(f" {' '.join(terms)} " for terms in lines),
            is_side=is_side_section(title, chunk.text, chunk.heading_path[:-1]),
            link_share=link_share(chunk.text),
        )

    def _read_anew(self, chunk: Chunk, language: str) -> ReadPassage:
        text = chunk.text
        blocks = self.blocks(chunk)
        units = units_of(text, blocks, headings=chunk.heading_path, words=self._words)
        stems = [self.terms(language, self._words(text[unit.start : unit.end], "terms")) for unit in units]
        names = {-1: chunk.heading_path[-1] if chunk.heading_path else ""}
        for heading in {unit.heading for unit in units} - {-1}:
            names[heading] = self._words(text[blocks[heading].start : blocks[heading].end], "heading")
        inner = {heading: self.terms(language, name) for heading, name in names.items()}
        questions = {
            heading: inner[heading] for heading, name in names.items() if name.endswith(QUESTION_MARKS)
        }
        negated = {heading for heading, name in names.items() if is_negated(name)}
        lists: dict[tuple[int, ...], tuple[Terms, ...]] = {}
        paths = [chunk.heading_path_at(unit.start) for unit in units]
        labels = list(_labels(units))
        asked = list(_asked_before(units, labels, stems, questions))

        def listed_in(index: int) -> tuple[Terms, ...]:
            # One tuple for all items of a list.
            items = tuple(sorted({*_list_of(units, index)}))
            return lists.setdefault(items, tuple(stems[item] for item in items))

        read = tuple(
            ReadUnit(
                unit=unit,
                terms=stems[index],
                heading_terms=inner[unit.heading],
                openings=tuple(
                    terms
                    for name in (*_spellings(unit.opening), unit.named)
                    if name and (terms := self.terms(language, name))
                ),
                near=tuple(stems[near] for near in _near(units, index)),
                listed=listed_in(index),
                replies_to=asked[index],
                is_negated=unit.heading in negated,
                removes=any(map(tells_to_remove, (names[unit.heading], *paths[index]))),
                depth=len(paths[index]),
                label=units[labels[index]].words.strip(" |") if labels[index] >= 0 else "",
                label_terms=stems[labels[index]] if labels[index] >= 0 else frozenset(),
            )
            for index, unit in enumerate(units)
        )
        path = self.terms(language, " ".join(chunk.heading_path))
        return ReadPassage(
            units=read,
            path_terms=path,
            terms=path.union(*stems, *inner.values()),
            is_glossary=any(map(is_glossary_heading, chunk.heading_path)),
        )


def _labels(units: Sequence[Unit]) -> Iterator[int]:
    """Yield for each unit the index of the label that heads its part of the section or table, or -1."""
    label = row = -1
    for index, unit in enumerate(units):
        if label >= 0 and units[label].heading != unit.heading:
            label = -1
        if unit.kind != "table_row":
            row = -1
        if unit.parts and unit.kind == "table_row":
            row = index
        elif unit.parts:
            label = index
        above = row if row >= 0 else label
        yield above if above != index else -1


def _begins(units: Sequence[Unit], labels: Sequence[int], index: int) -> bool:
    """Return whether a unit is the first under its heading, or under the bold line above it."""
    if labels[index] >= 0:
        return labels[index] == index - 1
    return index == 0 or units[index - 1].heading != units[index].heading


def _asked_before(
    units: Sequence[Unit], labels: Sequence[int], stems: Sequence[Terms], questions: Mapping[int, Terms]
) -> Iterator[Terms]:
    """Yield for each unit the stems of the question that it is the first to follow, or none.

    It stands above the unit, or before it in its paragraph. `questions` are the headings that ask, with their
    stems.
    """
    for index, unit in enumerate(units):
        label = labels[index]
        if not _begins(units, labels, index):
            before = units[index - 1]
            is_reply = before.block == unit.block and asks(before.words) and not asks(unit.words)
            yield stems[index - 1] if is_reply else frozenset()
        elif label >= 0:
            yield stems[label] if units[label].words.endswith(QUESTION_MARKS) else frozenset()
        else:
            yield questions.get(unit.heading, frozenset())


def _spellings(name: str) -> Iterator[str]:
    """Yield a name as written, then what is before and in its parentheses ("DOF (degrees ...)")."""
    if name:
        yield name
        if (match := _IN_PARENTHESES.fullmatch(name)) is not None:
            yield match[1]
            yield match[2]
        if (match := _OF_SOMETHING.fullmatch(name)) is not None:
            yield match[1]


def _list_of(units: Sequence[Unit], index: int) -> Iterator[int]:
    """Yield the indexes of the list or table that a unit is in, and of its lead-in; none for other units."""
    unit = units[index]
    if unit.kind not in ("list_item", "table_row"):
        return
    if unit.lead >= 0:
        yield unit.lead
    for step in (-1, 1):
        other = index
        while 0 <= other < len(units) and _is_item_of(units[other], unit):
            yield other
            other += step


def _is_item_of(other: Unit, unit: Unit) -> bool:
    return other.kind == unit.kind and other.heading == unit.heading and other.lead == unit.lead


def _near(units: Sequence[Unit], index: int) -> list[int]:
    """Return the indexes of a unit's neighbours and of its lead-in, if they have the same heading."""
    near = (index - 1, index + 1, units[index].lead)
    return [n for n in near if 0 <= n < len(units) and units[n].heading == units[index].heading]
