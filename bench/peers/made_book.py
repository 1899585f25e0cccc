"""Write a book of as many sections as wanted, made of the shipped book's sentences and invented words."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.gunicorn_process import REPOSITORY

SHIPPED = REPOSITORY / "books" / "physical-ai" / "docs"
SECTIONS_A_PAGE = 50
# Of some 13 words: a section of some 200 tokens becomes one chunk, for it is neither joined nor cut.
SENTENCES_A_SECTION = 11
# A page speaks of one matter, so that a question's words are in a few chunks of a hundred, as in a real book.
SENTENCES_A_PAGE = 20
INVENTED_WORDS = 8000
LEAST_WORDS = 6

_NOT_PROSE = re.compile(r"\A---.*?^---|```.*?```", re.DOTALL | re.MULTILINE)
# The fake provider answers with a passage's words, and one that denies something may pass for a refusal.
_DENIAL = re.compile(r"\b(?:not|no|cannot|never)\b|n['’]t\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SYLLABLES = (
    "ba",
    "dor",
    "fen",
    "gil",
    "hu",
    "jas",
    "kem",
    "lo",
    "mir",
    "nu",
    "pel",
    "ros",
    "tav",
    "wen",
    "zo",
)


def write_book(folder: Path, sections: int) -> None:
    """Write Markdown pages with so many sections; the same number gives the same book."""
    chosen = random.Random(sections)
    sentences = shipped_sentences()
    invented = invented_words()
    pages = range(0, sections, SECTIONS_A_PAGE)
    for number, first in enumerate(pages):
        start = len(sentences) * number // len(pages)
        matter = (sentences * 2)[start : start + SENTENCES_A_PAGE]
        count = min(SECTIONS_A_PAGE, sections - first)
        body = [section(first + place, matter, invented, chosen) for place in range(count)]
        (folder / f"page-{number:03}.md").write_text("\n\n".join([f"# Page {number}", *body]) + "\n")


def section(number: int, matter: Sequence[str], invented: Sequence[str], chosen: random.Random) -> str:
    """Return a section whose sentences are of the matter, with every third long word exchanged."""
    said = chosen.sample(matter, SENTENCES_A_SECTION)
    words = [
        # (The square makes the first of the invented words frequent and the last rare.)
        invented[int(chosen.random() ** 2 * len(invented))]
        if len(word) > 4 and chosen.random() < 0.33
        else word
        for word in " ".join(said).split()
    ]
    return f"## {invented[number % len(invented)].title()} {number}\n\n{' '.join(words)}"


def shipped_sentences() -> list[str]:
    """Return the sentences of the shipped book's paragraphs, in order."""
    return [
        sentence
        for page in sorted(SHIPPED.rglob("*.md*"))
        for line in _NOT_PROSE.sub("", page.read_text()).splitlines()
        if line[:1].isalpha()
        for sentence in _SENTENCE_END.split(line)
        if len(sentence.split()) >= LEAST_WORDS and not _DENIAL.search(sentence)
    ]


def invented_words() -> list[str]:
    """Return words that no question has."""
    return ["".join(syllables) for syllables in itertools.islice(_orders(), INVENTED_WORDS)]


def _orders() -> Iterator[tuple[str, ...]]:
    return itertools.product(_SYLLABLES, repeat=4)
