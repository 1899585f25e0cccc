"""Turn MyST, the Markdown of Jupyter Book and Sphinx, into plain Markdown: the words that a reader sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.pandoc_citations import Citations
from ragbot.books.markup.rewriting import rewrite_prose, without_comments
from ragbot.books.markup.unrun_cells import unrun_notes
from ragbot.core.code_fences import fenced_code_end, opening_fence

ReadIncluded = Callable[[str], str]

MAX_DEPTH = 8

DIRECTIVE = re.compile(
    r"(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,}|:{3,})[ \t]*\{(?P<name>[\w:.-]+)"
    r"(?:[ \t]+(?P<inline>[^{}\n]*))?\}[ \t]*(?P<title>[^\n]*)"
)
_OPTION = re.compile(r"[ \t]*:(?P<key>[\w-]+):[ \t]*(?P<value>[^\n]*)")
LANGUAGE = re.compile(r"[A-Za-z][\w+#-]*")

# `(grip)=` names the heading that follows, `+++` parts cells, `% ...` is a note of the author.
_NOT_SHOWN_LINE = re.compile(r"[ \t]*(?:\([^()\n]+\)=|\+\+\+[^\n]*|%[^\n]*)[ \t]*")
LABEL = re.compile(r"^[ \t]*\((?P<name>[^()\n]+)\)=[ \t]*$", re.MULTILINE)
_ROLE = re.compile(r"\{(?P<name>[a-zA-Z][\w:.-]*)\}`(?P<text>[^`\n]*)`")
_BROKEN_ROLE = re.compile(r"(?<=\})`[^`\n]{1,300}(?:\n[ \t]*[^`\s][^`\n]{0,300}){1,3}`")
_TARGET = re.compile(r"(?P<words>[^<>]*)<[^<>]*>")
ATTRIBUTES = re.compile(r"(?<=[\])`])\{[.#][^{}\n]{1,300}\}")

_CODE = frozenset(
    {"code-cell", "code-block", "code", "sourcecode", "ipython", "literalinclude", "parsed-literal"}
)
_DROPPED = frozenset(
    "toctree tableofcontents raw index contents mermaid eval-rst jupyter-execute thebe-button "
    "only meta graphviz plot autofunction autoclass automodule iframe".split()
)
_CAPTIONED = frozenset({"figure", "image", "glue:figure", "video"})
# Blocks that a site calls by their own names; others have a title of their own, or none.
_CALLED = frozenset("note tip warning danger caution hint important attention error seealso todo".split())
_TITLES = {"seealso": "See also"}

# Roles whose text is a key, for which a site shows something that is not known here.
_KEYS = frozenset("ref eq doc glue glue:text glue:math index cite:year cite:author".split())
# Numbers are not known, what they number is.
_NUMBERED = {"tab": "Table", "tbl": "Table", "lst": "Listing", "cod": "Listing", "sec": "Section"}
_CITED = frozenset("cite cite:p cite:ps footcite cite:t cite:ts footcite:t".split())
_MATH = frozenset({"math"})
_LITERAL = frozenset({"code", "file", "kbd", "samp", "func", "class", "meth", "mod", "command"})


@dataclass(frozen=True, slots=True)
class MystDirective:
    """Hold a directive: its name, what stands behind it, its options and its body."""

    name: str
    title: str
    options: dict[str, str]
    body: list[str]


@dataclass(slots=True)
class MystProject:
    """Hold what the pages of a project share: its works, and the count of cells whose output is not known."""

    citations: Citations = field(default_factory=lambda: Citations({}))
    unrun_cells: int = 0

    def notes(self) -> tuple[str, ...]:
        """Return what the operator should know of what only a build has."""
        return unrun_notes(self.unrun_cells)


@dataclass(frozen=True, slots=True)
class _Page:
    """Hold what the lines of a page need: files that it includes, and its project."""

    included: ReadIncluded
    project: MystProject


def plain_myst(text: str, included: ReadIncluded, project: MystProject | None = None) -> str:
    """Return a page's text with its directives and roles as prose, code and captions.

    `included` returns the text of a file that the page names, or an empty text. Citations and cells are
    counted in `project`.
    """
    page = _Page(included, project or MystProject())
    text = rewrite_prose(without_comments(text), lambda prose: _BROKEN_ROLE.sub(_on_one_line, prose))
    return "\n".join(_lines(text.split("\n"), page, depth=0))


def _on_one_line(found: re.Match[str]) -> str:
    return " ".join(found[0].split())


def labels_of(text: str) -> list[str]:
    """Return the names that the author gave to places of a page (`(grip)=`), in order."""
    return [found["name"] for found in LABEL.finditer(text)]


def _lines(lines: list[str], page: _Page, *, depth: int) -> Iterator[str]:
    position = 0
    while position < len(lines):
        line = lines[position]
        opening = DIRECTIVE.fullmatch(line)
        if opening is not None:
            end = closing_line(lines, position + 1, opening["marks"])
            yield from _directive(opening, lines[position + 1 : end], page, depth=depth)
            position = end + 1
        elif opening_fence(line) is not None:
            end = fenced_code_end(lines, position)
            yield from lines[position:end]
            position = end
        else:
            position += 1
            if not _NOT_SHOWN_LINE.fullmatch(line):
                yield ATTRIBUTES.sub("", _ROLE.sub(partial(_role_words, page.project), line))


def closing_line(lines: list[str], start: int, marks: str) -> int:
    """Return the number of the line that closes a directive; without one it takes the rest."""
    for position in range(start, len(lines)):
        line = lines[position].strip()
        if line.startswith(marks) and not line.strip(marks[0]) and len(line) == len(marks):
            return position
    return len(lines)


def _directive(opening: re.Match[str], body: list[str], page: _Page, *, depth: int) -> Iterator[str]:
    directive = parsed_directive(opening, body)
    indent, name = opening["indent"], directive.name
    if name in _DROPPED or depth >= MAX_DEPTH:
        return
    if name == "include":
        yield from _lines(without_comments(page.included(directive.title)).split("\n"), page, depth=depth + 1)
        return
    found = [*_content(directive, page, depth=depth)]
    yield from ("", *(f"{indent}{line}".rstrip() for line in found), "")


def _content(directive: MystDirective, page: _Page, *, depth: int) -> Iterator[str]:
    name, title = directive.name, directive.title
    if name in _CODE:
        yield from _code(directive, page)
    elif name == "bibliography":
        yield from page.project.citations.references(page.project.citations.cited).split("\n")
    elif name == "math":
        yield from ("$$", *filter(None, (title, *directive.body)), "$$")
    elif name in _CAPTIONED:
        words = directive.options.get("alt", "")
        yield from (words, "") if words else ()
        yield from _lines(directive.body, page, depth=depth + 1)
    else:
        called = _called(name, title)
        yield from (bold(_ROLE.sub(partial(_role_words, page.project), called)), "") if called else ()
        yield from _lines(directive.body, page, depth=depth + 1)


def _called(name: str, title: str) -> str:
    """Return the title of a block: its own, or its kind. A solution has the name of what it solves."""
    kind = name.removeprefix("prf:").removesuffix("-start")
    if kind == "solution":
        return "Solution"
    if kind == "exercise" or name.startswith("prf:"):
        return f"{kind.capitalize()} ({title})" if title else kind.capitalize()
    return title or (_TITLES.get(name, name.capitalize()) if name in _CALLED else "")


def _code(directive: MystDirective, page: _Page) -> Iterator[str]:
    if {"remove-cell", "remove-input"} & set(re.findall(r"[\w-]+", directive.options.get("tags", ""))):
        return
    page.project.unrun_cells += directive.name == "code-cell" and not _is_quiet(directive)
    body, language = directive.body, directive.options.get("language", "")
    if directive.name == "literalinclude":
        body = page.included(directive.title).rstrip("\n").split("\n")
    elif not language:
        found = LANGUAGE.match(directive.title)
        language = found[0] if found is not None else ""
    caption = directive.options.get("caption", "")
    yield from (caption, "") if caption else ()
    if any(line.strip() for line in body):
        language = "python" if language.startswith("ipython") else language
        yield from (f"```{language}", *body, "```")


def _is_quiet(directive: MystDirective) -> bool:
    """Return whether a cell's output is hidden."""
    return "remove-output" in directive.options.get("tags", "")


