"""Describe the sources of Jupyter Book 1: Markdown in MyST, and notebooks, built by Sphinx."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from posixpath import normpath

from ragbot.books.files import BookFolder
from ragbot.books.formats.bookdown import read_beside
from ragbot.books.formats.config_files import parse_tolerant_yaml, read_config
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.notebooks import read_source_text
from ragbot.books.formats.site_source import (
    NOT_BUILT,
    NOT_READ,
    Listed,
    SiteSource,
    folder_address,
    read_site_source,
)
from ragbot.books.markup.front_matter import FrontMatter
from ragbot.books.markup.myst import MystProject, labels_of, plain_myst
from ragbot.books.markup.pandoc_citations import read_citations
from ragbot.core.domain import Book
from ragbot.core.errors import BookError, FileUnreadable

PAGES = frozenset({".md", ".ipynb"})
# Where files differ in these alone, Sphinx takes the first.
SUFFIXES = (".ipynb", ".md", ".rst", ".txt")
MAX_NAVIGATION_DEPTH = 16

# Letters that have no plain form in Unicode's tables.
_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ħ": "h", "ı": "i", "ł": "l", "ŧ": "t", "ß": "sz", "æ": "ae", "œ": "oe"}
)


class DocutilsSlugger:
    """Make the anchors of one page by the rules of docutils, which Sphinx uses.

    `labels` are names that the page's author gave to places: their anchors are taken.
    """

    def __init__(self, labels: Iterable[str] = ()) -> None:
        self._used = {docutils_slug(label) for label in labels}
        self._count = 0

    def __call__(self, text: str) -> str:
        slug = docutils_slug(text)
        while not slug or slug in self._used:
            self._count += 1
            slug = f"id{self._count}"
        self._used.add(slug)
        return slug


def docutils_slug(text: str) -> str:
    """Leave ASCII letters and digits in lower case, joined by hyphens, from the first letter on."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS)).encode("ascii", "ignore").decode()
    return re.sub(r"^[-0-9]+|-+$", "", re.sub(r"[^a-z0-9]+", "-", " ".join(plain.split())))


def read_jupyter_book(folder: BookFolder) -> Book:
    """Read a book in the order of its table of contents. Raises BookError if that cannot be read."""
    navigation = read_contents(folder)
    listed = {entry.path for entry in navigation}
    for path in sorted(listed):
        if not path.endswith(tuple(PAGES)):
            folder.skip(path, NOT_READ)
    # Each page's text is taken before its anchors are made.
    labels: list[str] = []

    def text(path: str, body: str) -> str:
        labels[:] = labels_of(body)
        return plain_myst(body, partial(read_beside, folder, path), project)

    config = FrontMatter(read_config(folder, ("_config.yml",)))
    project = MystProject(
        read_citations(config.values.get("bibtex_bibfiles"), partial(read_beside, folder, ""))
    )
    site = SiteSource(
        title=config.text("title"),
        content="",
        anchors=AnchorRules(lambda: DocutilsSlugger(labels)),
        address=lambda inner, _values: folder_address(inner, suffix=".html"),
        text=text,
        suffixes=PAGES,
        navigation=navigation,
        omitted=lambda inner, _values: "" if inner in listed else NOT_BUILT,
        read=partial(read_source_text, folder),
        sources=(".ipynb",),
    )
    return replace(read_site_source(folder, site), notes=project.notes())


def read_contents(folder: BookFolder) -> tuple[Listed, ...]:
    """Return the pages that `_toc.yml` lists, in order. Raises BookError if it cannot be read."""
    try:
        contents = _parsed_contents(folder.read_text("_toc.yml"))
    except FileUnreadable as fault:
        raise BookError(f"_toc.yml cannot be read: {fault}") from fault
    return tuple(_listed(folder, contents))


def _parsed_contents(text: str) -> dict[str, object]:
    """Return the table of contents; that of old versions is a list, whose first entry is the root."""
    # (A list under a key is a mapping, which is what the parser takes.)
    if not text.lstrip().startswith("-") and not re.search(r"^- ", text.partition(":")[0], re.MULTILINE):
        return parse_tolerant_yaml(text)
    entries = parse_tolerant_yaml("entries:\n" + text).get("entries")
    return {"chapters": entries}


def _listed(folder: BookFolder, contents: dict[str, object]) -> Iterator[Listed]:
    root = contents.get("root")
    if isinstance(root, str):
        yield Listed(_file(folder, root))
    yield from _entries(folder, contents, ())


def _entries(folder: BookFolder, entry: dict[str, object], parts: tuple[str, ...]) -> Iterator[Listed]:
    """Yield the pages below an entry: its parts, subtrees, chapters or sections."""
    if len(parts) >= MAX_NAVIGATION_DEPTH:
        return
    for key in ("parts", "subtrees", "chapters", "sections", "entries"):
        children = entry.get(key)
        for child in children if isinstance(children, list) else ():
            if isinstance(child, dict):
                yield from _entry(folder, child, parts)


def _entry(folder: BookFolder, entry: dict[str, object], parts: tuple[str, ...]) -> Iterator[Listed]:
    values = FrontMatter(entry)
    name, title = values.text("file"), values.text("title")
    if name:
        yield Listed(_file(folder, name), title, parts)
    elif glob := values.text("glob"):
        pattern = re.compile(re.escape(normpath(glob)).replace(r"\*", "[^/]*"))
        found = (
            _file(folder, path)
            for path in folder.files(PAGES)
            if pattern.fullmatch(path.rpartition(".")[0]) or pattern.fullmatch(path)
        )
        yield from (Listed(path, "", parts) for path in dict.fromkeys(found))
    caption = values.text("caption") or values.text("part")
    yield from _entries(folder, entry, (*parts, caption) if caption else parts)


def _file(folder: BookFolder, name: str) -> str:
    """Return the file of an entry. Sphinx takes its name alone, also where it is listed with a suffix."""
    path = normpath(name).lstrip("/")
    plain = next((path.removesuffix(suffix) for suffix in SUFFIXES if path.endswith(suffix)), path)
    return next((plain + suffix for suffix in SUFFIXES if folder.has(plain + suffix)), path)
