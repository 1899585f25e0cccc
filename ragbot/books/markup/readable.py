"""Convert Markdown to the words that a reader sees on the page, with their offsets in the source."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from ragbot.books.markup.definitions import with_colons
from ragbot.books.markup.emphasis import (
    EMPHASIS,
    bold,
    is_paired,
    literal_stars,
    masked,
    replaced_stars,
    without_spans,
)
from ragbot.books.markup.entities import ENTITY, as_markdown, shown_sign
from ragbot.books.markup.prose import ProseBlock, prose_blocks
from ragbot.books.markup.small_numbers import with_small_numbers
from ragbot.books.markup.titles import without_closing_marks
from ragbot.core.code_fences import fenced_code
from ragbot.core.formulas import FORMULA
from ragbot.core.markdown_escaping import escape_marks

# Whole lines of markup without words, except for a title.
_MARK_LINE = (
    r"^[ \t>]*(?::{3,}[ \t]*(?:\{[^{}\n]*\}|[A-Za-z][\w-]*)?(?:[ \t]*\{[^{}\n]*\})?"
    r"(?:\[(?P<label_of_mark>[^\n]{1,300})\](?:\{[^{}\n]*\})?(?=[ \t]*$))?"
    r"|(?:(?:!{3}|\?{3}\+?)(?:[ \t]+[\w-]+)+|={3}[+!]?)(?:[ \t]+[\"'](?P<title>[^\"\n]{0,200})[\"'])?[ \t]*$"
    r"|-{1,2}8<-{1,2}[^\n]*|/{3}[ \t]*[\w-]*[ \t]*\|?|\{%[^%\n]*+%\}"
    r"|:(?:class|name|open|figclass|width|align|alt|target|depth|maxdepth):[^\n]*$)[ \t]*"
)
_TABLE_RULE = r"^[ \t]*+\|?(?:[ \t]*+:?-++:?[ \t]*+\|)++(?:[ \t]*+:?-++:?[ \t]*+)?$"
_BULLET = r"(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?"
_HASHES = r"\#{1,6}[ \t]+"
# The end of a line within a paragraph.
_WITHIN = r"\n(?![ \t>]*(?:\r?\n|[-*+][ \t]|\d{1,9}[.)][ \t]|\#|\||`{3}|~{3}))"
# Signs within a line. Their first characters are checked first, since most characters begin none of them.
_INLINE = (
    rf"(?P<formula>{FORMULA})",
    r"(?P<escaped>\\(?P<sign>[!-/:-@\[-`{-~]))",
    rf"(?P<code>(?<!`)(?P<ticks>`{{1,3}})(?!`)(?P<inside>(?:[^\n]|{_WITHIN}){{1,400}}?)(?<!`)(?P=ticks)(?!`))",
    r"(?P<comment><!--(?s:.{0,5000}?)-->|\{/\*(?s:.{0,5000}?)\*/\}|^\[//\]:[^\n]*|^\*\[[^\[\]\n]{1,100}\]:[^\n]*"
    r"|\{::comment\}(?s:.{0,5000}?)\{:/(?:comment)?\}|\{:[:/][^{}\n]{0,200}\})",
    # An image shows no words; a generator replaces a footnote's mark and a heading's id.
    r"(?P<image>!\[[^\[\]]{0,500}\](?:\([^()\n]{0,2000}(?:\([^()\n]{0,200}\)[^()\n]{0,200})?\)|\[[^\[\]]{0,200}\])?)",
    r"(?P<footnote>\[\^[^\]\s]{1,60}\]:?|\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*)",
    # A label may contain an image: most badges are links.
    r"(?P<link>\[(?P<label>(?:[^\[\]]|\[[^\[\]]{0,500}\](?:\([^()\n]{0,2000}\))?){1,500}+)\](?:\([^()\n]{0,2000}(?:\([^()\n]{0,200}\)[^()\n]{0,200})?\)|\[[^\[\]\n]{0,200}\]))",
    # The end of a link that begins in another sentence.
    r"(?P<cut>\]\([^()\s]{1,2000}\))",
    r"(?P<auto><(?:mailto:)?(?P<address>(?:https?:|[^<>\s@:/]{1,100}@)[^<>\s]{1,2000})>)",
    r"(?P<tag><(?:/[ \t]*)?(?P<name>[A-Za-z][\w:.-]*)"
    r"(?:\s(?:=[ \t]*(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}')|[^<>]){0,2000}+)?/?>|</?>)",
    # Keys, marked and inserted words, as MkDocs's extensions write them.
    r"(?P<wrapped>(?<![\w+=^])(?P<wrap>\+\+|==|\^\^)(?=[^\s+=^])(?P<within>[^\n]{1,200}?)(?<=[^\s+=^])(?P=wrap)(?![\w+=^]))",
    rf"(?P<entity>{ENTITY})",
    r"(?P<stars>\*{2,3}(?=\S)|(?<=\S)\*{2,3}|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|~~(?=\S)|(?<=\S)~~)",
    r"(?P<lows>(?<!\w)_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?!\w))",
)
# Signs with blanks before them. A run of blanks is matched only once, so that the time stays linear.
_BLANK = (
    r"(?P<hard>(?:\\|(?<![ ])[ ]{2,}+)(?=\r?\n[ \t>]*\S))",
    # Attributes: after the element that they belong to, or at the end of its line.
    r"(?P<attributes>(?<=[*_`)\]])\{:?[ \t]*+(?:[#.]|[\w-]+=)[^{}\n]{0,200}\}"
    r"|(?:(?<![ \t])[ \t]++)?+\{(?::[ \t]*+[#.\w][^{}\n]{0,200}\}"
    r"|:?[ \t]*+(?:[#.]|[\w-]+=[\"'\w])[^{}\n]{0,200}\}(?=[ \t]*$)))",
)
# Signs at a line's beginning.
_LINE = (
    # The definition of a term, as PHP Markdown Extra writes it.
    r"(?P<defines>^[ ]{0,3}:[ \t]+(?=\S))",
    rf"(?P<rule>{_TABLE_RULE})",
    rf"(?P<mark>{_MARK_LINE})",
    rf"(?P<lead>^(?:(?:[ \t]*>)+[ \t]*(?:{_BULLET})?(?:{_HASHES})?|[ \t]*{_BULLET}(?:{_HASHES})?|[ \t]*{_HASHES}|[ \t]+)(?=\S))",
)
_SIGNS = re.compile(
    rf"(?=[$\\`<!\[\]{{&*~_+=^])(?:{'|'.join(_INLINE)})|(?=[\\{{ \t])(?:{'|'.join(_BLANK)})"
    rf"|^(?:{'|'.join(_LINE)})|(?P<pipe>\|)",
    re.MULTILINE,
)
_ROW = re.compile(r"[ \t>]*\|")
# A line of a formula, without the marks of a quotation before it.
_FORMULA_LINE = re.compile(r"(?:^[ \t>]*)?(?P<words>[^\n]*\n?)", re.MULTILINE)
_NUMBERED = re.compile(r"[ \t>]*(\d{1,9})[.)][ \t]+")
_ITEM = re.compile(rf"^[ \t>]*{_BULLET}", re.MULTILINE)
# Characters; longer than any paragraph.
_LOOKED_BACK = 2000
_BLANK_LINE = re.compile(r"\n[ \t>]*\r?\n")

# What has no blank before it.
_STOPS = (".", ",", ";", ":", "!", "?", ")")

CACHED_PASSAGES = 1024
# Quotes and units.
CACHED_TEXTS = 8192

_INLINE_TAGS = frozenset(
    "a abbr b bdi bdo big cite code data del dfn em font i ins kbd mark q s samp small span strike strong sub "
    "sup time tt u var wbr".split()
)
_PARTING_TAGS = frozenset(
    "address article aside blockquote br center dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr li "
    "main nav ol p pre section summary table tbody td tfoot th thead tr ul".split()
)


@dataclass(frozen=True, slots=True)
class ReadableText:
    """Hold text without markup. It consists of runs of the source; `starts` and `places` map it back.

    `starts[i]` is the offset in `text` at which run i begins, and `places[i]` its offset in the source.
    `code` are the spans of `text` that were code spans. `breaks` are the offsets at which the page shows
    something that the text lacks: the end of a line or cell, an image, a footnote's number.
    """

    text: str
    starts: tuple[int, ...]
    places: tuple[int, ...]
    code: tuple[tuple[int, int], ...] = ()
    breaks: tuple[int, ...] = ()

    def text_offset(self, offset: int) -> int:
        """Return the offset in `text` of a character of the source; for markup, of the text after it."""
        run = bisect_right(self.places, offset) - 1
        if run < 0:
            return 0
        end = self.starts[run + 1] if run + 1 < len(self.starts) else len(self.text)
        return min(self.starts[run] + offset - self.places[run], end)

    def source_offset(self, offset: int) -> int:
        """Return the source offset of a character of `text`."""
        run = max(bisect_right(self.starts, offset) - 1, 0)
        return self.places[run] + offset - self.starts[run] if self.places else 0

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the source offsets of a span of `text`, which must not be empty."""
        return self.source_offset(start), self.source_offset(end - 1) + 1


