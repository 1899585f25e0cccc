"""Read a plain folder of Markdown, with addresses and anchors as on GitHub."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

from ragbot.books.files import BookFolder, natural_key
from ragbot.books.formats.markdown import AnchorRules, split_page
from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.books.markup.slugs import GithubSlugger
from ragbot.core.domain import Book, Dialect, Page

MARKDOWN_SUFFIXES = frozenset({".md", ".mdx", ".markdown"})

_ANCHORS = AnchorRules(GithubSlugger)
_FIRST_NAMES = ("index", "readme")


def read_plain(folder: BookFolder) -> Book:
    """Read every Markdown file in natural order; README and index come first in their folder.

    A page's address is its file's path, where GitHub and most viewers show it.
    """
    paths = sorted(folder.files(MARKDOWN_SUFFIXES), key=reading_key)
    pages = folder.read_each(paths, lambda path: read_plain_page(path, folder.read_text(path)))
    return Book("", tuple(pages), tuple(folder.skipped))


def read_plain_page(path: str, source: str, *, parts: tuple[str, ...] = ()) -> Page:
    """Read one Markdown file as a page."""
    name = PurePosixPath(path)
    dialect = Dialect.MDX if name.suffix.lower() == ".mdx" else Dialect.MARKDOWN
    title = parse_front_matter(source).text("title")
    content = split_page(source, dialect, _ANCHORS, title=title, fallback=name.stem, parts=parts)
    return Page(path, content.title, quote(path), source, content.sections, dialect, parts)


def reading_key(path: str) -> tuple[object, ...]:
    """Return a sort key: a folder's index first, then its files, then its folders, each by name."""
    *folders, name = path.split("/")
    keys: list[object] = [(2, *natural_key(folder)) for folder in folders]
    stem = PurePosixPath(name).stem.lower()
    keys.append((_FIRST_NAMES.index(stem) / 2,) if stem in _FIRST_NAMES else (1, *natural_key(name)))
    return tuple(keys)
