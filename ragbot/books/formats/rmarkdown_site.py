"""Describe the sources of a website of R Markdown: the files of one folder, each a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from ragbot.books.files import BookFolder
from ragbot.books.formats.bookdown import read_beside
from ragbot.books.formats.config_files import as_mapping, read_required_config
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.site_source import NOT_BUILT, Listed, SiteSource, folder_address, read_site_source
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.pandoc_citations import read_citations
from ragbot.books.markup.rewriting import rewrite_prose
from ragbot.books.markup.rmarkdown import plain_rmarkdown
from ragbot.books.markup.rmarkdown_inline import RmdProject
from ragbot.books.markup.script_prose import NO_ANCHOR
from ragbot.books.markup.slugs import NumberedSlugger, pandoc_slug
from ragbot.books.not_pages import REPOSITORY_FILE, is_repository_file
from ragbot.core.domain import Book

PAGES = frozenset({".rmd", ".md"})
CONFIG_NAMES = ("_site.yml", "_site.yaml")
MAX_MENU_DEPTH = 4

# Slides have anchors of their own making.
_SLIDES = re.compile(r"presentation|slides|moon_reader|revealjs")
_HEADING = re.compile(r"^#{1,6}[ \t]+\S[^\n]*?(?=[ \t]*$)", re.MULTILINE)

# Signs of the name of a file that rmarkdown replaces in the page's.
_REPLACED = re.compile(r"[ <>()|\\:&;#?*']")


def read_rmarkdown_site(folder: BookFolder) -> Book:
    """Read a website in the order of its bar. Raises BookError if its configuration cannot be read."""
    config = read_required_config(folder, CONFIG_NAMES)
    bar = as_mapping(config.get("navbar"))
    files = {PurePosixPath(path).stem: path for path in folder.files(PAGES) if "/" not in path}
    navigation = tuple(_listed(files, bar))
    listed = {entry.path for entry in navigation}
    project = RmdProject()

    def omitted(inner: str, front: FrontMatter) -> str:
        if "/" in inner or front.is_set("draft"):
            return NOT_BUILT
        is_file = inner not in listed and is_repository_file(inner, beside_content=True)
        return REPOSITORY_FILE if is_file else ""

    def text(path: str, body: str) -> str:
        beside = partial(read_beside, folder, path)
        front = parse_front_matter(folder.read_text(path))
        project.citations = read_citations(front.values.get("bibliography"), beside)
        words = plain_rmarkdown(body, beside, project)
        works = project.references() if "#refs" not in body else ""
        if _SLIDES.search(str(front.values.get("output"))):
            words = rewrite_prose(words, lambda prose: _HEADING.sub(rf"\g<0> {NO_ANCHOR}", prose))
        return f"{words.rstrip()}\n\n{works}\n" if works else words

    titles = (config.get("title"), bar.get("title"), config.get("name"))
    site = SiteSource(
        title=next((title.strip() for title in titles if isinstance(title, str) and title.strip()), ""),
        content="",
        anchors=AnchorRules(partial(NumberedSlugger, pandoc_slug)),
        address=lambda inner, _front: folder_address(_REPLACED.sub("_", inner), "index", suffix=".html"),
        text=text,
        suffixes=PAGES,
        navigation=navigation,
        omitted=omitted,
        sources=(".rmd",),
    )
    return replace(read_site_source(folder, site), notes=project.notes())


def _listed(files: dict[str, str], bar: dict[str, object]) -> Iterator[Listed]:
    """Yield the index and the pages of the bar; `files` are the sources by the names of their pages."""
    if "index" in files:
        yield Listed(files["index"])
    for side in ("left", "right"):
        yield from _menu(files, bar.get(side), ())


def _menu(files: dict[str, str], entries: object, parts: tuple[str, ...]) -> Iterator[Listed]:
    for entry in entries if isinstance(entries, list) and len(parts) < MAX_MENU_DEPTH else ():
        if not isinstance(entry, dict):
            continue
        page = str(entry.get("href") or "").partition("#")[0].removeprefix("./").removesuffix(".html")
        if page in files:
            yield Listed(files[page], "", parts)
        name = entry.get("text")
        yield from _menu(files, entry.get("menu"), (*parts, name) if isinstance(name, str) else parts)
