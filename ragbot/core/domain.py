"""The nouns: frozen values that every room may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum

Vector = list[float]

# What a generator says first when its passages do not answer the question. What follows it on
# the line, if anything, is the sentence that the reader is shown.
NOT_IN_BOOK = "NOT_IN_BOOK"


# --- a book ------------------------------------------------------------------------------------


class Dialect(Enum):
    """How a page is written: MDX (Docusaurus), Markdown with HTML in it, or text that was none before."""

    MDX = "mdx"
    MARKDOWN = "markdown"
    CONVERTED = "converted"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading's own text, up to the next heading of any level.

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
    """One page of the site, in the order in which the book is read.

    `path` is the file's path within the book, with forward slashes. `address` is the page's public
    address relative to the site's root, without a leading slash ("docs/intro", "ch01.html").
    `parts` names what the page stands under (a sidebar category, a part of the summary), outermost
    first; it is included in the sections' heading paths. `source` is the text that offsets count
    in and quotes are taken from: the file's characters as they stand, line ends included, without
    a byte order mark. Where a generator changes the text before its reader sees it (includes,
    hidden lines, HTML), it is the text after that. `dialect` is what the source was read as.
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
    """A file that was left out, and a sentence that says why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Book:
    """Pages in reading order. `title` is empty where the book does not tell its own."""

    title: str
    pages: tuple[Page, ...]
    skipped: tuple[SkippedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class InnerSection:
    """A section that begins inside of a chunk. `start` is the offset of its heading in the chunk's text."""

    start: int
    anchor: str
    heading_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of one section: what is stored, searched and quoted.

    `page.source[start:end] == text`, always. `search_text` is what is indexed and embedded: the
    heading path in front, then the text without what is not prose (comments, JSX, link targets).
    `id` is a UUID made from path, heading path and text, so that the same content has the same id
    in every edition. `tokens` is an estimate (`core.text.count_tokens`). `sections` are those that begin
    inside of it, in order, where short ones were joined.
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


# --- an index ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Term weights: `indices` are distinct 32-bit term ids, `values` their weights."""

    indices: list[int]
    values: list[float]


@dataclass(frozen=True, slots=True)
class IndexPoint:
    """A chunk as the index takes it. `dense` is None where no embedder is used.

    `scopes` are the folded names under which a chapter filter finds it.
    """

    chunk: Chunk
    sparse: SparseVector
    dense: Vector | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditionFacts:
    """What a store and a retriever must know of an edition.

    `key` names the edition's index and never changes; `name` is what people call it.
    `embedder` and `dimension` are None where it was indexed without vectors.
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


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One hybrid search: sparse always, dense where a vector is at hand, fused by rank."""

    sparse: SparseVector
    dense: Vector | None
    limit: int
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was retrieved. `score` grows with likeness and compares within one search only."""

    chunk: Chunk
    score: float


# --- a question and its answer -----------------------------------------------------------------


class Mode(StrEnum):
    """Where an answer may come from."""

    FULL_BOOK = "full_book"
    SELECTED_TEXT = "selected_text"


class Status(StrEnum):
    """How a turn ended, or that it has not."""

    PENDING = "pending"
    ANSWERED = "answered"
    REFUSED = "refused"
    STOPPED = "stopped"
    FAILED = "failed"


class Degradation(StrEnum):
    """What an answer was made without."""

    LLM_FALLBACK = "llm_fallback"
    LLM_EXTRACTIVE = "llm_extractive"
    DENSE_SEARCH = "dense_search"
    CACHE = "cache"
    HISTORY = "history"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Question:
    """What a reader asks, checked. `text` is trimmed and holds 1 to 2,000 characters."""

    text: str
    mode: Mode = Mode.FULL_BOOK
    selected_text: str | None = None
    page_url: str | None = None
    book_version: str | None = None
    chapter_filter: str | None = None
    top_k: int = 5


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question with its answer, as history."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything that a generator may use for an answer.

    `passages` are numbered from 1, as the marks in the answer are. `system` and `messages` are the same
    matter laid out for a chat model: (role, content) pairs. The rest is for generators without a model:
    `term_weights` gives the rarity (inverse document frequency) of each of the question's stems,
    `unknown_words` are those of its words that stand nowhere in the book, `language` is the book's,
    `question_vector` is what the search's embedder made of it. `foreign_language` is the question's, where it is not the book's. With `overview` the passages are the
    beginnings of what is to be summed up, in the order of the book. With `without_model` nothing may be asked
    that costs money.
    """

    question: str
    passages: tuple[Passage, ...]
    system: str
    messages: tuple[tuple[str, str], ...]
    mode: Mode = Mode.FULL_BOOK
    language: str = "english"
    term_weights: Mapping[str, float] = field(default_factory=dict)
    unknown_words: tuple[str, ...] = ()
    question_vector: Vector | None = None
    max_output_tokens: int = 800
    overview: bool = False
    foreign_language: str = ""
    without_model: bool = False


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """Words that a mark of the answer rests on.

    `start` and `end` are offsets into the source's `quote`, `text` is the words as a reader sees them on the
    page, and `url` leads to them.
    """

    start: int
    end: int
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Source:
    """A passage as the reader sees it. `quote` is verbatim from the edition, `quote_text` is it without markup."""

    id: str
    chapter: str
    section: str
    heading_path: tuple[str, ...]
    path: str
    url: str
    quote: str
    score: float
    cited: bool = False
    quote_text: str = ""
    citations: tuple[CitedSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them. `cost_usd` is None where a price is not known."""

    embedding_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, for the whole and for each stage; `cache` is the look for an answer that was kept."""

    total: float = 0.0
    embed: float = 0.0
    search: float = 0.0
    generate: float = 0.0
    cache: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer, with what it rests on and what it cost."""

    text: str
    status: Status
    sources: tuple[Source, ...]
    mode: Mode
    book_version: str
    model: str
    degraded: tuple[Degradation, ...] = ()
    cache: str = "bypass"
    usage: Usage = Usage()
    latency_ms: Latency = Latency()


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """How a turn ended, for those who watch. `error_code` is None where nothing went wrong.

    Times are milliseconds; None where there was no first word, or nothing was written down.
    """

    answer: Answer
    error_code: str | None = None
    first_word_ms: float | None = None
    persist_ms: float | None = None


# --- events ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The search is done; no word has been said yet.

    `so_far` tells what is known of the answer at any time from now on, for whoever has to write down one that
    never ended: its model, tokens and times, without its text. None where nothing is asked of anybody.
    """

    sources: tuple[Source, ...]
    so_far: Callable[[], Answer] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer, already cleaned."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole. It is the last event; its text is the sum of the deltas."""

    answer: Answer


Event = Retrieved | Delta | Finished
