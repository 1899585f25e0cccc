"""Parse literals of JavaScript: texts, lists and objects of texts, and elements of JSX. Nothing is run."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Deeper values are not read.
MAX_DEPTH = 30

# Each that is not closed is read to the end of the page.
MAX_UNCLOSED = 20

# A list or an object that a module exports.
EXPORTED = re.compile(
    r"export[ \t]+(?:const|let|var)[ \t]+(?P<name>\w+)[ \t]*(?::[^=\n]*)?=(?!>)\s*(?=[\[{])"
)

_BLANK = re.compile(r"(?:\s+|//[^\n]*|/\*(?:(?!\*/).)*+(?:\*/)?)*+", re.DOTALL)
_STRING = re.compile(r"'(?P<single>(?:[^'\\\n]|\\.)*+)'|\"(?P<double>(?:[^\"\\\n]|\\.)*+)\"", re.DOTALL)
_TEMPLATE = re.compile(r"`(?P<text>(?:[^`\\$]|\\.|\$(?!\{))*+)`", re.DOTALL)
_KEY = re.compile(r"(?:(?P<name>[A-Za-z_$][\w$]*)|'(?P<single>[^'\n]*)'|\"(?P<double>[^\"\n]*)\")\s*:")
_ESCAPE = re.compile(
    r"\\(?:u\{(?P<long>[0-9A-Fa-f]{1,6})\}|u(?P<code>[0-9A-Fa-f]{4})|(?P<sign>.))", re.DOTALL
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "", "b": "", "f": "", "v": "", "0": "", "\n": ""}
# What ends a value, or holds signs that do not.
_SKIPPED = re.compile(
    r"'(?:[^'\\\n]|\\.)*+'|\"(?:[^\"\\\n]|\\.)*+\"|`(?:[^`\\]|\\.)*+`|//[^\n]*|/\*(?:(?!\*/).)*+\*/|[\[\](){},;]",
    re.DOTALL,
)
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_TAG_SIGN = re.compile(r"['\"{>]|/>")


@dataclass(frozen=True, slots=True)
class ScriptText:
    """Hold a text with its offsets in the script; that of an element of JSX is its source."""

    text: str
    start: int
    end: int
    is_jsx: bool = False


# None stands for all that is no literal.
ScriptValue = ScriptText | list["ScriptValue"] | dict[str, "ScriptValue"] | None


@dataclass(frozen=True, slots=True)
class ScriptLiteral:
    """Hold a value with the offset behind it; `is_whole` is false if it is not closed."""

    value: ScriptValue
    end: int
    is_whole: bool


def parse_script_value(script: str, start: int) -> ScriptLiteral:
    """Parse the value that begins at an offset."""
    reader = _Reader(script, start)
    try:
        value = reader.value(0)
    except _Unclosed:
        return ScriptLiteral(None, len(script), is_whole=False)
    return ScriptLiteral(value, reader.position, is_whole=True)


class _Unclosed(Exception):
    """Report a value that does not end, or that is nested too deeply."""


class _Reader:
    def __init__(self, script: str, position: int) -> None:
        self.script, self.position = script, position

    def value(self, depth: int) -> ScriptValue:
        """Read a value up to the comma, bracket or line end behind it."""
        if depth > MAX_DEPTH:
            raise _Unclosed
        self._blanks()
        start = self.position
        value = self._term(depth)
        while isinstance(value, ScriptText) and self._next("+"):
            value = self._joined(value, start, depth)
        if value is None or not self._is_over():
            self._skip()
            return None
        return value

    def _joined(self, before: ScriptText, start: int, depth: int) -> ScriptValue:
        self._blanks()
        after = self._term(depth)
        if not isinstance(after, ScriptText):
            return None
        return ScriptText(before.text + after.text, start, self.position, before.is_jsx or after.is_jsx)

    def _term(self, depth: int) -> ScriptValue:
        sign = self.script[self.position : self.position + 1]
        if sign == "{":
            return self._object(depth)
        if sign == "[":
            return self._list(depth)
        if sign == "(":
            return self._parenthesised(depth)
        if sign == "<":
            return self._element()
        match = (_TEMPLATE if sign == "`" else _STRING).match(self.script, self.position)
        if match is None:
            return None
        self.position = match.end()
        return ScriptText(unescaped(match[match.lastgroup or 0]), match.start(), match.end())

    def _object(self, depth: int) -> ScriptValue:
        self.position += 1
        found: dict[str, ScriptValue] = {}
        while not self._next("}"):
            key = _KEY.match(self.script, self.position)
            if key is None:
                self._skip()
            else:
                self.position = key.end()
                found[key["name"] or key["single"] or key["double"] or ""] = self.value(depth + 1)
            self._comma("}")
        return found

    def _list(self, depth: int) -> ScriptValue:
        self.position += 1
        found: list[ScriptValue] = []
        while not self._next("]"):
            found.append(self.value(depth + 1))
            self._comma("]")
        return found

    def _parenthesised(self, depth: int) -> ScriptValue:
        self.position += 1
        value = self.value(depth + 1)
        if not self._next(")"):
            raise _Unclosed
        return value

    def _element(self) -> ScriptText:
        """Read an element of JSX with what it holds."""
        start, depth = self.position, 0
        while True:
            closes = self.script.startswith("</", self.position)
            depth += self._tag(closes=closes)
            if depth == 0:
                return ScriptText(self.script[start : self.position], start, self.position, is_jsx=True)
            while (sign := self.script[self.position : self.position + 1]) != "<":
                if not sign:
                    raise _Unclosed
                if sign == "{":
                    self._braces()
                else:
                    self.position += 1

    def _tag(self, *, closes: bool) -> int:
        """Read a tag. Return how much deeper its content lies."""
        while (match := _TAG_SIGN.search(self.script, self.position)) is not None:
            self.position = match.start()
            if match.group() in (">", "/>"):
                self.position = match.end()
                return -1 if closes else int(match.group() == ">")
            if match.group() == "{":
                self._braces()
            else:
                closing = self.script.find(match.group(), match.end())
                self.position = closing + 1 if closing > 0 else len(self.script)
        raise _Unclosed

    def _braces(self) -> None:
        self.position += 1
        while not self._next("}"):
            self._skip()
            self._comma("}")

    def _skip(self) -> None:
        """Go on to the comma, semicolon or closing bracket behind a value."""
        opened: list[str] = []
        while (match := _SKIPPED.search(self.script, self.position)) is not None:
            sign = match.group()
            if not opened and sign in (",", ";", "}", "]", ")"):
                self.position = match.start()
                return
            self.position = match.end()
            if sign in _CLOSING:
                opened.append(_CLOSING[sign])
            elif opened and sign == opened[-1]:
                opened.pop()
            elif sign in ("}", "]", ")"):
                raise _Unclosed
        raise _Unclosed

    def _comma(self, closing: str) -> None:
        self._blanks()
        sign = self.script[self.position : self.position + 1]
        if sign in (",", ";"):
            self.position += 1
        elif sign != closing:
            raise _Unclosed

    def _is_over(self) -> bool:
        """Return whether nothing more belongs to the value: a method's call or an operator, for example."""
        at_line_end = self.script[self.position : self.position + 1] in ("", "\n", "\r")
        self._blanks()
        sign = self.script[self.position : self.position + 1]
        return sign in (",", ";", "}", "]", ")", "") or (at_line_end and sign not in (".", "?", "[", "("))

    def _next(self, sign: str) -> bool:
        self._blanks()
        if not self.script.startswith(sign, self.position):
            return False
        self.position += len(sign)
        return True

    def _blanks(self) -> None:
        match = _BLANK.match(self.script, self.position)
        self.position = match.end() if match else self.position


def unescaped(text: str) -> str:
    """Return what the inside of a string of JavaScript means."""
    return _ESCAPE.sub(_sign, text) if "\\" in text else text


def _sign(escape: re.Match[str]) -> str:
    if code := escape["long"] or escape["code"]:
        return chr(number) if (number := int(code, 16)) < 0xD800 or 0xE000 <= number < 0x110000 else ""
    return _ESCAPED.get(escape["sign"], escape["sign"])
