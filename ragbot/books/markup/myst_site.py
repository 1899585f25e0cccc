"""Turn a page of MyST 2 (Jupyter Book 2) into plain Markdown: the words that a reader of the site sees."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import dropwhile, takewhile

from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.myst import DIRECTIVE, LABEL, MystDirective, closing_line, parsed_directive
from ragbot.books.markup.myst_code import (
    LITERAL_INCLUDES,
    cell_options,
    code_language,
    included_lines,
    is_literal,
    table_of_csv,
)
from ragbot.books.markup.myst_inline import InlinePage, plain_inline
from ragbot.books.markup.myst_references import EQUATION, HEADING, Target
from ragbot.books.markup.rewriting import without_comments
from ragbot.core.code_fences import fenced_code_end, opening_fence

MAX_DEPTH = 8
# A table of contents has no more.
MAX_LEVELS = 16

_HEADING = re.compile(r"(?P<lead> {0,3})(?P<marks>#{1,6})(?:[ \t]+(?P<title>[^\n]*))?")
_CLOSING_MARKS = re.compile(r"(?<![#\s])[ \t]+#+[ \t]*\Z")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*")
_BLOCK_BREAK = re.compile(r"\+\+\+[ \t]*(?P<options>\{[^\n]*\})?[^\n]*")
_COMMENT = re.compile(r"[ \t]*%[^\n]*")
_ENVIRONMENT = re.compile(
    r"[ \t]*\\begin\{(?P<name>(?:equation|align|alignat|gather|multline|eqnarray|flalign)\*?)\}[^\n]*"
)
# `![](#fruit)` shows what another place shows.
_EMBED = re.compile(r"[ \t]*!\[[^\[\]\n]*\]\((?P<label>#[^()\s]{1,300})\)[ \t]*")
_MATH_END = re.compile(r"\$\$[ \t]*\((?P<label>[^()\n]+)\)[ \t]*\Z")
_EQUATION_LABEL = re.compile(r"\\label\{(?P<label>[^{}\n]+)\}")

_CODE = frozenset({"code", "code-block", "sourcecode", "code-cell", "myst"})
_DROPPED = frozenset(
    "raw index contents mermaid only meta graphviz plot show-index genindex anywidget "
    "any:bundle any:widget widget output exercise-end solution-end mystdemo".split()
)
_CONTENTS = frozenset({"toc", "tableofcontents", "table-of-contents", "toctree"})
_CAPTIONED = frozenset({"figure", "video", "iframe"})
_TABLES = frozenset({"table", "list-table", "csv-table"})
_CALLED = frozenset("note tip warning danger caution hint important attention error seealso".split())
_TITLED = frozenset(
    "admonition dropdown tab-item tab aside margin sidebar topic card grid-item-card".split()
)
_QUOTES = frozenset({"blockquote", "epigraph", "pull-quote"})
# Parts of a page that a site shows above its text, under a heading.
PARTS = {"abstract": "Abstract", "keypoints": "Key Points", "summary": "Plain Language Summary"}


@dataclass(slots=True)
class MystPage:
    """Hold what the blocks of one page need.

    `included` returns the text of a file that the page names. `shift` is by how much headings are lowered,
    because the page's title stands above them; with `has_title` the first heading is that title. `below` are
    texts that follow the title, each with the part of the page that it is, if any. `contents` lists what a table of contents shows of a context
    (`project`, `children`), down to a depth. `is_notebook` tells whether plain fences are cells. `pending`
    are labels whose target follows.
    """

    inline: InlinePage
    included: Callable[[str], str]
    contents: Callable[[str, int], Iterable[str]]
    has_title: bool = False
    shift: int = 0
    below: tuple[tuple[str, str], ...] = ()
    is_notebook: bool = False
    unrun_cells: int = 0
    pending: list[str] = field(default_factory=list)

    def words(self, text: str) -> str:
        """Return text within a line as a reader sees it."""
        return plain_inline(text, self.inline)

    def labels(self, *own: str) -> list[str]:
        """Return the labels that stand in front of what follows, and its own."""
        found = [label for label in (*self.pending, *own) if label]
        self.pending.clear()
        return found

    def label(self, target: Target, *own: str) -> str:
        """Give a target the labels in front of it and its own; return its id, if it has any."""
        anchor = ""
        for label in self.labels(*own):
            anchor = self.inline.targets.add(label, target)
        return anchor


def plain_myst_page(text: str, page: MystPage) -> str:
    """Return a page's text with its directives and roles as prose, code and captions."""
    shown = [] if page.has_title else [*_below(page)]
    shown += _lines(without_comments(text).split("\n"), page, depth=0)
    return "\n".join(shown)