class _Runs:
    """Collect runs of the source that a reader sees."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.starts: list[int] = []
        self.places: list[int] = []
        self.length = 0
        self.code: list[tuple[int, int]] = []
        self.breaks: list[int] = []
        self.stars: list[int] = []
        self.in_row = False

    def add(self, text: str, place: int) -> None:
        if text:
            self.pieces.append(text)
            self.starts.append(self.length)
            self.places.append(place)
            self.length += len(text)

    def add_code(self, source: str, start: int, end: int) -> None:
        first = self.length
        if "\\|" in source[start:end] and (self.in_row or _is_row(source, start)):
            # A backslash parts the bar from those between cells, and is not shown.
            while (bar := source.find("\\|", start, end)) >= 0:
                self.add(source[start:bar], start)
                start = bar + 1
        self.add(source[start:end], start)
        self.code.append((first, self.length))

    def part(self, place: int) -> None:
        """Separate the words here, at the end of a line, a cell or a block."""
        self.add("  ", place)
        self.breaks.append(self.length - 1)

    def readable(self) -> ReadableText:
        # A star that closes no emphasis is printed.
        breaks = self.breaks if len(self.stars) % 2 == 0 else sorted((*self.breaks, *self.stars))
        return ReadableText(
            "".join(self.pieces), tuple(self.starts), tuple(self.places), tuple(self.code), tuple(breaks)
        )


def _is_row(source: str, offset: int) -> bool:
    return bool(_ROW.match(source, source.rfind("\n", max(offset - _LOOKED_BACK, 0), offset) + 1))


def readable(source: str, *, kind: str = "") -> ReadableText:
    """Remove the markup from a piece of Markdown. Of code (`kind` "code") only the fence lines are removed.

    With `kind` "terms" code spans keep their backticks, for the split into search terms.

    Emphasis, links, images, tags, comments, ids, footnote marks, bullets, marks of quotations and admonitions
    are removed; code spans, escapes and entities become the characters that they show. Formulas stay as they
    are written.
    """
    runs = _Runs()
    if kind == "code":
        _code(source, runs)
    else:
        runs.in_row = kind in ("table_row", "table_head")
        _inline(source, 0, len(source), runs, ticks=kind == "terms")
    return runs.readable()


@lru_cache(maxsize=CACHED_PASSAGES)
def readable_blocks(text: str) -> tuple[tuple[ProseBlock, ReadableText], ...]:
    """Return the blocks of a text with their words. The offsets of the words count from the block's start."""
    return tuple(
        (block, readable(text[block.start : block.end], kind=block.kind)) for block in prose_blocks(text)
    )


