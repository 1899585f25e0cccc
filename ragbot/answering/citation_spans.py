"""Find the words of a passage that a marked piece of an answer rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ragbot.books.markup.readable import readable, readable_blocks
from ragbot.core.text import folded, sentence_spans

# Passages whose words are remembered.
PASSAGES_REMEMBERED = 1024
# A sentence of a model rests on a sentence of the passage that holds this share of its words.
LEAST_SHARED = 0.4
# A neighbouring sentence is cited along where it adds this share.
LEAST_ADDED = 0.15
MOST_SENTENCES = 3

_WORD = re.compile(r"[^\W_]+")
# With the quotes, brackets and stops around it, which belong to what is cited.
_WORD_WITH_SIGNS = re.compile(r"(?:(?<!\S)[^\w\s]*)?(?P<word>[^\W_]+)(?:[^\w\s]*(?!\S))?")
_MARKS = re.compile(r"(?:\[\d{1,3}\])+")
_FENCE_LINE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[^\n]*$", re.MULTILINE)
# Words that every sentence has say nothing of where one comes from.
_COMMON = frozenset(
    "a an and are as at be by for from in is it its of on or that the this to was with you your".split()
)


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A piece of an answer that ends in a mark. `number` is the mark's."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class PassageWords:
    """A passage's words in order with their places in its source, and its sentences as ranges of words."""

    words: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    sentences: tuple[tuple[int, int], ...]


def marked_texts(answer: str) -> Iterator[MarkedText]:
    """Yield each mark of an answer with the words before it, from the line's beginning or the last mark on.

    A mark alone on its line belongs to the block above it.
    """
    position = 0
    for marks in _MARKS.finditer(answer):
        text = answer[position : marks.start()]
        position = marks.end()
        for number in re.findall(r"\d+", marks.group()):
            yield MarkedText(int(number), _rested_on(text))


def _rested_on(text: str) -> str:
    """The last block of a text: what its mark speaks for."""
    text = text.strip("\n ")
    fences = list(_FENCE_LINE.finditer(text))
    if len(fences) >= 2 and not text[fences[-1].end() :].strip():
        return text[fences[-2].start() :]
    return text.rpartition("\n\n")[2]


@lru_cache(maxsize=PASSAGES_REMEMBERED)
def passage_words(text: str) -> PassageWords:
    """Cut a passage's source into words without markup."""
    words: list[str] = []
    places: list[tuple[int, int]] = []
    sentences: list[tuple[int, int]] = []
    for block, plain in readable_blocks(text):
        spans = [(0, len(plain.text))] if block.kind == "code" else list(sentence_spans(plain.text))
        for start, end in spans:
            first = len(words)
            for match in _WORD_WITH_SIGNS.finditer(plain.text, start, end):
                begin, stop = plain.source_span(*match.span())
                words.append(folded(match["word"]))
                places.append((block.start + begin, block.start + stop))
            if len(words) > first:
                sentences.append((first, len(words)))
    return PassageWords(tuple(words), tuple(places), tuple(sentences))


def cited_span(marked: str, passage: PassageWords) -> tuple[int, int] | None:
    """Give the source offsets of the words that a marked text rests on, or None where none are alike.

    Words that stand there to the letter are found as they stand; else the sentences that share most words.
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
    """The words of a marked text; between fences stands code, which holds no markup."""
    pieces = _FENCE_LINE.split(marked)
    for number, piece in enumerate(pieces):
        is_code = number % 2 == 1 and number + 1 < len(pieces)
        yield from _WORD.findall(piece if is_code else readable(piece).text)


def _verbatim(said: Sequence[str], words: Sequence[str]) -> tuple[int, int] | None:
    """Where the words stand in the passage one behind the other."""
    length = len(said)
    for start in range(len(words) - length + 1):
        if words[start] == said[0] and list(words[start : start + length]) == list(said):
            return start, start + length
    return None


def _alike(said: Sequence[str], passage: PassageWords) -> tuple[int, int] | None:
    """The neighbouring sentences of the passage that share most of the words."""
    wanted = frozenset(said) - _COMMON or frozenset(said)
    shares = [frozenset(passage.words[first:last]) & wanted for first, last in passage.sentences]
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
