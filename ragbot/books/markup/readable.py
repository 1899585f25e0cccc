"""Convert Markdown to the words that a reader sees on the page, with their offsets in the source."""

from __future__ import annotations

import re
from functools import lru_cache

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
from ragbot.books.markup.readable_text import ReadableText, Runs
from ragbot.books.markup.titles import without_closing_marks
from ragbot.core.code_fences import fenced_code
from ragbot.core.formulas import FORMULA
from ragbot.core.markdown_escaping import escape_marks
from ragbot.core.small_numbers import SMALL_NUMBER, small_number

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
    r"(?P<footnote>(?<![^\s>])\[\^[^\]\s]{1,60}\]:?|\[\^[^\]\s]{1,60}\]|\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*)",
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


def readable(source: str, *, kind: str = "") -> ReadableText:
    """Remove the markup from a piece of Markdown. Of code (`kind` "code") only the fence lines are removed.

    With `kind` "terms" code spans keep their backticks, for the split into search terms.

    Emphasis, links, images, tags, comments, ids, footnote marks, bullets, marks of quotations and admonitions
    are removed; code spans, escapes and entities become the characters that they show. Formulas stay as they
    are written.
    """
    runs = Runs()
    if kind == "code":
        _code(source, runs)
    else:
        runs.in_row = kind in ("table_row", "table_head")
        _inline(source, 0, len(source), runs, ticks=kind == "terms")
    return runs.readable()


@lru_cache(maxsize=CACHED_PASSAGES)
def readable_blocks(text: str, in_code: bool = False) -> tuple[tuple[ProseBlock, ReadableText], ...]:
    """Return the blocks of a text with their words. The offsets of the words count from the block's start.

    With `in_code` the text is a part of fenced code, without its first line.
    """
    return tuple(
        (block, readable(text[block.start : block.end], kind=block.kind))
        for block in prose_blocks(text, in_code)
    )


def readable_span(text: str, start: int, end: int, *, in_code: bool = False) -> str:
    """Return the words of a part of a text. Markup that the part cuts in half is removed too.

    With `in_code` the text is a part of fenced code, without its first line.
    """
    pieces: list[str] = []
    for block, plain in readable_blocks(text, in_code):
        if block.start < end and start < block.end:
            first = plain.text_offset(max(start - block.start, 0))
            last = plain.text_offset(min(end, block.end) - block.start)
            words = plain.text[first:last]
            pieces.append(words.strip("\n") if block.kind == "code" else " ".join(words.split()))
    return "\n".join(piece for piece in pieces if piece)


def _code(source: str, runs: Runs) -> None:
    position = 0
    for code in fenced_code(source):
        runs.add(source[position : code.start], position)
        runs.add(source[code.code_start : code.code_end], code.code_start)
        position = code.end
    runs.add(source[position:], position)


def _inline(source: str, start: int, end: int, runs: Runs, *, ticks: bool = False) -> None:
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


def _entity(match: re.Match[str], runs: Runs) -> None:
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


def _tag(name: str, place: int, runs: Runs) -> None:
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
# The definition of a term, as PHP Markdown Extra writes it.
_DEFINED = re.compile(r"(?<![ \t])[ \t]*+\n(?:[ \t>]*\n)?[ \t>]*+:[ \t]+")
_DEFINED_AGAIN = re.compile(r"(?<=[.!?;])[ \t]*+\n(?:[ \t>]*\n)?[ \t>]*+:[ \t]+")

# An option in bold on a line of its own, above what it does.
_LABELLED = re.compile(
    r"(?P<label>(?P<mark>\*\*|__)[^*_\n]{1,80}(?<![.:!?])(?P=mark))(?:\\|[ ]{2,})\r?\n(?=[ \t>]*\S)"
)


def unit_words(source: str, kind: str) -> str:
    """Return the words of a unit as `readable_words` does, with a colon after a term and a bold label.

    The marks that close a heading are left out.
    """
    if kind == "heading":
        source = without_closing_marks(source)
    return readable_words(source if kind == "code" else _with_colons(source), kind=kind)


def _with_colons(source: str) -> str:
    """Put a colon after each term and each bold label of a line, and a blank between two definitions."""
    source = _LABELLED.sub(r"\g<label>: ", source)
    return _DEFINED.sub(": ", _DEFINED_AGAIN.sub(" ", source))


# Small numbers, which without their tags would be read as a part of the word before them: "10<sup>2</sup>".
_RAISED = re.compile(rf"(?P<code>`[^`\n]{{1,400}}`)|{SMALL_NUMBER.pattern}|(?<=\d)<sup>(?=[(+\u2212-]?\d)")


def tidy_markdown(source: str) -> str:
    """Return a run of prose as Markdown on one line: emphasis, code and formulas remain, other markup is removed.

    A link becomes its words, since a relative address is only valid on its own page. Emphasis that is cut in
    half is removed, and so are comments, tags, images, ids, footnote marks and admonition marks. The book's
    own numbers in brackets are told from marks of sources.
    """
    pieces: list[str] = []
    source = _RAISED.sub(_raised, source)
    _tidy(replaced_stars(_with_colons(source), "\\*"), pieces)
    text = " ".join("".join(pieces).split())
    text = without_spans(text, [match.span() for match in _TICKS.finditer(masked(text))])
    for marks in EMPHASIS:
        found = list(marks.finditer(masked(text)))
        if not is_paired(found):
            text = without_spans(text, [match.span() for match in found])
    return escape_marks(text)


def _raised(found: re.Match[str]) -> str:
    if found["code"]:
        return found["code"]
    # There are no small points: 10^6.5.
    return small_number(found) if found["level"] else "^"


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
