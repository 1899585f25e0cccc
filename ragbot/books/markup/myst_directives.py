"""Turn the directives of MyST 2 into plain Markdown: prose, code and captions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from posixpath import normpath

from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.myst import MystDirective, parsed_directive
from ragbot.books.markup.myst_code import (
    LITERAL_INCLUDES,
    cell_options,
    code_language,
    included_lines,
    is_literal,
    table_of_csv,
)
from ragbot.books.markup.myst_page import MystPage, embedded_lines, heading_lines, math_lines
from ragbot.books.markup.myst_references import Target
from ragbot.books.markup.rewriting import without_comments

# Turns the lines within a directive into those that a reader sees.
Render = Callable[[list[str]], Iterator[str]]

# A table of contents has no more.
MAX_LEVELS = 16

_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]+(?P<title>[^\n]*))?")

_CODE = frozenset({"code", "code-block", "sourcecode", "code-cell", "myst"})
_DROPPED = frozenset(
    "raw index contents mermaid only meta graphviz plot show-index genindex anywidget "
    "any:bundle any:widget widget output exercise-end solution-end mystdemo".split()
)
_CONTENTS = frozenset({"toc", "tableofcontents", "table-of-contents", "toctree"})
_CAPTIONED = frozenset({"figure", "video", "iframe"})
_TABLES = frozenset({"table", "list-table", "csv-table"})
_CALLED = frozenset("note tip warning danger caution hint important attention error seealso".split())
_TITLED = frozenset("admonition dropdown tab-item tab aside margin sidebar topic card grid-item-card".split())
_QUOTES = frozenset({"blockquote", "epigraph", "pull-quote"})


def directive_lines(opening: re.Match[str], body: list[str], page: MystPage, render: Render) -> Iterator[str]:
    """Yield what a directive shows; `render` turns the lines within it into those that a reader sees."""
    directive = parsed_directive(opening, body)
    if directive.name in _DROPPED:
        page.pending.clear()
        return
    inline = (opening["inline"] or "").split()
    label = next((word[1:] for word in inline if word.startswith("#")), "")
    label = directive.options.get("label") or directive.options.get("name") or label
    found = [*_content(directive, label, page, render)]
    yield from ("", *(f"{opening['indent']}{line}".rstrip() for line in found), "")


def _content(directive: MystDirective, label: str, page: MystPage, render: Render) -> Iterator[str]:
    name = directive.name
    if name in _CODE or (name in LITERAL_INCLUDES and is_literal(directive)):
        yield from _code(directive, label, page)
    elif name == "include":
        yield from _included(directive, page, render)
    elif name == "math":
        yield from math_lines(filter(None, (directive.title, *directive.body)), label, page)
    elif name == "image":
        page.label(Target(name), label)
        yield directive.options.get("alt", "")
    elif name in _CAPTIONED:
        yield from _figure(directive, label, page, render)
    elif name in _TABLES:
        yield from _table(directive, label, page, render)
    elif name in _QUOTES:
        page.label(Target("quote"), label)
        yield from (f"> {line}".rstrip() for line in render(directive.body))
    elif name == "embed":
        yield from embedded_lines(directive.title, page)
    elif name in _CONTENTS:
        yield from _table_of_contents(directive, page)
    elif name in _CALLED or name in _TITLED:
        yield from _titled(directive, label, page, render)
    elif name.startswith(("prf:", "proof", "exercise", "solution")):
        yield from _numbered(directive, label, page, render)
    elif name == "bibliography":
        return
    else:
        labels = page.labels(label)
        shown = tuple(render(directive.body))
        page.label(Target(name, shown=shown), *labels)
        yield from shown


def _included(directive: MystDirective, page: MystPage, render: Render) -> Iterator[str]:
    """Yield the text of another file; one that includes itself is left out there."""
    name = normpath(directive.title)
    if name in page.open_files or page.is_full():
        return
    page.open_files.append(name)
    lines = [*page.from_elsewhere(included_lines(directive, page.included))]
    yield from render(without_comments("\n".join(lines)).split("\n"))
    page.open_files.pop()


def _code(directive: MystDirective, label: str, page: MystPage) -> Iterator[str]:
    """Yield a listing between the name of its file and its caption."""
    body, options = directive.body, directive.options
    if directive.name in LITERAL_INCLUDES:
        lines = [] if page.is_full() else included_lines(directive, page.included)
        body = [*page.from_elsewhere(lines)]
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


def _figure(directive: MystDirective, label: str, page: MystPage, render: Render) -> Iterator[str]:
    kind = directive.options.get("kind") or "figure"
    labels = page.labels(label)
    is_counted = bool(labels) or directive.name == "figure"
    number = page.inline.targets.number(kind) if is_counted else ""
    body = [*render(directive.body)]
    # (Pictures in it are parts of the figure.)
    places = [place for place, line in enumerate(body) if line.strip() and not line.lstrip().startswith("!")]
    caption = " ".join(line.strip() for line in takewhile(str.strip, body[places[0] :])) if places else ""
    if labels and caption:
        body[places[0]] = _captioned(kind.capitalize(), number, body[places[0]].lstrip())
    words = directive.options.get("alt", "")
    embedded = embedded_lines(directive.title, page) if directive.title.startswith("#") else ()
    shown = (*((words, "") if words else ()), *embedded, *body)
    page.label(Target(kind, number, caption, shown), *labels)
    yield from shown


def _table(directive: MystDirective, label: str, page: MystPage, render: Render) -> Iterator[str]:
    number = page.inline.targets.number("table")
    labels = page.labels(label)
    caption = page.words(directive.title)
    shown = [_captioned("Table", number if labels else "", caption), ""] if caption else []
    is_csv = directive.name == "csv-table"
    body = table_of_csv(directive.body, directive.options.get("header", "")) if is_csv else directive.body
    shown += render(body)
    page.label(Target("table", number, caption, tuple(shown)), *labels)
    yield from shown


def _titled(directive: MystDirective, label: str, page: MystPage, render: Render) -> Iterator[str]:
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
    shown += render(body)
    page.label(Target("admonition" if name in _CALLED else name, "", shown_title, tuple(shown)), *labels)
    yield from shown


def _card(directive: MystDirective) -> tuple[str, list[str]]:
    """Return a card's title and its words; what stands above `^^^` is a header."""
    body = [line for line in directive.body if line.strip() != "+++"]
    place = next((place for place, line in enumerate(body) if line.strip() == "^^^"), None)
    header = body[:place] if place is not None else [directive.options.get("header", "")]
    rest = body[place + 1 :] if place is not None else body
    return directive.title, [*header, "", *rest, "", directive.options.get("footer", "")]


def _numbered(directive: MystDirective, label: str, page: MystPage, render: Render) -> Iterator[str]:
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
    yield from render(directive.body)


def _table_of_contents(directive: MystDirective, page: MystPage) -> Iterator[str]:
    page.pending.clear()
    options = directive.options
    context = options.get("context") or options.get("kind") or "project"
    depth = options.get("depth") or options.get("maxdepth") or ""
    if directive.title:
        yield from (*heading_lines(2, directive.title.lstrip("# "), page), "")
    levels = int(depth) if re.fullmatch(r"[1-9]", depth) else MAX_LEVELS
    yield from page.from_elsewhere(page.contents(context, levels))
