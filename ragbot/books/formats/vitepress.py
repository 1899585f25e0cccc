"""Describe the sources of VitePress and VuePress."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from posixpath import dirname, normpath

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_globs import listed_texts, matches_any
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.script_config import is_true, keyed_texts, literal, read_script
from ragbot.books.formats.site_source import NOT_BUILT, Listed, SiteSource, folder_address, read_site_source
from ragbot.books.formats.source_includes import expand_includes
from ragbot.books.formats.vitepress_rewrites import UNREAD, Rewrites, parse_rewrites
from ragbot.books.markup.code_marks import without_highlight_comments
from ragbot.books.markup.component_words import unwrap_components
from ragbot.books.markup.emoji import without_emoji
from ragbot.books.markup.front_matter import FrontMatter
from ragbot.books.markup.rewriting import (
    rewrite_lines,
    unwrap_containers,
    without_comments,
    without_scripts,
)
from ragbot.books.markup.slugs import NumberedSlugger
from ragbot.books.markup.unread_components import UnreadComponents
from ragbot.books.not_pages import REPOSITORY_FILE
from ragbot.core.domain import Book

_PAGES = frozenset({".md", ".markdown"})
_SUFFIXES = ("js", "ts", "mjs", "mts", "cjs", "cts")

_CONTROL = re.compile(r"[\x00-\x1f]")
_COMBINING = re.compile("[\u0300-\u036f]")
_SPECIAL = re.compile(r"[\s~`!@#$%^&*()\-_+=\[\]{}|\\;:\"'“”‘’<>,.?/]+")
_CONTENTS = re.compile(r"\[\[toc\]\]", re.IGNORECASE)


def vue_slug(text: str) -> str:
    """Lower the case, drop accents, turn signs into hyphens; a digit in front gets an underscore."""
    plain = _CONTROL.sub("", _COMBINING.sub("", unicodedata.normalize("NFKD", text)))
    slug = re.sub(r"-{2,}", "-", _SPECIAL.sub("-", plain)).strip("-")
    return re.sub(r"^(\d)", r"_\1", slug).lower()


def read_vitepress(folder: BookFolder) -> Book:
    """Read a project of VitePress in the order of its sidebar."""
    return _read(folder, ".vitepress")


def read_vuepress(folder: BookFolder) -> Book:
    """Read a project of VuePress in the order of its sidebar."""
    return _read(folder, ".vuepress")


def _read(folder: BookFolder, settings: str) -> Book:
    script = read_script(folder, [f"{settings}/config.{suffix}" for suffix in _SUFFIXES])
    script = script or _parts_of_script(folder, f"{settings}/config")
    content = normpath(literal(script, "srcDir") or ".") if settings == ".vitepress" else "."
    content = "" if content.startswith((".", "/")) else content
    suffix = "" if is_true(script, "cleanUrls") else ".html"
    indexes = ("index",) if settings == ".vitepress" else ("index", "readme")

    is_vitepress = settings == ".vitepress"
    rewrites = parse_rewrites(script) if is_vitepress else Rewrites()
    excluded = listed_texts(script, "srcExclude") if is_vitepress else []

    components = UnreadComponents(shows_spoken=True)

    def plain(path: str, body: str) -> str:
        body = expand_includes(folder, body, (dirname(path), content, ""))
        body = without_highlight_comments(without_scripts(without_comments(body)))
        components.count(body)
        body = unwrap_components(body)
        return rewrite_lines(unwrap_containers(body), lambda line: without_emoji(_CONTENTS.sub("", line)))

    def address(inner: str, _values: FrontMatter) -> str:
        return folder_address(rewrites.target(inner), *indexes, suffix=suffix)

    def omitted(inner: str, _values: FrontMatter) -> str:
        if matches_any(inner, excluded):
            return NOT_BUILT
        return REPOSITORY_FILE if _is_of_repository(inner) else ""

    site = SiteSource(
        title=literal(script, "title"),
        content=content,
        anchors=AnchorRules(partial(NumberedSlugger, vue_slug)),
        address=address,
        text=plain,
        navigation=tuple(_navigation(_routes(folder, content, rewrites), script)),
        omitted=omitted,
        has_copies=True,
    )
    notes = () if rewrites.is_whole else (UNREAD,)
    return replace(read_site_source(folder, site), notes=(*notes, *components.notes()))


def _parts_of_script(folder: BookFolder, config: str) -> str:
    """Return a configuration that is a folder of its own, the index first."""
    if not (folder.root / config).is_dir():
        return ""
    names = sorted(path.name for path in (folder.root / config).iterdir() if path.suffix[1:] in _SUFFIXES)
    names.sort(key=lambda name: not name.startswith("index."))
    return "\n".join(read_script(folder, [f"{config}/{name}"]) for name in names)


def _is_of_repository(inner: str) -> bool:
    return "/" not in inner and inner.split(".")[0].isupper() and inner != "README.md"


def _routes(folder: BookFolder, content: str, rewrites: Rewrites) -> dict[str, str]:
    """Map the path that each page is built at, below the site's root, to its file."""
    base = f"{content}/" if content else ""
    return {rewrites.target(path.removeprefix(base)): path for path in folder.files(_PAGES, content)}


def _navigation(routes: Mapping[str, str], script: str) -> Iterator[Listed]:
    """Yield the pages that the sidebar links; a link below a group's own base is found by its end."""
    yield from (Listed(routes[index]) for index in ("index.md", "README.md") if index in routes)
    title = base = ""
    for key, text in keyed_texts(script, "sidebar"):
        if key == "text":
            title = text
        elif key == "base":
            base = text
        elif key in ("", "link", "children") and "://" not in text:
            own = title if key == "link" else ""
            for start in (text, f"{base}/{text}"):
                if (path := _page(routes, start)) is not None:
                    yield Listed(path, own)
            title = ""


def _page(routes: Mapping[str, str], link: str) -> str | None:
    """Return the file of a link of the sidebar, or None."""
    name = normpath(f"/{link.partition('#')[0]}").lstrip("/").removesuffix(".html").removesuffix(".md")
    stem = "" if name == "." else name
    candidates = (f"{stem}.md", f"{stem}/index.md".lstrip("/"), f"{stem}/README.md".lstrip("/"))
    return next((routes[candidate] for candidate in candidates if candidate in routes), None)
