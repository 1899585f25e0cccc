"""Turn the outputs that a notebook stores with its code cells into Markdown, as a built book shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from html_to_markdown import ConversionOptions, convert
from selectolax.lexbor import LexborHTMLParser

from ragbot.books.formats.config_files import as_texts
from ragbot.books.markup.code_spans import fenced

# What a cell printed beyond this is a log that nobody reads.
MAX_OUTPUT_CHARACTERS = 20_000

_HIDDEN_OUTPUT = frozenset({"remove-output", "remove_output"})
# A stream that is hidden by a tag of its own.
_HIDDEN_STREAM = {"stdout": "remove-stdout", "stderr": "remove-stderr"}
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What Python prints for a picture or a widget, which a page shows drawn.
_OBJECT = re.compile(
    r"\s*<(?:[\w.]+ (?:size|object|at) |IPython\.|Axes|matplotlib\.)[^\n]*>\s*|\s*Figure\(.*\)\s*"
)
# Headings in the HTML that a cell printed have no anchor on the page.
_HEADING_TAG = re.compile(r"<(?P<closes>/?)h[1-6]\b[^<>]*>", re.IGNORECASE)
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
_OPTIONS = ConversionOptions(extract_metadata=False, autolinks=False, default_title=False)


def outputs_markdown(cell: dict[str, object], tags: set[str]) -> str:
    """Return the stored outputs of a code cell, or an empty text if the book hides them."""
    outputs = cell.get("outputs")
    if tags & _HIDDEN_OUTPUT or not isinstance(outputs, list):
        return ""
    found = (piece for output in outputs if isinstance(output, dict) for piece in _output(output, tags))
    return "\n\n".join(piece for piece in found if piece.strip())


def joined_text(source: object) -> str:
    """Return a text of a notebook, which may be a list of its lines; other values give an empty text."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def html_as_markdown(html: str) -> str:
    """Return the words of a piece of HTML; one that would become very long has none."""
    html = _HEADING_TAG.sub(lambda tag: "</b></p>" if tag["closes"] else "<p><b>", html)
    tree = LexborHTMLParser(html)
    for node in tree.css("script, style"):
        node.decompose()
    text = (convert(tree.body.html or "", _OPTIONS).content or "").strip() if tree.body else ""
    # A table's widest row adds empty cells to all others.
    return text if len(text) <= MAX_OUTPUT_CHARACTERS else ""


def _output(output: dict[str, object], tags: set[str]) -> Iterator[str]:
    match output.get("output_type"):
        case "stream" if _HIDDEN_STREAM.get(str(output.get("name")), "") not in tags:
            yield _printed(output.get("text"))
        case "error":
            yield _printed("\n".join(as_texts(output.get("traceback"))))
        case "execute_result" | "display_data":
            data = output.get("data")
            yield _shown(data) if isinstance(data, dict) else ""


def _shown(data: dict[str, object]) -> str:
    """Return the richest form of a result that has words; a picture has none."""
    for kind in ("text/markdown", "text/latex"):
        if text := joined_text(data.get(kind)).strip():
            return text[:MAX_OUTPUT_CHARACTERS]
    html = joined_text(data.get("text/html"))
    if "<table" in html and len(html) <= 10 * MAX_OUTPUT_CHARACTERS and (table := html_as_markdown(html)):
        return table
    plain = joined_text(data.get("text/plain"))
    if any(kind in data for kind in _PICTURES) or _OBJECT.fullmatch(plain):
        return ""
    return _printed(plain)


def _printed(value: object) -> str:
    text = _COLOURS.sub("", joined_text(value))[:MAX_OUTPUT_CHARACTERS]
    return fenced(text) if text.strip() else ""