def _below(page: MystPage) -> Iterator[str]:
    for part, text in page.below:
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
        return end + 1, _directive(opening, lines[start + 1 : end], page, depth=depth)
    if opening_fence(line) is not None:
        end = fenced_code_end(lines, start)
        return end, _fence(lines[start:end], page)
    if (heading := _HEADING.fullmatch(line)) is not None:
        return start + 1, _heading(len(heading["marks"]), heading["title"] or "", page)
    if after and after[-1].strip() and _UNDERLINE.fullmatch(line) and _is_one_line(after):
        title = after.pop()
        return start + 1, _heading(1 if line.strip()[0] == "=" else 2, title, page)
    if (label := LABEL.fullmatch(line)) is not None:
        return start + 1, _labelled(label["name"], page)
    if _BLOCK_BREAK.fullmatch(line):
        return _broken(lines, start, page, depth=depth)
    if _COMMENT.fullmatch(line):
        return start + 1, ()
    if (environment := _ENVIRONMENT.fullmatch(line)) is not None and not _opens_math(after):
        end = _environment_end(lines, start, environment["name"])
        return end, _math(lines[start:end], "", page)
    return start + 1, None


def _is_one_line(prose: list[str]) -> bool:
    """Return whether the paragraph above is one line of words, which an underline makes a heading."""
    before = prose[-2] if len(prose) > 1 else ""
    return not before.strip() and not prose[-1].lstrip().startswith(("|", "-", ">", "*"))


def _labelled(name: str, page: MystPage) -> Iterator[str]:
    """Keep a label for what follows, once the words in front of it are written out."""
    page.pending.append(name)
    yield ""


def _opens_math(prose: list[str]) -> bool:
    return bool(prose) and sum(line.count("$$") for line in prose) % 2 == 1


def _environment_end(lines: list[str], start: int, name: str) -> int:
    closing = f"\\end{{{name}}}"
    return next((number + 1 for number in range(start, len(lines)) if closing in lines[number]), start + 1)


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
        yield from (line,) if embed is None else ("", *_embedded(embed["label"], page, line), "")


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
            _number_equation(label["label"] if label is not None else "", body, page)
            body = []
        is_open = is_open != (marks % 2 == 1)
        yield f"{line[: label.start()]}$$" if label is not None else line


def _number_equation(label: str, body: Iterable[str], page: MystPage) -> None:
    """Number an equation, by its label, or by those within it."""
    inner = [found["label"] for line in body for found in _EQUATION_LABEL.finditer(line)]
    page.label(Target(EQUATION, page.inline.targets.number(EQUATION)), label, *inner)


def _math(lines: Iterable[str], label: str, page: MystPage) -> Iterator[str]:
    body = [*lines]
    _number_equation(label, body, page)
    yield from ("$$", *body, "$$")


def _heading(level: int, written: str, page: MystPage) -> Iterator[str]:
    title = page.words(_CLOSING_MARKS.sub("", written.strip()))
    if page.has_title and not page.inline.targets.headings and not page.inline.targets.taken:
        page.has_title = False
        page.pending.clear()
        yield from (f"# {title}", "", *_below(page))
        return
    marks = "#" * min(level + page.shift, 6)
    if not page.pending:
        page.inline.targets.add_heading(title)
        yield f"{marks} {title}"
    else:
        anchor = page.label(Target(HEADING, title=title))
        yield f"{marks} {title} {{#{anchor}}}"


def _broken(lines: list[str], start: int, page: MystPage, *, depth: int) -> tuple[int, Iterable[str]]:
    """Return what a block break shows: the heading of a part, or the block itself where it has a label."""
    broken = _BLOCK_BREAK.fullmatch(lines[start])
    try:
        values = json.loads(broken["options"]) if broken is not None and broken["options"] else {}
    except ValueError:
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
        yield from _math(lines[1:-1], "", page)
        return
    if page.is_notebook:
        options, lines[1:-1] = cell_options(lines[1:-1])
        caption = options.get("caption", "")
        lines += ["", page.words(caption)] if caption else []
        page.label(Target("cell", title=caption, shown=tuple(lines)), options.get("label", ""))
    yield from lines


