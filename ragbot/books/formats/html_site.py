"""Read a folder of built HTML in the order of the site's next links or table of contents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import dirname, normpath
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser

from ragbot.books.files import MAX_FOLDER_DEPTH, BookFolder
from ragbot.books.formats.html import HTML_SUFFIXES, convert_html_page
from ragbot.books.formats.html_tree import parse_html
from ragbot.books.formats.plain import reading_key
from ragbot.books.not_pages import TEMPLATE, is_template, lies_in_template_folder
from ragbot.core.domain import Book, Page

# Pages that repeat, list or search other pages.
_NOT_PAGES = frozenset({"404", "print", "search", "genindex", "py-modindex", "toc", "modindex"})
_INDEXES = ("index.html", "index.htm")
_NOT_FOLDERS = frozenset({"_static", "_sources", "_modules", "assets", "static"})

_NEXT = "link[rel~=next], a[rel~=next], a.pagination-nav__link--next"
_CONTENTS = ".toctree-wrapper a, nav a, [role=navigation] a, aside a, .sidebar a, .chapter a"
_REDIRECT = re.compile(r"<meta[^<>]{0,200}http-equiv\s*=\s*[\"']?refresh", re.IGNORECASE)

# Docusaurus's pages of tags repeat the descriptions of others.
_LISTS_TAGS = re.compile(r"<html[^<>]{0,500}\bclass=\"[^\"]*\bdocs-tags-")


@dataclass(frozen=True, slots=True)
class _SitePage:
    """Hold a page and its link to the next page, as written in the file."""

    page: Page
    next_link: str


def read_html(folder: BookFolder) -> Book:
    """Read every page of a built site, without redirects, search pages, indexes and the like."""
    paths = [path for path in sorted(folder.files(HTML_SUFFIXES), key=reading_key) if _is_page(path)]
    contents: dict[str, list[str]] = {}
    titles: dict[str, str] = {}

    def read(path: str) -> _SitePage | None:
        source = folder.read_text(path)
        if lies_in_template_folder(path) or is_template(source):
            folder.leave_out(path, TEMPLATE)
            return None
        is_page = not (_REDIRECT.search(source[:20_000]) or _LISTS_TAGS.search(source[:20_000]))
        if not is_page and path not in _INDEXES:
            return None
        tree = parse_html(source)
        if path in _INDEXES:
            contents[path] = _links(tree, _CONTENTS) or _links(tree, "a")
            titles[path] = _named(tree)
        if not is_page:
            return None
        after = tree.css_first(_NEXT)
        follows = (after.attributes.get("href") or "") if after else ""
        return _SitePage(convert_html_page(path, source, tree), follows)

    found = {read.page.path: read for read in folder.read_each(paths, read) if read is not None}
    if folder.has("toc.html"):
        # mdBook's page of links is no page of the book.
        tables = folder.read_each(["toc.html"], lambda path: _links(parse_html(folder.read_text(path)), "a"))
        contents["toc.html"] = next(iter(tables), [])
    order = _order(found, contents)
    return Book(
        next((titles[path] for path in _INDEXES if titles.get(path)), ""),
        tuple(found[path].page for path in order),
        tuple(folder.skipped),
    )


def _is_page(path: str) -> bool:
    *folders, name = path.split("/")
    return name.rsplit(".", 1)[0] not in _NOT_PAGES and not _NOT_FOLDERS.intersection(folders)


def _order(found: dict[str, _SitePage], contents: dict[str, list[str]]) -> list[str]:
    follows = {
        path: target for path, read in found.items() if (target := _resolved(path, read.next_link, found))
    }
    if follows:
        return _along(list(found), follows)
    for path in ("toc.html", *_INDEXES):
        listed = [target for link in contents.get(path, ()) if (target := _resolved(path, link, found))]
        if listed:
            return list(dict.fromkeys([*[p for p in ("index.html",) if p in found], *listed, *found]))
    return list(found)


def _along(paths: list[str], follows: dict[str, str]) -> list[str]:
    """Follow each chain of next pages from its head; pages in a ring come last, in the order of paths."""
    followed = set(follows.values())
    order: dict[str, None] = {}
    for head in [*(path for path in paths if path not in followed), *paths]:
        path: str | None = head
        while path is not None and path not in order:
            order[path] = None
            path = follows.get(path)
    return list(order)


def _links(tree: LexborHTMLParser, selector: str) -> list[str]:
    return [link.attributes.get("href") or "" for link in tree.css(selector)]


def _resolved(path: str, link: str, found: dict[str, _SitePage]) -> str | None:
    """Return the page that a link leads to, or None; a base path in front is ignored."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path:
        return None
    target = unquote(parts.path)
    if not target.startswith("/"):
        return _file(normpath(f"{dirname(path)}/{target}").lstrip("/"), found)
    names = target.strip("/").split("/")[-MAX_FOLDER_DEPTH - 1 :]
    for start in range(len(names)):
        if (file := _file("/".join(names[start:]), found)) is not None:
            return file
    return None


def _file(name: str, found: dict[str, _SitePage]) -> str | None:
    name = "" if name == "." else name.rstrip("/")
    candidates = (name, f"{name}.html", f"{name}/index.html".lstrip("/"))
    return next((candidate for candidate in candidates if candidate in found), None)


def _named(tree: LexborHTMLParser) -> str:
    """Return the site's name, or an empty text."""
    name = tree.css_first("meta[property='og:site_name']")
    if name is not None and name.attributes.get("content"):
        return name.attributes["content"] or ""
    menu = tree.css_first(".menu-title, .navbar__title, .sidebar-brand-text")
    return " ".join(menu.text().split()) if menu else ""
