"""Read an mdBook: chapters in the order of its summary, with includes expanded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import normpath
from urllib.parse import quote, unquote

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import parse_json_mapping, read_config
from ragbot.books.formats.markdown import AnchorRules, split_page
from ragbot.books.formats.mdbook_hidden_lines import remove_hidden_lines
from ragbot.books.formats.mdbook_includes import IncludeExpander
from ragbot.books.formats.mdbook_summary import SummaryChapter, parse_summary
from ragbot.books.formats.page_address import relative_address
from ragbot.books.formats.page_names import readable_name
from ragbot.books.markup.rewriting import rewrite_prose, shown_source, unwrap_admonish, with_open_references
from ragbot.books.markup.slugs import MdbookSlugger, honkit_slug
from ragbot.core.domain import Book, Dialect, Page
from ragbot.core.errors import BookError, FileUnreadable
from ragbot.core.text import cleaned

# The largest have some hundreds.
MAX_CHAPTERS = 10_000

_ANCHORS = AnchorRules(MdbookSlugger)
_HONKIT_ANCHORS = AnchorRules(lambda: honkit_slug)

# A line by which the author asks a preprocessor for its text: `{{%session outline}}`, `{{#cmdrun ls}}`.
_MARK = re.compile(r"^[ \t]*\{\{[ \t]*[%#][^{}\n]*\}\}[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Config:
    """Hold the settings of book.toml that are used here; HonKit has none, and anchors of its own."""

    title: str
    src: str
    hidelines: dict[str, str]
    has_preprocessors: bool = False
    anchors: AnchorRules = _ANCHORS


def read_mdbook(folder: BookFolder) -> Book:
    """Read the chapters that SUMMARY.md lists, in its order. Raises BookError if there is no summary.

    A page's source is its chapter with includes expanded and hidden lines removed.
    """
    config = _config(folder)
    summary = _join(config.src, "SUMMARY.md")
    try:
        chapters = parse_summary(folder.read_text(summary))
    except FileUnreadable as fault:
        raise BookError(
            f"The mdBook at {folder.root} has no readable {summary}: {fault} "
            "mdBook takes its chapters from this file; write it, or correct `src` in book.toml."
        ) from fault
    by_path: dict[str, SummaryChapter] = {}
    for chapter in chapters:
        by_path.setdefault(_join(config.src, unquote(chapter.link)), chapter)
    if len(by_path) > MAX_CHAPTERS:
        folder.skip(summary, f"The summary lists more than {MAX_CHAPTERS:,} chapters; the rest is left out.")
    paths = list(by_path)[:MAX_CHAPTERS]
    pages = folder.read_each(paths, lambda path: _page(folder, path, by_path[path], config))
    return Book(config.title, tuple(pages), tuple(folder.skipped))


def _page(folder: BookFolder, path: str, chapter: SummaryChapter, config: _Config) -> Page:
    if config.src and not path.startswith(f"{config.src}/"):
        raise FileUnreadable(f"The summary lists this chapter, but it lies outside of {config.src}/.")
    includes = IncludeExpander(folder)
    source = remove_hidden_lines(includes.expand(path, folder.read_text(path)), config.hidelines)
    if config.has_preprocessors:
        source = rewrite_prose(source, lambda prose: _MARK.sub("", prose))
    source = with_open_references(shown_source(unwrap_admonish(source)))
    for notice in includes.notices:
        folder.skip(path, notice)
    content = split_page(
        source,
        Dialect.MARKDOWN,
        config.anchors,
        title=chapter.title,
        fallback=readable_name(path),
        parts=chapter.parts,
    )
    address = _address(path, config.src)
    return Page(path, content.title, address, source, content.sections, Dialect.MARKDOWN, chapter.parts)


def _address(path: str, src: str) -> str:
    inner = PurePosixPath(path).relative_to(src) if src else PurePosixPath(path)
    name = "index" if inner.stem.lower() == "readme" else inner.stem
    return relative_address(quote(inner.with_name(f"{name}.html").as_posix()))


def _config(folder: BookFolder) -> _Config:
    if not folder.has("book.toml"):
        inner = "src" if folder.has("src/SUMMARY.md") else ""
        return _Config(_honkit_title(folder), inner, {}, anchors=_HONKIT_ANCHORS)
    values = read_config(folder, ("book.toml",), generator="mdBook")
    book = _table(values, "book")
    hidelines = _table(_table(_table(_table(values, "output"), "html"), "code"), "hidelines")
    src, title = book.get("src"), book.get("title")
    return _Config(
        title=cleaned(title) if isinstance(title, str) else "",
        src=_source_folder(folder, src if isinstance(src, str) else "src"),
        has_preprocessors=bool(_table(values, "preprocessor")),
        hidelines={name: prefix for name, prefix in hidelines.items() if isinstance(prefix, str) and prefix},
    )


def _honkit_title(folder: BookFolder) -> str:
    if not folder.has("book.json"):
        return ""
    try:
        title = (parse_json_mapping(folder.read_text("book.json")) or {}).get("title")
    except FileUnreadable as fault:
        folder.skip("book.json", f"The configuration is ignored: {fault}")
        return ""
    return cleaned(title).strip() if isinstance(title, str) else ""


def _source_folder(folder: BookFolder, src: str) -> str:
    name = normpath(cleaned(src).replace("\\", "/"))
    if name.startswith(("/", "..")):
        raise BookError(f"book.toml at {folder.root} says src = {src!r}, which lies outside of the book.")
    return "" if name == "." else name


def _table(values: dict[str, object], key: str) -> dict[str, object]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _join(base: str, path: str) -> str:
    joined = normpath(f"{base}/{path}" if base else path)
    return joined.removeprefix("./")
