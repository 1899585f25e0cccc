"""Normalise text, estimate its tokens and find its sentences."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator

QUESTION_MARKS = ("?", "？", "؟")
# End a sentence with or without white space behind: of Chinese, Japanese, Hindi and other Indian languages,
# Urdu, Amharic, Khmer and Burmese.
STOPS = ("。", "！", "？", "।", "॥", "۔", "؟", "።", "។", "။", "．")
# Scripts that are written without spaces, as ranges of a regular expression: Thai, Lao, Tibetan, Burmese,
# Khmer, kana, ideographs; and Hangul, whose words have many endings.
UNSPACED = r"\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
# A word as a regular expression; in these scripts each sign is one.
WORD_OR_SIGN = rf"(?:[{UNSPACED}]|[^\W_{UNSPACED}]+)"

_WORD = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_SIGN = re.compile(r"[^\w\s]|_")
# Of each ASCII character: "a" for a letter, "0" for a digit, " " for white space, "." for another sign.
_ASCII_KINDS = bytes(
    ord("a" if sign.isalpha() else "0" if sign.isdigit() else " " if sign.isspace() else ".")
    for sign in map(chr, range(128))
).ljust(256, b" ")
_LETTERS_ALONE = bytes.maketrans(b"0.", b"  ")
_DIGITS_ALONE = bytes.maketrans(b"a.", b"  ")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_SPACES = re.compile(r"\s+")

# A sentence ends at one of these, with quotes or brackets that close behind it, before white space.
# (A run of stops is matched once, not from each of them on. One that opens a line is a mark: "!!! note".)
# (A wide stop behind a digit is a point.)
_SENTENCE_END = re.compile(
    r"(?:(?!\A)(?<![.!?…\n])[.!?…]++[\"'”’)\]*_]*+(?=\s)"
    rf"|[{''.join(STOPS)}]++(?<!\d．)[」』”’）]*+)"
)
_CLOSING_QUOTES = "\"'”’»"
_NEXT_SIGN = re.compile(r"\s*+(.?)", re.DOTALL)
# Longer than any abbreviation with the quotes and brackets behind it.
_ABBREVIATION_WINDOW = 60
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:e\.g|i\.e|etc|cf|vs|approx|resp|bzw|vgl|ggf|fig|figs|eq|no|vol|pp?|dr|mr|mrs|ms|prof|st|inc|ltd|al|[A-Za-z])\.$",
    re.IGNORECASE,
)
_NO = re.compile(r"(?:^|[\s(\[])no\.$", re.IGNORECASE)
# Before a number: German, Russian, Spanish.
_OF_NUMBER = re.compile(
    r"(?:^|[\s(\[])(?:nr|abb|tab|kap|ca|art|bd|рис|стр|гл|табл|pág|págs|núm|cap)\.$", re.IGNORECASE
)
# A German ordinal is a number with a stop, and a capital follows: "der 2. Weltkrieg", "bis 3. Mai".
_ORDINAL = re.compile(
    r"(?:^|[\s(\[])(?:(?<![Ii]\s)am|im|beim|vom|zum|zur|der|die|das|den|dem|des|eine?|eine[mnrs]|jede[mnrs]?)"
    r"\s+\d{1,2}\.$",
    re.IGNORECASE,
)
_DAY = re.compile(r"(?:^|[\s(\[])(?:(?P<since>seit|bis|ab|nach|und|oder)\s+)?\d{1,2}\.$", re.IGNORECASE)
_MONTH = re.compile(
    r"(?:Januar|Jänner|Februar|März|Mai|Juni|Juli|Oktober|Dezember|Jahrhundert|Jh"
    r"|(?P<also_english>April|August|September|November))"
)


def folded(text: str) -> str:
    """Normalise text for comparing names: NFKC, case folded, runs of white space as one space, trimmed."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()


def one_line(text: str) -> str:
    """Write each run of white space as one space, and none at the ends.

    Patterns that look for words between white space take cubic time on a long run of it.
    """
    return " ".join(text.split())


def line_starts(text: str) -> list[int]:
    """Return the offset at which each line begins."""
    return [0, *(end.end() for end in re.finditer("\n", text))]


def cleaned(text: str) -> str:
    """Remove NUL characters and replace lone surrogates by "?", so that every database takes the text.

    Models write both now and then; PostgreSQL refuses the first, every driver the second.
    """
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def has_forbidden_characters(text: str) -> bool:
    """Return whether `cleaned` would change the text."""
    return cleaned(text) != text