def parsed_directive(opening: re.Match[str], body: list[str]) -> MystDirective:
    """Part a directive's options from its body: `:key: value`, or lines between hyphens.

    The body is moved as far out as the directive is in.
    """
    options: dict[str, str] = {}
    indent = len(opening["indent"])
    body = [line[min(indent, len(line) - len(line.lstrip(" \t"))) :] for line in body]
    start = 0
    if body and body[0].strip() == "---":
        end = next((place for place, line in enumerate(body[1:], 1) if line.strip() == "---"), len(body) - 1)
        for line in body[1:end]:
            key, _, value = line.partition(":")
            options[key.strip()] = value.strip().strip("\"'")
        start = end + 1
    else:
        while start < len(body) and (found := _OPTION.fullmatch(body[start])) is not None:
            options[found["key"]] = found["value"].strip()
            start += 1
    return MystDirective(opening["name"].lower(), opening["title"].strip(), options, body[start:])


def _role_words(project: MystProject, role: re.Match[str]) -> str:
    name, text = role["name"].lower(), role["text"]
    target = _TARGET.fullmatch(text)
    if name in _MATH:
        return f"${text}$"
    if name in _CITED:
        return project.citations.named(text, in_text=name.endswith((":t", ":ts")))
    if name == "numref" and target is None:
        return _NUMBERED.get(text[:3].lower(), "Fig.")
    if name in _LITERAL:
        return f"`{text.lstrip('~!')}`"
    if target is not None and target["words"]:
        return target["words"].strip()
    return "" if name in _KEYS else text