def readable_span(text: str, start: int, end: int) -> str:
    """Return the words of a part of a text. Markup that the part cuts in half is removed too."""
    pieces: list[str] = []
    for block, plain in readable_blocks(text):
        if block.start < end and start < block.end:
            first = plain.text_offset(max(start - block.start, 0))
            last = plain.text_offset(min(end, block.end) - block.start)
            words = plain.text[first:last]
            pieces.append(words.strip("\n") if block.kind == "code" else " ".join(words.split()))
    return "\n".join(piece for piece in pieces if piece)


def _code(source: str, runs: _Runs) -> None:
    position = 0
    for code in fenced_code(source):
        runs.add(source[position : code.start], position)
        runs.add(source[code.code_start : code.code_end], code.code_start)
        position = code.end
    runs.add(source[position:], position)


def _inline(source: str, start: int, end: int, runs: _Runs, *, ticks: bool = False) -> None:
    position = start
    literal = literal_stars(source)
    while (match := _SIGNS.search(source, position, end)) is not None:
        runs.add(source[position : match.start()], position)
        position = match.end()
        match match.lastgroup:
            case "formula":
                for line in _FORMULA_LINE.finditer(source, match.start(), match.end()):
                    runs.add(line["words"], line.start("words"))
            case "escaped" | "sign":
                runs.add(match["sign"], match.end() - 1)
            case "code" | "ticks" | "inside" if ticks:
                runs.add(match.group(), match.start())
            case "code" | "ticks" | "inside":
                runs.add_code(source, *match.span("inside"))
            case "link" | "label":
                _inline(source, match.start("label"), match.end("label"), runs, ticks=ticks)
            case "auto" | "address":
                runs.add(match["address"], match.start("address"))
            case "wrapped" | "wrap" | "within":
                # A page without the extension prints the marks.
                runs.breaks.append(runs.length)
                _inline(source, match.start("within"), match.end("within"), runs, ticks=ticks)
                runs.breaks.append(runs.length)
            case "entity":
                _entity(match, runs)
            case "lead" if _is_prose_number(match):
                runs.add(match.group().lstrip(" \t>"), match.end() - len(match.group().lstrip(" \t>")))
            case "pipe" | "hard" | "defines":
                runs.part(match.start())
            case "tag" | "name":
                _tag((match["name"] or "").lower(), match.start(), runs)
            case "mark" | "title" | "label_of_mark":
                # The text after the mark is a title on a line of its own.
                named = next((name for name in ("title", "label_of_mark") if match[name]), None)
                first, last = match.span(named) if named else (position, _line_end(source, position, end))
                runs.part(match.start())
                _inline(source, first, last, runs, ticks=ticks)
                position = max(position, last)
                runs.breaks.append(runs.length)
            case "image" | "footnote":
                runs.breaks.append(runs.length)
            case "stars" if match.start() in literal:
                runs.add(match.group(), match.start())
            case "stars":
                runs.stars.append(runs.length)
            case _:
                pass
    runs.add(source[position:end], position)


