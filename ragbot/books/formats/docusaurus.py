"""Read a Docusaurus project, or its docs folder alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from posixpath import normpath
from urllib.parse import quote

from ragbot.books.files import BookFolder
from ragbot.books.formats.config_files import parse_json_mapping, parse_yaml_mapping
from ragbot.books.formats.config_globs import matches_any
from ragbot.books.formats.docusaurus_config import DocsFolder, SiteConfig, parse_site_config
from ragbot.books.formats.docusaurus_sidebars import SidebarEntry, parse_sidebars
from ragbot.books.formats.docusaurus_versions import below, versioned_docs
from ragbot.books.formats.emoji_lines import without_emoji_as_on_github
from ragbot.books.formats.html_selection import LIST
from ragbot.books.formats.markdown import AnchorRules, split_page
from ragbot.books.formats.mdx_partials import PartialExpander
from ragbot.books.formats.page_address import relative_address
from ragbot.books.formats.page_names import readable_name
from ragbot.books.formats.site_source import NOT_BUILT
from ragbot.books.markup.code_marks import without_highlight_comments
from ragbot.books.markup.component_keys import with_component_keys
from ragbot.books.markup.component_labels import with_component_labels
from ragbot.books.markup.front_matter import FrontMatter, parse_front_matter
from ragbot.books.markup.mdx_markdown import as_markdown
from ragbot.books.markup.rewriting import (
    rewrite_lines,
    shown_source,
    with_container_titles,
    with_fences_apart,
)
from ragbot.books.markup.script_prose import unread_script_notes, with_script_prose
from ragbot.books.markup.slugs import NumberedSlugger, github_slug
from ragbot.books.markup.titles import plain_title, plain_titles
from ragbot.books.markup.unread_components import UnreadComponents
from ragbot.core.domain import Book, Dialect, Page
from ragbot.core.errors import BookError, FileUnreadable

PAGES = frozenset({".md", ".mdx"})
CONFIG_NAMES = tuple(f"docusaurus.config.{suffix}" for suffix in ("js", "ts", "mjs", "cjs", "mts", "cts"))

SIDEBAR_NAMES = tuple(f"sidebars.{suffix}" for suffix in ("js", "ts", "json", "mjs", "cjs"))

# Front matter that only Docusaurus reads, and that which other generators share with it.
SIDEBAR_KEYS = frozenset({"sidebar_position", "sidebar_label"})
ANY_KEYS = SIDEBAR_KEYS | {"slug", "id", "title"}

_CATEGORY_NAMES = ("_category_.json", "_category_.yml", "_category_.yaml")
_TEST_FILE = re.compile(r"\.test\.\w+$|(^|/)__tests__/")
_VERSION_OR_DATE = re.compile(r"\d+[-_.]\d+")
_NUMBER_PREFIX = re.compile(r"(?P<number>\d+)\s*[-_.]+\s*(?P<rest>[^-_.\s].*)")

# The theme renders first-level headings without an id, though their slugs are counted.
_ANCHORS = AnchorRules(partial(NumberedSlugger, github_slug), h1_has_anchor=False)

OWN_PAGE = "It is a page beside the docs (src/pages), which are the book."

# A page without a position comes after those that have one.
_LAST = float("inf")


@dataclass(frozen=True, slots=True)
class _Doc:
    """Hold a page's file, with the front matter that decides on its order and address."""

    path: str
    folders: tuple[str, ...]
    stem: str
    values: FrontMatter
    source: str
    unread_words: int = 0
    has_prefixes: bool = True

    @property
    def is_index(self) -> bool:
        names = {"index", "readme", self.folders[-1].lower() if self.folders else "."}
        return self.stem.lower() in names

    @property
    def id(self) -> str:
        """Return the name that sidebars give it."""
        names = [*self.folders, self.stem]
        plain = [strip_number_prefix(name)[0] if self.strips_prefixes else name for name in names]
        return "/".join([*plain[:-1], self.values.text("id") or plain[-1]])

    @property
    def strips_prefixes(self) -> bool:
        return self.has_prefixes and self.values.values.get("parse_number_prefixes") is not False

    @property
    def position(self) -> float:
        own = self.values.number("sidebar_position")
        number = strip_number_prefix(self.stem)[1] if self.strips_prefixes else None
        return own if own is not None else number if number is not None else _LAST