def _directive(opening: re.Match[str], body: list[str], page: MystPage, *, depth: int) -> Iterator[str]:
    directive = parsed_directive(opening, body)
    if directive.name in _DROPPED or depth >= MAX_DEPTH:
        page.pending.clear()
        return
    inline = (opening["inline"] or "").split()
    label = next((word[1:] for word in inline if word.startswith("#")), "")
    label = directive.options.get("label") or directive.options.get("name") or label
    found = [*_content(directive, label, page, depth=depth)]
    yield from ("", *(f"{opening['indent']}{line}".rstrip() for line in found), "")


def _content(directive: MystDirective, label: str, page: MystPage, *, depth: int) -> Iterator[str]:
    name = directive.name
    inner = lambda: _lines(directive.body, page, depth=depth + 1)  # noqa: E731
    if name in _CODE or name in LITERAL_INCLUDES and is_literal(directive):
        yield from _code(directive, label, page)
    elif name == "include":
        lines = included_lines(directive, page.included)
        yield from _lines(without_comments("\n".join(lines)).split("\n"), page, depth=depth + 1)
    elif name == "math":
        yield from _math(filter(None, (directive.title, *directive.body)), label, page)
    elif name == "image":
        page.label(Target(name), label)
        yield directive.options.get("alt", "")
    elif name in _CAPTIONED:
        yield from _figure(directive, label, page, depth=depth)
    elif name in _TABLES:
        yield from _table(directive, label, page, depth=depth)
    elif name in _QUOTES:
        page.label(Target("quote"), label)
        yield from (f"> {line}".rstrip() for line in inner())
    elif name == "embed":
        yield from _embedded(directive.title, page)
    elif name in _CONTENTS:
        yield from _table_of_contents(directive, page)
    elif name in _CALLED or name in _TITLED:
        yield from _titled(directive, label, page, depth=depth)
    elif name.startswith(("prf:", "proof", "exercise", "solution")):
        yield from _numbered(directive, label, page, depth=depth)
    elif name == "bibliography":
        return
    else:
        labels = page.labels(label)
        shown = tuple(inner())
        page.label(Target(name, shown=shown), *labels)
        yield from shown


def _code(directive: MystDirective, label: str, page: MystPage) -> Iterator[str]:
    """Yield a listing between the name of its file and its caption."""
    body, options = directive.body, directive.options
    if directive.name in LITERAL_INCLUDES:
        body = included_lines(directive, page.included)
        options = {"filename": directive.title.rpartition("/")[2]} | options
    elif directive.name == "code-cell":
        lifted, body = cell_options(body)
        options = lifted | options
        tags = set(re.findall(r"[\w-]+", f"{options.get('tags', '')} {options.get('tag', '')}"))
        label = label or options.get("label", "")
        if "remove-cell" in tags:
            return
        page.unrun_cells += "remove-output" not in tags
        body = [] if "remove-input" in tags else body
    language = code_language(directive)
    fence = "````" if any(line.lstrip().startswith("```") for line in body) else "```"
    shown = (f"{fence}{language}", *body, fence) if any(line.strip() for line in body) else ()
    caption = page.words(options.get("caption", ""))
    number = page.inline.targets.number("code") if caption and directive.name != "code-cell" else ""
    page.label(Target("code", number, caption, shown), label)
    filename = options.get("filename", "")
    yield from (bold(filename), "") if filename and filename.lower() != "false" else ()
    yield from shown
    yield from ("", _captioned("Program", number if label else "", caption)) if caption else ()


def _captioned(kind: str, number: str, caption: str) -> str:
    return f"{kind} {number}: {caption}" if number else caption


