"""Define the frozen values of a book and its index, which every package may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

Vector = list[float]

# The slug of the book of a service that has one book.
DEFAULT_BOOK = "default"
# What a slug is made of.
SLUG = "^[a-z0-9][a-z0-9-]{0,59}$"


# --- a book ------------------------------------------------------------------------------------


class Dialect(Enum):
    """Name the syntax of a page: MDX (Docusaurus), Markdown with HTML, or Markdown converted from another."""

    MDX = "mdx"
    MARKDOWN = "markdown"
    CONVERTED = "converted"


@dataclass(frozen=True, slots=True)
class Section:
    """Describe the text under one heading, up to the next heading of any level.

    `heading_path` runs from the outermost part over the page's title to the heading itself.
    `anchor` is the fragment as the site's generator makes it; empty for the top of the page.
    `start` and `end` are character offsets into the page's `source`; the heading line is inside.
    """

    heading_path: tuple[str, ...]
    anchor: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Page:
    """Hold one page of a book.

    `path` is the file's path within the book, with forward slashes. `address` is the page's public
    address relative to the site's root, without a leading slash ("docs/intro", "ch01.html").
    `parts` names the groups that the page is in (a sidebar category, a part of the summary), outermost
    first; the sections' heading paths include it. `source` is the text that offsets count in and quotes
    are taken from: the file's characters unchanged, line ends included, without a byte order mark. Where a
    site generator changes the text before a reader sees it (includes, hidden lines, HTML), it is the text
    after that. `dialect` is the syntax that the source was read as.
    """

    path: str
    title: str
    address: str
    source: str
    sections: tuple[Section, ...]
    dialect: Dialect
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """Name a file that was left out, with a sentence that says why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Count the files of one suffix that are no part of the book, with the sentence that says why."""

    reason: str
    suffix: str
    files: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Name what a book was read as, and how the links to its pages are made, each in a few words."""

    name: str = ""
    links: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """Hold pages in reading order. `title` is empty if the book does not give one.

    `skipped` are files that should have been read but could not be; `left_out` are no part of the book.
    `notes` tell the operator what else the book has that was not to be had, a sentence each.
    """

    title: str
    pages: tuple[Page, ...]
    skipped: tuple[SkippedFile, ...] = ()
    layout: Layout = Layout()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InnerSection:
    """Mark where a section begins inside of a chunk.

    `start` is the offset of its heading in the chunk's text.
    """

    start: int
    anchor: str
    heading_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Hold a part of one section, the unit that is stored, searched and quoted.

    `page.source[start:end] == text`, always. `search_text` is indexed and embedded: the heading path, then
    the text without comments, JSX and link targets. `id` is a UUID made from path, heading path and text,
    so that the same content has the same id in every edition. `tokens` is an estimate
    (`core.text.count_tokens`). `sections` begin inside of the chunk, in order, where short ones were joined.
    `table_head` is the first row of the table in whose middle the chunk begins, verbatim, and `code_fence`
    the first line of the fenced code in whose middle it begins: it then is code to its end.
    """

    id: str
    path: str
    heading_path: tuple[str, ...]
    title: str
    address: str
    anchor: str
    start: int
    end: int
    text: str
    search_text: str
    tokens: int
    sections: tuple[InnerSection, ...] = ()
    table_head: str = ""
    code_fence: str = ""

    def section_at(self, offset: int) -> InnerSection | None:
        """Return the inner section at an offset of the text; None if that is the chunk's own section."""
        return next((section for section in reversed(self.sections) if section.start <= offset), None)

    def heading_path_at(self, offset: int) -> tuple[str, ...]:
        """Return the heading path of the section at an offset of the text."""
        section = self.section_at(offset)
        return section.heading_path if section else self.heading_path

    @property
    def in_code(self) -> bool:
        """Return whether the chunk begins in the middle of fenced code."""
        return bool(self.code_fence)


# --- an index ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Hold term weights: `indices` are distinct 32-bit term ids, `values` their weights."""

    indices: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class IndexPoint:
    """Hold a chunk with its vectors for the index. `dense` is None if no embedder is used.

    `scopes` are the case-folded names under which a chapter filter finds it.
    """

    chunk: Chunk
    sparse: SparseVector
    dense: Vector | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditionFacts:
    """Describe an edition for the stores and the retriever.

    `key` names the edition's index and never changes; `name` is for people and may change.
    `embedder` and `dimension` are None if it was indexed without vectors. `book` is the slug of its book.
    """

    key: str
    name: str
    title: str
    site_url: str
    language: str
    average_terms: float
    embedder: str | None
    dimension: int | None
    sections: int
    chunks: int
    published_at: datetime | None = None
    book: str = DEFAULT_BOOK


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Describe one hybrid search: sparse always, dense if a vector is given, fused by rank."""

    sparse: SparseVector
    dense: Vector | None
    limit: int
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """Hold a retrieved chunk. A higher `score` is a better match; scores compare within one search only."""

    chunk: Chunk
    score: float
