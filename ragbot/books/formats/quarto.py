"""Describe the sources of Quarto: books and websites of `.qmd`, Markdown and notebooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath
from posixpath import normpath

from ragbot.books.files import BookFolder
from ragbot.books.formats.bookdown import read_beside
from ragbot.books.formats.config_files import (
    as_mapping,
    as_text,
    as_texts,
    read_config,
    read_required_config,
)
from ragbot.books.formats.intermediates import find_intermediates
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.notebooks import read_source_text
from ragbot.books.formats.quarto_freeze import frozen_text
from ragbot.books.formats.site_source import NOT_BUILT, Listed, SiteSource, folder_address, read_site_source
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.pandoc_citations import read_citations
from ragbot.books.markup.rmarkdown import plain_rmarkdown
from ragbot.books.markup.rmarkdown_inline import RmdProject
from ragbot.books.markup.slugs import NumberedSlugger, pandoc_slug
from ragbot.books.not_pages import REPOSITORY_FILE, is_repository_file
from ragbot.core.domain import Book
from ragbot.core.errors import FileUnreadable

PAGES = frozenset({".qmd", ".md", ".ipynb", ".rmd"})
# Quarto runs them, the first where there are several of one name.
SOURCES = (".qmd", ".rmd", ".ipynb")
CONFIG_NAMES = ("_quarto.yml", "_quarto.yaml")
VARIABLES = ("_variables.yml", "_variables.yaml")
MAX_NAVIGATION_DEPTH = 16
BELOW_TITLE = ("subtitle", "description")
APPENDICES = ("Appendices",)

_LABELLED = re.compile(
    r"^(?P<marks>#{1,6})[ ](?P<title>[^{}\n]{0,500})\{[^{}\n]{0,500}#"
    r"(?P<label>sec-[\w:.-]+)[^{}\n]{0,500}\}[ \t]*$",
    re.MULTILINE,
)
_WITHOUT_LIST = "\n\n## References {#quarto-bibliography}\n\n"


def read_quarto(folder: BookFolder) -> Book:
    """Read a project in the order of its chapters or its sidebar. Raises BookError for a bad file."""
    config = read_required_config(folder, CONFIG_NAMES)
    book, website = as_mapping(config.get("book")), as_mapping(config.get("website"))
    navigation = tuple(_chapters(folder, book)) if book else tuple(_menus(folder, website))
    listed = {entry.path for entry in navigation}
    rendered = as_texts(as_mapping(config.get("project")).get("render"))
    read = partial(_read_page, folder)
    project = RmdProject(
        shows_code=as_mapping(config.get("execute")).get("echo") is not False,
        citations=read_citations(config.get("bibliography"), partial(read_beside, folder, "")),
        called=_names_of_references(folder, config, navigation, read),
    )
    variables, profiles = read_config(folder, VARIABLES), _profiles(config)
    fronts: dict[str, dict[str, object]] = {}

    def omitted(inner: str, values: FrontMatter) -> str:
        fronts[inner] = values.values
        if book:
            # A book has its chapters alone.
            return "" if inner in listed else NOT_BUILT
        if inner not in listed and is_repository_file(inner, beside_content=True):
            return REPOSITORY_FILE
        return NOT_BUILT if values.is_set("draft") or not _is_rendered(inner, rendered) else ""

    def text(path: str, body: str) -> str:
        project.values = {"var": variables, "meta": config | fronts.get(path, {}), "profile": profiles}
        if book:
            return plain_rmarkdown(body, partial(read_beside, folder, path), project)
        # Each page of a website has a list of its own.
        project.citations.cited.clear()
        words = plain_rmarkdown(body, partial(read_beside, folder, path), project)
        listed = project.references() if "#refs" not in body else ""
        return f"{words.rstrip()}{_WITHOUT_LIST}{listed}\n" if listed else words

    site = SiteSource(
        title=as_text(book.get("title")) or as_text(website.get("title")),
        content="",
        anchors=AnchorRules(partial(NumberedSlugger, pandoc_slug)),
        address=_address,
        text=text,
        suffixes=PAGES,
        navigation=navigation,
        omitted=omitted,
        read=read,
        sources=SOURCES,
        menu_has_titles=False,
    )
    return replace(read_site_source(folder, site), notes=project.notes())


def _profiles(config: dict[str, object]) -> dict[str, object]:
    """Return the profiles that a build has unless it is told others."""
    default = as_mapping(config.get("profile")).get("default")
    return dict.fromkeys(as_texts(default) or [as_text(default)], True)


def _read_page(folder: BookFolder, path: str) -> str:
    """Return a page's source, with what its code printed where the author keeps that.

    What the front matter says below the title begins the text.
    """
    source = read_source_text(folder, path, has_chunks=True)
    text = frozen_text(folder, path, source) or source
    values = parse_front_matter(text)
    below = (values.text(key) for key in BELOW_TITLE)
    return text[: values.end] + "".join(f"\n{words}\n\n" for words in below if words) + text[values.end :]


def _names_of_references(
    folder: BookFolder, config: dict[str, object], navigation: Iterable[Listed], read: Callable[[str], str]
) -> dict[str, str]:
    """Return what references to labels, or to a kind of them, are called.

    Chapters are called so, or by their titles where nothing is numbered.
    """
    prefixes = as_mapping(config.get("crossref"))
    kinds = {kind: as_text(prefixes.get(f"{kind}-prefix")) for kind in ("fig", "tbl", "sec", "eq", "lst")}
    called = {kind: prefix for kind, prefix in kinds.items() if prefix}
    if not config.get("book"):
        return called
    formats = as_mapping(config.get("format"))
    has_numbers = {**formats, **as_mapping(formats.get("html"))}.get("number-sections") is not False
    for entry in navigation:
        try:
            text = read(entry.path) if folder.has(entry.path) else ""
        except FileUnreadable:
            # It is reported where the page is read.
            continue
        for found in _LABELLED.finditer(text):
            if not has_numbers:
                called[found["label"]] = found["title"].strip()
            elif found["marks"] == "#":
                called[found["label"]] = "Appendix" if entry.parts[:1] == APPENDICES else "Chapter"
    return called


def _address(inner: str, values: FrontMatter) -> str:
    """Return a page's address; its front matter may name the file, for all formats or for HTML."""
    html = as_mapping(as_mapping(values.values.get("format")).get("html"))
    name = as_text(html.get("output-file")) or values.text("output-file")
    is_name = bool(name) and "/" not in name
    path = PurePosixPath(inner)
    named = path.with_name(f"{name.removesuffix('.html')}.html") if is_name else path
    return folder_address(str(named), "index", suffix=".html")


