"""Turn the questions and answers that an MDX page keeps in JavaScript into sections."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import dedent

from ragbot.books.markup.blocks import ParsedPage, parse_page
from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.script_code import with_script_code
from ragbot.books.markup.script_values import (
    EXPORTED,
    MAX_UNCLOSED,
    ScriptText,
    ScriptValue,
    parse_script_value,
)
from ragbot.core.domain import Dialect

# Marks a heading that the site gives no anchor that is known.
NO_ANCHOR = "{#}"

_TITLES = ("title", "question", "q", "heading", "header", "summary", "name", "label")
_BODIES = ("content", "answer", "a", "text", "body", "children", "description", "details")

# A text of fewer words is a name, or a class of a style sheet. A page with fewer in all is complete.
_LEAST_WORDS = 5
_TOLD_WORDS = 50

_SHOWN = re.compile(r"\{\s*(?P<path>\w+(?:\.\w+|\[['\"][\w-]+['\"]\])*)\s*(?=\}|\.(?:map|slice|filter)\b)")
_INLINE = re.compile(r"=\{\s*(?=\[)")
_STEP = re.compile(r"\w[\w-]*")
_INNER_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+(?P<words>[^\n]*)$", re.MULTILINE)
_CODE = re.compile(
    r"(?P<fence>^[ \t]*(`{3,}|~{3,})(?s:.*?)(?:^[ \t]*\2|\Z))|(`+)(?!`)[^`]*\3(?!`)", re.MULTILINE
)
_SIGN = re.compile(r"[{}]|<(?![A-Za-z/])")

# Texts of a script: quoted ones, and those between the tags of elements.
_QUOTED = re.compile(
    r"(?:(?<![\w-])(?P<key>[\w-]++)['\"]?\s*+[:=]\s*\{?\s*)?"
    r"(?:'(?P<single>(?:[^'\\\n]|\\.)*+)'|\"(?P<double>(?:[^\"\\]|\\.)*+)\"|`(?P<template>(?:[^`\\]|\\.)*+)`)"
    r"|>(?P<element>[^<>{}=;]+)<"
)
_UNSEEN_KEYS = frozenset(
    "class className style d points viewBox src href to url id srcSet alt transform".split()
)
_ANY_EXPORT = re.compile(r"^export[ \t]", re.MULTILINE)
_ATTRIBUTE = re.compile(r"=\{?[ \t]*(?:'[^'\n]*'|\"[^\"]*\"|`[^`]*`)")
_CLOSING_MARKS = " \t\r#"
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class ScriptProse:
    """Hold a page with the sections of its scripts, and the number of words that stand there unread."""

    text: str
    unread_words: int = 0


@dataclass(slots=True)
class _Found:
    """Collect the ranges of the page in whose place entries are shown, and those that are read by it."""

    shown: dict[tuple[int, int], list[tuple[ScriptText, ScriptText]]] = field(default_factory=dict)
    read: set[tuple[int, int]] = field(default_factory=set)
    walked: set[int] = field(default_factory=set)


def with_script_prose(source: str) -> ScriptProse:
    """Put the entries of exported lists, and of lists in attributes, in the place of what shows them.

    Code that a component is given as a text is fenced.

    An entry is an object with a title and a text; its heading ends in `NO_ANCHOR`. Entries that no component
    of the page is given are not shown.
    """
    source = with_script_code(source)
    if not _may_hold_prose(source):
        return ScriptProse(source)
    page = parse_page(source, Dialect.MDX)
    hidden = page.prose.hidden
    exported = dict(_exported(source, hidden))
    found = _Found()
    for span, value in _shown(source, hidden, exported):
        if entries := list(_entries(value, found)):
            found.shown.setdefault(span, []).extend(entries)
    unread = _unread_words(source, hidden, found)
    return ScriptProse(_inserted(page, found), unread if unread >= _TOLD_WORDS else 0)


def _may_hold_prose(source: str) -> bool:
    """Return whether a page has an export, a list in an attribute, or long attributes, without parsing it."""
    if _ANY_EXPORT.search(source) or _INLINE.search(source):
        return True
    attributes = (match.group().count(" ") for match in _ATTRIBUTE.finditer(source))
    return sum(blanks + 1 for blanks in attributes if blanks + 1 >= _LEAST_WORDS) >= _TOLD_WORDS


def unread_script_notes(pages: Mapping[str, int]) -> tuple[str, ...]:
    """Return a sentence for the operator on pages with so many unread words each; none for none."""
    found = {path: words for path, words in pages.items() if words}
    if not found:
        return ()
    most = max(found, key=lambda path: found[path])
    where = f"in JavaScript of {most}"
    if len(found) > 1:
        where = f"in JavaScript of {len(found)} pages (most in {most})"
    return (
        f"Some {sum(found.values()):,} words stand {where}, where only the built site shows them: "
        "give the built HTML where you can.",
    )


def _exported(source: str, hidden: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, ScriptValue]]:
    unclosed = 0
    for start, _ in hidden:
        match = EXPORTED.match(source, start)
        if match is not None and unclosed < MAX_UNCLOSED:
            literal = parse_script_value(source, match.end())
            unclosed += not literal.is_whole
            yield match["name"], literal.value


def _shown(
    source: str, hidden: tuple[tuple[int, int], ...], exported: Mapping[str, ScriptValue]
) -> Iterator[tuple[tuple[int, int], ScriptValue]]:
    """Yield each value that a tag or an expression shows, with the range of that.

    The parts of a value come before the whole.
    """
    named: list[tuple[int, tuple[int, int], ScriptValue]] = []
    for span in hidden:
        if source[span[0]] not in "<{":
            continue
        for match in _SHOWN.finditer(source, *span):
            steps = _STEP.findall(match["path"])
            if (value := _at(exported, steps)) is not None:
                named.append((-len(steps), span, value))
        for match in _INLINE.finditer(source, *span):
            named.append((0, span, parse_script_value(source, match.end()).value))
    yield from ((span, value) for _, span, value in sorted(named, key=lambda one: one[:2]))


def _at(exported: Mapping[str, ScriptValue], steps: list[str]) -> ScriptValue:
    value: ScriptValue = dict(exported)
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _entries(value: ScriptValue, found: _Found) -> Iterator[tuple[ScriptText, ScriptText]]:
    """Yield title and text of the objects that have both and were not read before, at any depth."""
    if id(value) in found.walked:
        return
    found.walked.add(id(value))
    if isinstance(value, list):
        for inner in value:
            yield from _entries(inner, found)
        return
    if not isinstance(value, dict):
        return
    title, body = _first(value, _TITLES), _first(value, _BODIES)
    if title is None or body is None:
        for inner in value.values():
            yield from _entries(inner, found)
    elif (title.start, title.end) not in found.read:
        found.read |= {(title.start, title.end), (body.start, body.end)}
        yield title, body


def _first(entry: dict[str, ScriptValue], keys: tuple[str, ...]) -> ScriptText | None:
    values = (entry.get(key) for key in keys)
    return next((value for value in values if isinstance(value, ScriptText) and value.text.strip()), None)


def _inserted(page: ParsedPage, found: _Found) -> str:
    source = page.source
    pieces, position = [], 0
    headings = [(block.end, block.level) for block in page.blocks if block.kind == "heading"]
    for (start, end), entries in sorted(found.shown.items(), key=lambda one: one[0]):
        above = bisect_right(headings, (start, 0)) - 1
        level = min(headings[above][1] + 1, 6) if above >= 0 else 2
        pieces += [
            source[position:start].rstrip(" \t"),
            "\n\n",
            *(_section(title, body, level) for title, body in entries),
        ]
        position = end
    return "".join((*pieces, source[position:]))


def _section(title: ScriptText, body: ScriptText, level: int) -> str:
    heading = " ".join(_markdown(title).split()).lstrip("# ")
    return f"{'#' * level} {heading} {NO_ANCHOR}\n\n{_markdown(body)}\n\n"


def _markdown(text: ScriptText) -> str:
    """Return a text as Markdown without headings; braces and lone signs of a plain text are no markup."""
    words = dedent(text.text.strip("\r\n")).strip()
    if text.is_jsx:
        return words
    pieces, position = [], 0
    for code in _CODE.finditer(words):
        pieces += [_plain(words[position : code.start()]), code.group()]
        position = code.end()
    return "".join((*pieces, _plain(words[position:])))


def _plain(words: str) -> str:
    words = _INNER_HEADING.sub(lambda heading: bold(heading["words"].rstrip(_CLOSING_MARKS)), words)
    return _SIGN.sub(lambda sign: f"\\{sign.group()}", words)


def _unread_words(source: str, hidden: tuple[tuple[int, int], ...], found: _Found) -> int:
    """Count the words in texts of scripts and attributes that are sentences, without those that are read."""
    read = sorted(found.read)
    total = 0
    for start, end in hidden:
        if not source.startswith(("<", "{", "export"), start) or source.startswith(("{/*", "<!--"), start):
            continue
        for match in _QUOTED.finditer(source, start, end):
            place = bisect_right(read, (match.end(), 0)) - 1
            is_read = place >= 0 and read[place][1] >= match.end()
            text = match["single"] or match["double"] or match["template"] or match["element"] or ""
            if not is_read and match["key"] not in _UNSEEN_KEYS and len(text.split()) >= _LEAST_WORDS:
                total += len(_WORD.findall(text))
    return total
