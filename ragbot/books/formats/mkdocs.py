"""Describe the sources of MkDocs, Material for MkDocs and its successor Zensical."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath
from posixpath import dirname, normpath

from pathspec import GitIgnoreSpec

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import (
    as_list,
    as_text,
    as_texts,
    parse_tolerant_yaml,
    parse_toml_mapping,
)
from ragbot.books.formats.html_selection import LIST, OTHER_LANGUAGE
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.mkdocs_languages import SiteLanguages, plugin_options, read_languages
from ragbot.books.formats.mkdocs_navigation import mkdocs_key, read_navigation
from ragbot.books.formats.site_source import NOT_BUILT, SiteSource, folder_address, read_site_source
from ragbot.books.formats.source_includes import expand_includes
from ragbot.books.markup.code_marks import without_bubbles, without_inline_languages
from ragbot.books.markup.emoji import without_emoji
from ragbot.books.markup.front_matter import FrontMatter
from ragbot.books.markup.pandoc_prose import with_plain_scripts
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

MAX_INHERITED = 4
# Of Zensical's own; those of other projects are off until they are named.
_DEFAULT_EXTENSIONS = ["pymdownx.emoji", "pymdownx.inlinehilite"]

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


def read_mkdocs(folder: BookFolder, name: str) -> Book:
    """Read a project of MkDocs or Zensical in its navigation's order; `name` is its configuration file.

    Raises BookError if the configuration cannot be read, or names pages outside of the folder.
    """
    try:
        text = folder.read_text(name)
        is_zensical = name.endswith(".toml")
        values = (
            _zensical_values(text) if is_zensical else _inherited(folder, name, parse_tolerant_yaml(text))
        )
    except FileUnreadable as fault:
        raise BookError(f"{name} cannot be read: {fault}") from fault
    docs = normpath(f"{dirname(name)}/{as_text(values.get('docs_dir')) or 'docs'}".lstrip("/"))
    if docs.startswith(("..", "/")):
        raise BookError(f"{name} says docs_dir: {docs}, which lies outside of the book.")
    has_unicode = _UNICODE_SLUGS.search(text) is not None
    generated: list[int] = []
    book = read_site_source(folder, _site(folder, values, docs, generated, has_unicode=has_unicode))
    return replace(book, notes=_notes(sum(generated)))


def _inherited(folder: BookFolder, name: str, values: dict[str, object], depth: int = 0) -> dict[str, object]:
    """Add the settings of the files that a configuration inherits from. Raises FileUnreadable."""
    inherited = normpath(f"{dirname(name)}/{as_text(values.get('INHERIT'))}".lstrip("/"))
    if not as_text(values.get("INHERIT")) or depth == MAX_INHERITED or not folder.has_included(inherited):
        return values
    above = parse_tolerant_yaml(folder.read_included(inherited))
    return _inherited(folder, inherited, above, depth + 1) | values


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
    base = "" if docs == "." else docs
    extensions = str(values.get("markdown_extensions"))
    names_languages, has_emoji = "inlinehilite" in extensions, "emoji" in extensions
    has_scripts = "pymdownx.tilde" in extensions or "pymdownx.caret" in extensions
    includes = tuple(dict.fromkeys((*_include_bases(values), "", base)))
    is_excluded = _exclusion(values)
    languages = read_languages(values.get("plugins"))
    listed = read_navigation(
        folder,
        values if languages.nav is None else values | {"nav": languages.nav},
        f"{base}/{languages.folder}".strip("/"),
    )

    def shown(line: str) -> str:
        line = without_attributes(without_emoji(line) if has_emoji else line)
        line = with_plain_scripts(line) if has_scripts else line
        return without_inline_languages(line) if names_languages else line

    def plain(path: str, body: str) -> str:
        body = expand_includes(folder, body, (*includes, dirname(path)))
        body, count = _API.subn("", without_comments(without_bubbles(body)))
        generated.append(count)
        body = unwrap_containers(unwrap_indented(_CODE_LINK.sub(r"\g<label>", body)))
        return rewrite_lines(body, shown)

    def omitted(inner: str, front: FrontMatter) -> str:
        if front.is_set("draft") or is_excluded(inner):
            return NOT_BUILT
        if languages.is_other(inner):
            return OTHER_LANGUAGE
        return LIST if _POST.match(languages.own_path(inner)) else ""

    return SiteSource(
        title=as_text(values.get("site_name")),
        content=base,
        anchors=AnchorRules(partial(markdown_slugger, is_unicode=has_unicode)),
        address=_addresses(languages, has_folders=values.get("use_directory_urls") is not False),
        text=plain,
        navigation=tuple(languages.placed(entry, folder.has) for entry in listed),
        key=lambda inner, _front: mkdocs_key(languages.own_path(inner)),
        omitted=omitted,
    )


def _addresses(languages: SiteLanguages, *, has_folders: bool) -> Callable[[str, FrontMatter], str]:
    """Build the function that returns a page's address, as a folder of its own or as a file."""

    def address(inner: str, _values: FrontMatter) -> str:
        inner = languages.own_path(inner)
        if has_folders:
            return folder_address(inner, "index", "readme")
        found = folder_address(inner, "readme", suffix=".html")
        return f"{found}index.html" if PurePosixPath(inner).stem.lower() == "readme" else found

    return address


def _exclusion(values: dict[str, object]) -> Callable[[str], bool]:
    """Build the check for pages that the configuration leaves out of the site.

    `exclude_docs` and `draft_docs` have lines as in a `.gitignore`; the plug-in exclude has globs.
    """
    lines = [line for key in ("exclude_docs", "draft_docs") for line in as_text(values.get(key)).splitlines()]
    spec = GitIgnoreSpec.from_lines(line for line in lines if _is_ignore_pattern(line))
    globs = list(_excluded_globs(values.get("plugins")))
    return lambda inner: spec.match_file(inner) or any(fnmatchcase(inner, glob) for glob in globs)


def _is_ignore_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _excluded_globs(plugins: object) -> Iterator[str]:
    for options in plugin_options(plugins, "exclude"):
        glob = options.get("glob")
        yield from [glob] if isinstance(glob, str) else as_texts(glob)


def _include_bases(values: dict[str, object]) -> Iterator[str]:
    for extension in as_list(values.get("markdown_extensions")):
        if isinstance(extension, dict):
            for options in extension.values():
                base = options.get("base_path") if isinstance(options, dict) else None
                for path in base if isinstance(base, list) else [base]:
                    if isinstance(path, str):
                        yield "" if normpath(path) == "." else normpath(path)
