"""Read the order of MkDocs's pages from its configuration, or from the lists of plug-ins in the folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from posixpath import basename, dirname, normpath

from ragbot.books.files import BookFolder, natural_key
from ragbot.books.formats.config_files import as_list, as_text, parse_tolerant_yaml
from ragbot.books.formats.mdbook_summary import parse_summary
from ragbot.books.formats.page_names import readable_name
from ragbot.books.formats.plain import MARKDOWN_SUFFIXES
from ragbot.books.formats.site_source import Listed
from ragbot.core.errors import FileUnreadable

MAX_NAVIGATION_DEPTH = 16

# The lists of awesome-nav and of awesome-pages, which it follows.
_AWESOME_NAV, _AWESOME_PAGES = ".nav.yml", ".pages"
_INDEXES = ("index", "readme")
_GLOB = re.compile(r"[*?\[]")
# Stands for the pages and folders that a list of awesome-pages does not name; a filter may follow it.
_REST = re.compile(r"\.\.\.(?:[ ]*\|(?P<filter>.*))?$")


def read_navigation(folder: BookFolder, values: dict[str, object], base: str) -> Iterator[Listed]:
    """List the pages of a project in the order of its navigation. `base` is the folder of the pages."""
    plugins = str(values.get("plugins"))
    if "awesome-pages" in plugins or "awesome-nav" in plugins:
        name = _AWESOME_NAV if "awesome-nav" in plugins else _AWESOME_PAGES
        yield from _FolderLists(folder, base, name).pages(values.get("nav"))
    elif isinstance(values.get("nav"), list):
        for entry in _entries(values["nav"], base, ()):
            # A folder stands for the list of its pages.
            inner = _summary(folder, entry.path, entry.parts) if entry.is_folder else ()
            yield from inner or (entry,)
    elif "literate-nav" in plugins:
        yield from _summary(folder, base, ())


def mkdocs_key(path: str) -> tuple[object, ...]:
    """Return a sort key of pages that no navigation lists: an index, files by letters, then the folders."""
    *folders, name = path.split("/")
    is_index = PurePosixPath(name).stem.lower() in _INDEXES
    return (*((2, folder) for folder in folders), (0 if is_index else 1, name))


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
    for title, target in _pairs(entries) if len(parts) < MAX_NAVIGATION_DEPTH else ():
        if isinstance(target, str) and "://" not in target:
            is_folder = target.endswith("/")
            inner = (*parts, title) if is_folder else parts
            yield Listed(normpath(f"{base}/{target}".lstrip("/")), title, inner, is_folder=is_folder)
        elif isinstance(target, list):
            yield from _entries(target, base, _below(parts, title))


def _pairs(entries: object) -> Iterator[tuple[str, object]]:
    """Yield the title and the target of each entry of a list; the title of a bare target is empty."""
    for entry in entries if isinstance(entries, list) else ():
        for title, target in entry.items() if isinstance(entry, dict) else [("", entry)]:
            yield str(title), target


def _below(parts: tuple[str, ...], title: str) -> tuple[str, ...]:
    # (Some sections have an empty title, and show that of their first page.)
    return (*parts, title) if title.strip() else parts


class _FolderLists:
    """Read the lists that folders hold themselves, for the plug-ins awesome-pages and awesome-nav.

    A list names pages, folders, sections, and by a glob or three dots what else lies in its folder. A folder
    without a list has its pages first and then its folders, each by name.
    """

    def __init__(self, folder: BookFolder, base: str, name: str) -> None:
        self._folder = folder
        self._base = base
        self._name = name
        self._is_natural = name == _AWESOME_NAV
        # (Of each folder what lies in it, in order.)
        self._children: dict[str, dict[str, None]] = {}
        for path in sorted(folder.files(MARKDOWN_SUFFIXES, base), key=mkdocs_key):
            self._place(path)
        self._listed: set[str] = set()

    def _place(self, path: str) -> None:
        above = dirname(path)
        self._children.setdefault(above, {})[path] = None
        if above != self._base and above:
            self._place(above)

    def pages(self, nav: object) -> Iterator[Listed]:
        """List all pages, by the configuration's own navigation (`nav`) where it has one."""
        config: dict[str, object] = {"nav": nav} if isinstance(nav, list) else self._config(self._base)
        yield from self._pages_of(self._base, (), config)

    def _config(self, path: str) -> dict[str, object]:
        listing = f"{path}/{self._name}".lstrip("/")
        if not self._folder.has(listing):
            return {}
        try:
            return parse_tolerant_yaml(self._folder.read_text(listing))
        except FileUnreadable as fault:
            self._folder.skip(listing, f"The order of its folder's pages is not known: {fault}")
            return {}

    def _pages_of(self, path: str, parts: tuple[str, ...], config: dict[str, object]) -> Iterator[Listed]:
        # Each folder is listed once, so that lists which name folders twice end.
        if path in self._listed or len(parts) > MAX_NAVIGATION_DEPTH:
            return
        self._listed.add(path)
        nav = config.get("nav", config.get("arrange"))
        entries = [*as_list(nav)]
        if not entries or "arrange" in config or config.get("append_unmatched"):
            entries.append("...")
        named = set(self._named(entries, path, 0))
        children = self._sorted(path, config, has_index_first=entries == ["..."] or not self._is_natural)
        yield from self._entries(entries, path, parts, [child for child in children if child not in named])

    def _sorted(self, path: str, config: dict[str, object], *, has_index_first: bool) -> list[str]:
        """Return what lies in a folder in its order: pages, then folders; an index first."""
        sort = config.get("sort") if isinstance(config.get("sort"), dict) else {}
        is_natural = self._is_natural or config.get("sort_type") == "natural"

        def by_name(child: str) -> tuple[object, ...]:
            return natural_key(basename(child)) if is_natural else (basename(child),)

        is_reversed = "desc" in f"{config.get('order')} {sort}"
        found = sorted(self._children.get(path, ()), key=by_name, reverse=is_reversed)

        def by_kind(child: str) -> tuple[bool, bool]:
            is_index = PurePosixPath(child).stem.lower() in _INDEXES
            return child in self._children, not (is_index and has_index_first)

        return sorted(found, key=by_kind)

    def _named(self, entries: object, path: str, depth: int) -> Iterator[str]:
        for _title, target in _pairs(entries) if depth < MAX_NAVIGATION_DEPTH else ():
            if isinstance(target, str):
                yield normpath(f"{path}/{target}".lstrip("/"))
            else:
                yield from self._named(target, path, depth + 1)

    def _entries(
        self, entries: object, path: str, parts: tuple[str, ...], rest: list[str]
    ) -> Iterator[Listed]:
        for title, target in _pairs(entries) if len(parts) < MAX_NAVIGATION_DEPTH else ():
            if isinstance(target, list):
                yield from self._entries(target, path, _below(parts, title), rest)
            elif not isinstance(target, str) or "://" in target:
                continue
            elif (matched := self._matched(target, path, rest)) is not None:
                yield from (listed for child in matched for listed in self._entry(child, "", parts))
            else:
                yield from self._entry(normpath(f"{path}/{target}".lstrip("/")), title, parts)

    def _matched(self, target: str, path: str, rest: list[str]) -> Iterable[str] | None:
        """Return what three dots or a glob stand for; None for a plain name."""
        if (dots := _REST.match(target)) is not None:
            glob = (dots["filter"] or "").strip()
            # (A filter by a regular expression is passed over: the pages follow all the same.)
            is_glob = glob not in ("", "flat") and not glob.startswith("regex=")
            return [child for child in rest if not is_glob or fnmatchcase(basename(child), glob)]
        if not _GLOB.search(target):
            return None
        pattern = normpath(f"{path}/{target}".lstrip("/"))
        above = dirname(pattern)
        if basename(above) == "**" or basename(pattern) == "**":
            within = dirname(above) if basename(above) == "**" else above
            return [
                page for page in self._all_pages(within) if fnmatchcase(basename(page), basename(pattern))
            ]
        beside = rest if above == path else self._children.get(above, ())
        return [child for child in beside if fnmatchcase(child, pattern)]

    def _all_pages(self, path: str) -> Iterator[str]:
        for child in self._children.get(path, ()):
            yield from self._all_pages(child) if child in self._children else (child,)

    def _entry(self, path: str, title: str, parts: tuple[str, ...]) -> Iterator[Listed]:
        if path not in self._children:
            yield Listed(path, title, parts)
        elif not (config := self._config(path)).get("hide"):
            name = title or as_text(config.get("title")) or readable_name(path)
            yield from self._pages_of(path, (*parts, name), config)
