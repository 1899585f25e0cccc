"""Turn R Markdown and Quarto into plain Markdown: the words and the code that a reader of the site sees."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ragbot.books.formats.config_files import parse_tolerant_yaml
from ragbot.books.formats.notebook_outputs import html_as_markdown
from ragbot.books.markup.code_marks import without_annotations
from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.pandoc_ids import HeadingIds
from ragbot.books.markup.pandoc_prose import joined_mathematics, plain_pandoc_prose
from ragbot.books.markup.pandoc_tables import read_drawn_table
from ragbot.books.markup.quarto_marks import is_hidden, shortcodes_in_code
from ragbot.books.markup.rewriting import rewrite_prose, without_comments
from ragbot.books.markup.rmarkdown_inline import (
    THEOREMS,
    RmdProject,
    shown_line,
    with_written_values,
    without_index,
    without_span_marks,
)
from ragbot.core.code_fences import fenced_code_end, opening_fence
from ragbot.core.errors import FileUnreadable

# Returns the text of a file that a page includes, or an empty text.
ReadIncluded = Callable[[str], str]

# Marks a chunk whose output stands below it.
STORED = ".stored"

MAX_DEPTH = 5
MAX_DIVS = 50
MAX_TEX_LINES = 200

_CHUNK = re.compile(r"(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*\{(?P<header>[^\n]{0,2000})\}[ \t]*")
_OPTION_LINE = re.compile(r"[ \t]*(?:#|//|--|%%)\|(?P<text>[^\n]*)")
_ENGINE = re.compile(r"\.?(?P<name>[A-Za-z][\w+#-]*)")
_FALSE = re.compile(r"\b(?P<key>echo|include|eval)\s*=\s*(?:FALSE|F)\b")
_HIDES = re.compile(r"\bresults\s*=\s*['\"]hide['\"]")
_CAPTION = re.compile(
    r"\bfig\.(?P<key>cap|alt)\s*=\s*(?P<quote>['\"])(?P<text>(?:(?!(?P=quote)).)*)(?P=quote)"
)
_CHILD = re.compile(r"\bchild\s*=\s*['\"](?P<path>[^'\"\n]+)['\"]")

_KNITTED_CHILD = re.compile(r"^[^#\n]*\bknit_child\(\s*['\"](?P<path>[^'\"\n]+)['\"][^\n]*", re.MULTILINE)
_NOT_INCLUDED = re.compile(r"\binclude\s*=\s*(?:FALSE|F)\b")

_DIV = re.compile(
    r"(?P<indent>[ \t]*):{3,}[ \t]*(?:\{(?P<attributes>[^{}\n]{0,1000})\}|(?P<name>[\w.-]+))?[ \t]*:*[ \t]*"
)
_TITLE = re.compile(r"\b(?:title|name)=(?P<quote>[\"'])(?P<text>(?:(?!(?P=quote)).)*)(?P=quote)")
_CALLOUT = re.compile(r"\.callout-(?P<kind>\w+)")
_WITHOUT_HEAD = re.compile(r"\bappearance=[\"']?(?:simple|minimal)\b")
_THEOREM = re.compile(
    rf"#(?P<kind>{'|'.join(THEOREMS)})-|(?<![\w-])\.(?P<name>proof|remark|solution)(?![\w-])"
)
_FILE_NAME = re.compile(r"\bfilename=(?P<quote>[\"'])(?P<text>[^\"'\n]{1,200})(?P=quote)")
_INCLUDE = re.compile(r"[ \t]*\{\{<[ \t]*include[ \t]+(?P<path>[^\n>]+?)[ \t]*>\}\}[ \t]*")
_FIGURE = re.compile(
    r"(?P<indent>[ \t]*)!\[(?P<caption>(?:[^\[\]\n]|\[[^\[\]\n]*\])*)\]\((?P<target>[^()\n]*)\)"
    r"(?:\{(?P<attributes>[^{}\n]*)\})?[ \t]*\\?[ \t]*"
)
_ALTERNATIVE = re.compile(r"\bfig-alt=(?P<quote>[\"'])(?P<text>(?:(?!(?P=quote)|[\[\]]).)*)(?P=quote)")
_REFERENCES = re.compile(r"(?<![\w-])#refs(?![\w-])")
# A bibliography's heading is often written by code, for this format alone.
_FOR_HTML = re.compile(
    r"`r[ \t]+if[ \t]*\((?:knitr:::?)?is_(?P<format>html|latex)_output\(\)\)[ \t{]*"
    r"(?P<quote>['\"])(?P<words>[^'\"`]{0,500})(?P=quote)[ \t}]*`"
)
# What is set by TeX alone; environments of mathematics are shown.
_TEX = r"center|figure|table|tabular|flushright|flushleft|multicols|titlepage"
_TEX_BEGIN = re.compile(rf"[ \t]*\\begin\{{(?P<name>{_TEX})\*?\}}")
_TEX_END = re.compile(rf"\\end\{{(?P<name>{_TEX})\*?\}}[ \t]*$")
_BROKEN_CITATION = re.compile(r"\[[^\[\]\n`]{0,300}@[^\[\]\n`]{0,500}(?:\n[^\[\]\n`]{1,500}){1,3}\]")
_HEADING = re.compile(r"(?P<marks>#{1,6})[ \t]+(?P<text>[^\n]*)")
_HEADING_ATTRIBUTES = re.compile(r"(?<![ \t])[ \t]*+\{(?P<attributes>[^{}\n]*)\}[ \t]*$")
_REFERENCE_TEXT = re.compile(r"^\(ref:(?P<label>[\w-]+)\)[ \t]+(?P<text>[^\n]*)$", re.MULTILINE)

_FOR_PRINT = re.compile(
    r"\\(?:newpage|clearpage|cleardoublepage|pagebreak|appendix|mainmatter|frontmatter|backmatter|tableofcontents"
    r"|noindent|printindex|bigskip|medskip|smallskip|(?:v|h)space\*?\{[^{}]*\})[ \t]*"
)

# Engines whose content is prose.
_PROSE = frozenset({"block", "block2", "asis"})


@dataclass(slots=True)
class _Div:
    """Hold what a block between colons is: whether it is shown, and what its headings are."""

    is_shown: bool = True
    has_tabs: bool = False
    title: str = ""
    # A callout is called by its first heading, if that comes first; a theorem has its kind before that.
    waits_for_title: bool = False
    kind: str = ""
    indent: str = ""


@dataclass(slots=True)
class _Rewriter:
    """Hold the state of one page: open blocks, texts that captions refer to, whether chunks are hidden."""

    included: ReadIncluded
    project: RmdProject
    references: dict[str, str]
    divs: list[_Div] = field(default_factory=list)
    ids: HeadingIds = field(default_factory=HeadingIds)
    depth: int = 0
    hides_chunks: bool = False

    def lines(self, text: str) -> Iterator[str]:
        """Yield the lines of a page as a reader sees them."""
        lines = joined_mathematics(text.split("\n"))
        tex_ends = _tex_ends(lines)
        position = 0
        while position < len(lines):
            line = lines[position]
            chunk = _CHUNK.fullmatch(line)
            is_fence = chunk is not None or opening_fence(line) is not None
            table = None if is_fence else read_drawn_table(lines, position)
            if table is not None:
                yield from (shown_line(row, self.project) for row in table.lines if self._is_shown)
                position = table.end
                continue
            if not is_fence:
                end = _end_of_tex(line, position, tex_ends)
                position = max(position, end) + 1
                if end < 0:
                    yield from self._prose(line)
                continue
            if chunk is not None:
                closing = _closing(lines, position + 1, chunk)
                end, shown = closing + 1, self._chunk(chunk, lines[position + 1 : closing])
            else:
                end = fenced_code_end(lines, position)
                shown = self._code(lines[position:end])
            if self._is_shown:
                yield from self._due_title()
                yield from shown
            position = end

    @property
    def _is_shown(self) -> bool:
        return all(div.is_shown for div in self.divs)

    def _due_title(self) -> Iterator[str]:
        if self.divs and self.divs[-1].waits_for_title:
            self.divs[-1].waits_for_title = False
            yield from self._title(self.divs[-1].title)

    def _title(self, words: str) -> Iterator[str]:
        """Yield the title of the innermost block, as far in as the block is."""
        yield from (self.divs[-1].indent + bold(words), "") if words else ()

    def _prose(self, line: str) -> Iterator[str]:
        div = _DIV.fullmatch(line)
        if div is not None:
            yield ""
            is_opening = div.lastgroup != "indent"
            names = (div["attributes"] or f".{div['name']}") if is_opening else ""
            yield from self._div(names, div["indent"])
            return
        heading = _HEADING.fullmatch(line.removeprefix(self.divs[-1].indent) if self.divs else line)
        if heading is not None and not self._is_shown and "{#" not in line:
            self.ids.hide(_HEADING_ATTRIBUTES.sub("", heading["text"]))
        if not self._is_shown or _FOR_PRINT.fullmatch(line.strip()) or _REFERENCE_TEXT.fullmatch(line):
            return
        include = _INCLUDE.fullmatch(line)
        if include is not None:
            yield from self._file(include["path"].strip("\"'"))
            return
        if heading is not None:
            yield from self._heading(heading["marks"], heading["text"])
            return
        if line.strip():
            yield from self._due_title()
        figure = _FIGURE.fullmatch(line)
        yield from self._figure(figure) if figure is not None else (shown_line(line, self.project),)

    def _figure(self, figure: re.Match[str]) -> Iterator[str]:
        """Yield a picture that stands alone, and its caption as a paragraph below it."""
        is_numbered = "#fig-" in (figure["attributes"] or "")
        caption = shown_line(figure["caption"], self.project).strip()
        caption = f"Figure: {caption}" if is_numbered and caption else caption
        alternative = _ALTERNATIVE.search(figure["attributes"] or "")
        yield f"{figure['indent']}![{alternative['text'] if alternative else ''}]({figure['target']})"
        yield from ("", figure["indent"] + caption, "") if caption else ()

    def _div(self, attributes: str, indent: str) -> Iterator[str]:
        if not attributes:
            if self.divs:
                self.divs.pop()
            return
        if len(self.divs) >= MAX_DIVS:
            return
        if _REFERENCES.search(attributes):
            yield from (self.project.references(), "")
        title, kind = _TITLE.search(attributes), _kind(attributes)
        words = title["text"] if title else kind
        waits = title is None and (kind != "" or _CALLOUT.search(attributes) is not None)
        self.divs.append(
            _Div(
                is_shown=not is_hidden(attributes, self.project.values),
                has_tabs=".panel-tabset" in attributes,
                title=words,
                waits_for_title=waits,
                kind="" if _CALLOUT.search(attributes) else kind,
                indent=indent,
            )
        )
        if not waits and self._is_shown:
            yield from self._title(words)

    def _heading(self, marks: str, text: str) -> Iterator[str]:
        text = without_index(text)
        found = _HEADING_ATTRIBUTES.search(text)
        ids = [word for word in found["attributes"].split() if word.startswith("#")] if found else []
        words = without_span_marks(text[: found.start()] if found else text, self.project)
        if self.divs and (self.divs[-1].waits_for_title or self.divs[-1].has_tabs):
            # It is the name of a callout, of a theorem or of a tab, and has no anchor.
            self.divs[-1].waits_for_title = False
            kind = self.divs[-1].kind
            if not ids:
                self.ids.hide(words)
            yield from self._title(f"{kind} ({words})" if kind else words)
            return
        own = ids[-1].removeprefix("#") if ids else self.ids.of(words)
        indent = self.divs[-1].indent if self.divs else ""
        yield f"{indent}{marks} {words}{f' {{#{own}}}' if own else ''}"

    def _code(self, lines: list[str]) -> Iterator[str]:
        return (shortcodes_in_code(without_annotations(line), self.project.values) for line in lines)

    def _chunk(self, chunk: re.Match[str], body: list[str]) -> Iterator[str]:
        header = chunk["header"].strip()
        if header.startswith("="):
            # It is raw text of one output format.
            yield from html_as_markdown("\n".join(body)).split("\n") if header.startswith("=html") else ()
            return
        if header.startswith("{"):
            # It is shown as it is written.
            marks, outer = chunk["indent"] + chunk["marks"], chunk["indent"] + 2 * chunk["marks"]
            yield from (f"{outer}markdown", f"{marks}{header}", *self._code(body), marks, outer)
            return
        engine = _ENGINE.match(header)
        name = engine["name"].lower() if engine else ""
        options, code = ({}, body) if header.startswith(".") else _options(header, body)
        # A chunk may be there to put another file in its place.
        child = _CHILD.search(header) or _KNITTED_CHILD.search("\n".join(code))
        if child is not None:
            yield from self._file(child["path"], hides_chunks=_NOT_INCLUDED.search(child[0]) is not None)
        elif name in _PROSE:
            yield from self.lines("\n".join(code))
        elif options.get("include", not self.hides_chunks) is not False:
            self.project.unrun_cells += _is_run(header, options)
            is_shown = options.get("echo", self.project.shows_code or header.startswith(".")) is not False
            if is_shown and any(line.strip() for line in code):
                yield from self._file_name(chunk, options)
                yield from (f"{chunk['indent']}{chunk['marks']}{name}", *self._code(code))
                yield f"{chunk['indent']}{chunk['marks']}"
            yield from self._captions(header, options)

    def _file_name(self, chunk: re.Match[str], options: dict[str, object]) -> Iterator[str]:
        """Yield the name that a listing has above it."""
        found = _FILE_NAME.search(chunk["header"])
        name = found["text"] if found else options.get("filename")
        yield from ("", f"{chunk['indent']}{bold(name)}", "") if isinstance(name, str) and name else ()

    def _captions(self, header: str, options: dict[str, object]) -> Iterator[str]:
        alternative = self._caption(options.get("fig-alt"))
        yield from ("", alternative, "") if alternative else ()
        label = f"{options.get('label', '')} {header}"
        for key, mark, kind in (("fig-cap", "fig-", "Figure: "), ("tbl-cap", "tbl-", "Table: ")):
            caption = self._caption(options.get(key))
            is_numbered = self.project.numbers_figures or mark in label
            yield from ("", (kind if is_numbered else "") + caption, "") if caption else ()

    def _caption(self, value: object) -> str:
        if isinstance(value, list):
            return " ".join(self._caption(each) for each in value)
        text = value.strip() if isinstance(value, str) else ""
        label = text.removeprefix("(ref:").removesuffix(")") if text.startswith("(ref:") else ""
        return self.references.get(label, "") if label else text

    def _file(self, path: str, *, hides_chunks: bool = False) -> Iterator[str]:
        if self.depth < MAX_DEPTH:
            outer, self.hides_chunks = self.hides_chunks, hides_chunks or self.hides_chunks
            self.depth += 1
            yield from self.lines(rewrite_prose(without_comments(self.included(path)), plain_pandoc_prose))
            self.depth -= 1
            self.hides_chunks = outer


def plain_rmarkdown(text: str, included: ReadIncluded, project: RmdProject | None = None) -> str:
    """Return a page's text without chunk options, computed values, blocks' marks and what is for print.

    Code whose `echo` is off is left out, and so is all code of a project that shows none; what it would print
    is not known, its caption is. Citations and cells are counted in `project`.
    """
    text = with_written_values(rewrite_prose(without_comments(text), _joined_lines))
    references = {found["label"]: found["text"] for found in _REFERENCE_TEXT.finditer(text)}
    rewriter = _Rewriter(included, project or RmdProject(), references)
    return "\n".join(rewriter.lines(text))


def _joined_lines(text: str) -> str:
    """Return prose in which no computed value and no citation is broken into lines, and captions are text."""
    text = _FOR_HTML.sub(_html_words, text)
    text = _BROKEN_CITATION.sub(lambda found: found[0].replace("\n", " "), text)
    return plain_pandoc_prose(text)


def _kind(attributes: str) -> str:
    """Return what a callout or a theorem is called without a title of its own."""
    callout, theorem = _CALLOUT.search(attributes), _THEOREM.search(attributes)
    if callout is not None:
        return "" if _WITHOUT_HEAD.search(attributes) else callout["kind"].capitalize()
    return (THEOREMS.get(theorem["kind"]) or theorem["name"].capitalize()) if theorem else ""


def _html_words(found: re.Match[str]) -> str:
    return found["words"].replace("\\n", "\n") if "html" in found["format"] else ""


def _is_run(header: str, options: dict[str, object]) -> bool:
    """Return whether a build runs a chunk and shows what it prints."""
    is_code = not header.startswith(".") and STORED not in header and _ENGINE.match(header) is not None
    hides = options.get("output") is False or options.get("results") in ("hide", False)
    return is_code and not hides and options.get("eval") is not False


def _tex_ends(lines: list[str]) -> dict[str, list[int]]:
    """Return the lines in which environments of TeX end, by their names."""
    ends: dict[str, list[int]] = {}
    for position, line in enumerate(lines):
        if (found := _TEX_END.search(line)) is not None:
            ends.setdefault(found["name"], []).append(position)
    return ends


def _end_of_tex(line: str, position: int, ends: dict[str, list[int]]) -> int:
    """Return the line in which the environment ends that a line opens, or -1."""
    opened = _TEX_BEGIN.match(line)
    found = ends.get(opened["name"], []) if opened is not None else []
    nearest = bisect_left(found, position)
    is_there = nearest < len(found) and found[nearest] - position <= MAX_TEX_LINES
    return found[nearest] if is_there else -1


def _closing(lines: list[str], start: int, chunk: re.Match[str]) -> int:
    """Return the line that closes a chunk, or the end.

    knitr closes it as it was opened, since its code may hold other fences.
    """
    marks, loose = chunk["marks"], len(lines)
    for position in range(start, len(lines)):
        line = lines[position].rstrip()
        if line == chunk["indent"] + marks:
            return position
        if line.lstrip().startswith(marks) and not line.lstrip().strip(marks[0]):
            loose = min(loose, position)
    return loose


def _options(header: str, body: list[str]) -> tuple[dict[str, object], list[str]]:
    """Return a chunk's options, from its header and from the comments that it begins with, and its code."""
    options: dict[str, object] = {found["key"]: False for found in _FALSE.finditer(header)}
    options |= {f"fig-{found['key']}": found["text"] for found in _CAPTION.finditer(header)}
    if _HIDES.search(header):
        options["results"] = "hide"
    count = 0
    while count < len(body) and _OPTION_LINE.fullmatch(body[count]):
        count += 1
    lines = (found["text"] for line in body[:count] if (found := _OPTION_LINE.fullmatch(line)))
    if count:
        try:
            # knitr's own names have dots: `fig.cap`.
            values = parse_tolerant_yaml("\n".join(lines))
            options |= {key.replace(".", "-"): value for key, value in values.items()}
        except FileUnreadable:
            # It is no YAML, and the code is shown as by default.
            return options, body[count:]
    return options, body[count:]
