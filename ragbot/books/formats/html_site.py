"""Read a folder of built HTML in the order of the site's next links or table of contents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from posixpath import commonpath, dirname, normpath
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser

from ragbot.books.files import MAX_FOLDER_DEPTH, BookFolder
from ragbot.books.formats.html import HTML_SUFFIXES, NoText, convert_html_page, title_parts
from ragbot.books.formats.html_repeats import repeating_pages
from ragbot.books.formats.html_selection import (
    CONTENTS_FILE,
    TOOL,
    HtmlPageFacts,
    facts_of,
    is_tool,
    pages_left_out,
)
from ragbot.books.formats.html_themes import theme_of
from ragbot.books.formats.html_tree import parse_html, redirects_of, with_base
from ragbot.books.formats.plain import reading_key
from ragbot.books.not_pages import (
    ASSET,
    MYST_INDEX,
    TEMPLATE,
    is_template,
    lies_in_template_folder,
    repeats_page,
)
from ragbot.core.domain import Book, Page

_INDEXES = ("index.html", "index.htm")
# Some pages have a title of their own: the first, and what is not in the contents.
NAMED_BY = 0.5

# A chapter may have such a name; then its pages are built like all others.
_ASSET_FOLDERS = frozenset({"assets", "static"})

_NEXT = "link[rel~=next], a[rel~=next], a.pagination-nav__link--next, a.next-button, "
_NEXT += "a.myst-footer-link-next"
_CONTENTS = ".toctree-wrapper a, nav a, [role=navigation] a, aside a, .sidebar a, .chapter a"
_REDIRECT = re.compile(r"<meta[^<>]{0,200}http-equiv\s*=\s*[\"']?refresh", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _SitePage:
    """Hold a page, its link to the next page as written in the file, and what it says of itself."""

    page: Page
    next_link: str
    facts: HtmlPageFacts
    title_parts: tuple[str, ...]


def read_html(folder: BookFolder) -> Book:
    """Read the pages of a built site that are the book, in the order of the site's own navigation.

    Redirects, searches, lists, other languages, other versions and copies for pull requests are left out.
    """
    contents: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    redirects: list[str] = []
    linked: list[str] = []
    paths = _page_paths(folder)
    root = "" if any(map(folder.has, _INDEXES)) else _common_folder(paths)

    def read(path: str) -> _SitePage | None:
        if is_tool(path.removeprefix(root)):
            folder.leave_out(path, TOOL)
            return None
        source = folder.read_text(path)
        if lies_in_template_folder(path) or is_template(source):
            folder.leave_out(path, TEMPLATE)
            return None
        if not (is_page := not _REDIRECT.search(source[:20_000])) and path not in _INDEXES:
            return None
        tree = parse_html(source)
        if not theme_of(tree).name and _ASSET_FOLDERS.intersection(path.split("/")[:-1]):
            folder.leave_out(path, ASSET)
            return None
        if path in _INDEXES:
            contents[path] = _links(tree, _CONTENTS) or _links(tree, "a") or redirects_of(tree)
            titles[path] = _named(tree)
            redirects.extend([] if is_page else redirects_of(tree))
            linked.extend(_links(tree, "a"))
        try:
            return _site_page(path, source, tree, root) if is_page else None
        except NoText:
            folder.leave_out(path, "It has no text of its own.")
            return None

    found = {read.page.path: read for read in folder.read_each(paths, read) if read is not None}
    found = _book_pages(folder, found, redirects, linked)
    top = _top(found)
    if top not in _INDEXES and top in found:
        # Of several copies of the site the released one is left, with a front page of its own.
        tree = parse_html(folder.read_text(top))
        contents[top], titles[top] = _links(tree, _CONTENTS), _named(tree)
    contents |= _contents_file(folder)
    return Book(
        next((titles[path] for path in (*_INDEXES, top) if titles.get(path)), "") or _shared_title(found),
        tuple(found[path].page for path in _order(found, contents, top)),
        tuple(folder.skipped),
    )


def _contents_file(folder: BookFolder) -> dict[str, list[str]]:
    """Return the links of the page that a generator writes for its contents alone; nothing without one."""
    if not folder.has(CONTENTS_FILE):
        return {}
    tables = folder.read_each([CONTENTS_FILE], lambda path: _links(parse_html(folder.read_text(path)), "a"))
    return {CONTENTS_FILE: next(iter(tables), [])}


def _page_paths(folder: BookFolder) -> list[str]:
    """Return the files that may be pages, in reading order."""
    is_myst = folder.has(MYST_INDEX)
    return [
        path
        for path in sorted(folder.files(HTML_SUFFIXES), key=reading_key)
        if not repeats_page(path, is_myst=is_myst)
    ]


def _site_page(path: str, source: str, tree: LexborHTMLParser, root: str) -> _SitePage:
    follows = next(iter(_links(tree, _NEXT)), "")
    facts, parts = facts_of(path.removeprefix(root), tree), tuple(title_parts(tree))
    page = convert_html_page(path, source, tree)
    return _SitePage(page, follows, replace(facts, title=page.title), parts)


def _book_pages(
    folder: BookFolder, found: dict[str, _SitePage], redirects: list[str], linked: list[str]
) -> dict[str, _SitePage]:
    """Return the pages that are the book. `redirects` and `linked` are links of the front page."""
    left_out = pages_left_out(
        {path: read.facts for path, read in found.items()},
        lambda path, link: _resolved(path, link, found),
        front=next((_resolved("", link, found) for link in redirects), None) or "",
        linked={target for link in linked if (target := _resolved("", link, found)) is not None},
    )
    kept = {path: read for path, read in found.items() if path not in left_out}
    left_out |= repeating_pages({path: read.page.source for path, read in kept.items()})
    for path, reason in left_out.items():
        folder.leave_out(path, reason)
    return {path: read for path, read in kept.items() if path not in left_out}


def _top(found: dict[str, _SitePage]) -> str:
    """Return the path of the front page of the folder that holds all pages."""
    return f"{_common_folder(found)}{_INDEXES[0]}"


def _common_folder(paths: Collection[str]) -> str:
    """Return the folder that holds all paths, with a slash at its end; an empty text for the root."""
    common = commonpath([dirname(path) or "." for path in paths]) if paths else ""
    return f"{common}/" if common not in ("", ".") else ""


def _shared_title(found: dict[str, _SitePage]) -> str:
    """Return what the titles of nearly all pages end in, or consist of: the site's name."""
    ends = Counter(
        read.title_parts[-1]
        for read in found.values()
        if len(read.title_parts) > 1 or read.title_parts[-1] != read.page.title
    )
    for name, count in ends.most_common(1):
        if count > 1 and count >= NAMED_BY * len(found):
            return name
    return ""


