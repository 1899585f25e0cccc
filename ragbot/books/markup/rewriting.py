"""Rewrite the blocks of site generators as plain Markdown: the words that a reader of the site sees.

Each function takes the text of a page and returns it; none changes what stands in fenced code.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import dropwhile

from ragbot.books.markup.attribute_lists import id_in_attributes
from ragbot.books.markup.code_spans import CLOSES, find_code_spans, rewrite_around_code
from ragbot.books.markup.emphasis import bold
from ragbot.core.code_fences import OPENING_LINE, FenceFollower, LineKind, fenced_code

_FENCE = re.compile(r"(?P<indent>[ \t>]*)(?P<marks>`{3,}|~{3,})(?P<info>[^\n]*)")
_LANGUAGE = re.compile(r"(?:\{(?:code-cell|code-block|code)\}\s*)?\{?\s*\.?(?P<language>[A-Za-z][\w+#-]*)")
# Where a comment or code begins; ids in comments (`<!-- #id -->`) are the author's for readers.
_SIGN = re.compile(
    rf"(?P<fence>^{OPENING_LINE})|(?P<ticks>`+)|(?P<comment><!--|\{{/\*)(?!\s*#)"
    r"|(?P<line>^ {0,3}\[(?://|comment)\]:[ \t]*(?:#|<>)[ \t]*[(\"'][^\n]*[)\"'][ \t]*$)",
    re.MULTILINE,
)

# `!!! tip "Dry"`, `!!!tip`, `??? note`, `???note`, `=== "Linux"`.
_INDENTED = re.compile(
    r"(?P<indent>[ \t]*)(?P<mark>!!!|\?\?\?\+?|===[!+]?)"
    r"(?P<names>(?:(?:[ \t]+|(?<=!!!|\?\?\?|\?\?\+))\w[\w-]*+)*+)"
    r"(?:[ \t]+\"(?P<title>[^\n]*)\")?[ \t]*"
)
# `::: tip Dry`, `:::tip[Dry]`, `:::{tip} Dry`, `/// note | Dry`.
_CONTAINER = re.compile(
    r"(?P<indent>[ \t]*)(?P<mark>:{3,}|/{3,})[ \t]*\{?(?P<name>[A-Za-z][\w-]*)\}?[ \t]*"
    r"(?:\[(?P<label>[^\n]*)\](?:\{[^\n]*\})?|\|?[ \t]*(?P<title>[^\n]*))"
)
# ```` ```admonish warning "Dry" ````, `title="Dry"`, of mdbook-admonish.
_ADMONISH = re.compile(
    r"[ \t]*(?:`{3,}|~{3,})[ \t]*admonish\b[ \t]*(?P<name>[A-Za-z][\w-]*(?![\w-]|[ \t]*=))?"
    r"(?:[^\n\"']*(?P<sign>[\"'])(?P<title>[^\n]*?)(?P=sign))?[^\n]*"
)
# The options of a block of PyMdown, right below its first line.
_BLOCK_OPTIONS = re.compile(
    r"^(?P<opening>(?P<indent>[ \t]*)/{3,}[ \t]*[A-Za-z][^\n]*\n)"
    r"(?P=indent)(?:[ ]{4}|\t)[ \t]*[\w-]+:[^\n]*(?:\n(?P=indent)(?:[ ]{4}|\t)[^\n]*\S[^\n]*)*",
    re.MULTILINE,
)
_CONTAINER_END = re.compile(r"[ \t]*(?::{3,}|/{3,})[ \t]*")
_ATTRIBUTES = re.compile(
    r"(?<![ \t])[ \t]*+\{(?::?[ \t]*[.#]|:[ \t]*[\w-]+=)[^{}\n]*\}"
    rf"|(?<=[*_)\]{CLOSES}])\{{[ \t]*[\w-]+=[^{{}}\n]*\}}"
)
_OWN_ID = re.compile(r"(?<![ \t])[ \t]*+\{(?:#|open\b)[^{}\n]*\}\Z")
# Colours of a terminal, in listings of what it shows.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_DEFINED = re.compile(r"^ {0,3}\[(?!\^)(?P<name>[^\[\]\n]{1,300})\]:[ \t]*\S", re.MULTILINE)
_NAMED = re.compile(r"(?<![\]!\\\w])\[(?!\^)(?P<name>[^\[\]\n]{1,300})\](?![\[(:{])")
_TAG_LINE = re.compile(r"[ \t]*</?[A-Za-z][^<>\n]*>[ \t]*(?=\r?\n|\Z)")
# (The blank before it goes with it where no word follows.)
_ICON = re.compile(
    r"(?:(?<=\S)[ \t]++(?=:[\w-]+:(?:[\s,.;:!?)]|\Z)))?"
    r":(?:material|fontawesome|octicons|simple|lucide)-[\w-]+:"
)

_SCRIPT = re.compile(r"<(?P<name>script|style)\b", re.IGNORECASE)

_STOPS = ":.!?…。：！？"
# A container whose own name says nothing to a reader.
_NAMELESS = frozenset({"details", "code-group", "tabs", "tab", "tab-set", "tab-item", "steps", "div", "grid"})
# Blocks of PyMdown in whose first line tags and places stand, no titles.
_TITLELESS = frozenset({"html", "caption", "figure-caption", "table-caption", "define"})


def rewrite_lines(text: str, prose: Callable[[str], str]) -> str:
    """Apply a function to each line that is not in fenced code; fences keep their language alone."""
    return "\n".join(_lines(text.split("\n"), prose))


def _lines(lines: list[str], prose: Callable[[str], str]) -> Iterator[str]:
    fences = FenceFollower()
    for line in lines:
        kind = fences.kind_of(line)
        if kind is LineKind.PROSE:
            yield prose(line)
        elif kind is LineKind.OPENING and (fence := fences.opening) is not None:
            language = _LANGUAGE.match(fence.info.strip())
            end = "\r" if line.endswith("\r") else ""
            yield f"{fence.lead}{fence.marks}{language['language'] if language else ''}{end}"
        else:
            yield _COLOURS.sub("", line)


def rewrite_prose(text: str, prose: Callable[[str], str]) -> str:
    """Apply a function to each stretch of text between fenced code."""
    return "".join(piece if is_code else prose(piece) for is_code, piece in _segments(text))


def with_fences_apart(text: str) -> str:
    """Part fenced code from lines that are one tag, as MDX allows it; other Markdown takes it for HTML."""
    pieces: list[str] = []
    for is_code, piece in _segments(text):
        before = pieces[-1].rstrip("\r\n") if pieces else ""
        if is_code and before.endswith(">") and _TAG_LINE.fullmatch(before.rpartition("\n")[2]):
            pieces.append("\n")
        follows_code = bool(pieces) and not is_code and _TAG_LINE.match(piece) is not None
        pieces.append(f"\n{piece}" if follows_code else piece)
    return "".join(pieces)


def with_open_references(text: str) -> str:
    """Write a link by its name alone (`[oars]`, defined elsewhere on the page) as `[oars][]`.

    A passage that does not hold the definition can then be read without it.
    """
    names = {_name(found["name"]) for found in _DEFINED.finditer(text)}
    if not names:
        return text

    def shown(line: str) -> str:
        if "[" not in line or _DEFINED.match(line):
            return line
        code = find_code_spans(line)
        starts = [start for start, _ in code]

        def opened(found: re.Match[str]) -> str:
            before = bisect_right(starts, found.start()) - 1
            is_code = before >= 0 and found.start() < code[before][1]
            return found[0] if is_code or _name(found["name"]) not in names else f"{found[0]}[]"

        return _NAMED.sub(opened, line)

    return rewrite_prose(text, lambda prose: "\n".join(map(shown, prose.split("\n"))))


def _name(text: str) -> str:
    return " ".join(text.casefold().split())


def shown_source(source: str) -> str:
    """Return a page without what no site shows: comments of its authors, and the options of listings."""
    return rewrite_lines(without_comments(source), lambda line: line)


def without_comments(text: str) -> str:
    """Remove comments outside of code; an author's id in a comment (`<!-- #id -->`) stays."""
    if not any(sign in text for sign in ("<!--", "{/*", "]:")):
        return text
    pieces: list[str] = []
    position = kept = 0
    last_closed = text.rfind("*/}")
    while (sign := _SIGN.search(text, position)) is not None:
        is_open = sign["comment"] == "{/*" and sign.end() > last_closed
        position = sign.end() if is_open else _end_of(sign, text)
        if sign["line"] or (sign["comment"] and position > sign.end()):
            pieces.append(text[kept : sign.start()])
            kept = position
    pieces.append(text[kept:])
    return "".join(pieces)