def _is_rendered(inner: str, globs: list[str]) -> bool:
    """Return whether `project.render` takes a file; without it every file is rendered."""
    wanted = [glob for glob in globs if not glob.startswith("!")]
    taken = not wanted or any(_matches(inner, glob) for glob in wanted)
    return taken and not any(_matches(inner, glob[1:]) for glob in globs if glob.startswith("!"))


def _matches(inner: str, glob: str) -> bool:
    plain = glob.strip("/").removeprefix("./")
    return fnmatchcase(inner, plain.replace("**/", "*")) or inner.startswith(f"{plain}/")


def _chapters(folder: BookFolder, book: dict[str, object]) -> Iterator[Listed]:
    for key, part in (("chapters", ()), ("appendices", APPENDICES)):
        yield from _entries(folder, book.get(key), part)


def _entries(folder: BookFolder, entries: object, parts: tuple[str, ...]) -> Iterator[Listed]:
    """Yield the chapters of a list; a part may be a name, or a page that introduces it."""
    for entry in entries if isinstance(entries, list) and len(parts) < MAX_NAVIGATION_DEPTH else ():
        if isinstance(entry, str):
            yield Listed(normpath(entry), "", parts)
        elif isinstance(entry, dict):
            title = as_text(entry.get("text"))
            for key in ("file", "href"):
                if as_text(entry.get(key)):
                    yield Listed(normpath(as_text(entry[key])), title, parts)
            name = as_text(entry.get("part")) or as_text(entry.get("section"))
            if name and folder.has(name):
                yield Listed(normpath(name), "", parts)
                name = ""
            inner = (*parts, name or title) if name or title else parts
            for key in ("chapters", "contents"):
                yield from _entries(folder, entry.get(key), inner)


def _menus(folder: BookFolder, website: dict[str, object]) -> Iterator[Listed]:
    """Yield the index and the pages that a website's sidebars and bar name, folders by their pages."""
    index = next((name for name in ("index.qmd", "index.md", "index.ipynb") if folder.has(name)), "")
    yield from (Listed(index),) if index else ()
    sidebars = website.get("sidebar")
    for sidebar in sidebars if isinstance(sidebars, list) else [sidebars]:
        for entry in _entries(folder, as_mapping(sidebar).get("contents"), ()):
            yield entry
            if "*" in entry.path or not folder.has(entry.path):
                found = [path for path in folder.files(PAGES) if _matches(path, entry.path)]
                made = find_intermediates(found, (), SOURCES)
                yield from (Listed(path, "", entry.parts) for path in found if path not in made)
    navbar = as_mapping(website.get("navbar"))
    for side in ("left", "right"):
        yield from _entries(folder, navbar.get(side), ())
