"""Describe the sources of MkDocs, Material for MkDocs and its successor Zensical."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from posixpath import dirname, normpath

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import as_text, parse_tolerant_yaml, parse_toml_mapping
from ragbot.books.formats.html_selection import LIST
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.mdbook_summary import parse_summary
from ragbot.books.formats.site_source import NOT_BUILT, Listed, SiteSource, folder_address, read_site_source
from ragbot.books.formats.source_includes import expand_includes
from ragbot.books.markup.code_marks import without_inline_languages
from ragbot.books.markup.emoji import without_emoji
from ragbot.books.markup.front_matter import FrontMatter
from ragbot.books.markup.rewriting import (
    rewrite_lines,
    unwrap_containers,
    unwrap_indented,
    without_attributes,
    without_comments,
)
from ragbot.books.markup.slugs import NumberedSlugger
from ragbot.core.domain import Book
from ragbot.core.errors import BookError, FileUnreadable

ZENSICAL_CONFIG = "zensical.toml"
CONFIG_NAMES = ("mkdocs.yml", "mkdocs.yaml", ZENSICAL_CONFIG)
# Of Zensical's own; those of other projects are off until they are named.
_DEFAULT_EXTENSIONS = ["pymdownx.emoji", "pymdownx.inlinehilite"]
MAX_NAVIGATION_DEPTH = 16

# mkdocstrings writes the interface's text there from code.
_API = re.compile(r"^(?:#+ )?::: [\w.]+[ \t]*\n(?:(?:[ \t]+[^\n]*|[ \t]*)(?:\n|\Z))*", re.MULTILINE)
# Its links lead to names of code.
_CODE_LINK = re.compile(r"(?<!!)\[(?P<label>[^\[\]\n]+)\]\[(?:[\w]+\.[\w.]+)\]")
_UNICODE_SLUGS = re.compile(r"pymdownx\.slugs|slugify_unicode|uslugify")
_POST = re.compile(r"blog/posts/")


def markdown_slugger(*, is_unicode: bool) -> NumberedSlugger:
    """Return what makes the anchors of one page by the rules of Python-Markdown's table of contents.

    With `is_unicode` letters of other scripts are kept, as sites that set `pymdownx.slugs` do.
    """
    return NumberedSlugger(_unicode_slug if is_unicode else _ascii_slug, sign="_", taken=("",))


def _unicode_slug(text: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", unicodedata.normalize("NFC", text)).strip().lower()
    return kept.replace(" ", "-")


def _ascii_slug(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_text).strip().lower())


def read_mkdocs(folder: BookFolder) -> Book:
    """Read a project of MkDocs or Zensical in the order of its navigation.

    Raises BookError if its configuration cannot be read.
    """
    name = next(name for name in CONFIG_NAMES if folder.has(name))
    try:
        text = folder.read_text(name)
        values = _zensical_values(text) if name == ZENSICAL_CONFIG else parse_tolerant_yaml(text)
    except FileUnreadable as fault:
        raise BookError(f"{name} cannot be read: {fault}") from fault
    docs = normpath(as_text(values.get("docs_dir")) or "docs")
    if docs.startswith(("..", "/")):
        raise BookError(f"{name} says docs_dir: {docs}, which lies outside of the book.")
    has_unicode = _UNICODE_SLUGS.search(text) is not None
    generated: list[int] = []
    book = read_site_source(folder, _site(folder, values, docs, generated, has_unicode=has_unicode))
    return replace(book, notes=_notes(sum(generated)))


def _zensical_values(text: str) -> dict[str, object]:
    """Parse the settings of Zensical, which are those of MkDocs under other defaults."""
    values = parse_toml_mapping(text)
    project = values.get("project")
    return {
        "markdown_extensions": _DEFAULT_EXTENSIONS,
        **(project if isinstance(project, dict) else values),
    }


def _notes(blocks: int) -> tuple[str, ...]:
    """Return what the operator should know of text that the generator takes from code."""
    if not blocks:
        return ()
    subject = f"{blocks} places whose text" if blocks > 1 else "A place whose text"
    return (
        f"{subject} the site takes from code, only the built book has: give the built HTML where you can.",
    )


def _site(
    folder: BookFolder, values: dict[str, object], docs: str, generated: list[int], *, has_unicode: bool
) -> SiteSource:
    """Describe a site. Each page adds to `generated` how often its text comes from code."""
    has_folders = values.get("use_directory_urls") is not False
    base = "" if docs == "." else docs
    extensions = str(values.get("markdown_extensions"))
    names_languages, has_emoji = "inlinehilite" in extensions, "emoji" in extensions
    includes = tuple(dict.fromkeys((*_include_bases(values), "", base)))

    def address(inner: str, _values: FrontMatter) -> str:
        if has_folders:
            return folder_address(inner, "index", "readme")
        found = folder_address(inner, "readme", suffix=".html")
        return f"{found}index.html" if PurePosixPath(inner).stem.lower() == "readme" else found

    def shown(line: str) -> str:
        line = without_attributes(without_emoji(line) if has_emoji else line)
        return without_inline_languages(line) if names_languages else line

    def plain(path: str, body: str) -> str:
        body = expand_includes(folder, body, (*includes, dirname(path)))
        body, count = _API.subn("", without_comments(body))
        generated.append(count)
        body = unwrap_containers(unwrap_indented(_CODE_LINK.sub(r"\g<label>", body)))
        return rewrite_lines(body, shown)

    return SiteSource(
        title=as_text(values.get("site_name")),
        content=base,
        anchors=AnchorRules(partial(markdown_slugger, is_unicode=has_unicode)),
        address=address,
        text=plain,
        navigation=tuple(_navigation(folder, values, base)),
        omitted=lambda inner, front: (
            NOT_BUILT if front.is_set("draft") else LIST if _POST.match(inner) else ""
        ),
    )


def _include_bases(values: dict[str, object]) -> Iterator[str]:
    for extension in _list(values.get("markdown_extensions")):
        if isinstance(extension, dict):
            for options in extension.values():
                base = options.get("base_path") if isinstance(options, dict) else None
                for path in base if isinstance(base, list) else [base]:
                    if isinstance(path, str):
                        yield "" if normpath(path) == "." else normpath(path)


def _navigation(folder: BookFolder, values: dict[str, object], base: str) -> Iterator[Listed]:
    if isinstance(values.get("nav"), list):
        for entry in _entries(values["nav"], base, ()):
            # A folder stands for the list of its pages.
            inner = _summary(folder, entry.path, entry.parts) if entry.is_folder else ()
            yield from inner or (entry,)
    elif "literate-nav" in str(values.get("plugins")):
        yield from _summary(folder, base, ())


def _summary(folder: BookFolder, base: str, parts: tuple[str, ...]) -> tuple[Listed, ...]:
    """Return the pages that a folder's own list names, for the plug-in literate-nav."""
    for name in ("SUMMARY.md", "nav.md", "README.md"):
        path = f"{base}/{name}".lstrip("/")
        if folder.has(path):
            index = f"{base}/index.md"
            first = (Listed(index, "", parts),) if parts and folder.has(index) else ()
            return first + tuple(
                Listed(
                    normpath(f"{base}/{chapter.link}".lstrip("/")), chapter.title, (*parts, *chapter.parts)
                )
                for chapter in parse_summary(folder.read_text(path))
            )
    return ()


def _entries(entries: object, base: str, parts: tuple[str, ...]) -> Iterator[Listed]:
    for entry in _list(entries) if len(parts) < MAX_NAVIGATION_DEPTH else ():
        for title, target in entry.items() if isinstance(entry, dict) else [("", entry)]:
            if isinstance(target, str) and "://" not in target:
                is_folder = target.endswith("/")
                inner = (*parts, str(title)) if is_folder else parts
                yield Listed(normpath(f"{base}/{target}".lstrip("/")), str(title), inner, is_folder=is_folder)
            elif isinstance(target, list):
                # (Some sections have an empty title, and show that of their first page.)
                yield from _entries(target, base, (*parts, str(title)) if str(title).strip() else parts)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