def _entity(match: re.Match[str], runs: _Runs) -> None:
    sign = shown_sign(match)
    if not sign:
        # The page's own text has it, in the middle of a word.
        runs.breaks.append(runs.length)
    runs.add(sign if sign == match.group() else sign[:1], match.start())


def _line_end(source: str, start: int, end: int) -> int:
    found = source.find("\n", start, end)
    return end if found < 0 else found


def _is_prose_number(lead: re.Match[str]) -> bool:
    """Return whether a line begins with a number of the sentence before ("built in\n1874. It burns").

    Within a paragraph, a list can only begin with the number 1.
    """
    number = _NUMBERED.fullmatch(lead.group())
    if number is None or number[1] == "1":
        return False
    above = lead.string[max(lead.start() - _LOOKED_BACK, 0) : lead.start()]
    paragraph = _BLANK_LINE.split(above)[-1]
    return bool(paragraph.strip()) and _ITEM.search(paragraph) is None


def _tag(name: str, place: int, runs: _Runs) -> None:
    if name in _PARTING_TAGS:
        runs.part(place)
    elif name and name not in _INLINE_TAGS:
        # A component may print anything.
        runs.breaks.append(runs.length)


@lru_cache(maxsize=CACHED_TEXTS)
def readable_words(source: str, *, kind: str = "") -> str:
    """Return the words of a piece of Markdown on one line (code keeps its lines)."""
    if kind == "terms" and source.lstrip(" \t>").startswith(("```", "~~~")):
        return source
    text = readable(source, kind=kind).text
    return text.strip("\n") if kind == "code" else " ".join(text.split())


_TICKS = re.compile("`+")


def unit_words(source: str, kind: str) -> str:
    """Return the words of a unit as `readable_words` does, with a colon after a term and a bold label.

    The marks that close a heading are left out.
    """
    if kind == "heading":
        source = without_closing_marks(source)
    return readable_words(source if kind == "code" else with_colons(source), kind=kind)


def tidy_markdown(source: str) -> str:
    """Return a run of prose as Markdown on one line: emphasis, code and formulas remain, other markup is removed.

    A link becomes its words, since a relative address is only valid on its own page. Emphasis that is cut in
    half is removed, and so are comments, tags, images, ids, footnote marks and admonition marks. The book's
    own numbers in brackets are told from marks of sources.
    """
    pieces: list[str] = []
    _tidy(replaced_stars(with_colons(with_small_numbers(source)), "\\*"), pieces)
    text = " ".join("".join(pieces).split())
    text = without_spans(text, [match.span() for match in _TICKS.finditer(masked(text))])
    for marks in EMPHASIS:
        found = list(marks.finditer(masked(text)))
        if not is_paired(found):
            text = without_spans(text, [match.span() for match in found])
    return escape_marks(text)


def _tidy(source: str, pieces: list[str]) -> None:
    position = 0
    for match in _SIGNS.finditer(source):
        pieces.append(source[position : match.start()])
        position = match.end()
        match match.lastgroup:
            case "formula":
                pieces.append(_FORMULA_LINE.sub(r"\g<words>", match.group()))
            case "escaped" | "sign" | "code" | "ticks" | "inside" | "stars" | "lows":
                pieces.append(match.group())
            case "entity":
                pieces.append(as_markdown(match))
            case "link" | "label":
                _tidy(match["label"], pieces)
            case "auto" | "address":
                pieces.append(match["address"])
            case "wrapped" | "wrap" | "within":
                _tidy(match["within"], pieces)
            case "pipe":
                pieces.append("|")
            case "lead" if _is_prose_number(match):
                pieces.append(match.group().lstrip(" \t>"))
            case "mark" | "title" | "label_of_mark" if match["title"] or match["label_of_mark"]:
                pieces.append(bold(tidy_markdown(match["title"] or match["label_of_mark"])) + " ")
            case "tag" | "name" if (match["name"] or "").lower() not in _INLINE_TAGS:
                # A block tag separates words, as on the page; so may a component, but not from a stop.
                pieces.append("" if source.startswith(_STOPS, position) else " ")
            case _:
                if source.endswith("`", 0, match.start()) and source.startswith("`", position):
                    # Keep two code spans apart.
                    pieces.append(" ")
    pieces.append(source[position:])
