"""An answer's cleaned pieces to the same pieces, up to where the model recites the rules that it was given.

The rules hold no secret: whoever reads the source can read them. But a model that recites them obeys
somebody else, and nothing that it says then is an answer from the book. What is paraphrased or translated
is not found, nor what has a letter strewn in after every few.
"""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from html import unescape

from ragbot.core.domain import NOT_IN_BOOK

# Letters alone are compared, so that case, spaces, markup and marks in between make no difference. This
# many in a row are the rules' own for certain; eight words of them have as many at least. The longest run
# that the rules share with a quarter of a million letters of other prose is 17.
RECITED = 23
# From here on what is said is held back: two or three words, which other prose shares with the rules once
# in two thousand letters.
SUSPECTED = 10

# A letter strewn in now and then breaks every run. So many different scraps of the rules within so many
# letters are a recital nevertheless: one strewn in after each seven leaves fifty. Six million letters of
# other prose and of code have 17 at most, the shipped book 16, our own pages on this service 30.
SCRAP = 6
SCRAPS_RECITED = 45
SCRAPS_WITHIN = 200

LEFT_OUT = "…"

# Markdown shows `&#101;` as the letter that it stands for.
_ENTITY_BEGUN = re.compile(r"&(?:#(?:\d{0,7}|[xX][0-9A-Fa-f]{0,6})|[A-Za-z][A-Za-z0-9]{0,31})?")

# The word by which a model refuses is meant for us alone, in code and with its signs escaped, too.
_SENTINEL = re.compile(NOT_IN_BOOK.replace("_", r"\\?_"), re.IGNORECASE)
_SENTINEL_LENGTH = len(NOT_IN_BOOK) + NOT_IN_BOOK.count("_")


def _beginning_of(steps: list[str]) -> str:
    """A pattern for what may become the word made of these steps."""
    pattern = ""
    for step in reversed(steps[:-1]):
        pattern = f"{step}(?:{pattern})?" if pattern else step
    return rf"{pattern}\Z"


_SENTINEL_BEGUN = re.compile(
    _beginning_of([step for sign in NOT_IN_BOOK for step in (("\\\\?", "_") if sign == "_" else (sign,))]),
    re.IGNORECASE,
)


class PromptLeakFilter:
    """Takes pieces and gives back as much as is surely no recital; what it gave is never taken back.

    Once `recited` is true it gives nothing more. All that is given depends on the text alone, not on how it
    was cut into pieces.
    """

    def __init__(self, rules: str) -> None:
        self._known = _known(rules)
        self._scraps = _scraps(rules)
        self._held = ""
        self._letters = ""
        self._run = 0
        self._letters_heard = 0
        # The rules' scraps among the last letters, each with when it was heard, the longest ago first.
        self._scraps_heard: dict[str, int] = {}
        # Where in what is held the letters stand that may be the rules', and where an entity has begun.
        self._suspected: int | None = None
        self._entity: int | None = None
        self.recited = False

    def feed(self, piece: str) -> str:
        """The text that may be shown now; may be empty."""
        if self.recited:
            return ""
        for sign in piece:
            self._held += sign
            if self._completes_recital(sign):
                self.recited = True
                return self._given(final=True)
        return self._given(final=False)

    def flush(self) -> str:
        """What is left, at the end of the answer."""
        if not self.recited and self._plain(self._entity):
            self.recited = True
            return self._given(final=True)
        self._suspected = None
        return "" if self.recited else self._given(final=True)

    def _completes_recital(self, sign: str) -> bool:
        """Whether a sign does, the last of what is held; those of an entity wait for its end."""
        begun = self._entity
        if begun is None:
            if sign != "&":
                return self._heard(sign, len(self._held) - 1)
            self._entity = len(self._held) - 1
            return False
        if sign == ";":
            self._entity = None
            return self._heard(unescape(self._held[begun:]), begun)
        if _ENTITY_BEGUN.fullmatch(self._held, begun):
            return False
        return self._plain(begun, but=int(sign == "&"))

    def _plain(self, begun: int | None, *, but: int = 0) -> bool:
        """Hear what began like an entity and is none, up to the sign with which the next one begins."""
        if begun is None:
            return False
        end = len(self._held) - but
        self._entity = end if but else None
        return any(self._heard(self._held[at], at) for at in range(begun, end))

    def _heard(self, text: str, place: int) -> bool:
        """Whether the text, which stands at that place of what is held, completes a recital."""
        if text.isascii() and not text.isalpha():
            return False
        for letter in _folded(text):
            self._letters = (self._letters + letter)[-SUSPECTED:]
            if self._has_many_scraps():
                return True
            if self._letters not in self._known:
                self._run, self._suspected = 0, None
                continue
            if not self._run:
                self._run, self._suspected = SUSPECTED - 1, place
            self._run += 1
            if self._run >= RECITED:
                return True
        return False

    def _has_many_scraps(self) -> bool:
        """Whether the last letters do; what is said again and again counts once."""
        self._letters_heard += 1
        scrap = self._letters[-SCRAP:]
        if scrap not in self._scraps:
            return False
        heard = self._scraps_heard
        heard.pop(scrap, None)
        heard[scrap] = self._letters_heard
        while heard[oldest := next(iter(heard))] <= self._letters_heard - SCRAPS_WITHIN:
            del heard[oldest]
        return len(heard) >= SCRAPS_RECITED

    def _given(self, *, final: bool) -> str:
        places = [len(self._held), self._suspected, None if final else self._entity]
        end = min(place for place in places if place is not None)
        if not final:
            begun = _SENTINEL_BEGUN.search(self._held, max(0, end - _SENTINEL_LENGTH), end)
            whole = _SENTINEL.search(self._held, max(0, end - _SENTINEL_LENGTH), end)
            if begun and not (whole and whole.end() > begun.start()):
                end = begun.start()
        given, self._held = self._held[:end], self._held[end:]
        if self._suspected is not None:
            self._suspected -= end
        if self._entity is not None:
            self._entity -= end
        return _SENTINEL.sub(LEFT_OUT, given)


@lru_cache(maxsize=16)
def _known(rules: str) -> frozenset[str]:
    """Every run of SUSPECTED letters of the rules, also as they are commonly disguised."""
    return frozenset(
        letters[at : at + SUSPECTED]
        for letters in _spelt(rules)
        for at in range(len(letters) - SUSPECTED + 1)
    )


@lru_cache(maxsize=16)
def _scraps(rules: str) -> frozenset[str]:
    letters = _folded(rules)
    return frozenset(letters[at : at + SCRAP] for at in range(len(letters) - SCRAP + 1))


def _spelt(rules: str) -> Iterator[str]:
    letters = "".join(_folded(rules))
    yield letters
    yield letters[::-1]
    yield codecs.encode(letters, "rot13")
    for skipped in range(3):
        # Base64 takes three bytes at a time, from wherever its writer began.
        yield "".join(_folded(base64.b64encode(rules.encode()[skipped:]).decode()))


def _folded(text: str) -> str:
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in plain.casefold() if sign.isalpha())
