"""Blank the parts of Markdown that are not prose: comments, tags, imports, expressions."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from ragbot.books.markup.script_values import EXPORTED, MAX_UNCLOSED, parse_script_value
from ragbot.core.domain import Dialect

# Code spans and tags that run on for longer are taken as text, so that hostile input stays linear.
MAX_SPAN = 4_000
MAX_FAILURES = 300


@dataclass(frozen=True, slots=True)
class MaskedText:
    """Hold a page's text with blanks in place of everything but prose and line ends.

    `text` is as long as the source. `hidden` are the blanked (start, end) ranges, in order, without overlap.
    """

    text: str
    hidden: tuple[tuple[int, int], ...] = field(default=())

    def visible(self, start: int, end: int, shown: Callable[[int, int], str] = lambda _, __: "") -> str:
        """Return the text from start to end, each hidden range replaced by the result of `shown`."""
        pieces, position = [], start
        first = max(bisect_right(self.hidden, (start, -1)) - 1, 0)
        for begin, stop in self.hidden[first:]:
            if begin >= end:
                break
            if stop > position:
                pieces += [self.text[position : max(position, begin)], shown(begin, stop)]
                position = stop
        pieces.append(self.text[position:end] if position < end else "")
        return "".join(pieces)


_ESM = re.compile(
    r"^(?:import[ \t]+(?:[\w*{$][^\n]*?[ \t}]from[ \t]*)?['\"]"
    r"|import(?:[ \t]+[\w$]+[ \t]*,?)?[ \t]*\{[^{}'\"\r\n]*(?=[\r\n]|\Z)"
    r"|export[ \t]+(?:default\b|(?:const|let|var|function|class|async)[ \t]|[{*]))",
    re.MULTILINE,
)
_NOTE = re.compile(r"^ {0,3}\[\^[^\]\s]{1,60}\]:(?=[ \t]*(?:[\r\n]|\Z))", re.MULTILINE)
# The text of a note may begin on the next line, or after blank lines if it is indented.
_NOTE_TEXT = re.compile(r"[ \t]*(?:\r\n?|\n)[ \t]*[^\s]|\s*[\r\n](?: {4}|\t)[ \t]*[^\s]")
_LINE_END = re.compile(r"[\r\n]")
_BLANK_LINE = re.compile(r"(?:\r\n?|\n)[ \t]*(?=\r|\n|\Z)")
_DIRECTIVE = re.compile(r"^[ \t>]*(:{3,}[ \t]*(?:[A-Za-z][\w-]*)?)(\[)?", re.MULTILINE)
_REFERENCE = re.compile(
    r"^ {0,3}\[(?!\^)[^\]\n]{1,300}\]:[ \t]*\S+[ \t]*(?:\"[^\"\n]*\"|'[^'\n]*'|\([^)\n]*\))?"
    r"[ \t]*(?=[\r\n]|\Z)",
    re.MULTILINE,
)
# (Each alternative begins with a plain character: the search looks for these alone, and is fast.)
_SIGN = re.compile(r"\\[!-/:-@\[-`{-~]|``*|<|\{|\}|\$\$?")
_TAG_NAME = re.compile(r"<(?:/[ \t]*)?(?:(?P<name>[A-Za-z][\w.-]*(?::[A-Za-z][\w-]*)?)(?=[\s/>]))?")
_RAW = re.compile(r"<(script|style)\b", re.IGNORECASE)


def mask_markup(source: str, dialect: Dialect, *, code: list[tuple[int, int]], start: int = 0) -> MaskedText:
    """Blank everything but prose and code.

    `code` are the ranges of code blocks, in order; `start` is the offset after the front matter.
    """
    if dialect is Dialect.CONVERTED:
        return MaskedText(source)
    hidden: list[tuple[int, int]] = [(0, start)] if start else []
    position = start
    for begin, end in [*code, (len(source), len(source))]:
        if begin > position:
            hidden += _Scan(source, position, begin, dialect).hidden()
        position = max(position, end)
    text = _blanked(source, hidden)
    if notes := [note for note in _empty_notes(text) if not any(a <= note[0] < b for a, b in code)]:
        hidden = _disjoint([*hidden, *notes])
        text = _blanked(source, hidden)
    return MaskedText(text, tuple(hidden))


def _empty_notes(text: str) -> list[tuple[int, int]]:
    """Return the marks of footnotes (`[^1]:`) of which no text is left."""
    if "[^" not in text:
        return []
    return [note.span() for note in _NOTE.finditer(text) if not _NOTE_TEXT.match(text, note.end())]


def _blanked(source: str, hidden: list[tuple[int, int]]) -> str:
    pieces, position = [], 0
    for begin, end in hidden:
        pieces.append(source[position:begin])
        pieces.append(re.sub(r"[^\r\n]", " ", source[begin:end]))
        position = end
    pieces.append(source[position:])
    return "".join(pieces)


class _Scan:
    """Find the hidden ranges in text between code blocks.

    Every search is bounded, so that no input makes it slow.
    """

    def __init__(self, source: str, start: int, end: int, dialect: Dialect) -> None:
        self.source, self.start, self.end = source, start, end
        self.mdx = dialect is Dialect.MDX
        self.failures = self.unclosed = 0
        self.spans: list[tuple[int, int]] = []
        self.closers = self._closers() if self.mdx else {}

    def hidden(self) -> list[tuple[int, int]]:
        """Return the hidden ranges, in order and without overlap."""
        if self.mdx:
            self._find_modules()
        for sign, pattern in ((":::", _DIRECTIVE), ("]:", _REFERENCE)):
            if self.source.find(sign, self.start, self.end) >= 0:
                self._find_lines(pattern)
        self._find_inline()
        return _disjoint(self.spans)

    def _find_modules(self) -> None:
        position = self.start
        while (match := _ESM.search(self.source, position, self.end)) is not None:
            position = self._module_end(match.start())
            self.spans.append((match.start(), position))

    def _module_end(self, start: int) -> int:
        """Return the end of an import or export.

        That is the end of its literal, or the first blank line outside of its brackets.
        """
        literal = EXPORTED.match(self.source, start, self.end)
        if literal is not None and self.unclosed < MAX_UNCLOSED:
            found = parse_script_value(self.source, literal.end())
            if found.is_whole and found.end <= self.end:
                return self._line_end(found.end)
            self.unclosed += 1
        for blank in _BLANK_LINE.finditer(self.source, start, min(self.end, start + 20 * MAX_SPAN)):
            text = self.source[start : blank.start()]
            if sum(map(text.count, "{[(")) <= sum(map(text.count, "}])")):
                return blank.start()
        first = _BLANK_LINE.search(self.source, start, self.end)
        return first.start() if first else self.end

    def _line_end(self, position: int) -> int:
        match = _LINE_END.search(self.source, position, self.end)
        return match.start() if match else self.end

    def _find_lines(self, pattern: re.Pattern[str]) -> None:
        for match in pattern.finditer(self.source, self.start, self.end):
            group = 1 if pattern is _DIRECTIVE else 0
            self.spans.append((match.start(group), match.end(group)))

    def _find_inline(self) -> None:
        position = self.start
        while (match := _SIGN.search(self.source, position, self.end)) is not None:
            sign = match.group()
            if sign[0] == "`":
                position = self._code_end(match)
            elif sign[0] == "$":
                position = self._math_end(match)
            elif sign in "<{" and (end := self._hidden_end(match.start(), sign)) is not None:
                self.spans.append((match.start(), end))
                position = end
            else:
                position = match.end()

    def _code_end(self, match: re.Match[str]) -> int:
        ticks, limit = match.group(), min(self.end, match.end() + MAX_SPAN)
        if self.failures > MAX_FAILURES:
            return match.end()
        position = match.end()
        while (found := self.source.find(ticks, position, limit)) >= 0:
            after = found + len(ticks)
            if self.source[found - 1] != "`" and self.source[after : after + 1] != "`":
                return match.end() if _BLANK_LINE.search(self.source, match.end(), found) else after
            position = after
        self.failures += 1
        return match.end()

    def _math_end(self, match: re.Match[str]) -> int:
        """Return the end of a formula: mathematics is prose, and its braces are no expressions."""
        sign, begin = match.group(), match.end()
        limit = min(self.end, begin + MAX_SPAN)
        found = self.source.find(sign, begin, limit) if self.mdx and self.failures <= MAX_FAILURES else -1
        if found < 0:
            self.failures += self.mdx
            return begin
        inside = self.source[begin:found]
        if sign == "$" and ("\n" in inside or inside[:1].isspace() or inside[-1:].isspace()):
            return begin
        return found + len(sign)

    def _hidden_end(self, start: int, sign: str) -> int | None:
        if sign == "{":
            return self._expression_end(start) if self.mdx else None
        if self.source.startswith("<!--", start):
            end = self.source.find("-->", start + 4, self.end)
            return self.end if end < 0 else end + 3
        if (raw := _RAW.match(self.source, start, self.end)) is not None:
            close = re.compile(rf"</{raw[1]}\s*>", re.IGNORECASE).search(self.source, start, self.end)
            return close.end() if close else self.end
        return self._tag_end(start)

    def _expression_end(self, start: int) -> int | None:
        # `{#name}` at the end of a heading is its id, not an expression.
        if self.source.startswith("{#", start):
            return None
        return self.closers.get(start)

    def _tag_end(self, start: int) -> int | None:
        name = _TAG_NAME.match(self.source, start, self.end)
        if name is None or (name["name"] is None and not self._is_fragment(start)):
            return None
        if self.failures > MAX_FAILURES:
            return None
        end = self._attributes_end(name.end())
        self.failures += end is None
        return end

    def _is_fragment(self, start: int) -> bool:
        return self.mdx and self.source.startswith(("<>", "</>"), start)

    def _attributes_end(self, position: int) -> int | None:
        limit = min(self.end, position + MAX_SPAN)
        while position < limit:
            character = self.source[position]
            if character == ">":
                return position + 1
            if character == "<":
                return None
            if character in "\"'":
                position = self.source.find(character, position + 1, limit)
                if position < 0:
                    return None
            elif character == "{" and self.mdx:
                closed = self.closers.get(position)
                if closed is None:
                    return None
                # Lists in attributes may be long.
                limit = min(self.end, limit + closed - position)
                position = closed - 1
            position += 1
        return None

    def _closers(self) -> dict[int, int]:
        """Map each opening brace to the end of its expression, without escaped braces and code spans."""
        opened: list[int] = []
        closers: dict[int, int] = {}
        position = self.start
        while (match := _SIGN.search(self.source, position, self.end)) is not None:
            position = match.end()
            if match.group() == "{":
                opened.append(match.start())
            elif match.group() == "}" and opened:
                closers[opened.pop()] = match.end()
            elif match.group()[0] == "`" and not opened:
                position = self._code_end(match)
        self.failures = 0
        return closers


def _disjoint(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > begin:
            merged.append((begin, end))
    return merged