@dataclass(frozen=True, slots=True)
class _Category:
    """Hold the label and the sidebar position of a folder."""

    label: str
    position: float


def root_of_docusaurus(project: BookFolder) -> Path:
    """Return the folder that holds all of a project's pages.

    It is the project's own, or the one above if the configuration names folders beside the project.
    """
    config, _ = _config(project, "")
    is_above = any(normpath(docs.path).startswith("..") for docs in config.docs)
    return project.root.absolute().parent if is_above else project.root


def read_docusaurus(folder: BookFolder, base: str = "", *, version: str = "") -> Book:
    """Read a project's docs folders in the order of their sidebars; its configuration lies in `base`.

    Of a project with versions the last released one is read, or `version` ("current" is the one in work).
    Raises BookError if one of its docs folders lies outside of `folder` or is not there, or if there is no
    such version.
    """
    config, name = _config(folder, base)
    pages: list[Page] = []
    unread: dict[str, int] = {}
    notes: list[str] = []
    for docs in (versioned_docs(folder, base, docs, version) for docs in config.docs):
        path = normpath(f"{base}/{docs.path}" if base else docs.path)
        if path.startswith("..") or not (folder.root / path).is_dir():
            raise BookError(
                f"{name or 'Docusaurus'} has its pages at `path: '{docs.path}'`, and there is no such folder "
                f"below {folder.root}. Give the folder that holds both, or correct `docs.path`."
            )
        sidebars = _sidebars(folder, base, docs, notes)
        found = replace(docs, path="" if path == "." else path)
        own = below(base, docs.translated(config.locale))
        pages += _read_docs_folder(folder, found, config, sidebars, translated=own, unread=unread)
    _leave_out_others(folder, base, {page.path for page in pages})
    return _book(config.title, pages, folder, unread, notes)


def read_docusaurus_docs(folder: BookFolder, docs: str) -> Book:
    """Read a docs folder without a configuration; `docs` is its path, "" for `folder` itself."""
    unread: dict[str, int] = {}
    pages = _read_docs_folder(folder, DocsFolder(docs, "docs"), SiteConfig(), unread=unread)
    return _book("", pages, folder, unread)


def _leave_out_others(folder: BookFolder, base: str, read: set[str]) -> None:
    """Record the posts of the site's blog, and the pages beside its docs."""
    for name, reason in (("blog", LIST), ("src/pages", OWN_PAGE)):
        path = below(base, name)
        for found in folder.files(PAGES, path) if (folder.root / path).is_dir() else ():
            if found not in read and _is_page(found, len(path.split("/"))):
                folder.leave_out(found, reason)


def _book(
    title: str, pages: Sequence[Page], folder: BookFolder, unread: dict[str, int], notes: Sequence[str] = ()
) -> Book:
    components = UnreadComponents()
    for page in pages:
        components.count(page.source)
    found = (*notes, *unread_script_notes(unread), *components.notes())
    return Book(title, tuple(pages), tuple(folder.skipped), notes=found)


def strip_number_prefix(name: str) -> tuple[str, int | None]:
    """Split a name into the rest and its number prefix; dates and versions are no prefixes."""
    if _VERSION_OR_DATE.match(name):
        return name, None
    match = _NUMBER_PREFIX.fullmatch(name)
    return (match["rest"], int(match["number"][:15])) if match else (name, None)


def has_front_matter(folder: BookFolder, under: str, keys: frozenset[str]) -> bool:
    """Return whether one of the first 50 pages under a folder has one of the keys in its front matter."""
    for path in folder.files(PAGES, under)[:50]:
        try:
            if keys & parse_front_matter(folder.read_text(path)).values.keys():
                return True
        except FileUnreadable:
            continue
    return False


def _sidebars(folder: BookFolder, base: str, docs: DocsFolder, notes: list[str]) -> tuple[SidebarEntry, ...]:
    for name in (docs.sidebars,) if docs.sidebars else SIDEBAR_NAMES:
        path = below(base, name)
        if folder.has(path):
            entries = parse_sidebars(folder.read_text(path))
            if entries is None or any(entry.doc.startswith("...") for entry in entries):
                notes.append(
                    f"{path} is more than literals: the pages that it does not name follow by their files."
                )
            return entries or ()
    return ()


