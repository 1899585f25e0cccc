"""Read what the code of a Quarto page printed when the author ran it: Quarto keeps that in `_freeze`."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import as_mapping
from ragbot.core.errors import FileUnreadable
from ragbot.core.text import cleaned


def frozen_text(folder: BookFolder, path: str, source: str) -> str:
    """Return a page with the outputs of its code, or an empty text if the page was changed since it was run.

    It is Markdown with front matter, as Quarto gives it to Pandoc.
    """
    name = f"_freeze/{PurePosixPath(path).with_suffix('')}/execute-results/html.json"
    if not folder.has(name):
        return ""
    try:
        values = as_mapping(json.loads(folder.read_text(name)))
    except (FileUnreadable, ValueError, RecursionError):
        # The page itself is there; what its code printed is told to be missing.
        return ""
    text = as_mapping(values.get("result")).get("markdown")
    if not isinstance(text, str) or values.get("hash") != _digest(source):
        return ""
    return cleaned(text)


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
