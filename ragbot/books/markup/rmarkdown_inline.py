"""Turn a line of R Markdown or Quarto into what a reader sees: computed values, references, notes, spans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ragbot.books.markup.code_spans import CLOSES, find_code_spans, rewrite_around_code
from ragbot.books.markup.pandoc_citations import Citations
from ragbot.books.markup.pandoc_prose import with_plain_scripts
from ragbot.books.markup.quarto_marks import Values, with_shortcodes
from ragbot.books.markup.unrun_cells import missing_notes, unrun_notes

_COMPUTED = re.compile(r"`(?:r|\{r\}|\{python\})[ \t]+(?P<code>[^`\n]*)`")
# Books wrap words in functions of their own: `r index("boats")`, `r pkg("oars")`.
_CALL = re.compile(
    r"[\w.:]+\(\s*(?P<quote>['\"])(?P<words>(?=[\W\d_]{0,50}[A-Za-z])[\w.$@:()\[\] ,-]{1,200}|https?://[^'\"\s]+)(?P=quote)"
)
_VARIABLE = re.compile(r"[A-Za-z][\w.]*")
_FILE = re.compile(r"\.(?:png|jpe?g|svg|gif|pdf|csv|R|Rmd|html?)$", re.IGNORECASE)
# What is set for print alone, numbers, and attributes.
_INDEX = re.compile(r"\\index\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*\})*\})*\}")
_NOT_SHOWN = re.compile(
    rf"\{{\{{<[^\n<>]*>\}}\}}|\\@ref\([^()\n]*\)|(?<=[\])`{CLOSES}])\{{[^{{}}\n]{{1,300}}\}}"
    r"|(?<=\$\$)[ \t]*\{#[^{}\n]{1,300}\}"
)
# How books about R Markdown show a computed value as it is written.
_WRITTEN = re.compile(r"`r[ ]+(?:knitr::)?inline_expr\((?P<quote>['\"])(?P<code>[^`\n]{1,300})(?P=quote)\)`")
_SPAN = re.compile(r"(?<![!\\\]])\[(?P<text>[^\[\]\n]*)\]\{(?P<attributes>(?:[.#]|[\w-]+=)[^{}\n]*)\}")
# Stands in the margin.
_ASIDE = re.compile(r"(?<![\w-])\.(?:aside|column-margin|marginnote|margin-aside)(?![\w-])")
_NOTE = re.compile(r"\^\[(?P<text>(?:[^\[\]\n]|\[[^\[\]\n]*\])*)\]")
_LABEL = re.compile(
    r"(?<![ \t])[ \t]*+\(\\#(?P<kind>fig|tab|eq|thm|lem|def|exm|exr|cor|prp):[\w:.-]+\)[ \t]*"
)

THEOREMS = {
    "thm": "Theorem",
    "lem": "Lemma",
    "cor": "Corollary",
    "prp": "Proposition",
    "cnj": "Conjecture",
    "def": "Definition",
    "exm": "Example",
    "exr": "Exercise",
    "sol": "Solution",
    "rem": "Remark",
}
KINDS = {
    "fig": "Figure",
    "sec": "Section",
    "tbl": "Table",
    "eq": "Equation",
    "lst": "Listing",
    "nte": "Note",
    "tip": "Tip",
    "wrn": "Warning",
    "imp": "Important",
    "cau": "Caution",
    **THEOREMS,
}
# References to what is numbered are shown as "Figure 2"; the numbers are not known.
# A minus asks for the number alone.
_NUMBERED = re.compile(
    rf"\[?(?P<minus>-?)(?<!\w)@(?P<label>(?P<kind>{'|'.join(KINDS)})-[\w:.-]*\w)\]?",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    rf"\[(?P<words>[^\[\]@\n]{{1,200}})(?<=\S)[ ]-?@(?:{'|'.join(KINDS)})-[\w:.-]*\w\]",
    re.IGNORECASE,
)
_CAPTIONED = {"fig": "Figure: ", "tab": "Table: "}


@dataclass(slots=True)
class RmdProject:
    """Hold what the pages of a project share.

    `called` are labels with what references to them are called, where that is not usual. `numbers_figures` is
    true where each figure has a number, and not those with a label alone. `values` are what shortcodes show
    and conditions ask for, by their names. `unrun_cells` counts the code cells whose output is not known.
    With `lists_all` the references list works that are not cited, too.
    """

    shows_code: bool = True
    citations: Citations = field(default_factory=lambda: Citations({}))
    called: Mapping[str, str] = field(default_factory=dict)
    values: Values = field(default_factory=dict)
    numbers_figures: bool = False
    lists_all: bool = False
    unrun_cells: int = 0

    def references(self) -> str:
        """Return the list of the works that were cited so far."""
        return self.citations.references(self.citations.works if self.lists_all else self.citations.cited)

    def notes(self) -> tuple[str, ...]:
        """Return what the operator should know of what only a build has."""
        return (
            *unrun_notes(self.unrun_cells),
            *missing_notes(self.citations.missing, self.citations.unknown),
        )


def shown_line(line: str, project: RmdProject) -> str:
    """Return a line of prose as a reader sees it."""

    def reference(found: re.Match[str]) -> str:
        return (
            ""
            if found["minus"]
            else project.called.get(found["label"])
            or project.called.get(found["kind"].lower(), KINDS[found["kind"].lower()])
        )

    def around_code(text: str) -> str:
        shown = _SPAN.sub(_span_words, _INDEX.sub("", text))
        shown = project.citations.written(_NOT_SHOWN.sub("", shown))
        shown = _NUMBERED.sub(reference, _PREFIXED.sub(r"\g<words>", shown))
        shown = _LABEL.sub(lambda found: _CAPTIONED.get(found["kind"], ""), shown)
        return _NOTE.sub(r" (\g<text>)", shown)

    written = with_plain_scripts(with_shortcodes(_with_values(line), project.values))
    return rewrite_around_code(written, around_code)


def with_written_values(text: str) -> str:
    """Return a text in which values that are shown as they are written are so; this is done in code, too."""
    return _WRITTEN.sub(r"`r \g<code>`", text)


def without_index(text: str) -> str:
    """Return a line without what it enters into an index of print."""
    return _INDEX.sub("", text)


def without_span_marks(text: str, project: RmdProject) -> str:
    """Return a heading's text without the marks of spans."""
    written = with_shortcodes(_with_values(text), project.values)
    return rewrite_around_code(written, lambda words: _SPAN.sub(_span_words, words)).strip()


def _span_words(span: re.Match[str]) -> str:
    """Return a span's words; those that stand in the margin are parted from the word before."""
    is_glued = span.start() > 0 and not span.string[span.start() - 1].isspace()
    return " " * (is_glued and _ASIDE.search(span["attributes"]) is not None) + span["text"]


def _with_values(line: str) -> str:
    """Return a line with the words of computed values, but for those in code that two ticks open."""
    pieces: list[str] = []
    position = 0
    for start, end in find_code_spans(line):
        value = _COMPUTED.fullmatch(line, start, end)
        if value is not None:
            pieces += (line[position:start], _computed(value))
            position = end
    return "".join((*pieces, line[position:]))


def _computed(found: re.Match[str]) -> str:
    """Return the words that a computed value holds: the author's own, or the variable's name."""
    code = found["code"].strip()
    call = _CALL.match(code)
    if call is not None and not _FILE.search(call["words"]):
        return call["words"]
    return f"`{code}`" if _VARIABLE.fullmatch(code) else ""
