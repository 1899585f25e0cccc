"""Decide which passage supports a sentence of an answer, by its words, numbers, names and code.

The measure is coverage: the share of a sentence's content words that stand close together in the passage.
Numbers have to stand there, names and code in some passage, all to the letter. No embedder is called: a
sentence would cost a call or some milliseconds of CPU, and likeness cannot tell "12 volts" from "24 volts".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby

from ragbot.answering.statements import without_marks
from ragbot.core.domain import Chunk, Passage
from ragbot.core.languages import CAPITAL_NOUNS, foreign_language
from ragbot.core.text import UNSPACED, asks, folded
from ragbot.providers.extractive.reading import PassageReader, ReadPassage, ReadUnit, Terms

# Share of a sentence's content words that its passage holds, and that stand within a few of its units.
LEAST_IN_PASSAGE = 0.6
LEAST_TOGETHER = 0.5
# The same for the words that the question does not have: repeating the question proves nothing.
LEAST_NEW = 0.5
# Neighbouring units that count as one place.
UNITS_TOGETHER = 4
# Items of a list that count as one place, too: "Its benefits are ..." sums it up.
LONGEST_LIST = 10
# A sentence with fewer content words is read together with the question ("Yes.").
FEWEST_TERMS = 2
# Passages whose words are kept from question to question: some 2 kB each, and 25 kB by place.
CACHED_TEXTS, CACHED_PLACES = 1024, 256

_CODE = re.compile(r"`([^`\n]+)`")
# Not within a name ("H2O", "1.2.3"). In scripts without spaces a number stands behind a letter, and is one.
_NUMBER = re.compile(rf"(?<![^\W{UNSPACED}])(?<!\.)\d+(?:[.,]\d+)*")
# Raised and lowered digits stand in a passage's words without their tags.
_RAISES = re.compile(r"</?su[bp]>")
_YEAR = re.compile(r"[12]\d{3}")
_NAME = re.compile(r"(?<=[^\s.!?:;…\"“(*_])[ \t]+[\"“(*_]*([A-Z][\w+#-]*(?:\.[A-Z]?\w+)*)")
# Words and numbers, parted also where one follows on the other: 100GB, RTX4070.
_WORD = re.compile(r"[^\W\d_]+|\d+")
# Says what the book does not say: nothing can support it.
_ABOUT_SILENCE = re.compile(
    r"\b(?:book|passages?|texts?|selection|sources?|excerpts?|context)\b[^.]{0,80}(?:\bnot?|n['’]t)\b"
    r"|\bno (?:information|mention|answer)\b|\bnot (?:say|said|mentioned|stated|specified)\b",
    re.IGNORECASE,
)
# Words by which models join what they claim, and which books say otherwise or not at all.
_JOINING_WORDS = (
    "approximately approx roughly around various several certain specific include includes including included"
    " involve involves factor factors aspect aspects way ways thing things case cases following specify"
    " specifies refer refers provide provides ensure ensures allow allows help helps make makes typically"
    " generally usually commonly overall basically essentially simply"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold what a sentence claims: its content words, and what has to stand in the passages to the letter.

    `numbers` are those of the `literals` that have to stand beside the words, each with the word after it
    ("20 points"): together they may stand in a heading. `is_invented` says that one of the literals is in no
    passage.
    """

    terms: Terms
    new_terms: Terms
    literals: tuple[str, ...]
    numbers: Mapping[str, str]
    is_invented: bool
    is_foreign: bool


class SupportFinder:
    """Find the passage that supports a sentence. One for each answer; not safe between threads."""

    def __init__(
        self, passages: Sequence[Passage], question: str, *, language: str, reader: PassageReader
    ) -> None:
        self._passages = passages
        self._language = language
        self._reader = reader
        self._question = reader.terms(language, question)
        self._joining = _joining_terms(reader, language)

    def claim_of(self, sentence: str) -> Claim | None:
        """Return what a sentence claims; None if it claims nothing that a book could hold.

        That is so for a question, for what announces a list or a listing, for signs without a word, and where
        the book is said to be silent.
        """
        text = without_marks(sentence).strip()
        announces = text.rstrip("*_ ").endswith((":", "："))
        if not any(map(str.isalnum, text)) or announces or asks(text) or says_silence(text):
            return None
        terms = self._reader.terms(self._language, _CODE.sub(r"\1", text))
        if len(terms - self._joining) >= FEWEST_TERMS:
            terms -= self._joining
        foreign = foreign_language(text, self._language)
        numbers = _numbers(text)
        has_names = (foreign or self._language) not in CAPITAL_NOUNS
        literals = tuple(_literals(text, numbers, has_names=has_names))
        if len(terms) < FEWEST_TERMS and not literals:
            terms |= self._question
        if not terms and not literals:
            return None
        return Claim(
            terms=terms,
            new_terms=terms - self._question,
            literals=literals,
            numbers={number: _measured(number, text) for number in numbers if number.strip().isdigit()},
            is_invented=any(literal not in self._all_texts for literal in literals),
            is_foreign=bool(foreign),
        )

    def supports(self, number: int, claim: Claim) -> bool:
        """Return whether a passage (from 1) supports a claim."""
        return self._score(number, claim) > 0

    def best(self, claim: Claim, numbers: Sequence[int]) -> int | None:
        """Return the one of some passages that supports a claim best; None if none does."""
        scores = {number: self._score(number, claim) for number in numbers}
        best = max(scores, key=lambda number: scores[number], default=None)
        return best if best is not None and scores[best] > 0 else None

    def _score(self, number: int, claim: Claim) -> float:
        """Return 0 for no support, else more for more."""
        if claim.is_invented:
            return 0.0
        text = self._texts[number - 1]
        here = sum(literal in text for literal in claim.literals)
        if claim.is_foreign:
            # Its words are another language's: what is written alike in both has to do.
            return here / len(claim.literals) if claim.literals else 0.0
        if not claim.terms:
            return float(here > 0)
        chunk = self._passages[number - 1].chunk
        read = self._reader.read(chunk, self._language)
        held = _share(claim.terms, read.terms)
        headings = _spaced_once(" ".join(_headings(chunk))) if claim.numbers else ""
        together = max((_together(claim, place, headings) for place in _places(read)), default=0.0)
        if not together or (held < LEAST_IN_PASSAGE and not _answers_exactly(claim, read.terms)):
            return 0.0
        return held + together + (here / len(claim.literals) if claim.literals else 0.0)

    @cached_property
    def _texts(self) -> Sequence[str]:
        return [
            _spaced_once(
                _RAISES.sub(
                    "", " ".join((*passage.chunk.heading_path, passage.chunk.table_head, passage.chunk.text))
                )
            )
            for passage in self._passages
        ]

    @cached_property
    def _all_texts(self) -> str:
        return " ".join(self._texts)


