"""Turn a Jupyter notebook into Markdown: its Markdown cells, its code, and the outputs stored with it."""

from __future__ import annotations

import json
import re

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import as_mapping, as_texts
from ragbot.books.formats.notebook_outputs import joined_text, outputs_markdown
from ragbot.books.markup.code_spans import fenced
from ragbot.books.markup.rmarkdown import STORED
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import cleaned

NOTEBOOK_SUFFIX = ".ipynb"

# Pictures that the code drew make up most of a notebook.
NOTEBOOK_SIZE_FACTOR = 20

# Cells that the book does not show, by their tags.
_HIDDEN_CELL = frozenset({"remove-cell", "remove_cell"})
_HIDDEN_INPUT = frozenset({"remove-input", "remove_input"})
# Quarto's options by which a cell shows nothing of what it prints.
_QUIET = re.compile(r"^[ \t]*#\|[ \t]*(?:output|include|eval):[ \t]*false\b", re.MULTILINE)


def read_source_text(folder: BookFolder, path: str, *, has_chunks: bool = False) -> str:
    """Read a page's source as Markdown; a notebook becomes that. Raises FileUnreadable."""
    if not path.lower().endswith(NOTEBOOK_SUFFIX):
        return folder.read_text(path)
    large = BookFolder(folder.root, max_file_bytes=NOTEBOOK_SIZE_FACTOR * folder.max_file_bytes)
    return notebook_markdown(large.read_text(path), has_chunks=has_chunks)


def notebook_markdown(source: str, *, has_chunks: bool = False) -> str:
    """Return a notebook's cells as Markdown. Raises FileUnreadable if it is no notebook.

    A raw cell at the beginning is front matter; other raw cells are for other formats. With `has_chunks` code
    is written as Quarto's chunks, whose options (`#| echo: false`) are left to its reader.
    """
    try:
        notebook = json.loads(source)
    except (ValueError, RecursionError) as fault:
        raise FileUnreadable("The notebook is not valid JSON.") from fault
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise FileUnreadable("The file is no notebook of version 4: it has no cells.")
    language = _language(notebook)
    # (Quarto shows a notebook as it is saved, and runs none of its cells.)
    if has_chunks:
        language = f"{{{language} {STORED}}}"
    elif not any(isinstance(cell, dict) and cell.get("outputs") for cell in cells):
        # It was never run: the build does it.
        language = f"{{code-cell}} {language}"
    pieces = [_cell(cell, language, is_first=not number) for number, cell in enumerate(cells)]
    # (What a cell printed may hold NUL characters, which a site does not show.)
    return cleaned("\n\n".join(piece for piece in pieces if piece.strip())) + "\n"


def _cell(cell: object, language: str, *, is_first: bool) -> str:
    if not isinstance(cell, dict):
        return ""
    text = joined_text(cell.get("source"))
    tags = _tags(cell)
    if tags & _HIDDEN_CELL:
        return ""
    match cell.get("cell_type"):
        case "markdown":
            return text
        case "raw" if is_first and text.startswith("---"):
            return text
        case "code":
            code = fenced(text, language) if text.strip() and not tags & _HIDDEN_INPUT else ""
            shown = "" if _QUIET.search(text) else outputs_markdown(cell, tags)
            return "\n\n".join(filter(None, (code, shown)))
    return ""


def _tags(cell: dict[str, object]) -> set[str]:
    return set(as_texts(as_mapping(cell.get("metadata")).get("tags")))


def _language(notebook: dict[str, object]) -> str:
    metadata = as_mapping(notebook.get("metadata"))
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        value = as_mapping(metadata.get(key)).get(name)
        if isinstance(value, str) and re.fullmatch(r"[\w+#-]+", value):
            return value.lower()
    return "python"
