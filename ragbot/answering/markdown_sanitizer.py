"""Sanitise a model's Markdown while it streams: only the book's own links, images, HTML and marks remain.

Three things hold for any input. Text that was returned is never changed later. The output depends on the text
alone and not on how it was cut into pieces: each construct is decided when no later text can change it,
within `LONGEST_HELD` characters. Text that is not recognised as a construct is written so that no renderer
sees one in it: code counts as code only where all renderers agree (a fence on lines of its own, a span on one
line), other backticks are escaped, and only this module writes `](` and `]:`. Why this is not done with
markdown-it is in docs/decisions/015-a-streaming-sanitiser.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import punctuation
from typing import ClassVar, NamedTuple

from ragbot.answering.autolinks import LONGEST_CODED_START, OwnAddresses, find_start, with_plain_addresses
from ragbot.core.answers import NOT_IN_BOOK
from ragbot.core.small_numbers import SMALL_NUMBER, SMALL_NUMBER_BEGUN, small_number

# What is open at the end of a piece is held back until it closes, but no longer than this.
LONGEST_HELD = 1_000
# Enough of a line to know what stands before the next word on it.
_LINE_KEPT = 200
# A fence may stand this far in and be one still; in a list it belongs to its entry.
_FENCE_INDENT = 3
# A step takes this much of the text: nothing before more has come.
_WAIT = 0

# NUL and its kin have no meaning in an answer, and some renderers drop them between two characters.
_CONTROLS = {code: None for code in [*range(0x20), 0x7F] if chr(code) not in "\t\n"}
# Where something other than words begins. An escaped sign of an address stays with its word, and so does a
# backslash at the end, of which that is not known yet.
_SIGN = re.compile(r"[\\`<\[\]!~](?!(?<=\\)(?:[/:.@]|\Z))")
_TO_LAST_BREAK = re.compile(r"(?s:.*)[^!-~]")

# --- marks and links: `[text]`, and `(target "title")` with one level of parentheses inside
_TARGET_INSIDE = r"(?:[^()\n]++|\([^()\n]*+\))*+"
_LABEL = re.compile(rf"\[(?P<text>[^\[\]\n]*+)\](?:\((?P<target>{_TARGET_INSIDE})\))?")
_LABEL_BEGUN = re.compile(rf"\[[^\[\]\n]*+(?:\](?:\({_TARGET_INSIDE}(?:\([^()\n]*+)?)?)?")
_TARGET = re.compile(r"[ \t]*(?:<([^<>]*)>|(\S*))(?:[ \t]+(?:\"[^\"]*\"|'[^']*'))?[ \t]*")
_PLAIN_LABEL = re.compile(r"[^\\`<>\[\]!&|@]+|`[^`|\\]+`")
_MARKS = re.compile(r"\s*\^?\d{1,3}(?:\s*[,;–-]\s*\^?\d{1,3})*\s*")
_NUMBERS = re.compile(r"(\d{1,3})(?:\s*[–-]\s*(\d{1,3}))?")
# A label that a colon behind it makes no link definition of. (It would after the marks of a list, a quotation
# or a task alone.)
_LABEL_IN_A_SENTENCE = re.compile(r"[^\s>*+\-\d.)\[\]xX].*(?<!\\)\[[^\[\]\\]*\]$")

# --- HTML
_TAG = re.compile(r"<!--(?:>|->|(?s:.*?)-->)|<(?!!--)/?[A-Za-z!?][^<>\n]*>")
_TAG_BEGUN = re.compile(r"<+|</|<!-?|<!--(?s:.*)|<(?!!--)/?[A-Za-z!?][^<>\n]*")
_NO_TAG_FOLLOWS = re.compile(r"<+(?=[ \n\t=\d-])")
_NO_TAG_OF_A_BOOK = re.compile(r"[`|\n]|^<https?:")

# --- code
_CODE_SPAN = re.compile(r"(`+)(?!`)(.*?)(?<!`)\1(?!`)")
_RUN = re.compile("`+|~+")
_MARGIN = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*")
_ADDRESS_IN_A_CELL = re.compile(r"@|//|www\.", re.IGNORECASE)
_LIVELY_IN_A_CELL = re.compile(rf"[<\[]|{_ADDRESS_IN_A_CELL.pattern}", re.IGNORECASE)
_PUNCTUATION = re.compile(f"[{re.escape(punctuation)}]")

# A word that a text may join where something between the two was left out.
_CALM = re.compile(r"[\w*,.;)('\"\[\]-]*")


class MarkdownSanitizer:
    """Take pieces of an answer and return as much as is safe to show.

    `number_of` returns the reader's number for the passage that a mark cites, or None if there is none.
    `own_text` is the text of the passages and `own_urls` their addresses: a link in one of them is the book's
    own. Code is not changed, since it is shown and not followed.
    """

    def __init__(
        self, *, number_of: Callable[[int], int | None], own_text: str, own_urls: Iterable[str]
    ) -> None:
        self._number_of = number_of
        self._own_text = own_text
        self._own = OwnAddresses(own_text, own_urls)
        # What has come and is not decided; so much of it is known to hold no coded address.
        self._held = ""
        self._decoded = 0
        # What a step puts in the place of what it took, to be looked at again.
        self._again = ""
        self._ended_in_return = False
        # What is given by this call, the end of its last line, and whether something was left out since.
        self._output: list[str] = []
        self._line = ""
        self._gap = False
        self._cell_in_code = False
        self._fence: _Fence | None = None

    def feed(self, piece: str) -> str:
        """Return the text that is safe to show now; it may be empty."""
        if self._ended_in_return and piece.startswith("\n"):
            piece, self._ended_in_return = piece[1:], False
        if piece:
            self._ended_in_return = piece.endswith("\r")
        if not piece.isprintable():
            piece = piece.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
        self._held += piece
        return self._drained(final=False)

    def flush(self) -> str:
        """Return the rest of the text, at the end of the answer."""
        rest = self._drained(final=True)
        if self._fence is None:
            return rest
        closing = f"{'' if not self._line else chr(10)}{' ' * self._fence.indent}{self._fence.marks}"
        self._fence = None
        return rest + closing

    def _drained(self, *, final: bool) -> str:
        while self._held:
            if self._fence is not None:
                taken = self._code_line(self._fence, final)
            else:
                window = self._held[:LONGEST_HELD]
                step = self._STEPS.get(window[0], MarkdownSanitizer._words)
                taken = step(self, window, final or len(window) == LONGEST_HELD)
            if taken == _WAIT:
                break
            self._decoded = 0 if self._again else max(0, self._decoded - taken)
            self._held, self._again = self._again + self._held[taken:], ""
        output = "".join(self._output)
        self._output.clear()
        return output

    # --- output -------------------------------------------------------------------------------

    def _emit(self, text: str, *, alone: bool = False) -> None:
        """Output a text so that it makes no link with the output before it; `alone` is for an address."""
        if self._gap and not _joins(self._line, "@" if alone else text):
            text = f" {text}"
        elif self._line.endswith("]") and (
            text.startswith("(") or (text.startswith(":") and not _LABEL_IN_A_SENTENCE.search(self._line))
        ):
            # A target, or the definition of one.
            text = f"\\{text}"
        self._gap = False
        self._append(text)

    def _append(self, text: str) -> None:
        self._output.append(text)
        if "\n" in text:
            self._cell_in_code = False
        self._line = (self._line + text).rpartition("\n")[2][-_LINE_KEPT:]

    # --- words and addresses ------------------------------------------------------------------

    def _words(self, window: str, whole: bool) -> int:
        """Output words up to the next sign. The last word waits for its end: it may become an address."""
        sign = _SIGN.search(window)
        text = window[: sign.start()] if sign else window
        endless = False
        if not sign and (not whole or len(window) == LONGEST_HELD):
            if complete := _TO_LAST_BREAK.match(text):
                text = complete.group()
            elif not whole:
                return _WAIT
            else:
                endless = True
        following = window[len(text) : len(text) + 1]
        if self._decoded < len(text):
            plain = with_plain_addresses(text, self._decoded, following)
            if plain != text:
                self._again = plain
                return len(text)
        self._decoded = len(text) - LONGEST_CODED_START * endless
        address = find_start(text + following)
        end = address.start() if address else len(text)
        sentinel = text.find(NOT_IN_BOOK)
        if sentinel == 0 < end:
            self._gap = True
            return len(NOT_IN_BOOK)
        if 0 < sentinel < end:
            end = sentinel
        if address is None or end:
            self._emit(text[:end])
            # A word of a thousand letters is none; what follows may not become a part of it.
            self._gap = endless and end == len(text)
            return end
        return self._address(window, whole, is_mail=address["web"] is None)

    def _address(self, window: str, whole: bool, *, is_mail: bool) -> int:
        if is_mail:
            found = self._own.mail_at_start(window, whole=whole, before=self._line)
        else:
            found = self._own.web_at_start(window, whole=whole, longest=LONGEST_HELD)
        if found is None:
            return _WAIT
        if found.shown:
            self._emit(found.shown, alone=found.is_address)
        self._gap = self._gap or found.ends_open
        return found.length

    # --- marks, links and images --------------------------------------------------------------

    def _bracket(self, window: str, whole: bool) -> int:
        if not whole and _LABEL_BEGUN.fullmatch(window):
            return _WAIT
        label = _label(window)
        if label is not None and _MARKS.fullmatch(label.text):
            self._mark(label.text)
            return label.length
        if label is None or label.target is None:
            self._emit("[")
            return 1
        if label.target in self._own and _PLAIN_LABEL.fullmatch(label.text):
            self._emit(f"[{label.text}](<{label.target}>)")
        else:
            # What a link says is the answer's, where it leads is not.
            self._gap, self._again = True, label.text
        return label.length

    def _closing_bracket(self, window: str, whole: bool) -> int:  # noqa: ARG002
        self._emit("]")
        return 1

    def _mark(self, text: str) -> None:
        spans = [(int(first), int(last or first)) for first, last in _NUMBERS.findall(text)]
        numbers = dict.fromkeys(n for first, last in spans for n in range(first, last + 1))
        valid = [shown for n in numbers if (shown := self._number_of(n)) is not None]
        if valid:
            self._emit("".join(f"[{n}]" for n in valid))
        else:
            self._gap = True

    def _exclamation(self, window: str, whole: bool) -> int:
        if not whole and (len(window) == 1 or _LABEL_BEGUN.fullmatch(window, 1)):
            return _WAIT
        image = _label(window[1:])
        if image is None or image.target is None or _MARKS.fullmatch(image.text):
            self._emit("!")
            return 1
        self._gap = True
        return 1 + image.length

    # --- HTML and escapes ---------------------------------------------------------------------

    def _less_than(self, window: str, whole: bool) -> int:
        if no_tag := _NO_TAG_FOLLOWS.match(window):
            self._emit(no_tag.group())
            return no_tag.end()
        if number := SMALL_NUMBER.match(window):
            self._emit(small_number(number))
            return number.end()
        may_be_number = not whole and SMALL_NUMBER_BEGUN.fullmatch(window) is not None
        if not may_be_number and (tag := _TAG.match(window)):
            self._show_tag(tag.group())
            return tag.end()
        if may_be_number or (not whole and _TAG_BEGUN.fullmatch(window)):
            return _WAIT
        self._emit("&lt;")
        return 1

    def _show_tag(self, tag: str) -> None:
        """Show a tag that the book itself shows (it may be a book about tags) as code, never as a tag."""
        # It has powers in tags; one that is shown is escaped.
        written_out = f"\\{tag}" if tag.strip("</>") in ("sub", "sup") else tag
        if self._own.is_autolink(tag[1:-1]):
            self._gap = True
            self._emit(tag[1:-1], alone=True)
        elif written_out in self._own_text and self._may_be_code(tag) and not _NO_TAG_OF_A_BOOK.search(tag):
            self._gap = True
            self._emit(f"`{tag}`")
        self._gap = True

    def _backslash(self, window: str, whole: bool) -> int:
        if len(window) == 1 and not whole:
            return _WAIT
        if len(window) > 1 and not _SIGN.match(window):
            return self._words(window, whole)
        escaped = window[1:2]
        if not escaped or escaped not in punctuation:
            self._emit("\\")
            return 1
        self._emit("&lt;" if escaped == "<" else window[:2])
        return 2

    # --- code ---------------------------------------------------------------------------------

    def _code(self, window: str, whole: bool) -> int:
        """Output a code span on one line, or begin a fence; escape other runs of backticks and tildes."""
        run = _RUN.match(window)
        assert run is not None, "the window begins with one"
        marks, line = run.group(), window.partition("\n")[0]
        ticks = marks[0] == "`"
        span = _CODE_SPAN.match(line)
        begins_fence = len(marks) >= 3 and _MARGIN.fullmatch(self._line) is not None
        if len(line) == len(window) and not whole:
            if ticks and (span is None or span.end() == len(line)):
                return _WAIT
            if not ticks and (begins_fence or marks == window):
                return _WAIT
        # (With a bar in it, the line may be the head of a table.)
        if (
            begins_fence
            and len(line) < LONGEST_HELD
            and not re.search(r"[|`]" if ticks else r"\|", line[len(marks) :])
        ):
            return self._begin_fence(window, line, marks)
        if span is not None:
            self._cell_in_code = self._cell_in_code or "|" in span[2]
            if self._may_be_code(span[2]):
                self._emit(span.group())
                return span.end()
            if not _ADDRESS_IN_A_CELL.search(span[2]):
                # (A bar in code has its backslash already.)
                words = span[2].replace("\\|", "|")
                self._emit(_PUNCTUATION.sub(r"\\\g<0>", words).replace("\\<", "&lt;"))
                return span.end()
        self._emit(marks if marks in ("~", "~~") else "".join(f"\\{mark}" for mark in marks))
        return len(marks)

    def _may_be_code(self, inside: str) -> bool:
        """Return whether it is code for every renderer, and harmless where it is not.

        In a row of a table a bar ends the cell, in code too, and what follows is no more what it seems. (It
        is shown as words, unless it holds an address, which some renderers make a link of.)
        """
        return not (self._cell_in_code and _LIVELY_IN_A_CELL.search(inside))

    def _begin_fence(self, window: str, line: str, marks: str) -> int:
        margin = len(self._line.expandtabs(4))
        indent = min(margin, _FENCE_INDENT)
        if self._line != " " * indent:
            # Behind a list's mark, or so far in that not every renderer sees a fence.
            self._append("\n" + " " * indent)
        self._gap = False
        self._fence = _Fence(marks, margin, indent)
        given = window[: len(line) + 1]
        self._append(given)
        return len(given)

    def _code_line(self, fence: _Fence, final: bool) -> int:
        """Output a line of code, indented so that each renderer sees it inside the fence."""
        line, newline, _ = self._held.partition("\n")
        if not newline and not final:
            return _WAIT
        bare = line.strip(" \t")
        if set(bare) == {fence.marks[0]} and len(bare) >= len(fence.marks):
            self._fence = None
            line_given = " " * fence.indent + bare
        else:
            line_given = fence.placed(line) if bare else line
        self._append(line_given + newline)
        return len(line) + len(newline)

    _STEPS: ClassVar[Mapping[str, Callable[[MarkdownSanitizer, str, bool], int]]] = {
        "[": _bracket,
        "]": _closing_bracket,
        "!": _exclamation,
        "<": _less_than,
        "\\": _backslash,
        "`": _code,
        "~": _code,
    }


@dataclass(frozen=True, slots=True)
class _Fence:
    """Hold an open fence: its marks, how far in it was written, and how far in it was given."""

    marks: str
    margin: int
    indent: int

    def placed(self, line: str) -> str:
        """Move a line of code as the fence was, and in any case no less far in than the fence."""
        spaces = len(line) - len(line.lstrip(" "))
        line = line[min(spaces, self.margin - self.indent) :]
        column = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip(" "))
        return " " * max(0, self.indent - column) + line


class _Label(NamedTuple):
    """Hold the text in brackets, the address in parentheses after it if any, and the length of both."""

    text: str
    target: str | None
    length: int


def _label(window: str) -> _Label | None:
    """Return the label at the start of the window, or None where there is none."""
    found = _LABEL.match(window)
    if found is None:
        return None
    target = None if found["target"] is None else _TARGET.fullmatch(found["target"])
    if target is None:
        return _Label(found["text"], None, found.end("text") + 1)
    return _Label(found["text"], target[1] or target[2] or "", found.end())


def _joins(line: str, text: str) -> bool:
    """Return whether a text may follow directly where something between it and the line was left out."""
    if not line or line[-1].isspace() or text[0].isspace():
        return True
    word = line.split()[-1]
    if (word[-1] in "wW" and text[0] in "wW.") or word[-2:] in ("w.", "W."):
        return False
    return _CALM.fullmatch(word) is not None and text[0] not in "/@&\\" and text != ":"