def _end_of(sign: re.Match[str], text: str) -> int:
    """Return where a comment or code ends. Unclosed HTML comments and fences take the rest."""
    if sign["fence"]:
        return next(fenced_code(text, sign.start())).end
    if sign["ticks"]:
        line_end = text.find("\n", sign.end())
        found = text.find(sign["ticks"], sign.end(), len(text) if line_end < 0 else line_end)
        return found + len(sign["ticks"]) if found >= 0 else sign.end()
    if sign["line"]:
        return sign.end()
    found = text.find("-->" if sign["comment"] == "<!--" else "*/}", sign.end())
    return found + 3 if found >= 0 else len(text)


def _segments(text: str) -> Iterator[tuple[bool, str]]:
    """Split a text into prose and fenced code, line ends included."""
    position = 0
    for code in fenced_code(text):
        yield False, text[position : code.start]
        yield True, text[code.start : code.end]
        position = code.end
    yield False, text[position:]


def unwrap_indented(text: str) -> str:
    """Turn admonitions and tabs whose text is indented into paragraphs under their titles."""
    return "\n".join(_unwrapped(text.split("\n")))


def _unwrapped(lines: list[str]) -> Iterator[str]:
    closing, position = "", 0
    while position < len(lines):
        line = lines[position]
        position += 1
        fence = _FENCE.fullmatch(line)
        if fence and (not closing or fence["marks"].startswith(closing)):
            closing = "" if closing else fence["marks"]
        opening = None if closing or fence else _INDENTED.fullmatch(line)
        if opening is None or not (opening["names"] or opening["title"] is not None):
            yield line
            continue
        inner = len(opening["indent"].expandtabs(4)) + 4
        body: list[str] = []
        while position < len(lines) and (inside := _moved_out(lines[position], inner)) is not None:
            body.append(opening["indent"] + inside)
            position += 1
        yield from _titled(opening["indent"], _title_of(opening), body)


