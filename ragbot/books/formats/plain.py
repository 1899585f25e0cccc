"""Read a plain folder of Markdown, with addresses and anchors as on GitHub."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import quote

from ragbot.books.files import BookFolder, natural_key
from ragbot.books.formats.emoji_lines import without_emoji_as_on_github
from ragbot.books.formats.forced import NOT_PUBLISHED, ForcedSite
from ragbot.books.formats.markdown import AnchorRules, split_page
from ragbot.books.formats.page_names import readable_name
from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.books.markup.jekyll import shown_by_jekyll
from ragbot.books.markup.mdx_markdown import as_markdown
from ragbot.books.markup.obsidian import is_of_vault, shown_by_obsidian, with_callout_titles
from ragbot.books.markup.rewriting import rewrite_lines, shown_source, with_container_titles
from ragbot.books.markup.script_prose import unread_script_notes, with_script_prose
from ragbot.books.markup.slugs import NumberedSlugger, github_slug
from ragbot.books.markup.titles import plain_title
from ragbot.books.markup.unread_components import UnreadComponents
from ragbot.books.not_pages import (
    CONTENT_FOLDERS,
    FRAME,
    REPOSITORY_FILE,
    TEMPLATE,
    is_page_frame,
    is_repository_file,
    lies_in_template_folder,
)
from ragbot.core.domain import Book, Dialect, Page

MARKDOWN_SUFFIXES = frozenset({".md", ".mdx", ".markdown"})

_ANCHORS = AnchorRules(partial(NumberedSlugger, github_slug))
_FIRST_NAMES = ("index", "readme")


def read_plain(folder: BookFolder, site: ForcedSite | None = None) -> Book:
    """Read every Markdown file in natural order; README and index come first in their folder.

    A page's address is its file's path, where GitHub and most viewers show it. `site` is what the
    configuration says of files that a generator reads, too.
    """
    site = site or ForcedSite()
    paths = chapters(folder, MARKDOWN_SUFFIXES, site)
    names = frozenset(PurePosixPath(path).stem.casefold() for path in paths)
    unread: dict[str, int] = {}

    def read(path: str) -> Page:
        source = folder.read_text(path)
        if is_of_vault(source, names):
            source = shown_by_obsidian(source)
        source, unread[path] = _with_scripts(path, source)
        return _page(path, source, site=site.title)

    pages = folder.read_each(paths, read)
    components = UnreadComponents()
    for page in pages:
        if page.dialect is Dialect.MDX:
            components.count(page.source)
    notes = (*unread_script_notes(unread), *components.notes())
    return Book(site.title, tuple(pages), tuple(folder.skipped), notes=notes)


def chapters(folder: BookFolder, suffixes: frozenset[str], site: ForcedSite) -> list[str]:
    """List a folder's chapters in reading order, without templates and the repository's own files.

    Those that the site does not publish are left out.
    """
    found = sorted(folder.files(suffixes), key=reading_key)
    published = _without_others(folder, found, site.publishes, NOT_PUBLISHED)
    paths = _without_others(folder, published, lambda path: not is_page_frame(path), FRAME)
    beside_content = any(
        path.split("/")[0].lower() in CONTENT_FOLDERS and "/" in path and _is_chapter(path) for path in paths
    )
    kept = [
        path
        for path in paths
        if not lies_in_template_folder(path) and not is_repository_file(path, beside_content=beside_content)
    ]
    if not kept:
        # A README alone is what there is to read.
        return paths
    for path in set(paths).difference(kept):
        folder.leave_out(path, TEMPLATE if lies_in_template_folder(path) else REPOSITORY_FILE)
    return kept


def _without_others(
    folder: BookFolder, paths: list[str], is_page: Callable[[str], bool], reason: str
) -> list[str]:
    pages = [path for path in paths if is_page(path)]
    for path in set(paths).difference(pages):
        folder.leave_out(path, reason)
    return pages


def _is_chapter(path: str) -> bool:
    return not lies_in_template_folder(path) and PurePosixPath(path).stem.lower() != "readme"


def read_plain_page(path: str, source: str, *, site: str = "") -> Page:
    """Read one Markdown file as a page."""
    shown, _ = _with_scripts(path, source)
    return _page(path, shown, site=site)


def _with_scripts(path: str, source: str) -> tuple[str, int]:
    """Return what a page shows, with the number of unread words in its scripts."""
    source = shown_source(with_callout_titles(source))
    if not _is_mdx(path):
        return rewrite_lines(shown_by_jekyll(source), without_emoji_as_on_github), 0
    shown = with_script_prose(with_container_titles(source))
    return as_markdown(shown.text), shown.unread_words


def _page(path: str, source: str, *, site: str) -> Page:
    dialect = Dialect.MDX if _is_mdx(path) else Dialect.MARKDOWN
    title = plain_title(parse_front_matter(source).text("title"))
    fallback = readable_name(path, site=plain_title(site))
    content = split_page(source, dialect, _ANCHORS, title=title, fallback=fallback, parts=())
    return Page(path, content.title, quote(path), source, content.sections, dialect)


def _is_mdx(path: str) -> bool:
    return path.lower().endswith(".mdx")


def reading_key(path: str) -> tuple[object, ...]:
    """Return a sort key: a folder's index first, then its files, then its folders, each by name."""
    *folders, name = path.split("/")
    keys: list[object] = [(2, *natural_key(folder)) for folder in folders]
    stem = PurePosixPath(name).stem.lower()
    keys.append((_FIRST_NAMES.index(stem) / 2,) if stem in _FIRST_NAMES else (1, *natural_key(name)))
    return tuple(keys)
