"""Turn a page of MyST 2 (Jupyter Book 2) into plain Markdown: the words that a reader of the site sees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import dropwhile, takewhile

from ragbot.books.markup.myst import DIRECTIVE, LABEL, closing_line
from ragbot.books.markup.myst_code import cell_options
from ragbot.books.markup.myst_directives import directive_lines
from ragbot.books.markup.myst_page import (
    MystPage,
    embedded_lines,
    heading_lines,
    math_lines,
    number_equation,
)
from ragbot.books.markup.myst_references import Target
from ragbot.books.markup.rewriting import without_comments
from ragbot.core.code_fences import fenced_code_end, opening_fence

MAX_DEPTH = 8
# So many lines are looked through for the other end of an equation.
MAX_EQUATION = 200
# Parts of a page that a site shows above its text, under a heading.
PARTS = {"abstract": "Abstract", "keypoints": "Key Points", "summary": "Plain Language Summary"}

_HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})(?:[ \t]+(?P<title>[^\n]*))?")
_THANKS = "acknowledgements"
_WORDS = re.compile(r" {0,3}[\w\[*_](?![ \t]|\d*[.)][ \t])")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*")
_BLOCK_BREAK = re.compile(r"\+\+\+[ \t]*(?P<options>\{[^\n]*\})?[^\n]*")
_COMMENT = re.compile(r"[ \t]*%[^\n]*")
_ENVIRONMENT = re.compile(
    r"[ \t]*\\begin\{(?P<name>(?:equation|align|alignat|gather|multline|eqnarray|flalign)\*?)\}[^\n]*"
)
# `![](#fruit)` shows what another place shows.
_EMBED = re.compile(r"[ \t]*!\[[^\[\]\n]*\]\((?P<label>#[^()\s]{1,300})\)[ \t]*")
_MATH_END = re.compile(r"\$\$[ \t]*\((?P<label>[^()\n]+)\)[ \t]*\Z")


def plain_myst_page(text: str, page: MystPage, below: Iterable[tuple[str, str]] = ()) -> str:
    """Return a page's text with its directives and roles as prose, code and captions.

    `below` are texts that follow the title, each with the part of the page that it is, if any.
    """
    page.below_title = partial(_below, tuple(below), page)
    shown = [] if page.has_title else [*page.below_title()]
    shown += _lines(without_comments(text).split("\n"), page, depth=0)
    return "\n".join(shown)


def _below(below: Iterable[tuple[str, str]], page: MystPage) -> Iterator[str]:
    for part, text in below:
        yield from _part_heading(part)
        yield from ("", *_lines(text.split("\n"), page, depth=1), "")


def _lines(lines: list[str], page: MystPage, *, depth: int) -> Iterator[str]:
    """Yield the lines that a reader sees; those of a paragraph are looked at together."""
    position = 0
    prose: list[str] = []
    while position < len(lines):
        end, block = _block(lines, position, page, depth=depth, after=prose)
        if block is None:
            prose.append(lines[position])
        else:
            yield from _paragraphs(prose, page)
            prose = []
            yield from block
        position = end
    yield from _paragraphs(prose, page)


def _block(
    lines: list[str], start: int, page: MystPage, *, depth: int, after: list[str]
) -> tuple[int, Iterable[str] | None]:
    """Return where the block that a line begins ends, and what it shows; None for a line of prose."""
    line = lines[start]
    if (opening := DIRECTIVE.fullmatch(line)) is not None:
        end = closing_line(lines, start + 1, opening["marks"])
        body = lines[start + 1 : end] if depth < MAX_DEPTH else []
        render = partial(_lines, page=page, depth=depth + 1)
        return end + 1, directive_lines(opening, body, page, render)
    if opening_fence(line) is not None:
        end = fenced_code_end(lines, start)
        return end, _fence(lines[start:end], page)
    if (heading := _HEADING.fullmatch(line)) is not None:
        return start + 1, _heading(lines, start, heading, page)
    if after and after[-1].strip() and _UNDERLINE.fullmatch(line) and _is_one_line(after):
        title = after.pop()
        return start + 1, heading_lines(1 if line.strip()[0] == "=" else 2, title, page)
    if (label := LABEL.fullmatch(line)) is not None:
        return start + 1, _labelled(label["name"], page)
    if _BLOCK_BREAK.fullmatch(line):
        return _broken(lines, start, page, depth=depth)
    if _COMMENT.fullmatch(line):
        return start + 1, ()
    if (environment := _ENVIRONMENT.fullmatch(line)) is not None and not _opens_math(after):
        end = _environment_end(lines, start, environment["name"])
        return end, math_lines(lines[start:end], "", page)
    return start + 1, None


def _heading(lines: list[str], start: int, heading: re.Match[str], page: MystPage) -> Iterator[str]:
    title = heading["title"] or ""
    if title.strip().lower() == _THANKS and not page.pending:
        # The theme moves such a section to the end of the page, and spells its id so.
        after = next((line for line in lines[start + 1 : start + 4] if line.strip()), "")
        page.pending += ["acknowledgments"] if _WORDS.match(after) else []
    yield from heading_lines(len(heading["marks"]), title, page)


def _is_one_line(prose: list[str]) -> bool:
    """Return whether the paragraph above is one line of words, which an underline makes a heading."""
    before = prose[-2] if len(prose) > 1 else ""
    return not before.strip() and not prose[-1].lstrip().startswith(("|", "-", ">", "*"))


def _labelled(name: str, page: MystPage) -> Iterator[str]:
    """Keep a label for what follows, once the words in front of it are written out."""
    page.pending.append(name)
    yield ""


def _opens_math(prose: list[str]) -> bool:
    return sum(line.count("$$") for line in prose[-MAX_EQUATION:]) % 2 == 1


def _environment_end(lines: list[str], start: int, name: str) -> int:
    closing = f"\\end{{{name}}}"
    last = min(start + MAX_EQUATION, len(lines))
    return next((number + 1 for number in range(start, last) if closing in lines[number]), start + 1)


def _paragraphs(prose: list[str], page: MystPage) -> Iterator[str]:
    """Yield prose; a label in front of it is the first paragraph's, labels behind equations are theirs."""
    if not prose:
        return
    first = [*takewhile(str.strip, dropwhile(lambda line: not line.strip(), prose))]
    if page.pending and first and not first[0].lstrip().startswith("$$"):
        labels = page.labels()
        is_table = first[0].lstrip().startswith("|")
        number = page.inline.targets.number("table") if is_table else ""
        shown = tuple(page.words("\n".join(first)).split("\n"))
        page.label(Target("table" if is_table else "paragraph", number, shown=shown), *labels)
    for line in page.words("\n".join(_with_equations(prose, page))).split("\n"):
        embed = _EMBED.fullmatch(line)
        yield from (line,) if embed is None else ("", *embedded_lines(embed["label"], page, line), "")