def _order(found: dict[str, _SitePage], contents: dict[str, list[str]], top: str) -> list[str]:
    """Return the paths in the order of the site's contents; links to the next page lead on from each."""
    tables = [
        [target for link in contents.get(path, ()) if (target := _resolved(path, link, found))]
        for path in (CONTENTS_FILE, *_INDEXES, top)
    ]
    # A front page that leads to one page alone is a cover or a redirect: the contents stand further in.
    listed = next((table for table in tables if len({*table}) > 1), next(filter(None, tables), []))
    sequence = _with_indexes([*(path for path in (*_INDEXES, top) if path in found), *listed], found)
    follows = {
        path: target for path, read in found.items() if (target := _resolved(path, read.next_link, found))
    }
    return _along(sequence, follows) if follows else sequence


def _with_indexes(listed: list[str], found: dict[str, _SitePage]) -> list[str]:
    """Return the listed paths and the others; a folder's index that is not listed opens its folder."""
    sequence: dict[str, None] = {}
    for path in (*listed, *found):
        folders = path.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            index = "/".join((*folders[:depth], "index.html"))
            if index in found and index not in listed:
                sequence.setdefault(index)
        sequence.setdefault(path)
    return list(sequence)


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
    return with_base(tree, (link.attributes.get("href") or "" for link in tree.css(selector)))


def _resolved(path: str, link: str, found: dict[str, _SitePage]) -> str | None:
    """Return the page that a link leads to, or None; a base path in front is ignored.

    Of a whole address the host is not looked at: canonical links are some, and in some generators all links
    are (Zola, Hugo).
    """
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    is_whole = parts.scheme in ("http", "https")
    if not is_whole and (parts.scheme or parts.netloc or not parts.path):
        return None
    target = unquote(parts.path or "/")
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
    name = tree.css_first("meta[property='og:site_name'], meta[property='book:title']")
    if name is not None and name.attributes.get("content"):
        return name.attributes["content"] or ""
    menu = tree.css_first(".menu-title, .navbar__title, .sidebar-brand-text")
    return " ".join(menu.text().split()) if menu else ""
