"""Find the words of a passage that support a marked piece of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ragbot.answering.statements import without_code
from ragbot.books.markup.readable import readable, readable_blocks
from ragbot.core.code_fences import fenced_code
from ragbot.core.text import UNSPACED, WORD_OR_SIGN, folded, sentence_spans

# The number of passages whose words are cached.
CACHED_PASSAGES = 256
# A sentence of the passage supports a model's sentence if it has this share of its words.
LEAST_SHARED = 0.4
# A neighbouring sentence is cited too if it adds this share.
LEAST_ADDED = 0.15
MOST_SENTENCES = 3

_WORD = re.compile(WORD_OR_SIGN)
# With the quotes, brackets and stops around it, which belong to what is cited.
_WORD_WITH_SIGNS = re.compile(rf"(?:(?<!\S)[^\w\s]*)?(?P<word>{WORD_OR_SIGN})(?:[^\w\s]*(?!\S))?")
_SIGN = re.compile(rf"[{UNSPACED}]")
_MARKS = re.compile(r"(?:\[\d{1,3}\])+")
# Words that are too common to show which sentence an answer comes from.
_COMMON = frozenset(
    "a an and are as at be by for from in is it its of on or that the this to was with you your".split()
)


@dataclass(frozen=True, slots=True)
class MarkedText:
    """Describe a piece of an answer that ends in a mark, and the number of the mark."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class PassageWords:
    """Hold a passage's words in order, their spans in its source, and its sentences as ranges of words.

    `terms` are those of each sentence, for comparing it.
    """

    words: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    sentences: tuple[tuple[int, int], ...]
    terms: tuple[frozenset[str], ...]


def marked_texts(answer: str) -> Iterator[MarkedText]:
    """Yield each mark of an answer with the words before it, from the line's beginning or the last mark on.

    A mark alone on its line belongs to the block above it.
    """
    position = 0
    for marks in _MARKS.finditer(without_code(answer)):
        text = answer[position : marks.start()]
        position = marks.end()
        for number in re.findall(r"\d+", marks.group()):
            yield MarkedText(int(number), _rested_on(text))


def _rested_on(text: str) -> str:
    """Return the last block of a text, which is what a mark at its end supports."""
    text = text.strip("\n ")
    code = list(fenced_code(text))
    if code and code[-1].is_closed and code[-1].end == len(text):
        return text[code[-1].start :]
    return text.rpartition("\n\n")[2]


@lru_cache(maxsize=CACHED_PASSAGES)
def passage_words(text: str, in_code: bool = False) -> PassageWords:
    """Split a passage's source into words without markup; with `in_code` it begins within fenced code."""
    words: list[str] = []
    places: list[tuple[int, int]] = []
    sentences: list[tuple[int, int]] = []
    for block, plain in readable_blocks(text, in_code):
        spans = [(0, len(plain.text))] if block.kind == "code" else list(sentence_spans(plain.text))
        for start, end in spans:
            first = len(words)
            for match in _WORD_WITH_SIGNS.finditer(plain.text, start, end):
                begin, stop = plain.source_span(*match.span())
                words.append(folded(match["word"]))
                places.append((block.start + begin, block.start + stop))
            if len(words) > first:
                sentences.append((first, len(words)))
    terms = tuple(_terms(words[first:last]) for first, last in sentences)
    return PassageWords(tuple(words), tuple(places), tuple(sentences), terms)


def cited_span(marked: str, passage: PassageWords) -> tuple[int, int] | None:
    """Return the source offsets of the words that support a marked text, or None if no sentence is similar.

    A verbatim quotation is found exactly; for other texts it is the sentences that share most words.
    """
    said = [folded(word) for word in _said(marked)]
    if not said or not passage.words:
        return None
    run = _verbatim(said, passage.words) or _alike(said, passage)
    if run is None:
        return None
    first, last = run
    return passage.places[first][0], passage.places[last - 1][1]


def _said(marked: str) -> Iterator[str]:
    """Yield the words of a marked text. Text between fences is code, in which nothing is markup."""
    position = 0
    for code in fenced_code(marked):
        yield from _WORD.findall(readable(marked[position : code.start]).text)
        yield from _WORD.findall(marked, code.code_start, code.code_end)
        position = code.end
    yield from _WORD.findall(readable(marked[position:]).text)


def _verbatim(said: Sequence[str], words: Sequence[str]) -> tuple[int, int] | None:
    """Return the range of `words` that equals `said`, or None."""
    length = len(said)
    for start in range(len(words) - length + 1):
        if words[start] == said[0] and list(words[start : start + length]) == list(said):
            return start, start + length
    return None


def _terms(words: Sequence[str]) -> frozenset[str]:
    """Return words for a comparison: of scripts without spaces each pair of signs, since one says little."""
    are_signs = [_SIGN.fullmatch(word) is not None for word in words]
    terms: set[str] = set()
    for index, word in enumerate(words):
        if are_signs[index] and index + 1 < len(words) and are_signs[index + 1]:
            terms.add(word + words[index + 1])
        elif not are_signs[index] or index == 0 or not are_signs[index - 1]:
            terms.add(word)
    return frozenset(terms)


def _alike(said: Sequence[str], passage: PassageWords) -> tuple[int, int] | None:
    """Return the range of the neighbouring sentences that share most words with `said`, or None."""
    terms = _terms(said)
    wanted = terms - _COMMON or terms
    shares = [sentence & wanted for sentence in passage.terms]
    best = max(range(len(shares)), key=lambda i: (len(shares[i]), -i), default=None)
    if best is None or len(shares[best]) < LEAST_SHARED * len(wanted):
        return None
    first = last = best
    held = shares[best]
    while last - first + 1 < MOST_SENTENCES:
        wider = [(len(shares[i] - held), i) for i in (first - 1, last + 1) if 0 <= i < len(shares)]
        added, taken = max(wider, default=(0, 0))
        if added < max(2, LEAST_ADDED * len(wanted)):
            break
        first, last, held = min(first, taken), max(last, taken), held | shares[taken]
    return passage.sentences[first][0], passage.sentences[last][1]
