"""Turn R Markdown and Quarto into plain Markdown: the words and the code that a reader of the site sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ragbot.books.formats.config_files import parse_tolerant_yaml
from ragbot.books.markup.rewriting import without_comments
from ragbot.core.errors import FileUnreadable

# Returns the text of a file that a page includes, or an empty text.
ReadIncluded = Callable[[str], str]

MAX_DEPTH = 5
MAX_DIVS = 50

_CHUNK = re.compile(r"(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*\{(?P<header>[^\n]{0,2000})\}[ \t]*")
_FENCE = re.compile(r"[ \t]*(?P<marks>`{3,}|~{3,})[^`\n]*")
_OPTION_LINE = re.compile(r"[ \t]*(?:#|//|--|%%)\|(?P<text>[^\n]*)")
_ENGINE = re.compile(r"\.?(?P<name>[A-Za-z][\w+#-]*)")
_FALSE = re.compile(r"\b(?P<key>echo|include)\s*=\s*(?:FALSE|F)\b")
_CAPTION = re.compile(r"\bfig\.cap\s*=\s*(?P<quote>['\"])(?P<text>(?:(?!(?P=quote)).)*)(?P=quote)")
_CHILD = re.compile(r"\bchild\s*=\s*['\"](?P<path>[^'\"\n]+)['\"]")

_DIV = re.compile(
    r"[ \t]*:{3,}[ \t]*(?:\{(?P<attributes>[^{}\n]{0,1000})\}|(?P<name>[\w.-]+))?[ \t]*:*[ \t]*"
)
_TITLE = re.compile(r"\b(?:title|name)=(?P<quote>[\"'])(?P<text>(?:(?!(?P=quote)).)*)(?P=quote)")
_CALLOUT = re.compile(r"\.callout-(?P<kind>\w+)")
_OTHER_FORMAT = re.compile(
    r"\.content-visible\b(?!.*\bhtml).*when-format|\.content-hidden\b.*when-format=[\"']?html"
    r"|\.content-visible\b.*unless-format=[\"']?html"
)
_INCLUDE = re.compile(r"[ \t]*\{\{<[ \t]*include[ \t]+(?P<path>[^\n>]+?)[ \t]*>\}\}[ \t]*")
_HEADING = re.compile(r"(?P<marks>#{1,6})[ \t]+(?P<text>[^\n]*)")
_HEADING_ATTRIBUTES = re.compile(r"(?<![ \t])[ \t]*+\{(?P<attributes>[^{}\n]*)\}[ \t]*$")
_REFERENCE_TEXT = re.compile(r"^\(ref:(?P<label>[\w-]+)\)[ \t]+(?P<text>[^\n]*)$", re.MULTILINE)

# What is computed, set for print alone, or an attribute.
_NOT_SHOWN = re.compile(
    r"`(?:r|\{r\}|\{python\})[ \t][^`\n]*`|\{\{<[^\n<>]*>\}\}|\\@ref\([^()\n]*\)|\\index\{[^{}\n]*\}"
    r"|(?<=[\])`])\{[^{}\n]{1,300}\}"
)
_SPAN = re.compile(r"(?<![!\\\]])\[(?P<text>[^\[\]\n]*)\]\{[.#][^{}\n]*\}")
_NOTE = re.compile(r"\^\[(?P<text>(?:[^\[\]\n]|\[[^\[\]\n]*\])*)\]")
_FOR_PRINT = re.compile(
    r"\\(?:newpage|clearpage|cleardoublepage|pagebreak|appendix|mainmatter|frontmatter|backmatter|tableofcontents"
    r"|noindent|printindex|bigskip|medskip|smallskip|(?:v|h)space\*?\{[^{}]*\})[ \t]*"
)

# References to what is numbered are shown as "Figure 2"; the numbers are not known.
_NUMBERED = re.compile(
    r"\[?-?(?<!\w)@(?P<kind>fig|sec|tbl|eq|lst|thm|lem|def|exm)-[\w:.-]*\w\]?", re.IGNORECASE
)
_KINDS = {
    "fig": "Figure",
    "sec": "Section",
    "tbl": "Table",
    "eq": "Equation",
    "lst": "Listing",
    "thm": "Theorem",
    "lem": "Lemma",
    "def": "Definition",
    "exm": "Example",
}

# Engines whose content is prose.
_PROSE = frozenset({"block", "block2", "asis"})


@dataclass(slots=True)
class _Div:
    """Hold what a block between colons is: whether it is shown, and what its headings are."""

    is_shown: bool = True
    has_tabs: bool = False
    title: str = ""
    # A callout is called by its first heading, if that comes first.
    waits_for_title: bool = False


@dataclass(slots=True)
class _Rewriter:
    """Hold the state of one page: open blocks, and texts that captions refer to."""

    included: ReadIncluded
    shows_code: bool
    references: dict[str, str]
    divs: list[_Div] = field(default_factory=list)
    depth: int = 0

    def lines(self, text: str) -> Iterator[str]:
        """Yield the lines of a page as a reader sees them."""
        lines = _joined_mathematics(text.split("\n"))
        position = 0
        while position < len(lines):
            line = lines[position]
            chunk, fence = _CHUNK.fullmatch(line), _FENCE.fullmatch(line)
            if chunk is None and fence is None:
                position += 1
                yield from self._prose(line)
                continue
            marks = (chunk or fence or {"marks": ""})["marks"]
            end = _closing(lines, position + 1, marks)
            body = lines[position + 1 : end]
            if self._is_shown:
                yield from self._due_title()
                if chunk is not None:
                    yield from self._chunk(chunk, body)
                else:
                    yield from (line, *body, *lines[end : end + 1])
            position = end + 1

    @property
    def _is_shown(self) -> bool:
        return all(div.is_shown for div in self.divs)

    def _due_title(self) -> Iterator[str]:
        if self.divs and self.divs[-1].waits_for_title:
            self.divs[-1].waits_for_title = False
            yield from (f"**{self.divs[-1].title}**", "")

    def _prose(self, line: str) -> Iterator[str]:
        div = _DIV.fullmatch(line)
        if div is not None:
            yield ""
            yield from self._div(div["attributes"] or f".{div['name']}" if div.lastgroup else "")
            return
        if not self._is_shown or _FOR_PRINT.fullmatch(line.strip()):
            return
        include = _INCLUDE.fullmatch(line)
        if include is not None:
            yield from self._file(include["path"].strip("\"'"))
            return
        heading = _HEADING.fullmatch(line)
        if heading is not None:
            yield from self._heading(heading["marks"], heading["text"])
            return
        if line.strip():
            yield from self._due_title()
        shown = _NOT_SHOWN.sub("", _SPAN.sub(r"\g<text>", line))
        shown = _NUMBERED.sub(lambda found: _KINDS[found["kind"].lower()], shown)
        yield _NOTE.sub(r" (\g<text>)", shown)

    def _div(self, attributes: str) -> Iterator[str]:
        if not attributes:
            if self.divs:
                self.divs.pop()
            return
        if len(self.divs) >= MAX_DIVS:
            return
        callout, title = _CALLOUT.search(attributes), _TITLE.search(attributes)
        words = title["text"] if title else callout["kind"].capitalize() if callout else ""
        waits = callout is not None and title is None
        self.divs.append(
            _Div(
                is_shown=not _OTHER_FORMAT.search(attributes),
                has_tabs=".panel-tabset" in attributes,
                title=words,
                waits_for_title=waits,
            )
        )
        if words and not waits and self._is_shown:
            yield from (f"**{words}**", "")

    def _heading(self, marks: str, text: str) -> Iterator[str]:
        found = _HEADING_ATTRIBUTES.search(text)
        ids = [word for word in found["attributes"].split() if word.startswith("#")] if found else []
        words = _SPAN.sub(r"\g<text>", text[: found.start()] if found else text).strip()
        if self.divs and (self.divs[-1].waits_for_title or self.divs[-1].has_tabs):
            # It is the name of a callout or of a tab, and has no anchor.
            self.divs[-1].waits_for_title = False
            yield from (f"**{words}**", "")
            return
        yield f"{marks} {words}{f' {{{ids[-1]}}}' if ids else ''}"

    def _chunk(self, chunk: re.Match[str], body: list[str]) -> Iterator[str]:
        header = chunk["header"].strip()
        if header.startswith("="):
            # It is raw text of one output format.
            return
        engine = _ENGINE.match(header)
        name = engine["name"].lower() if engine else ""
        options, code = _options(header, body)
        child = _CHILD.search(header)
        if child is not None:
            yield from self._file(child["path"])
        elif name in _PROSE:
            yield from self.lines("\n".join(code))
        elif options.get("include") is not False:
            is_shown = options.get("echo", self.shows_code or header.startswith(".")) is not False
            if is_shown and any(line.strip() for line in code):
                yield from (f"{chunk['indent']}{chunk['marks']}{name}", *code)
                yield f"{chunk['indent']}{chunk['marks']}"
            caption = self._caption(options.get("fig-cap") or options.get("tbl-cap"))
            yield from ("", caption, "") if caption else ()

    def _caption(self, value: object) -> str:
        if isinstance(value, list):
            return " ".join(self._caption(each) for each in value)
        text = value.strip() if isinstance(value, str) else ""
        label = text.removeprefix("(ref:").removesuffix(")") if text.startswith("(ref:") else ""
        return self.references.get(label, "") if label else text

    def _file(self, path: str) -> Iterator[str]:
        if self.depth < MAX_DEPTH:
            self.depth += 1
            yield from self.lines(without_comments(self.included(path)))
            self.depth -= 1


def plain_rmarkdown(text: str, included: ReadIncluded, *, shows_code: bool = True) -> str:
    """Return a page's text without chunk options, computed values, blocks' marks and what is for print.

    Code whose `echo` is off is left out, and so is all code without `shows_code`; what it would print is not
    known, its caption is.
    """
    text = without_comments(text)
    references = {found["label"]: found["text"] for found in _REFERENCE_TEXT.finditer(text)}
    rewriter = _Rewriter(included, shows_code, references)
    return "\n".join(rewriter.lines(_REFERENCE_TEXT.sub("", text)))


def _joined_mathematics(lines: list[str]) -> list[str]:
    """Join a line of equals signs or hyphens in a formula to the one before: it would underline a heading."""
    joined: list[str] = []
    is_open = was_joined = False
    for line in lines:
        if is_open and joined and line.strip() and not line.strip("=- \t"):
            joined[-1] += "" if was_joined else f" {line.strip()}"
            was_joined = True
            continue
        is_open ^= line.count("$$") % 2 == 1
        was_joined = False
        joined.append(line)
    return joined


def _closing(lines: list[str], start: int, marks: str) -> int:
    """Return the line that closes a fence, or the end."""
    for position in range(start, len(lines)):
        line = lines[position].strip()
        if line.startswith(marks) and not line.strip(marks[0]):
            return position
    return len(lines)


def _options(header: str, body: list[str]) -> tuple[dict[str, object], list[str]]:
    """Return a chunk's options, from its header and from the comments that it begins with, and its code."""
    options: dict[str, object] = {found["key"]: False for found in _FALSE.finditer(header)}
    caption = _CAPTION.search(header)
    if caption is not None:
        options["fig-cap"] = caption["text"]
    count = 0
    while count < len(body) and _OPTION_LINE.fullmatch(body[count]):
        count += 1
    lines = (found["text"] for line in body[:count] if (found := _OPTION_LINE.fullmatch(line)))
    if count:
        try:
            options |= parse_tolerant_yaml("\n".join(lines))
        except FileUnreadable:
            # It is no YAML, and the code is shown as by default.
            return options, body[count:]
    return options, body[count:]
