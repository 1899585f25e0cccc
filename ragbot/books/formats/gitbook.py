"""Read the sources of a site on gitbook.com: chapters in the order of its summary."""

from __future__ import annotations

import re
from posixpath import dirname, normpath
from urllib.parse import unquote

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import as_mapping, as_text, parse_tolerant_yaml
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.mdbook import MAX_CHAPTERS
from ragbot.books.formats.mdbook_summary import parse_summary
from ragbot.books.formats.site_source import Listed, SiteSource, folder_address, read_site_source
from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.rewriting import rewrite_lines, without_comments
from ragbot.books.markup.slugs import NumberedSlugger, github_slug
from ragbot.core.domain import Book
from ragbot.core.errors import BookError, FileUnreadable

CONFIG = ".gitbook.yaml"
MAX_INCLUDES = 3
NOT_LISTED = "The summary does not list it, so that the site does not show it."

_ANCHORS = AnchorRules(lambda: NumberedSlugger(github_slug))
# `{% tab title="Linux" %}`, `{% endtab %}`, on a line of its own.
_TAG = re.compile(
    r"(?P<indent>[ \t]*)\{%-?[ \t]*(?P<name>@?[a-z][\w/-]*+)(?P<options>(?:[^%\n]|%(?!\}))*+)%\}[ \t]*"
)
_OPTION = re.compile(r"(?<![\w-])(?P<key>[\w-]++)=(?P<sign>[\"'])(?P<value>(?:(?!(?P=sign)).)*)(?P=sign)")
_INCLUDED = re.compile(r"[\"'](?P<path>[^\"'\n]+)[\"']")
# GitBook writes a heading's id so where it is another than that of its words.
_OWN_ID = re.compile(
    r"(?<![ \t])[ \t]*+<a\b[^<>\n]{0,200}\bid=\"(?P<id>[\w-]{1,200})\"[^<>\n]{0,200}></a>[ \t]*\Z"
)
# A page tells these by their colour.
_COLOURS = frozenset({"warning", "danger"})


def read_gitbook(folder: BookFolder) -> Book:
    """Read the chapters that the summary lists, in its order. Raises BookError if there is no summary."""
    config = _config(folder)
    structure = as_mapping(config.get("structure"))
    root = normpath(as_text(config.get("root")).strip("/") or ".")
    if root.startswith(".."):
        raise BookError(f"{CONFIG} says root: {root}, which lies outside of the book.")
    base = "src" if root == "." and not folder.has("SUMMARY.md") and folder.has("src/SUMMARY.md") else root
    summary = normpath(f"{base}/{as_text(structure.get('summary')) or 'SUMMARY.md'}")
    try:
        chapters = parse_summary(folder.read_text(summary))
    except FileUnreadable as fault:
        raise BookError(
            f"The book at {folder.root} has no readable {summary}: {fault} It lists the chapters; write it."
        ) from fault
    if len(chapters) > MAX_CHAPTERS:
        folder.skip(summary, f"The summary lists more than {MAX_CHAPTERS:,} chapters; the rest is left out.")
    above = dirname(summary)
    listed = tuple(
        Listed(normpath(f"{above}/{unquote(chapter.link)}".lstrip("/")), chapter.title, chapter.parts)
        for chapter in chapters[:MAX_CHAPTERS]
    )
    for entry in listed:
        if not folder.has(entry.path):
            folder.skip(entry.path, "The summary lists this chapter, and there is no such file.")
    return read_site_source(
        folder, _site(folder, listed, "" if base == "." else base, as_text(structure.get("readme")))
    )


def _config(folder: BookFolder) -> dict[str, object]:
    if not folder.has(CONFIG):
        return {}
    try:
        return parse_tolerant_yaml(folder.read_text(CONFIG))
    except FileUnreadable as fault:
        raise BookError(f"{CONFIG} cannot be read: {fault}") from fault


def _site(folder: BookFolder, listed: tuple[Listed, ...], base: str, first: str) -> SiteSource:
    """Describe a site. `first` is its first page, if it is no README."""
    paths = {entry.path for entry in listed}
    first = normpath(first.lstrip("/")) if first else ""

    def address(inner: str, _values: FrontMatter) -> str:
        if inner == first:
            return ""
        return folder_address(inner, "readme", suffix="").removesuffix("/")

    return SiteSource(
        title="",
        content=base,
        anchors=_ANCHORS,
        address=address,
        text=lambda path, body: _plain(folder, path, body, MAX_INCLUDES),
        navigation=listed,
        omitted=lambda inner, _front: "" if f"{base}/{inner}".lstrip("/") in paths else NOT_LISTED,
    )


def _plain(folder: BookFolder, path: str, body: str, depth: int) -> str:
    """Turn GitBook's blocks into paragraphs under their titles."""

    def shown(line: str) -> str:
        if (tag := _TAG.fullmatch(line)) is not None:
            if tag["name"] == "include":
                return _included(folder, path, tag["options"], depth)
            title = _title(tag["name"], tag["options"])
            return f"\n{tag['indent']}{bold(title)}\n" if title.strip() else ""
        return _OWN_ID.sub(r" {#\g<id>}", line) if line.startswith("#") else line

    return rewrite_lines(without_comments(body), shown)


def _title(name: str, written: str) -> str:
    """Return what a page shows above a block: the label of a tab, the name of a file, what a colour says."""
    options = {found["key"]: found["value"] for found in _OPTION.finditer(written)}
    if name in ("tab", "code"):
        return options.get("title", "")
    style = options.get("style", "")
    return style.capitalize() if name == "hint" and style in _COLOURS else ""


def _included(folder: BookFolder, path: str, options: str, depth: int) -> str:
    """Return the text of a file that a page includes; a note for the operator where it is missing."""
    found = _INCLUDED.search(options)
    name = normpath(f"{dirname(path)}/{unquote(found['path'])}".lstrip("/")) if found is not None else ""
    if not name or not depth:
        return ""
    try:
        text = folder.read_text(name)
    except FileUnreadable as fault:
        folder.skip(path, f"It includes {name}, which cannot be read: {fault}")
        return ""
    return _plain(folder, name, text[parse_front_matter(text).end :], depth - 1)
