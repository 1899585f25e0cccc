"""A model's words, piece by piece, to Markdown with no mark, link, image or HTML but the book's own.

Three things hold whatever a model writes. What was given is never taken back. What is given depends on
the text alone and not on how it was cut into pieces: each construct is decided when no later text can
change it, within `LONGEST_HELD` characters. And what is not understood as a construct is given in a form
in which Markdown sees none either: code counts as code only where every renderer agrees (a fence on lines
of its own, a span on one line), other backticks are escaped, and `](` and `]:` come from here alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from string import punctuation

from ragbot.core.domain import NOT_IN_BOOK

# What is open at the end of a piece is held back until it closes, but no longer than this.
LONGEST_HELD = 1_000
# Enough of a line to tell what stands before the next word on it.
_LINE_KEPT = 200
# A fence may stand this far in and be one still; in a list it belongs to its entry.
_FENCE_INDENT = 3

_MARKS = re.compile(r"\s*\^?\d{1,3}(?:\s*[,;–-]\s*\^?\d{1,3})*\s*")
_NUMBERS = re.compile(r"(\d{1,3})(?:\s*[–-]\s*(\d{1,3}))?")

# Between brackets and parentheses: an address, and a title if there is one.
_TARGET = re.compile(r"[ \t]*(?:<([^<>]*)>|(\S*))(?:[ \t]+(?:\"[^\"]*\"|'[^']*'))?[ \t]*")
_PLAIN_LABEL = re.compile(r"[^\\`<>\[\]!&|@]+|`[^`|\\]+`")

_WEB_ADDRESS = re.compile(r"https?://[^\s<`]+")
_NARROW_ADDRESS = re.compile(r"https?://[^\s<>\"'`)\]]+")
# Programs differ in what they take for a letter of a host: a hyphen in front, signs beyond ASCII (but for
# the punctuation of East Asian writing), and what is escaped.
_HOST_LETTER = r"(?:[\w-]|[^\x00-\x7f\s\u3000-\u303f\uff00-\uffef]|\\[_-])"
_MAIL_ADDRESS = re.compile(rf"([A-Za-z0-9._+-]*)@((?:{_HOST_LETTER}|\.)*)")
# A version (`name@1.2.0`, `7//2.5`) is no host.
_SENDER = re.compile(r"[\w.+-]")
_HOST = re.compile(rf"(?:{_HOST_LETTER}+\.)+{_HOST_LETTER}*?[^\W\d_]")
# (A name in front of the host may hold anything.)
_HOST_BEHIND_SLASHES = re.compile(r"//+(?:[^\s/?#]*@)?(?:[^\s/?#@.]+\.)+[^\s/?#@.]*?[^\W\d_]")
_WORD_END = re.compile(r"[\s<`]")
# What renderers take for the end of a sentence, and what may stand behind an address besides.
_PUNCTUATION = ".,;:!?*_~'\")"
_AROUND_ADDRESSES = f"{_PUNCTUATION}]}}>|"
# In a sentence on addresses: `https://` alone, or with nothing behind it that a host could begin with.
_BARE_SCHEME = re.compile(r"[A-Za-z]+://(?=[.,;:!?*_~'\")\]}>|…]+\Z)")
# Where the word begins that a reader's program may make a link of.
_ADDRESS_START = (
    r"[A-Za-z][A-Za-z0-9+.-]{1,20}://(?=[^\s<])|[Ww]{3}\.|//(?=[^\s<])"
    r"|(?<![A-Za-z0-9_])(?ai:(?:mailto|tel|xmpp|javascript|vbscript):(?=\S)|data:(?=[a-z]+/))"
)
# (An address may begin within the name of a sender: `xwww.a@1/`.)
_NOTABLE = re.compile(
    rf"(?P<address>{_ADDRESS_START})"
    r"|(?P<mail>(?<![A-Za-z0-9._+-])(?:[A-VX-Za-vx-z0-9._+-]|[Ww](?![Ww]{2}\.))*@(?=[^\s<]))"
    rf"|{NOT_IN_BOOK}"
)

# An escaped sign of an address stays with its word, and so does a backslash of which that is not known yet.
_SIGN = re.compile(r"[\\`<\[\]!~](?!(?<=\\)(?:[/:.@]|\Z))")
_WORD = re.compile(r"[!-~]+")
# Signs of an address as they are written so that Markdown takes them for nothing else. Some programs make
# links of what they have decoded.
_CODED = re.compile(
    r"[\\&](?:(?<=\\)(?P<escaped>[/:.@])|(?<=&)(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
)
# Enough for the beginning of an address, with all of its signs in entities.
_LONGEST_CODED = 100
_OF_AN_ADDRESS = re.compile(r"[\w:/.@+-]+")
_TO_LAST_BREAK = re.compile(r"(?s:.*)[^!-~]")
_BACKTICKS = re.compile("`+")
_TAG_END = re.compile(r"[<>\n]")
_LABEL_END = re.compile(r"[\[\]\n]")
_TARGET_STEP = re.compile(r"[()\n]")

_MARGIN = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*")
# (Not after the marks of a list, a quotation or a task alone: there it would define a link.)
_LABEL_IN_A_SENTENCE = re.compile(r"[^\s>*+\-\d.)\[\]xX].*(?<!\\)\[[^\[\]\\]*\]$")
_NO_TAG_OF_A_BOOK = re.compile(r"[`|\n]|^<https?:")
_CALM = re.compile(r"[\w*,.;)('\"\[\]-]*")
_LIVELY_IN_A_CELL = re.compile(r"[<\[@]|//|www\.", re.IGNORECASE)
# NUL and its kin have no meaning in an answer, and some renderers drop them between two characters.
_CONTROLS = {code: None for code in [*range(0x20), 0x7F] if chr(code) not in "\t\n"}

# A step takes this much of the text: nothing before more has come.
_WAIT = 0


class MarkdownSanitizer:
    """Takes pieces and gives back as much as is safe to show; what it gave is never taken back.

    `number_of` gives the number under which a reader finds the passage that a mark points to, or None where
    there is none. `own_text` is the text of the passages
    and `own_urls` their addresses: a link that stands there is the book's. Code is left as it stands,
    since it is shown and not followed.
    """

    def __init__(
        self, *, number_of: Callable[[int], int | None], own_text: str, own_urls: Iterable[str]
    ) -> None:
        self._number_of = number_of
        self._own_text = own_text
        self._own_urls = frozenset(own_urls)
        self._held = ""
        # So much of what comes next is known to hold no coded address.
        self._decoded = 0
        self._ended_in_return = False
        self._fence: _Fence | None = None
        self._given: list[str] = []
        self._line = ""
        self._gap = False
        self._cell_in_code = False

    def feed(self, piece: str) -> str:
        """The text that is safe to show now; may be empty."""
        self._held += self._with_plain_line_ends(piece).translate(_CONTROLS)
        return self._drained(final=False)

    def flush(self) -> str:
        """What is left, at the end of the answer."""
        rest = self._drained(final=True)
        if self._fence is None:
            return rest
        closing = f"{'' if not self._line else chr(10)}{' ' * self._fence.indent}{self._fence.marks}"
        self._fence = None
        return rest + closing

    def _with_plain_line_ends(self, piece: str) -> str:
        if self._ended_in_return and piece.startswith("\n"):
            piece, self._ended_in_return = piece[1:], False
        if piece:
            self._ended_in_return = piece.endswith("\r")
        return piece.replace("\r\n", "\n").replace("\r", "\n")

    def _drained(self, *, final: bool) -> str:
        at = 0
        while at < len(self._held):
            if self._fence is not None:
                taken = self._code_line(self._fence, at, final)
            else:
                window = self._held[at : at + LONGEST_HELD]
                taken, again = self._step(window, final or len(window) == LONGEST_HELD)
                if again:
                    self._held, at, taken = again + self._held[at + taken :], 0, _WAIT
                    self._decoded = 0
                    continue
            if taken == _WAIT:
                break
            at += taken
            self._decoded = max(0, self._decoded - taken)
        self._held = self._held[at:]
        given = "".join(self._given)
        self._given.clear()
        return given

    def _step(self, window: str, whole: bool) -> tuple[int, str]:
        """How much of the window is dealt with, and a text to go on with in its place."""
        match window[0]:
            case "[":
                return self._bracket(window, whole)
            case "]":
                self._say("]")
                return 1, ""
            case "`":
                return self._backticks(window, whole), ""
            case "~":
                return self._tildes(window, whole), ""
            case "<":
                return self._less_than(window, whole), ""
            case "!":
                return self._exclamation(window, whole), ""
            case "\\" if _SIGN.match(window) or len(window) == 1:
                return self._backslash(window, whole), ""
        return self._words(window, whole)

    # --- giving -------------------------------------------------------------------------------

    def _say(self, text: str, *, alone: bool = False) -> None:
        """Give a text that may mean something beside what was given before it; an address stands alone."""
        if self._gap and not _joins(self._line, "@" if alone else text):
            text = f" {text}"
        elif self._line.endswith("]") and (
            text.startswith("(") or (text.startswith(":") and not _LABEL_IN_A_SENTENCE.search(self._line))
        ):
            # A target, or the definition of one.
            text = f"\\{text}"
        self._gap = False
        self._give(text)

    def _give(self, text: str) -> None:
        self._given.append(text)
        if "\n" in text:
            self._cell_in_code = False
        self._line = (self._line + text).rpartition("\n")[2][-_LINE_KEPT:]

    # --- words and addresses ------------------------------------------------------------------

    def _words(self, window: str, whole: bool) -> tuple[int, str]:
        """Words up to the next sign. The last one waits for its end: it may become an address."""
        sign = _SIGN.search(window)
        text = window[: sign.start()] if sign else window
        endless = False
        if len(text) == len(window) and (not whole or len(window) == LONGEST_HELD):
            complete = _TO_LAST_BREAK.match(text)
            if complete:
                text = complete.group()
            elif not whole:
                return _WAIT, ""
            else:
                endless = True
        following = window[len(text) : len(text) + 1]
        if self._decoded < len(text) and _CODED.search(text, self._decoded):
            plain = _with_plain_addresses(text, self._decoded, following)
            if plain != text:
                return len(text), plain
        self._decoded = len(text) - _LONGEST_CODED * endless
        notable = _NOTABLE.search(text + following)
        if notable is None:
            self._say(text)
            # A word of a thousand letters is none; what follows may not become a part of it.
            self._gap = endless
            return len(text), ""
        if notable.start():
            self._say(text[: notable.start()])
            return notable.start(), ""
        if notable["address"]:
            return self._address(window, whole), ""
        if notable["mail"]:
            return self._mail(window, whole), ""
        self._gap = True
        return notable.end(), ""

    def _address(self, window: str, whole: bool) -> int:
        found = _WORD_END.search(window)
        if found is None and not whole:
            return _WAIT
        word = window[: found.start()] if found else window
        if word.startswith("//") and not _HOST_BEHIND_SLASHES.match(word):
            slashes = len(word) - len(word.lstrip("/"))
            self._say("/" * slashes)
            return slashes
        scheme = _BARE_SCHEME.match(word)
        if scheme and len(word) < LONGEST_HELD and not window.startswith("`", len(word)):
            self._say(scheme.group())
            return scheme.end()
        address = word.rstrip(_AROUND_ADDRESSES)
        end = len(address)
        if self._owns(address):
            end = len(word) - len(word[end:].lstrip(_PUNCTUATION))
            self._say(word[:end], alone=True)
        self._gap = True
        return end

    def _mail(self, window: str, whole: bool) -> int:
        match = _MAIL_ADDRESS.match(window)
        assert match is not None, "what is notable has an @"
        if match.end() == len(window) and not whole:
            return _WAIT
        address = match.group().rstrip(".-_")
        if address in self._own_mail:
            self._say(address, alone=True)
            return len(address)
        if _HOST.match(match[2]) and _SENDER.match(match[1][-1:] or self._line[-1:]):
            self._gap = True
            return len(address)
        # A decorator, a version, a name on this machine.
        self._say(f"{match[1]}@")
        return len(match[1]) + 1

    def _owns(self, target: str) -> bool:
        return target in self._own_urls or target in self._book_urls

    @cached_property
    def _book_urls(self) -> frozenset[str]:
        """Addresses in the book's text, and the pages that its own addresses lead to."""
        wide = (word.rstrip(_AROUND_ADDRESSES) for word in _WEB_ADDRESS.findall(self._own_text))
        narrow = (word.rstrip(_AROUND_ADDRESSES) for word in _NARROW_ADDRESS.findall(self._own_text))
        pages = (url.partition("#")[0] for url in self._own_urls)
        return frozenset([*wide, *narrow, *pages]) - {""}

    @cached_property
    def _own_mail(self) -> frozenset[str]:
        return frozenset(match.group().rstrip(".-_") for match in _MAIL_ADDRESS.finditer(self._own_text))

    # --- marks, links and images --------------------------------------------------------------

    def _bracket(self, window: str, whole: bool) -> tuple[int, str]:
        label = _label(window, whole)
        if label is _UNDECIDED:
            return _WAIT, ""
        if label is not None and _MARKS.fullmatch(label.text):
            self._mark(label.text)
            return label.length, ""
        if label is None or label.target is None:
            self._say("[")
            return 1, ""
        if self._owns(label.target) and _PLAIN_LABEL.fullmatch(label.text):
            self._say(f"[{label.text}](<{label.target}>)")
            return label.length, ""
        # What a link says is the answer's, where it leads is not.
        self._gap = True
        return label.length, label.text

    def _mark(self, text: str) -> None:
        numbers: list[int] = []
        for first, last in _NUMBERS.findall(text):
            numbers.extend(range(int(first), int(last or first) + 1))
        shown = (self._number_of(number) for number in dict.fromkeys(numbers))
        valid = [number for number in shown if number is not None]
        if valid:
            self._say("".join(f"[{n}]" for n in valid))
        else:
            self._gap = True

    def _exclamation(self, window: str, whole: bool) -> int:
        if len(window) == 1 and not whole:
            return _WAIT
        if window[1:2] == "[":
            image = _label(window[1:], whole)
            if image is _UNDECIDED:
                return _WAIT
            if image is not None and image.target is not None and not _MARKS.fullmatch(image.text):
                self._gap = True
                return 1 + image.length
        self._say("!")
        return 1

    # --- HTML ---------------------------------------------------------------------------------

    def _less_than(self, window: str, whole: bool) -> int:
        count = len(window) - len(window.lstrip("<"))
        following = window[count : count + 1]
        if not following:
            if whole:
                self._say("&lt;" * count)
            return count if whole else _WAIT
        if following in " \n\t=-" or following.isdigit():
            self._say(window[:count])
            return count
        if count > 1:
            self._say("&lt;" * (count - 1))
            return count - 1
        return self._tag(window, whole)

    def _tag(self, window: str, whole: bool) -> int:
        if window.startswith("<!--"):
            end = window.find("-->", 2)
            length = end + 3 if end >= 0 else None
        elif "<!--".startswith(window) or window == "</":
            length = None
        elif not re.match(r"</?[A-Za-z!?]", window):
            length = -1
        else:
            found = _TAG_END.search(window, 1)
            length = None if found is None else found.end() if found.group() == ">" else -1
        if length is None and not whole:
            return _WAIT
        if length is None or length < 0:
            self._say("&lt;")
            return 1
        self._show_tag(window[:length])
        return length

    def _show_tag(self, tag: str) -> None:
        """A tag that the book itself shows (it may be a book about tags) is shown as code, never as a tag."""
        inside = tag[1:-1]
        if self._owns(inside) and _WEB_ADDRESS.fullmatch(inside):
            self._gap = True
            self._say(inside, alone=True)
        elif tag in self._own_text and self._may_be_code(tag) and not _NO_TAG_OF_A_BOOK.search(tag):
            self._gap = True
            self._say(f"`{tag}`")
        self._gap = True

    # --- code ---------------------------------------------------------------------------------

    def _backticks(self, window: str, whole: bool) -> int:
        count = len(window) - len(window.lstrip("`"))
        line = window.partition("\n")[0]
        unfinished = len(line) == len(window) and not whole
        closing = next((m for m in _BACKTICKS.finditer(line, count) if len(m.group()) == count), None)
        if unfinished and (closing is None or closing.end() == len(line)):
            return _WAIT
        if "`" not in line[count:] and self._opens_fence(count):
            return self._begin_fence(window, line, count)
        if closing is not None:
            inside = line[count : closing.start()]
            self._cell_in_code = self._cell_in_code or "|" in inside
            if self._may_be_code(inside):
                self._say(line[: closing.end()])
                return closing.end()
        self._say("\\`" * count)
        return count

    def _may_be_code(self, inside: str) -> bool:
        """Whether it is code for every renderer, and harmless where it is not.

        In a row of a table a bar ends the cell, in code too, and what follows on the line is no more what
        it seems.
        """
        return not (self._cell_in_code and _LIVELY_IN_A_CELL.search(inside))

    def _tildes(self, window: str, whole: bool) -> int:
        count = len(window) - len(window.lstrip("~"))
        if count == len(window) and not whole:
            return _WAIT
        if self._opens_fence(count):
            line = window.partition("\n")[0]
            unfinished = len(line) == len(window) and not whole
            return _WAIT if unfinished else self._begin_fence(window, line, count)
        self._say("~" * count if count < 3 else "\\~" * count)
        return count

    def _opens_fence(self, count: int) -> bool:
        return count >= 3 and _MARGIN.fullmatch(self._line) is not None

    def _begin_fence(self, window: str, line: str, count: int) -> int:
        marks = line[:count]
        if len(line) == LONGEST_HELD or "|" in line:
            # (With a bar in it, the line may be the head of a table.)
            self._say("".join(f"\\{mark}" for mark in marks))
            return count
        margin = len(self._line.expandtabs(4))
        indent = min(margin, _FENCE_INDENT)
        if self._line != " " * indent:
            # Behind a list's mark, or so far in that not every renderer sees a fence.
            self._give("\n" + " " * indent)
        self._gap = False
        self._fence = _Fence(marks, margin, indent)
        ended = len(line) < len(window)
        self._give(f"{line}\n" if ended else line)
        return len(line) + ended

    def _code_line(self, fence: _Fence, at: int, final: bool) -> int:
        """Code between fences passes line by line, so far in that each renderer sees it inside."""
        end = self._held.find("\n", at)
        if end < 0 and not final:
            return _WAIT
        line = self._held[at:] if end < 0 else self._held[at : end + 1]
        bare = line.strip(" \t\n")
        if set(bare) == {fence.marks[0]} and len(bare) >= len(fence.marks):
            self._fence = None
            self._give(" " * fence.indent + bare + line[len(line.rstrip("\n")) :])
        elif not bare:
            self._give(line)
        else:
            self._give(fence.placed(line))
        return len(line)

    def _backslash(self, window: str, whole: bool) -> int:
        if len(window) == 1 and not whole:
            return _WAIT
        escaped = window[1:2]
        if not escaped or escaped not in punctuation:
            self._say("\\")
            return 1
        self._say("&lt;" if escaped == "<" else window[:2])
        return 2