def _config(folder: BookFolder, base: str) -> tuple[SiteConfig, str]:
    """Return a project's configuration, and the name of its file."""
    inside = f"{base}/" if base else ""
    for name in CONFIG_NAMES:
        if folder.has(inside + name):
            try:
                return parse_site_config(folder.read_text(inside + name)), name
            except FileUnreadable as fault:
                folder.skip(inside + name, str(fault))
    return SiteConfig(), ""


def _read_docs_folder(
    folder: BookFolder,
    docs_folder: DocsFolder,
    config: SiteConfig,
    sidebars: Sequence[SidebarEntry] = (),
    *,
    unread: dict[str, int],
    translated: str = "",
) -> list[Page]:
    """Read a docs folder; `translated` is a folder with texts of the site's own language.

    The number of words in the scripts of each page is added to `unread`.
    """
    base = len(docs_folder.path.split("/")) if docs_folder.path else 0
    paths = [path for path in folder.files(PAGES, docs_folder.path) if _is_page(path, base)]
    read = folder.read_each(paths, lambda path: _doc(folder, path, base, docs_folder, translated))
    docs = [doc for doc in read if _is_shown(doc, docs_folder.excluded)]
    for path in {doc.path for doc in read}.difference(doc.path for doc in docs):
        folder.leave_out(path, NOT_BUILT)
    unread.update({doc.path: doc.unread_words for doc in docs})
    categories = _categories(folder, docs_folder, docs)
    docs.sort(key=lambda doc: _sidebar_key(doc, categories))
    by_path = {doc.path: doc for doc in docs}
    parts = _in_sidebars(docs, sidebars, categories)
    return folder.read_each(list(parts), lambda path: _page(by_path[path], docs_folder, config, parts[path]))


def _in_sidebars(
    docs: Sequence[_Doc], sidebars: Sequence[SidebarEntry], categories: dict[tuple[str, ...], _Category]
) -> dict[str, tuple[str, ...]]:
    """Return the pages in order with the labels above each; those that no sidebar has come last."""
    parts: dict[str, tuple[str, ...]] = {}
    for entry in sidebars:
        for doc in docs:
            if entry.is_folder and f"{'/'.join(doc.folders)}/".startswith(f"{entry.doc}/".lstrip("/")):
                depth = len(entry.doc.split("/")) if entry.doc else 0
                parts.setdefault(doc.path, (*entry.parts, *_parts(doc, categories)[depth:]))
            elif not entry.is_folder and entry.doc == doc.id:
                parts.setdefault(doc.path, entry.parts)
    for doc in docs:
        parts.setdefault(doc.path, _parts(doc, categories))
    return parts


def _parts(doc: _Doc, categories: dict[tuple[str, ...], _Category]) -> tuple[str, ...]:
    above = doc.folders[:-1] if doc.is_index else doc.folders
    return tuple(categories[doc.folders[: depth + 1]].label for depth in range(len(above)))


def _is_page(path: str, base: int) -> bool:
    inner = path.split("/")[base:]
    return not any(name.startswith("_") for name in inner) and not _TEST_FILE.search("/".join(inner))


def _is_shown(doc: _Doc, excluded: Sequence[str]) -> bool:
    inner = "/".join((*doc.folders, PurePosixPath(doc.path).name))
    is_draft = doc.values.is_set("draft") or doc.values.is_set("unlisted")
    return not is_draft and not matches_any(inner, excluded)


def _doc(folder: BookFolder, path: str, base: int, docs: DocsFolder, translated: str) -> _Doc:
    *folders, name = path.split("/")[base:]
    own = "/".join((translated, *folders, name))
    read = own if translated and folder.has(own) else path
    partials = PartialExpander(folder)
    source = rewrite_lines(shown_source(folder.read_text(read)), without_emoji_as_on_github)
    source = with_fences_apart(without_highlight_comments(source))
    expanded = with_container_titles(partials.expand(read, source))
    shown = with_script_prose(with_component_keys(with_component_labels(expanded)))
    for notice in partials.notices:
        folder.skip(path, notice)
    text = as_markdown(shown.text)
    values = parse_front_matter(text)
    stem = PurePosixPath(name).stem
    return _Doc(path, tuple(folders), stem, values, text, shown.unread_words, docs.has_prefixes)


