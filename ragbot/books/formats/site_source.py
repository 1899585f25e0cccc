"""Read the Markdown sources of a site by a description of its generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from ragbot.books.files import BookFolder
from ragbot.books.formats.html_selection import BLOG, LIST
from ragbot.books.formats.intermediates import INTERMEDIATE, find_intermediates
from ragbot.books.formats.markdown import AnchorRules, split_page
from ragbot.books.formats.page_address import relative_address
from ragbot.books.formats.page_names import readable_name
from ragbot.books.formats.plain import reading_key
from ragbot.books.formats.source_copies import PlacedSource, find_copies
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.rewriting import with_open_references
from ragbot.books.markup.titles import plain_title, plain_titles
from ragbot.core.domain import Book, Dialect, Page

NOT_BUILT = "It is a draft, or the site does not build it."
NOT_READ = "Its format is not read from its source. Build the book, and give its HTML."


@dataclass(frozen=True, slots=True)
class Listed:
    """Hold a page's entry in the site's navigation; an empty title is taken from the page."""

    path: str
    title: str = ""
    parts: tuple[str, ...] = ()
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class SiteSource:
    """Describe the sources of one site, as its generator and its configuration have them.

    `content` is the folder of the pages; all paths are seen from the book's root. `address` gives a page's
    address from its path below `content` and its front matter. `text` turns a page (its path, and its text
    without front matter) into plain Markdown. `navigation` are the pages in order; those that it does not
    list follow by `key`. `omitted` tells why a page is no part of the book, or nothing. `read` returns the
    text of a file where that is not the file's own. `sources` are the suffixes of files that a build makes
    others of, which it may leave beside them. With `has_copies` the folder may hold the book in several
    languages and versions, of which one is read: that of the version `released`, if it is known; and a blog,
    which is not. With `menu_has_titles` the navigation's title of a page is the page's own.
    """

    title: str
    content: str
    anchors: AnchorRules
    address: Callable[[str, FrontMatter], str]
    text: Callable[[str, str], str]
    suffixes: frozenset[str] = frozenset({".md", ".markdown"})
    navigation: tuple[Listed, ...] = ()
    key: Callable[[str, FrontMatter], tuple[Any, ...]] = field(
        default=lambda path, _values: reading_key(path)
    )
    omitted: Callable[[str, FrontMatter], str] = field(default=lambda _path, _values: "")
    read: Callable[[str], str] | None = None
    sources: tuple[str, ...] = ()
    has_copies: bool = False
    released: str = ""
    menu_has_titles: bool = True


@dataclass(frozen=True, slots=True)
class _Source:
    path: str
    inner: str
    values: FrontMatter
    body: str


def read_site_source(folder: BookFolder, site: SiteSource) -> Book:
    """Read the pages of a site in the order of its navigation, with the addresses that it gives them."""
    base = f"{site.content}/" if site.content else ""
    paths = [path for path in folder.files(site.suffixes, site.content) if not _is_hidden(path[len(base) :])]
    made = find_intermediates(paths, {entry.path for entry in site.navigation}, site.sources)
    for path in made:
        folder.leave_out(path, INTERMEDIATE)

    def source(path: str) -> _Source:
        text = (site.read or folder.read_text)(path).replace("\r\n", "\n")
        values = parse_front_matter(text)
        return _Source(path, path[len(base) :], values, text[values.end :])

    sources: dict[str, _Source] = {}
    for read in folder.read_each([path for path in paths if path not in made], source):
        if reason := site.omitted(read.inner, read.values):
            folder.leave_out(read.path, reason)
        else:
            sources[read.path] = read
    if site.has_copies:
        _leave_out_copies(folder, site, sources)
    rest = sorted(sources.values(), key=lambda read: site.key(read.inner, read.values))
    listed = {entry.path: entry for entry in reversed(site.navigation) if entry.path in sources}
    order = [*dict.fromkeys(entry.path for entry in site.navigation if entry.path in sources)]
    order += [read.path for read in rest if read.path not in listed]
    pages = folder.read_each(order, lambda path: _page(sources[path], site, listed.get(path) or Listed(path)))
    return Book(site.title, tuple(page for page in pages if page.source.strip()), tuple(folder.skipped))


def _leave_out_copies(folder: BookFolder, site: SiteSource, sources: dict[str, _Source]) -> None:
    placed = {
        path: PlacedSource(site.address(read.inner, read.values), read.values.text("title"))
        for path, read in sources.items()
    }
    posts = {path for path, page in placed.items() if BLOG.match(page.address)}
    # A blog alone is left whole.
    left_out = dict.fromkeys(posts, LIST) if len(posts) < len(placed) else {}
    rest = {path: page for path, page in placed.items() if path not in left_out}
    for path, reason in (left_out | find_copies(rest, site.released)).items():
        folder.leave_out(path, reason)
        del sources[path]


def _is_hidden(inner: str) -> bool:
    return any(name.startswith("_") and name != "_index.md" for name in inner.split("/"))


def _page(read: _Source, site: SiteSource, entry: Listed) -> Page:
    text = with_open_references(site.text(read.path, read.body))
    named, parts = plain_title(entry.title), plain_titles(entry.parts)
    content = split_page(
        text,
        Dialect.MARKDOWN,
        site.anchors,
        title=(named if site.menu_has_titles else "") or plain_title(read.values.text("title")),
        fallback=named or readable_name(read.inner, site=plain_title(site.title)),
        parts=parts,
    )
    address = relative_address(quote(site.address(read.inner, read.values), safe="/%:@!$&'()*+,;=~"))
    return Page(read.path, content.title, address, text, content.sections, Dialect.MARKDOWN, parts)


def folder_address(inner: str, *indexes: str, suffix: str = "/") -> str:
    """Return a page's address as a folder of its own (`guide/oars/`), or with another suffix (`.html`).

    A file with one of the names in `indexes` has the address of its folder.
    """
    pure = PurePosixPath(inner)
    above = "" if pure.parent.as_posix() == "." else f"{pure.parent.as_posix()}/"
    return above if pure.stem.lower() in indexes else f"{above}{pure.stem}{suffix}"