def says_silence(sentence: str) -> bool:
    """Return whether an (English) sentence says that the book does not say something."""
    return _ABOUT_SILENCE.search(sentence) is not None


def _literals(text: str, numbers: Sequence[str], *, has_names: bool) -> list[str]:
    """Return code, numbers and names of a sentence as they have to stand in a passage."""
    found = [*map(_spaced, _CODE.findall(text)), *numbers]
    if has_names:
        found += map(_spaced, _NAME.findall(_CODE.sub(" ", text)))
    return [literal for literal in dict.fromkeys(found) if literal.strip()]


@lru_cache(maxsize=8)
def _joining_terms(reader: PassageReader, language: str) -> Terms:
    return reader.terms(language, _JOINING_WORDS) if language == "english" else frozenset()


def _numbers(text: str) -> list[str]:
    """Return the numbers of a sentence; those of its code have only to stand in code.

    A power is read as the passage's words have it: "10⁹" and "10^9" are 109.
    """
    plain = folded(_CODE.sub(" ", text)).replace("^", "")
    return [_spaced(number) for number in _NUMBER.findall(plain)]


def _spaced(text: str) -> str:
    """Return words and numbers in small letters with one blank around each; signs are left out."""
    text = re.sub(r"(?<=\d)[,.](?=\d{3}\b)", "", text)
    return f" {' '.join(_WORD.findall(folded(text)))} "


_spaced_once = lru_cache(maxsize=CACHED_TEXTS)(_spaced)


@dataclass(frozen=True, slots=True)
class _Place:
    """Hold the terms of a few neighbouring units with those of the headings above, and the units' text.

    Numbers of headings count the headings ("Module 4"), but for years and what measures a word ("20 points").
    """

    terms: Terms
    text: str


@lru_cache(maxsize=CACHED_PLACES)
def _places(read: ReadPassage) -> list[_Place]:
    units = read.units
    groups = [units[at : at + UNITS_TOGETHER] for at in range(max(1, len(units) - UNITS_TOGETHER + 1))]
    return [
        _Place(
            read.path_terms.union(*(unit.terms | unit.heading_terms for unit in near)),
            _spaced(" ".join(unit.unit.words for unit in near)),
        )
        for near in (*groups, *_long_lists(units))
    ]


def _long_lists(units: Sequence[ReadUnit]) -> Iterator[Sequence[ReadUnit]]:
    """Yield lists that are longer than a place, as far as one sentence may sum them up."""
    for is_list, group in groupby(units, key=lambda one: one.unit.kind == "list_item"):
        items = list(group)
        if is_list and UNITS_TOGETHER < len(items) <= LONGEST_LIST:
            yield items


def _measured(number: str, text: str) -> str:
    """Return a number with the word after it, as both have to stand in a heading; "" at a sentence's end."""
    found = re.search(rf"{re.escape(number)}\S+ ", _spaced(text))
    return found.group() if found else ""


def _headings(chunk: Chunk) -> Iterator[str]:
    """Yield the names of the sections in a chunk."""
    yield from chunk.heading_path[-1:]
    for section in chunk.sections:
        yield from section.heading_path[-1:]


def _together(claim: Claim, place: _Place, headings: str) -> float:
    """Return the share of the claim's words that a place holds; 0 if too few, or a number is not there."""
    share = _share(claim.terms, place.terms)
    if share < LEAST_TOGETHER or _share(claim.new_terms, place.terms) < LEAST_NEW:
        return 0.0
    stand = all(
        number in place.text
        or (measured and measured in headings)
        or (_YEAR.fullmatch(number.strip()) and number in headings)
        for number, measured in claim.numbers.items()
    )
    return share if stand else 0.0


def _answers_exactly(claim: Claim, held: Terms) -> bool:
    """Return whether a passage has all that a claim with a number adds to the question's own words."""
    return bool(claim.numbers) and len(claim.new_terms) >= FEWEST_TERMS and claim.new_terms <= held


def _share(wanted: Terms, held: Terms) -> float:
    return len(wanted & held) / len(wanted) if wanted else 1.0
