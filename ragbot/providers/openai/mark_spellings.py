"""Spell citation marks as `[1]`, however a model writes them."""

from __future__ import annotations

import re

from ragbot.providers.openai.streamed_code import open_code_mark

_WORD = r"(?:passages?|sources?|refs?|references?|citations?|quotes?|p|§|nos?|#)\.?\s*:?\s*"
_NUMBERS = rf"\d{{1,3}}(?:\s*(?:,|;|&|and|–|-)\s*(?:{_WORD})?\^?\d{{1,3}})*"
# What a search tool's model adds: `【1†source】`, `[1†L3-L5]`, `【1:0†book.md】`.
_TAIL = r"(?::\d{1,3})?(?:\s*†[^\]】］\n]{0,60})?"
_BRACKETS = (
    ("wide", "【", "】"),
    ("full", "［", "］"),
    ("escaped", r"\\\[", r"\\\]"),
    ("double", r"\[\[", r"\]\]"),
    ("square", r"\[", r"\]"),
    ("raised", r"<sup>\s*\[?", r"\]?\s*</sup>"),
)
_IN_BRACKETS = "|".join(
    rf"{opening}\s*(?:{_WORD})?\^?\s*(?P<{name}>{_NUMBERS}){_TAIL}\s*{closing}"
    for name, opening, closing in _BRACKETS
)
_MARK = re.compile(
    rf"{_IN_BRACKETS}|\(\s*{_WORD}(?P<worded>{_NUMBERS})\s*\)"
    r"|\s\((?P<round>\d{1,2}(?:\s*,\s*\d{1,2})*)\)(?=[.!?,;:]|\s*\Z|\s*\n)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d{1,3})(?:\s*[–-]\s*\^?(\d{1,3}))?")
# Where a mark may have begun that is cut at the end of what has come.
_BEGUN = re.compile(
    r"(?:\\?\[{1,2}|[【［]|\s?\(|<s?u?p?\Z|<sup>\s*\[?)[^\[\]【】()<>\n]{0,70}\\?\Z"
    r"|<sup>\s*\[?[\d,\s]{0,20}\]?\s*(?:</?s?u?p?)?\Z|\[\[[^\[\]\n]{0,40}\]\Z|\\\Z|\s+\Z|`+\Z"
)
_SIGN = re.compile(r"[\\\[【［(<`]|\s\Z")
# A number in round brackets is a mark behind a word.
_WORD_END = re.compile(r"[\w\"'”’*`%)]\Z")
# Behind these, a number in round brackets is theirs: an equation, a step of a list.
_OWN_NUMBER = re.compile(
    r"(?:equations?|eqs?\.?|formulas?|figures?|figs?\.?|tables?|steps?|rules?|items?|points?|parts?|lines?|"
    r"versions?|chapters?|sections?|cases?|options?|notes?|and|or|to)\s*\Z",
    re.IGNORECASE,
)
# Behind a number, a bracket or a unit a raised number is an exponent.
_BASE = re.compile(r"(?:\d|[)}]|(?<![^\W\d_])[^\W\d_]{1,2})\Z")
_LAST_WORD = re.compile(r"[^\s(*_]*\Z")


class MarkSpelling:
    """Take the pieces of an answer and give them with each mark as `[1]`, or `[1][2]` for several.

    Only numbers from 1 to `passages` are marks. A number in round brackets is one at the end of a sentence or
    a part of it, where neither the book (`quoted`) nor the answer before it uses such numbers otherwise. A
    raised one may be an exponent. Code is left as it is. Where the pieces are cut changes nothing.
    """

    def __init__(self, *, passages: int, quoted: str) -> None:
        self._passages = passages
        self._quoted = quoted
        self._pending = ""
        self._line = ""
        self._fence = 0
        self._has_square_marks = False

    def feed(self, text: str) -> str:
        """Return what is decided of the text so far; it may be empty."""
        if not (self._pending or self._fence or _SIGN.search(text)):
            # So it is with most pieces.
            self._line = (self._line + text)[-40:]
            return text
        self._pending += text
        return self._spelled(final=False)

    def flush(self) -> str:
        """Return the rest, at the end of the answer."""
        return self._spelled(final=True)

    def _spelled(self, *, final: bool) -> str:
        given: list[str] = []
        while self._pending:
            mark = _MARK.search(self._pending)
            begun = None if final else _BEGUN.search(self._pending)
            end = begun.start() if begun else len(self._pending)
            if mark is None or mark.end() > end or (mark["round"] and mark.end() == end and not final):
                end = min(end, mark.start()) if mark is not None else end
                self._give(self._pending[:end], given)
                self._pending = self._pending[end:]
                break
            self._give(self._pending[: mark.start()], given)
            self._give(self._spelling(mark), given)
            self._pending = self._pending[mark.end() :]
        return "".join(given)

    def _spelling(self, mark: re.Match[str]) -> str:
        written, kind = mark.group(), str(mark.lastgroup)
        if self._fence or self._is_the_texts(kind, written):
            return written
        numbers: list[int] = []
        for first, last in _NUMBER.findall(mark[kind]):
            numbers.extend(range(int(first), min(int(last or first), int(first) + self._passages) + 1))
        if not numbers or not all(1 <= number <= self._passages for number in numbers):
            return written
        self._has_square_marks = self._has_square_marks or kind == "square"
        space = " " if kind == "round" else ""
        return space + "".join(f"[{number}]" for number in dict.fromkeys(numbers))

    def _is_the_texts(self, kind: str, written: str) -> bool:
        """Return whether the answer means something else by what looks like a mark, such as a power."""
        if kind == "round":
            return not self._is_cited_by(written)
        if kind == "worded":
            return written in self._quoted
        if kind != "raised":
            return False
        may_be_power = "[" not in written and (self._has_square_marks or _BASE.search(self._line) is not None)
        return may_be_power or f"{_LAST_WORD.findall(self._line)[0]}{written}" in self._quoted

    def _is_cited_by(self, written: str) -> bool:
        bare = written.strip()
        is_other = self._has_square_marks or bare in self._quoted or _OWN_NUMBER.search(self._line)
        return not is_other and _WORD_END.search(self._line) is not None

    def _give(self, text: str, given: list[str]) -> None:
        if not text:
            return
        self._fence = open_code_mark(self._fence, text)
        self._line = (self._line + text)[-40:]
        given.append(text)