def _figure(directive: MystDirective, label: str, page: MystPage, *, depth: int) -> Iterator[str]:
    kind = directive.options.get("kind") or "figure"
    labels = page.labels(label)
    is_counted = bool(labels) or directive.name == "figure"
    number = page.inline.targets.number(kind) if is_counted else ""
    body = [*_lines(directive.body, page, depth=depth + 1)]
    # (Pictures in it are parts of the figure.)
    places = [place for place, line in enumerate(body) if line.strip() and not line.lstrip().startswith("!")]
    caption = " ".join(line.strip() for line in takewhile(str.strip, body[places[0] :])) if places else ""
    if labels and caption:
        body[places[0]] = _captioned(kind.capitalize(), number, body[places[0]].lstrip())
    words = directive.options.get("alt", "")
    embedded = _embedded(directive.title, page) if directive.title.startswith("#") else ()
    shown = (*((words, "") if words else ()), *embedded, *body)
    page.label(Target(kind, number, caption, shown), *labels)
    yield from shown


def _table(directive: MystDirective, label: str, page: MystPage, *, depth: int) -> Iterator[str]:
    number = page.inline.targets.number("table")
    labels = page.labels(label)
    caption = page.words(directive.title)
    shown = [_captioned("Table", number if labels else "", caption), ""] if caption else []
    is_csv = directive.name == "csv-table"
    body = table_of_csv("\n".join(directive.body)) if is_csv else directive.body
    shown += _lines(body, page, depth=depth + 1)
    page.label(Target("table", number, caption, tuple(shown)), *labels)
    yield from shown


def _titled(directive: MystDirective, label: str, page: MystPage, *, depth: int) -> Iterator[str]:
    """Yield a block with its title: its own, a heading that it begins with, or its kind."""
    title, body = directive.title, directive.body
    name = directive.name
    if name in _CALLED or name == "admonition":
        first = next((place for place, line in enumerate(body) if line.strip()), None)
        heading = _HEADING.fullmatch(body[first]) if first is not None and not title else None
        if heading is not None and first is not None:
            title, body = heading["title"] or "", body[first + 1 :]
        called = "See Also" if name == "seealso" else name.capitalize() if name in _CALLED else ""
        title = title or called
    elif name in ("card", "grid-item-card"):
        title, body = _card(directive)
    shown_title = page.words(title)
    labels = page.labels(label)
    shown = [bold(shown_title), ""] if shown_title else []
    shown += _lines(body, page, depth=depth + 1)
    page.label(Target("admonition" if name in _CALLED else name, "", shown_title, tuple(shown)), *labels)
    yield from shown


def _card(directive: MystDirective) -> tuple[str, list[str]]:
    """Return a card's title and its words; what stands above `^^^` is a header."""
    body = [line for line in directive.body if line.strip() != "+++"]
    place = next((place for place, line in enumerate(body) if line.strip() == "^^^"), None)
    header = body[:place] if place is not None else [directive.options.get("header", "")]
    rest = body[place + 1 :] if place is not None else body
    return directive.title, [*header, "", *rest, "", directive.options.get("footer", "")]


def _numbered(directive: MystDirective, label: str, page: MystPage, *, depth: int) -> Iterator[str]:
    """Yield a theorem or an exercise with its number, or the solution of one."""
    name = directive.name.removeprefix("prf:").removeprefix("proof:").removesuffix("-start")
    title = page.words(directive.title)
    if name == "solution":
        solved = page.inline.target(directive.title)
        called = f"Solution to {solved.named()}" if solved is not None else "Solution"
        page.label(Target(name), label)
    else:
        options = directive.options
        is_numbered = "nonumber" not in options and options.get("enumerated", "").lower() != "false"
        number = page.inline.targets.number(name) if is_numbered else ""
        page.label(Target(name, number, title), label)
        called = f"{name.capitalize()} {number}".strip() + (f" ({title})" if title else "")
    yield from (bold(called), "")
    yield from _lines(directive.body, page, depth=depth + 1)


def _table_of_contents(directive: MystDirective, page: MystPage) -> Iterator[str]:
    page.pending.clear()
    options = directive.options
    context = options.get("context") or options.get("kind") or "project"
    depth = options.get("depth") or options.get("maxdepth") or ""
    if directive.title:
        yield from (*_heading(2, directive.title.lstrip("# "), page), "")
    yield from page.contents(context, int(depth) if re.fullmatch(r"[1-9]", depth) else MAX_LEVELS)


def _embedded(name: str, page: MystPage, otherwise: str = "") -> Iterator[str]:
    """Yield what another place of the project shows."""
    page.pending.clear()
    found = page.inline.target(name.lstrip("#"))
    yield from found.shown if found is not None else (otherwise,)