def asks(text: str) -> bool:
    """Return whether a text ends in a question mark, also within emphasis."""
    return text.rstrip("*_ ").endswith(QUESTION_MARKS)


def text_length(text: str) -> int:
    """Count the characters of a text without white space."""
    return sum(map(len, text.split()))


def count_tokens(text: str) -> int:
    """Estimate the tokens that a model's tokenizer makes of `text`; within about 15 % on prose and code.

    Words of up to six letters count one and longer ones more, digits one for three, a sign one,
    an ideograph one.
    """
    if text.isascii():
        return _ascii_tokens(text.encode())
    # Few words have other letters, in most languages.
    words = text.split()
    others = " ".join(word for word in words if not word.isascii())
    total = len(_SIGN.findall(others)) + sum((len(digits) + 2) // 3 for digits in _DIGITS.findall(others))
    total += sum(map(_word_tokens, _WORD.findall(others)))
    return total + _ascii_tokens(" ".join(word for word in words if word.isascii()).encode())


def _ascii_tokens(text: bytes) -> int:
    """Count as `count_tokens` does, by the methods of `bytes`, which are ten times faster than patterns."""
    kinds = text.translate(_ASCII_KINDS) + b" "
    # Each seven letters of a word become one W; what is left of the word, if anything, ends in "a ".
    words = kinds.translate(_LETTERS_ALONE).replace(b"aaaaaaa", b"W")
    numbers = kinds.translate(_DIGITS_ALONE).replace(b"000", b"W")
    return (
        kinds.count(b".")
        + words.count(b"W")
        + words.count(b"a ")
        + numbers.count(b"W")
        + numbers.count(b"0 ")
    )


def _word_tokens(word: str) -> int:
    if word.isalpha():
        wide = len(_CJK.findall(word))
        return wide + (len(word) - wide + 6) // 7
    # Raised digits, fractions, numerals.
    return (len(word) + 2) // 3 if word.isdigit() else 1


# The address of a link, and the whole of an image: their stops end no sentence of the text.
_LINK_TARGET = re.compile(
    r"""(?:!\[[^\[\]]*+)?\]\((?:[^()\s]|\([^()\s]*+\))*+(?:\s++(?:"[^"]*+"|'[^']*+'))?\)"""
)


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence of a run of prose, in order, without white space around.

    A full stop after an abbreviation, an initial or a German ordinal or inside a number does not end a
    sentence. A stop before a small letter does not either, nor another sign at the end of a quotation. Line
    breaks inside a sentence belong to it, as do the addresses of links and the texts of images.
    """
    start = 0
    targets = deque(match.span() for match in _LINK_TARGET.finditer(text)) if "](" in text else deque()
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        while targets and targets[0][1] < end:
            targets.popleft()
        if targets and targets[0][0] < end:
            continue
        following = _NEXT_SIGN.match(text, end)
        stop = text[max(start, end - _ABBREVIATION_WINDOW) : end].rstrip("\"'”’)]*_")
        next_sign = following[1] if following else ""
        if stop.endswith(".") and _goes_on(stop, text, following.start(1) if following else end):
            continue
        # Within a sentence, the label of a button or a question: click “Open …” or press O.
        if match.group()[-1] in _CLOSING_QUOTES and next_sign.islower():
            continue
        yield from _trimmed(text, start, end)
        start = end
    yield from _trimmed(text, start, len(text))


def _goes_on(stop: str, text: str, behind: int) -> bool:
    """Return whether a full stop ends no sentence: it abbreviates, counts, or is before a small letter.

    What follows on it begins in the text at `behind`.
    """
    following = text[behind : behind + 1]
    if following.islower():
        return True
    if following.isdigit() and _OF_NUMBER.search(stop):
        return True
    if stop[-2:-1].isdigit() and following.isupper():
        return _is_ordinal(stop, _MONTH.match(text, behind))
    # "No. 5" has a number, and "No." is an answer.
    return _ABBREVIATION.search(stop) is not None and (following.isdigit() or not _NO.search(stop))


def _is_ordinal(stop: str, month: re.Match[str] | None) -> bool:
    if _ORDINAL.search(stop):
        return True
    day = _DAY.search(stop)
    return day is not None and month is not None and bool(day["since"] or not month["also_english"])


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    if piece.strip():
        yield start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