def _page(doc: _Doc, docs_folder: DocsFolder, config: SiteConfig, parts: tuple[str, ...]) -> Page:
    parts = plain_titles(parts)
    content = split_page(
        doc.source,
        Dialect.MDX,
        _ANCHORS,
        title=plain_title(doc.values.text("title")),
        fallback=_name(doc, config),
        parts=parts,
    )
    address = _address(doc, docs_folder.route, config)
    return Page(doc.path, content.title, address, doc.source, content.sections, Dialect.MDX, parts)


def _name(doc: _Doc, config: SiteConfig) -> str:
    names = [strip_number_prefix(name)[0] for name in (*doc.folders, doc.stem)]
    own = doc.values.text("id")
    return readable_name("/".join((*names[:-1], f"{own or names[-1]}.md")), site=plain_title(config.title))


def _address(doc: _Doc, route: str, config: SiteConfig) -> str:
    slug = relative_address(quote(f"{route}/{_slug(doc).lstrip('/')}", safe="/%:@!$&'()*+,;=~"))
    if config.trailing_slash is None:
        return slug
    return f"{slug.rstrip('/')}/" if config.trailing_slash and slug.strip("/") else slug.rstrip("/")


def _slug(doc: _Doc) -> str:
    own = doc.values.text("slug")
    if own.startswith("/"):
        return own
    folders = [strip_number_prefix(name)[0] if doc.strips_prefixes else name for name in doc.folders]
    folder = "".join(f"/{name}" for name in folders) + "/"
    if not own and doc.is_index:
        return folder
    name = (
        own
        or doc.values.text("id")
        or (strip_number_prefix(doc.stem)[0] if doc.strips_prefixes else doc.stem)
    )
    slug = normpath(folder + name)
    return slug + "/" if name.endswith("/") and slug != "/" else slug


def _sidebar_key(doc: _Doc, categories: dict[tuple[str, ...], _Category]) -> list[tuple[float, str]]:
    """Return a sort key: a folder has its category's position, and its index comes first."""
    keys = [(categories[doc.folders[: depth + 1]].position, name) for depth, name in enumerate(doc.folders)]
    if doc.is_index and doc.folders:
        return [*keys, (-_LAST, "")]
    return [*keys, (doc.position, PurePosixPath(doc.path).name)]


def _categories(
    folder: BookFolder, docs_folder: DocsFolder, docs: list[_Doc]
) -> dict[tuple[str, ...], _Category]:
    folders = {doc.folders[: depth + 1] for doc in docs for depth in range(len(doc.folders))}
    indexes = {doc.folders: doc for doc in reversed(docs) if doc.is_index}
    return {names: _category(folder, docs_folder, names, indexes.get(names)) for names in folders}


def _category(
    folder: BookFolder, docs_folder: DocsFolder, names: tuple[str, ...], index: _Doc | None
) -> _Category:
    values = FrontMatter(_category_values(folder, "/".join(filter(None, (docs_folder.path, *names)))))
    plain, number = strip_number_prefix(names[-1]) if docs_folder.has_prefixes else (names[-1], None)
    label = values.text("label") or (_label(folder, index) if index else "") or plain
    position = values.number("position")
    if position is None and index is not None and index.position != _LAST:
        position = index.position
    if position is None:
        position = number
    return _Category(label, _LAST if position is None else position)


def _label(folder: BookFolder, index: _Doc) -> str:
    if own := index.values.text("sidebar_label") or index.values.text("title"):
        return own
    fallback = index.values.text("id")

    def title(_: str) -> str:
        return split_page(index.source, Dialect.MDX, _ANCHORS, title="", fallback=fallback, parts=()).title

    return next(iter(folder.read_each([index.path], title)), "")


def _category_values(folder: BookFolder, path: str) -> dict[str, object]:
    for name in _CATEGORY_NAMES:
        full = f"{path}/{name}"
        if not folder.has(full):
            continue
        try:
            mapping = parse_json_mapping if name.endswith(".json") else parse_yaml_mapping
            return mapping(folder.read_text(full)) or {}
        except FileUnreadable as fault:
            folder.skip(full, f"The category file is ignored and its folder's name used instead: {fault}")
    return {}
