"""Text to terms: words, identifiers and their parts, stemmed by the book's language."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

import Stemmer

# A word with what may hold it together: package.xml, wait_for_service, /opt/ros, C++, don't.
_COMPOUND = re.compile(r"[^\W_]+(?:[._/:@'’\-][^\W_]+|_+[^\W_]+)*(?:\+\+|#)?")
_SEPARATORS = re.compile(r"[._/:@\-]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LETTERS_THEN_DIGITS = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+")
_APOSTROPHE_TAIL = re.compile(r"['’](?:s|re|ve|ll|d|m|t)$")
_LONGEST_TERM = 64

# Words that carry grammar and not matter. Question words belong here: a book seldom says "how do I".
ENGLISH_STOP_WORDS = frozenset(
    """a about above after again all also am an and any are as at be because been before being below
    between both but by can cannot could did do does doing don done down during each else ever few for
    from further get give gives got had has have having he her here hers herself him himself his how i
    if in into is isn it its itself just let like may me might mine more most much must my myself need
    no nor not now of off on once one only onto or other our ours out over own please really same say
    shall she should show so some such tell than that the their theirs them themselves then there these
    they thing things this those through to too under until up upon us use used using very via want
    was way we were what when where which while who whom whose why will with without would yes yet you
    your yours yourself explain describe mean means meant called does exactly book chapter according
    """.split()
)

# The commonest words of some languages, enough to tell which one a book is in.
_MARKER_WORDS = {
    "english": "the and of to is that with for are this",
    "german": "der die und das ist nicht mit den ein auf",
    "french": "le la les et des est dans une pour que",
    "spanish": "el la los que de y en una por con",
    "italian": "il che di per una sono della non con gli",
    "portuguese": "o que de não uma para com os do em",
    "dutch": "de het een van en is dat niet met voor",
    "swedish": "och att det som en är för med inte av",
    "danish": "og at det som en er for med ikke af",
    "norwegian": "og at det som en er for med ikke av",
    "finnish": "ja on ei se että oli hän mutta ovat kuin",
    "russian": "и в не на что с это как по из",
    "turkish": "ve bir bu için ile de da olan çok gibi",
    "hungarian": "a az és hogy nem egy van is ez de",
    "romanian": "și de la în cu nu pe este care sau",
}


class Analyzer:
    """Cuts text into terms for one language (a Snowball stemmer's name; unknown ones are not stemmed).

    Safe to use from several threads.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        stemmer = Stemmer.Stemmer(language, 0) if language in Stemmer.algorithms() else None
        lock = threading.Lock()

        @lru_cache(maxsize=50_000)
        def stem(word: str) -> str:
            if stemmer is None:
                return _without_accents(word)
            # A Snowball stemmer keeps state while it works and is not safe between threads.
            with lock:
                return _without_accents(stemmer.stemWord(word))

        self.stem = stem

    def words(self, text: str) -> list[str]:
        """Content words in order, in small letters: compounds whole, then their parts; no stop words."""
        return [word for word in self.all_words(text) if not self.is_stop_word(word)]

    def all_words(self, text: str) -> Iterator[str]:
        """Every word in order, stop words too."""
        for match in _COMPOUND.finditer(unicodedata.normalize("NFKC", text)):
            yield from _forms(match.group())

    def terms(self, text: str) -> list[str]:
        """The stems of the content words, in order."""
        return [self.stem(word) for word in self.words(text)]

    def is_stop_word(self, word: str) -> bool:
        """Whether a word (in small letters) carries no matter of its own."""
        return word in ENGLISH_STOP_WORDS if self.language == "english" else False


def language_of(texts: Iterable[str]) -> str:
    """The language, by its Snowball name, whose commonest words the texts hold most; english if none."""
    counts = dict.fromkeys(_MARKER_WORDS, 0)
    markers = {language: frozenset(words.split()) for language, words in _MARKER_WORDS.items()}
    for text in texts:
        for word in re.findall(r"[^\W\d_]+", text.casefold()):
            for language, words in markers.items():
                counts[language] += word in words
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] else "english"


def _forms(compound: str) -> Iterator[str]:
    """A compound as searchers may write it: whole, then its parts where it has any."""
    compound = _APOSTROPHE_TAIL.sub("", compound)
    if _WIDE.search(compound):
        yield from _wide_forms(compound)
        return
    whole = compound.casefold()
    yield whole[:_LONGEST_TERM]
    parts = [part for piece in _SEPARATORS.split(compound) for part in _pieces(piece)]
    if len(parts) > 1:
        yield from (part.casefold()[:_LONGEST_TERM] for part in parts if len(part) > 1 or part.isdigit())


def _pieces(piece: str) -> list[str]:
    pieces = [p for word in piece.split("_") for p in _CAMEL.split(word)]
    return [p for word in pieces for p in _LETTERS_THEN_DIGITS.split(word) if p]


def _wide_forms(compound: str) -> Iterator[str]:
    """Scripts without spaces: each pair of neighbours is a term, and a lone character too."""
    for run in _WIDE.findall(compound):
        yield from (run[i : i + 2] for i in range(max(1, len(run) - 1)))
    rest = _WIDE.sub(" ", compound).split()
    yield from (piece.casefold() for piece in rest)


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFD", word)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))