@dataclass(frozen=True, slots=True)
class _Fence:
    """An open fence: its marks, how far in it was written, and how far in it was given."""

    marks: str
    margin: int
    indent: int

    def placed(self, line: str) -> str:
        """A line of code moved as the fence was, and in any case no less far in than the fence."""
        spaces = len(line) - len(line.lstrip(" "))
        line = line[min(spaces, self.margin - self.indent) :]
        column = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip(" "))
        return " " * max(0, self.indent - column) + line


@dataclass(frozen=True, slots=True)
class _Label:
    """What stands in brackets, the address in parentheses behind it if there is one, the length of both."""

    text: str
    target: str | None
    length: int


_UNDECIDED = _Label("", None, 0)


def _label(window: str, whole: bool) -> _Label | None:
    """The label at the start of the window; None where there is none, `_UNDECIDED` before it can be told."""
    closing = _LABEL_END.search(window, 1)
    if closing is None:
        return None if whole else _UNDECIDED
    if closing.group() != "]":
        return None
    bare = _Label(window[1 : closing.start()], None, closing.end())
    if bare.length == len(window):
        return bare if whole else _UNDECIDED
    if window[bare.length] != "(":
        return bare
    depth = 0
    for sign in _TARGET_STEP.finditer(window, bare.length):
        depth += {"(": 1, ")": -1}.get(sign.group(), 9)
        if depth > 2:
            return bare
        if depth == 0:
            target = _TARGET.fullmatch(window, bare.length + 1, sign.start())
            return _Label(bare.text, target[1] or target[2] or "", sign.end()) if target else bare
    return bare if whole else _UNDECIDED


def _with_plain_addresses(text: str, start: int, following: str) -> str:
    """The text with those words from `start` on decoded that are addresses then."""

    def plain(word: re.Match[str]) -> str:
        decoded = _CODED.sub(_sign_of_an_address, word.group())
        if decoded == word.group():
            return decoded
        end = start + word.end()
        notable = _NOTABLE.search(decoded + (text[end : end + 1] or following))
        return decoded if notable and (notable["address"] or notable["mail"]) else word.group()

    return text[:start] + _WORD.sub(plain, text[start:])


def _sign_of_an_address(coded: re.Match[str]) -> str:
    """What is meant, where it is a sign of addresses and none of Markdown's."""
    meant = coded["escaped"] or unescape(coded.group())
    return meant if _OF_AN_ADDRESS.fullmatch(meant) else coded.group()


def _joins(line: str, text: str) -> bool:
    """Whether a text may follow directly where something between it and the line was left out."""
    if not line or line[-1].isspace() or text[0].isspace():
        return True
    word = line.split()[-1]
    if (word[-1] in "wW" and text[0] in "wW.") or word[-2:] in ("w.", "W."):
        return False
    return _CALM.fullmatch(word) is not None and text[0] not in "/@&\\" and text != ":"