def _moved_out(line: str, columns: int) -> str | None:
    """Return a line without so many columns of indentation, or None for one that has fewer."""
    words = line.lstrip(" \t")
    blanks = line[: len(line) - len(words)]
    if len(blanks.expandtabs(4)) < columns:
        return None if words.strip() else line[columns:]
    return line[columns:] if line.startswith(" " * columns) else blanks.expandtabs(4)[columns:] + words


def _title_of(opening: re.Match[str]) -> str:
    if opening["title"] is not None:
        return opening["title"].strip()
    return opening["names"].split()[0].replace("-", " ").capitalize()


def _titled(indent: str, title: str, body: list[str]) -> Iterator[str]:
    if title:
        yield from _title_lines(indent, title)
    if title and indent:
        body = list(dropwhile(lambda line: not line.strip(), body))
    yield from _unwrapped(body)
    yield ""


def _title_lines(indent: str, title: str) -> tuple[str, ...]:
    """Return the lines of a title: a paragraph of its own, or in a list item the label of the next one."""
    if not indent:
        return (bold(title), "")
    return (f"{indent}{bold(title if title[-1:] in _STOPS else f'{title}:')}",)


def unwrap_containers(text: str) -> str:
    """Turn containers between lines of colons or slashes into paragraphs under their titles."""

    def prose(line: str) -> str:
        if _CONTAINER_END.fullmatch(line):
            return ""
        opening = _CONTAINER.fullmatch(line)
        if opening is None:
            return line
        name = opening["name"].replace("-", " ").capitalize()
        if opening["mark"].startswith("/") and opening["name"] in _TITLELESS:
            return ""
        title = opening["label"] or opening["title"] or ("" if opening["name"] in _NAMELESS else name)
        title = _OWN_ID.sub("", title.strip())
        return "\n".join(_title_lines(opening["indent"], title)) if title else ""

    if "///" in text:
        text = rewrite_prose(text, lambda words: _BLOCK_OPTIONS.sub(r"\g<opening>", words))
    return rewrite_lines(text, prose)


def with_container_titles(text: str) -> str:
    """Set titles of containers in bold, without their colons; lines of colons without one stay for MDX."""

    def prose(line: str) -> str:
        opening = _CONTAINER.fullmatch(line.rstrip("\r")) if ":::" in line else None
        if opening is None or opening["mark"].startswith("/"):
            return line
        title = _OWN_ID.sub("", (opening["label"] or opening["title"] or "").strip())
        return "\n".join(("", *_title_lines(opening["indent"], title))) if title else line

    return rewrite_lines(text, prose)


def unwrap_admonish(text: str) -> str:
    """Turn the admonitions of mdbook-admonish, which are fenced, into paragraphs under their titles."""
    return "".join(
        _admonition(piece) if is_code and _ADMONISH.match(piece) else piece
        for is_code, piece in _segments(text)
    )


def _admonition(fenced: str) -> str:
    first, *body = fenced.split("\n")
    while body and not body[-1].strip():
        del body[-1]
    if body and _FENCE.fullmatch(body[-1].rstrip()):
        del body[-1]
    opening = _ADMONISH.fullmatch(first.rstrip("\r"))
    name, title = (opening["name"], opening["title"]) if opening else (None, None)
    if title is None:
        title = (name or "note").replace("-", " ").capitalize()
    inside = unwrap_admonish("\n".join(body))
    return f"{bold(title)}\n\n{inside}\n\n" if title.strip() else f"{inside}\n\n"


def without_scripts(text: str) -> str:
    """Remove scripts and styles outside of fenced code."""
    if not _SCRIPT.search(text):
        return text
    return "".join(piece if is_code else _scripts_removed(piece) for is_code, piece in _segments(text))


def _scripts_removed(text: str) -> str:
    pieces, position = [], 0
    while (opening := _SCRIPT.search(text, position)) is not None:
        pieces.append(text[position : opening.start()])
        closing = re.compile(rf"</{opening['name']}\s*>", re.IGNORECASE).search(text, opening.end())
        position = closing.end() if closing else len(text)
    pieces.append(text[position:])
    return "".join(pieces)


def without_attributes(line: str) -> str:
    """Remove attribute lists and names of icons from a line; those of headings that hold their ids stay."""
    if "{" not in line and ":" not in line:
        return line
    is_heading = line.lstrip().startswith("#")

    def shown(words: str) -> str:
        words = _ATTRIBUTES.sub(
            lambda found: found[0] if is_heading and id_in_attributes(found[0].strip(" \t{}")) else "", words
        )
        return _ICON.sub("", words)

    return rewrite_around_code(line, shown)
