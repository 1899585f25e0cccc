"""Describe the sources of Starlight, the documentation theme of Astro."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from ragbot.books.files import BookFolder, natural_key
from ragbot.books.formats.config_files import as_mapping
from ragbot.books.formats.html_selection import OTHER_LANGUAGE
from ragbot.books.formats.markdown import AnchorRules
from ragbot.books.formats.script_config import braced, keyed_texts, literal, read_script
from ragbot.books.formats.site_source import NOT_BUILT, Listed, SiteSource, read_site_source
from ragbot.books.markup.component_words import unwrap_components
from ragbot.books.markup.front_matter import FrontMatter
from ragbot.books.markup.mdx_markdown import as_markdown
from ragbot.books.markup.rewriting import (
    rewrite_lines,
    unwrap_containers,
    without_comments,
    without_scripts,
)
from ragbot.books.markup.script_prose import with_script_prose
from ragbot.books.markup.slugs import NumberedSlugger, github_slug
from ragbot.books.markup.unread_components import UnreadComponents
from ragbot.core.domain import Book

CONTENT = "src/content/docs"
CONFIG_NAMES = tuple(f"astro.config.{suffix}" for suffix in ("mjs", "js", "ts", "mts", "cjs", "cts"))
PAGES = frozenset({".md", ".mdx"})

_LOCALES = re.compile(r"\blocales\s*:\s*\{")
_LOCALE = re.compile(r"[{,]\s*['\"]?(?P<name>[\w-]+)['\"]?\s*:\s*\{")


def read_starlight(folder: BookFolder) -> Book:
    """Read a project of Starlight in the order of its sidebar, in its default language."""
    script = read_script(folder, CONFIG_NAMES)
    default = literal(script, "defaultLocale")
    locales = _locales(script)
    others = {name for name in locales if name not in ("root", default)}
    # The root locale has no folder of its own.
    locale = default if default in locales and default != "root" else ""

    def omitted(inner: str, values: FrontMatter) -> str:
        if inner.split("/")[0] in others:
            return OTHER_LANGUAGE
        return NOT_BUILT if values.is_set("draft") or PurePosixPath(inner).stem == "404" else ""

    components = UnreadComponents(shows_spoken=True)
    site = SiteSource(
        title=literal(script[max(script.find("starlight("), 0) :], "title"),
        content=CONTENT,
        anchors=AnchorRules(partial(NumberedSlugger, github_slug)),
        address=_address,
        text=partial(_plain, components),
        suffixes=PAGES,
        navigation=tuple(_navigation(folder, script, locale)),
        key=lambda inner, values: (_order(values), natural_key(inner)),
        omitted=omitted,
        has_copies=True,
    )
    return replace(read_site_source(folder, site), notes=components.notes())


def _plain(components: UnreadComponents, path: str, body: str) -> str:
    if path.endswith(".mdx"):
        body = with_script_prose(body).text
        components.count(body)
        body = as_markdown(body)
    body = unwrap_components(without_scripts(without_comments(body)))
    return rewrite_lines(unwrap_containers(body), lambda line: line)


def _address(inner: str, values: FrontMatter) -> str:
    own = values.text("slug").strip("/")
    names = own.split("/") if own else [github_slug(name) for name in inner.rpartition(".")[0].split("/")]
    path = "/".join(names[:-1] if names[-1] == "index" else names)
    return f"{path}/" if path else ""


def _order(values: FrontMatter) -> float:
    order = FrontMatter(as_mapping(values.values.get("sidebar"))).number("order")
    return float("inf") if order is None else order


def _locales(script: str) -> list[str]:
    opening = _LOCALES.search(script)
    if opening is None:
        return []
    return [match["name"] for match in _LOCALE.finditer(braced(script, opening.end() - 1))]


def _navigation(folder: BookFolder, script: str, locale: str) -> Iterator[Listed]:
    """Yield the pages that the sidebar names: by their slugs, by links, or by folders."""
    base = f"{CONTENT}/{locale}".rstrip("/")
    files = folder.files(PAGES, CONTENT)
    by_address = {_address(path.removeprefix(f"{base}/"), FrontMatter()).strip("/"): path for path in files}
    if "" in by_address:
        yield Listed(by_address[""])
    for key, text in keyed_texts(script, "sidebar"):
        if key == "directory":
            yield from (Listed(path) for path in files if path.startswith(f"{base}/{text.strip('/')}/"))
        elif key in ("", "slug", "link") and text.strip("/") in by_address:
            yield Listed(by_address[text.strip("/")])
