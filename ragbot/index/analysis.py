"""Turn text into search terms: stemmed words, identifiers and their parts, by the book's language."""

from __future__ import annotations

import re
import sys
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import Stemmer

from ragbot.core.text import UNSPACED


def _ranges_of_marks() -> str:
    """Return the ranges of Unicode's combining marks (categories Mn and Mc), as a regular expression has them.

    Ideographs, Hangul and cuneiform, between which there are none, are passed over: that would take the time.
    """
    blocks = ((0x300, 0x3100), (0xA600, 0xAC00), (0xFB00, 0x12000), (0x13400, 0x13500), (0x16000, 0x20000))
    marks = [
        code for block in blocks for code in range(*block) if unicodedata.category(chr(code)) in ("Mn", "Mc")
    ]
    starts = [code for before, code in pairwise((0, *marks)) if code != before + 1]
    ends = [code for code, after in pairwise((*marks, sys.maxunicode)) if after != code + 1]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


# Vowel signs, points and voicing marks are parts of words in many scripts.
_MARKS = _ranges_of_marks()
_RUN = rf"(?:[^\W_]++(?:[{_MARKS}]++[^\W_]*+)*+)"
# A word with the signs that may join its parts: package.xml, wait_for_service, /opt/ros, C++, don't.
_COMPOUND = re.compile(rf"{_RUN}(?:[._/:@'\-]{_RUN}|_++{_RUN})*(?:\+\+|#)?")
_ASCII_COMPOUND = re.compile(r"[A-Za-z0-9]++(?:[._/:@'\-][A-Za-z0-9]++|_++[A-Za-z0-9]++)*(?:\+\+|#)?")
_SEPARATORS = re.compile(r"[._/:@\-]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LETTERS_THEN_DIGITS = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_WIDE = re.compile(rf"[{UNSPACED}][{UNSPACED}{_MARKS}]*+")
_CLUSTER = re.compile(rf".[{_MARKS}]*+", re.DOTALL)
# Soft hyphens, joiners and zero-width spaces are removed: they do not separate words.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_TURKISH_WORD = re.compile(r"[^\W\d_]*[Iİ][^\W\d_]*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_APOSTROPHE_TAIL = re.compile(r"(?:n't|'(?:s|re|ve|ll|d|m|t))$", re.IGNORECASE)
_LONGEST_TERM = 64
# A language without a stemmer of its own: most of its endings are those of a relative.
_STEMMED_AS = {"ukrainian": "russian"}

# Operators of programs: punctuation in prose, terms in code.
_OPERATOR = re.compile(r"[-+*/%=<>!&|^~?:.@$#]{1,4}")
_CODE_SPAN = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]{1,200})\1(?!`)")
_FENCE = re.compile(
    r"^[ \t>]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t>]*\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_LONG_OPERATOR = re.compile(
    r"(?<![-+*/%=<>!&|^~?:.@$#])(?:=>|->|<-|::|&&|\|\||[!=<>]=|\.\.=?|\?\?|\|>|\*\*|<<|>>|[-+*/%&|^]=)(?![-+*/%=<>!&|^~?:.@$#])"
)
_TABLE_RULE = re.compile(r":?-+:?")
_CELL_OPERATOR = re.compile(r"\|\s*`?([-+*/%=<>!&^~?:.@$#]{1,3})`?\s*(?=\|)")

# Words of grammar, without a subject of their own. Question words too: a book seldom says "how do I".
ENGLISH_STOP_WORDS = frozenset(
    """a about above after again all also am an and any are as at be because been before being below
    between both but by can cannot could did do does doing don done down during each else ever few for
    from further get give gives got had has have having he her here hers herself him himself his how i
    if in into is isn it its itself just let like may me might mine more most much must my myself need
    no nor not now of off on once one only onto or other our ours out over own please really same say
    shall she should show so some such tell than that the their theirs them themselves then there these
    they thing things this those through to too under until up upon us use used using very via want
    was way we were what when where which while who whom whose why will with without would yes yet you
    your yours yourself ca wo sha lot lots little per against someone somebody something anyone anything got way kind sort
    explain describe mean means meant called does exactly book chapter according
    """.split()
)

# Stop words that are also keywords of programming languages and shells, so that a text may be about them.
_KEYWORDS = frozenset(
    """all and any as at before by can do each else for from has if in into is just let like may must my no
    nor not of off on once only or other own self so such than that then this through to until up use using
    via when where which while who with yes""".split()
)
_BESIDE = r"(?:keyword|statement|loop|operator|expression|clause|block|construct|command|modifier|syntax)s?"
_KEYWORD = "|".join(sorted(_KEYWORDS - {"and", "or", "to", "of", "the"}))
_NAMED = re.compile(
    rf"(?:\b(?:(?P<first>{_KEYWORD})\s+(?:and|or)\s+)?(?P<before>(?:{_KEYWORD}|and|or)(?:[ -](?:let|else|each))?)[ -]+{_BESIDE}\b"
    rf"|\b(?:keywords?\s+(?P<keyword>[A-Za-z]+)|{_BESIDE}\s+(?P<after>[A-Za-z]+)\b(?!\W*$))"
    r"|[`'\"‘“](?P<quoted>[A-Za-z]+(?: [A-Za-z]+)?)[`'\"’”])",
    re.IGNORECASE,
)
# Words that are never the subject of a question.
_SCAFFOLD = frozenset(
    """a about an and are can could did do does doing explain for get give how i in is it keyword mean meaning
    means meant me my of on please should tell the their them they this to use used using was we were what
    when why will with would you your""".split()
)
_SPOKEN_OPERATOR = re.compile(
    r"(?:(?<=\s)|^|(?<=[`'\"‘“]))(?P<sign>[-+*/%=<>!&|^~?:.@$#]{1,4})(?=\s|$|[`'\"’”]|\?$)"
)
# Signs that writers also set between words: "Wi-Fi / Bluetooth", "File > Open", "A & B".
_PUNCTUATION = frozenset("/ & + - | : > = * ~ . -> => ...".split())
# Frequent typing errors for question words.
_HASTY = frozenset("wat wht waht whta hw hwo wy wich wen were teh dose u r ur pls plz".split())

# Words that give a question its form: "how often", "what kinds of".
_FORM = frozenset("often many kinds sorts".split())
_ASKS_MEANING = re.compile(r"\bstands?\s+for\W*\Z", re.IGNORECASE)


def is_punctuation(sign: str, question: str) -> bool:
    """Return whether a sign only stands between words of a question: it is not what is asked about.

    That would be quoted, be called a sign, or stand without words.
    """
    if sign not in _PUNCTUATION:
        return False
    quoted = rf"[`'\"‘“]\s*{re.escape(sign)}\s*[`'\"’”]"
    called = r"(?:operators?|signs?|symbols?|characters?)"
    beside = rf"{re.escape(sign)}\s+{called}\b|\b{called}\s+{re.escape(sign)}(?!\S)"
    if re.search(f"{quoted}|{beside}", question, re.IGNORECASE):
        return False
    return any(word not in _SCAFFOLD for word in re.findall(r"\w+", question.casefold()))


def with_plain_apostrophes(text: str) -> str:
    """Return a text with the apostrophe of typewriters, by which stemmers know elisions: l'archive, dell'utente."""
    return text.replace("’", "'").replace("ʼ", "'")


class Analyzer:
    """Split text into terms for one language, named as Snowball's stemmers are; most others are not stemmed.

    Safe to use from several threads.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        stemmed_as = _STEMMED_AS.get(language, language)
        stemmer = Stemmer.Stemmer(stemmed_as, 0) if stemmed_as in Stemmer.algorithms() else None
        lock = threading.Lock()

        @lru_cache(maxsize=50_000)
        def stem(word: str) -> str:
            if stemmer is None or not word[0].isalpha():
                return _folded(word)
            # A Snowball stemmer has state while it works, and must not be shared by threads.
            with lock:
                return _folded(stemmer.stemWord(word))

        @lru_cache(maxsize=50_000)
        def content_forms(compound: str) -> tuple[str, ...]:
            return tuple(word for word in _forms(compound) if not self.is_stop_word(word))

        self.stem = stem
        self._content_forms = content_forms

    def words(self, text: str) -> list[str]:
        """Return the content words in order, in lower case: compounds whole, then their parts; no stop words.

        At the end come the operators and the keywords of its code, even those that are stop words in prose.
        """
        found = [word for compound in self._compounds(text) for word in self._content_forms(compound)]
        found += self._code_words(text)
        return found

    def question_words(self, text: str) -> list[str]:
        """Return the content words of a question, including a stop word or operator that it asks about.

        A stop word counts if it is quoted, stands beside "keyword", "loop", "operator" and the like, or if
        the question has no other word; an operator counts if it stands alone.
        """
        if not self._is_english:
            return self.words(text)
        text = _ASKS_MEANING.sub("", text)
        found = [word for word in self.words(text) if word not in _HASTY]
        found = [word for word in found if word not in _FORM] or found
        if named := [word for word in _named_keywords(text) if word not in found]:
            found = [word for word in found if word not in ("keyword", "keywords")] + named
        found += [
            match["sign"] for match in _SPOKEN_OPERATOR.finditer(text.rstrip("? ")) if match["sign"] != "?"
        ]
        if re.search(r"(?:^|\s)[`'\"‘“]?\?[`'\"’”]?\s+" + _BESIDE, text):
            found.append("?")
        if not found:
            found += [
                word
                for word in self.all_words(text)
                if word in _KEYWORDS and (word not in _SCAFFOLD or len(text.split()) <= 2)
            ]
        return found

    def all_words(self, text: str) -> Iterator[str]:
        """Yield every word in order, stop words included."""
        for compound in self._compounds(text):
            yield from _forms(compound)

    def terms(self, text: str) -> list[str]:
        """Return the stems of the content words, in order."""
        return [self.stem(word) for word in self.words(text)]

    def is_stop_word(self, word: str) -> bool:
        """Return whether a word (in lower case) is a stop word of the language; only English has a list."""
        return word in ENGLISH_STOP_WORDS if self._is_english else False

    @property
    def _is_english(self) -> bool:
        return self.language == "english"

    def _compounds(self, text: str) -> list[str]:
        text = self._prepared(text)
        if "," in text:
            text = _THOUSANDS.sub("", text)
        return (_ASCII_COMPOUND if text.isascii() else _COMPOUND).findall(text)

    def _prepared(self, text: str) -> str:
        if text.isascii():
            return text
        text = with_plain_apostrophes(_INVISIBLE.sub("", unicodedata.normalize("NFKC", text)))
        return _TURKISH_WORD.sub(_with_small_i, text) if self.language == "turkish" else text

    def _code_words(self, text: str) -> Iterator[str]:
        """Yield the stop words and operators in the text's code: spans, fenced blocks and table cells."""
        if "`" in text or "~~~" in text:
            for fence in _FENCE.finditer(text):
                yield from self._code_terms(fence[2])
            for span in _CODE_SPAN.finditer(_FENCE.sub("", text)):
                yield from self._code_terms(span[2])
                if _OPERATOR.fullmatch(sign := span[2].strip()) and not _LONG_OPERATOR.fullmatch(sign):
                    yield sign
        if "|" in text:
            cells = (match[1] for match in _CELL_OPERATOR.finditer(text))
            yield from (sign for sign in cells if not _TABLE_RULE.fullmatch(sign))

    def _code_terms(self, code: str) -> Iterator[str]:
        if self._is_english:
            yield from (
                word for word in re.findall(r"[a-z]+", code) if word in _KEYWORDS and self.is_stop_word(word)
            )
        yield from _LONG_OPERATOR.findall(code)


@lru_cache(maxsize=30_000)
def _forms(compound: str) -> tuple[str, ...]:
    """Return a compound in the forms that readers may search for: whole, then its parts if it has any."""
    # (The word "n't" alone is a subject of books on language processing.)
    compound = _APOSTROPHE_TAIL.sub("", compound) or compound
    if not compound.isascii() and _WIDE.search(compound):
        return tuple(_wide_forms(compound))
    whole = compound.casefold()[:_LONGEST_TERM]
    parts: list[str] = []
    for piece in _SEPARATORS.split(compound):
        inner = _pieces(piece)
        # "M4A" of "AAC/M4A" is searched for as it stands.
        parts += [piece, *inner] if len(inner) > 1 and piece != compound else inner
    if len(parts) <= 1:
        return (whole,)
    return whole, *(part.casefold()[:_LONGEST_TERM] for part in parts if len(part) > 1 or part.isdigit())


def _with_small_i(word: re.Match[str]) -> str:
    """Return a Turkish word with its capital i's in lower case: I becomes ı, and İ becomes i."""
    small = word.group().replace("I", "ı").replace("İ", "i")
    return small.casefold() if word.group().isupper() else small


def _named_keywords(text: str) -> list[str]:
    """Return the stop words that a question names as keywords: "the for loop", "keyword where", `if let`."""
    named: list[str] = []
    for match in _NAMED.finditer(text):
        for words in match.groups():
            named += [word for word in (words or "").casefold().split() if word in _KEYWORDS]
    return named


def _pieces(piece: str) -> list[str]:
    pieces = [p for word in piece.split("_") for p in _CAMEL.split(word)]
    return [p for word in pieces for p in _LETTERS_THEN_DIGITS.split(word) if p]


def _wide_forms(compound: str) -> Iterator[str]:
    """Yield the terms of a script without spaces: each pair of neighbouring characters, or a single one."""
    for run in _WIDE.findall(compound):
        clusters = _CLUSTER.findall(run)
        yield from ("".join(clusters[i : i + 2]) for i in range(max(1, len(clusters) - 1)))
    rest = _WIDE.sub(" ", compound).split()
    yield from (piece.casefold() for piece in rest)


def _folded(word: str) -> str:
    """Remove the marks that writers often omit: accents, vowel points, and the dot of the Turkish i.

    Marks of other scripts (vowel signs, kana's voicing) distinguish words and remain.
    """
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFD", word.replace("ı", "i"))
    kept: list[str] = []
    base = ""
    for character in decomposed:
        if not unicodedata.combining(character):
            base = character
        elif base < "\u0700" or "\u1e00" <= base < "\u2000":
            # Latin, Greek, Cyrillic, Hebrew and Arabic.
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))
