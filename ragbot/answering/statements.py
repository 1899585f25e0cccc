"""Cut a streamed answer into statements, each with the marks that it carries."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum, auto

from ragbot.core.code_fences import OpeningFence, fenced_code, opening_fence
from ragbot.core.text import STOPS, sentence_spans

CITATION_MARK = re.compile(r"\[(\d{1,3})\]")
# With the blank before it.
MARK = re.compile(rf"\s?{CITATION_MARK.pattern}")
_MARKS = re.compile(r"(?:\[\d{1,3}\][ \t]*)+")
# Marks, or the beginning of one that is not whole yet.
_MAYBE_MARKS = re.compile(r"(?:\s*\[\d{1,3}\])*\s*(?:\[\d{0,3})?")
# Without one of these no sentence ends.
_STOP = re.compile(rf"[.!?…{''.join(STOPS)}]")
_MARKS_BEHIND_STOP = re.compile(rf"(?<={_STOP.pattern})[\"'”’)*_]*(?:\s?\[\d{{1,3}}\])+")
_CODE_SPAN = re.compile(r"(?<![\\`])(`++)[^`\n]++\1(?!`)")
# Quotation marks, bullets and numbers, in any depth.
_LEADS = r"(?:[ \t>]|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))*+"
# A line that may open a listing.
_MAYBE_FENCE = re.compile(rf"{_LEADS}(?:`{{3}}|~{{3}})")
# What opens a line and says nothing: quotation marks, bullets, numbers.
_LEAD = re.compile(r"(?:[ \t]*>)*[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?)?")
_TABLE_LINE = re.compile(r"[ \t]*\|")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]")
_BOLD_LINE = re.compile(r"[ \t]*(\*\*|__)(?:(?!\1).)+\1:?[ \t]*")
# The beginning of a line that ends the paragraph before it.
_NEW_BLOCK = re.compile(r"[ \t]*(?:\r?\n|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|`{3}|~{3}|\||>)")
# A line whose kind is not known before more of it has come.
_UNDECIDED = re.compile(rf"{_LEADS}(?:[-*+#`~|]{{0,3}}|\d{{0,9}}[.)]?)")


class Kind(StrEnum):
    """Name what a piece of an answer is."""

    FILLER = auto()
    """White space, a bullet, a heading, words of a sentence or lines of a block that has not ended."""
    SENTENCE = auto()
    """The end of a sentence: the text is what was not given before, with all of its marks."""
    BLOCK = auto()
    """The end of a table or a listing: the text is the marks behind it, or empty."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold a piece of an answer. The texts of all pieces make the answer.

    At its end a sentence or a block has its whole text in `body`, which begins `given` characters before the
    piece.
    """

    kind: Kind
    text: str
    body: str = ""
    given: int = 0

    @property
    def marks(self) -> tuple[int, ...]:
        """Return the numbers of the marks, in order."""
        marked = self.body if self.kind is Kind.SENTENCE else self.text
        return tuple(int(mark[1]) for mark in marks_in(marked))

    def text_with(self, marks: Collection[int]) -> str:
        """Return the text with some of its marks alone."""
        if self.kind is Kind.SENTENCE:
            # (A code span may begin in what was given.)
            return without_marks(self.body, but=marks)[self.given :]
        return without_marks(self.text, but=marks)


def without_code(text: str) -> str:
    """Return a text of the same length with an "x" for each character of its code.

    What looks like a mark there is an index: `argv[1]`.
    """
    if "`" not in text and "~~~" not in text:
        return text
    pieces: list[str] = []
    position = 0
    for code in fenced_code(text):
        pieces += text[position : code.start], "x" * (code.end - code.start)
        position = code.end
    pieces.append(text[position:])
    return _CODE_SPAN.sub(lambda span: "x" * len(span.group()), "".join(pieces))


def marks_in(text: str) -> Iterator[re.Match[str]]:
    """Yield the marks of a text, each with the blank before it and its number as the first group."""
    return MARK.finditer(without_code(text))


def without_marks(text: str, *, but: Collection[int] = ()) -> str:
    """Remove the marks of a text, but for those of some numbers."""
    return without(text, (mark for mark in marks_in(text) if int(mark[1]) not in but))


def without(text: str, matches: Iterable[re.Match[str]]) -> str:
    """Remove what was found in a text, or in one of the same length, in order."""
    pieces: list[str] = []
    position = 0
    for match in matches:
        pieces.append(text[position : match.start()])
        position = match.end()
    return "".join((*pieces, text[position:]))


class StatementSplitter:
    """Cut sanitised Markdown into pieces as it comes.

    Words are given as they come; only marks wait for the end of their sentence. What ends in which kind does
    not depend on where the text was cut.
    """

    def __init__(self) -> None:
        self._held = ""
        self._at_line_start = True
        self._is_item = False
        self._fence: OpeningFence | None = None
        self._body = ""
        # Characters of the held sentence that were given.
        self._given = 0
        self._is_final = False
        self._pieces: list[Piece] = []

    def feed(self, text: str) -> list[Piece]:
        """Return the pieces that are complete now."""
        self._held += text
        while self._held and self._step():
            pass
        pieces, self._pieces = self._pieces, []
        return pieces

    def flush(self) -> list[Piece]:
        """Return the rest, at the end of the answer."""
        self._is_final = True
        pieces = self.feed("")
        if self._body:
            pieces.append(Piece(Kind.BLOCK, "", self._body, len(self._body)))
        return pieces

    def _step(self) -> bool:
        """Take one piece off the held text; return whether there was one."""
        if self._fence is not None:
            return self._code_line(self._fence)
        if self._at_line_start:
            if self._body and not self._ends_block():
                return False
            return self._line_start()
        return self._sentence()

    def _take(self, kind: Kind, length: int, body: str = "", before: int = 0) -> bool:
        """Take a piece off the held text. The body of a block begins so many characters `before` it."""
        whole, self._held = self._held[:length], self._held[length:]
        given, self._given = self._given, 0
        if kind is Kind.SENTENCE:
            body = whole
        self._pieces.append(Piece(kind, whole[given:], body, given or before))
        if whole:
            self._at_line_start = whole.endswith("\n")
        return True

    def _line_length(self) -> int:
        """Return the length of the first line with its end; 0 while it is not whole."""
        end = self._held.find("\n") + 1
        return end or (len(self._held) if self._is_final else 0)

    def _code_line(self, fence: OpeningFence) -> bool:
        length = self._line_length()
        if not length:
            return False
        line = self._held[:length]
        if fence.is_left_by(line.rstrip("\r\n")):
            self._fence = None
            return True
        self._body += line
        if fence.is_closed_by(line.rstrip("\r\n")):
            self._fence = None
        return self._take(Kind.FILLER, length)

    def _ends_block(self) -> bool:
        """Give the block that was before the held text, where it is over; return whether that is known."""
        if _TABLE_LINE.match(self._held) and opening_fence(self._body.partition("\n")[0]) is None:
            return True
        rest = self._held.lstrip()
        if not self._is_final and (not rest or (rest[0] == "[" and not self._knows_marks(rest))):
            return False
        gap = len(self._held) - len(rest)
        if (marks := _MARKS.match(rest)) is not None and rest[marks.end() : marks.end() + 1] in ("", "\n"):
            if gap:
                self._take(Kind.FILLER, gap)
            self._take(Kind.BLOCK, marks.end(), self._body, len(self._body) + gap)
        elif rest or self._is_final:
            self._pieces.append(Piece(Kind.BLOCK, "", self._body, len(self._body)))
        self._body = ""
        return bool(self._held)

    def _knows_marks(self, rest: str) -> bool:
        """Return whether what opens with a bracket is known to be marks alone on a line, or not to be."""
        maybe = _MAYBE_MARKS.match(rest)
        return maybe is None or maybe.end() < len(rest)

    def _line_start(self) -> bool:
        held = self._held
        blank = len(held) - len(held.lstrip("\n"))
        if blank:
            return self._take(Kind.FILLER, blank)
        if not self._is_final and _UNDECIDED.fullmatch(held):
            return False
        if _MAYBE_FENCE.match(held):
            length = self._line_length()
            if not length:
                return False
            if (fence := opening_fence(held[:length].rstrip("\r\n"))) is not None:
                self._fence, self._body = fence, held[:length]
                return self._take(Kind.FILLER, length)
        if _TABLE_LINE.match(held) or _HEADING.match(held):
            length = self._line_length()
            if length and _TABLE_LINE.match(held):
                self._body += held[:length]
            return bool(length) and self._take(Kind.FILLER, length)
        lead = _LEAD.match(held)
        if lead is not None and lead.end():
            self._take(Kind.FILLER, lead.end())
        self._is_item = lead is not None and lead.end() > 0
        self._at_line_start = False
        return True

    def _sentence(self) -> bool:
        held = self._held
        blank = len(held) - len(held.lstrip())
        if blank and (newline := held[:blank].find("\n")) >= 0:
            return self._take(Kind.FILLER, newline + 1)
        if blank:
            return self._take(Kind.FILLER, blank)
        end = self._paragraph_end()
        whole = held[: end or len(held)]
        if end and not self._is_item and _BOLD_LINE.fullmatch(whole):
            return self._take(Kind.FILLER, end)
        length = self._sentence_length(whole, is_whole=bool(end))
        if length:
            return self._take(Kind.SENTENCE, length)
        self._give_words()
        return False

    def _give_words(self) -> None:
        """Give the words of a sentence that has not ended, as far as no mark can be among them."""
        words = self._held.partition("[")[0]
        before, newline, line = words.rpartition("\n")
        if newline and _UNDECIDED.fullmatch(line):
            # It may be no part of the sentence.
            words = before
        end = len(words.rstrip())
        if end > self._given:
            self._pieces.append(Piece(Kind.FILLER, self._held[self._given : end]))
            self._given = end

    def _paragraph_end(self) -> int:
        """Return the length of the held paragraph without its last line end; 0 while it may go on."""
        start = 0
        while (newline := self._held.find("\n", start)) >= 0:
            behind = self._held[newline + 1 :]
            if not behind or (_UNDECIDED.fullmatch(behind) and not _NEW_BLOCK.match(behind)):
                break
            if _NEW_BLOCK.match(behind):
                return len(self._held[:newline].rstrip())
            start = newline + 1
        return len(self._held.rstrip()) if self._is_final else 0

    def _sentence_length(self, text: str, *, is_whole: bool) -> int:
        """Return the length of the first sentence with the marks behind it; 0 while it is not known."""
        if not is_whole and not _STOP.search(text):
            return 0  # So it is at most pieces.
        masked = _MARKS_BEHIND_STOP.sub(lambda match: ")" * len(match.group()), text)
        spans = list(sentence_spans(masked))
        for index, (_, end) in enumerate(spans):
            if index + 1 == len(spans):
                return end if is_whole else 0
            behind = text[end:]
            maybe = _MAYBE_MARKS.fullmatch(behind)
            if maybe is not None and not is_whole:
                return 0
            if (marks := re.match(r"\s*(?:\[\d{1,3}\]\s*)+", behind)) is not None:
                return end + len(marks.group().rstrip())
            return end
        return 0