def _with_equations(prose: list[str], page: MystPage) -> Iterator[str]:
    """Count the equations between double dollars; the label behind one is not shown."""
    body: list[str] = []
    is_open = False
    for line in prose:
        marks = line.count("$$")
        label = _MATH_END.search(line) if marks else None
        if is_open or marks:
            body.append(line)
        if marks and (is_open or marks > 1):
            number_equation(label["label"] if label is not None else "", body, page)
            body = []
        is_open = is_open != (marks % 2 == 1)
        yield f"{line[: label.start()]}$$" if label is not None else line


def _broken(lines: list[str], start: int, page: MystPage, *, depth: int) -> tuple[int, Iterable[str]]:
    """Return what a block break shows: the heading of a part, or the block itself where it has a label."""
    broken = _BLOCK_BREAK.fullmatch(lines[start])
    try:
        values = json.loads(broken["options"]) if broken is not None and broken["options"] else {}
    except (ValueError, RecursionError):
        values = {}
    values = values if isinstance(values, dict) else {}
    label = values.get("label") or values.get("id")
    if not isinstance(label, str) or depth >= MAX_DEPTH:
        return start + 1, _part_heading(values.get("part"))
    end = next(
        (place for place in range(start + 1, len(lines)) if _BLOCK_BREAK.fullmatch(lines[place])), len(lines)
    )
    return end, _labelled_block(label, lines[start + 1 : end], page, depth=depth)


def _part_heading(part: object) -> Iterator[str]:
    """Yield the heading of a part of the page that has one, such as its abstract."""
    if isinstance(part, str) and part in PARTS:
        yield from ("", f"## {PARTS[part]} {{#{part}}}", "")


def _labelled_block(label: str, lines: list[str], page: MystPage, *, depth: int) -> Iterator[str]:
    shown = tuple(_lines(lines, page, depth=depth + 1))
    page.label(Target("block", shown=shown), label)
    yield from shown


def _fence(lines: list[str], page: MystPage) -> Iterator[str]:
    language = lines[0].strip("`~ \t")
    if language == "mermaid":
        return
    if language == "math":
        yield from math_lines(lines[1:-1], "", page)
        return
    if page.is_notebook:
        options, lines[1:-1] = cell_options(lines[1:-1])
        caption = options.get("caption", "")
        lines += ["", page.words(caption)] if caption else []
        page.label(Target("cell", title=caption, shown=tuple(lines)), options.get("label", ""))
    yield from lines
