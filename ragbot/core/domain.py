"""Define the frozen values that every package may use: books, indexes, questions, answers, events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum

Vector = list[float]

# A generator's first word when its passages do not answer the question. The rest of the line, if any,
# is the sentence that the reader is shown.
NOT_IN_BOOK = "NOT_IN_BOOK"

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
    """

    title: str
    pages: tuple[Page, ...]
    skipped: tuple[SkippedFile, ...] = ()
    layout: Layout = Layout()
    left_out: tuple[LeftOut, ...] = ()


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


# --- a question and its answer -----------------------------------------------------------------

# The docstrings of Mode, Status and Degradation are descriptions in the API's document.


class Mode(StrEnum):
    """Name the texts that an answer may come from."""

    FULL_BOOK = "full_book"
    SELECTED_TEXT = "selected_text"


class Status(StrEnum):
    """Name the states of a turn."""

    PENDING = "pending"
    ANSWERED = "answered"
    REFUSED = "refused"
    STOPPED = "stopped"
    FAILED = "failed"


class Degradation(StrEnum):
    """Name what an answer was made without, or what it lacks."""

    LLM_FALLBACK = "llm_fallback"
    LLM_EXTRACTIVE = "llm_extractive"
    LLM_LENGTH = "llm_length"
    DENSE_SEARCH = "dense_search"
    CACHE = "cache"
    HISTORY = "history"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Question:
    """Hold a reader's validated question. `text` is trimmed and has 1 to 2,000 characters.

    `book` is the slug of the book that is asked, `book_version` names one of its editions.
    """

    text: str
    mode: Mode = Mode.FULL_BOOK
    selected_text: str | None = None
    page_url: str | None = None
    book_version: str | None = None
    chapter_filter: str | None = None
    top_k: int = 5
    book: str = DEFAULT_BOOK


@dataclass(frozen=True, slots=True)
class Exchange:
    """Hold a past question with its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Hold everything that a generator may use for an answer.

    `passages` are numbered from 1, as the citation marks in the answer are. `system` and `messages`, (role,
    content) pairs, give the same to a chat model. The rest is for generators without a model: `term_weights`
    is the inverse document frequency of each stem of the question, `unknown_words` are its words that do
    not occur in the book, `language` is the book's, `question_vector` is the question's embedding,
    `foreign_language` the question's language where it is not the book's. With `overview` the passages are
    the beginnings of pages that are to be summed up, in the order of the book. With `without_model` no model
    that costs money may be called; with `single_try` a failed call is not repeated; with `whole` the reader
    sees nothing before the end, so that another model may answer for one that broke off. `shorter` gives the
    messages with at least so many tokens less, as far as possible; None where they cannot be shortened.
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
    single_try: bool = False
    whole: bool = False
    shorter: Callable[[int], tuple[tuple[str, str], ...]] | None = field(
        default=None, compare=False, repr=False
    )


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """Hold the words that a citation mark of the answer rests on.

    `start` and `end` are offsets into the source's `quote`, `text` is the words as a reader sees them on the
    page, and `url` leads to them.
    """

    start: int
    end: int
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Source:
    """Hold a passage for the reader. `quote` is verbatim from the edition, `quote_text` has no markup."""

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
    """Hold the tokens that the provider counted. `cost_usd` is None if a price is not known."""

    embedding_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """Return the sum of two calls; the cost is None if either is not known."""
        cost_usd = None
        if self.cost_usd is not None and other.cost_usd is not None:
            cost_usd = self.cost_usd + other.cost_usd
        return Usage(
            embedding_tokens=self.embedding_tokens + other.embedding_tokens,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=cost_usd,
        )


@dataclass(frozen=True, slots=True)
class Latency:
    """Hold the milliseconds of the whole and of each stage; `cache` is the lookup of a cached answer."""

    total: float = 0.0
    embed: float = 0.0
    search: float = 0.0
    generate: float = 0.0
    cache: float = 0.0


@dataclass(frozen=True, slots=True)
class Grounding:
    """Say how an answer's sentences stand: how many claim something, carry a mark, and are supported.

    `unsupported` are the (start, end) offsets, in the answer's text, of sentences that no passage supports.
    """

    sentences: int = 0
    cited: int = 0
    supported: int = 0
    unsupported: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold a finished answer with its sources, its cost and its times.

    `grounding` is None where nothing was generated: small talk, a table of contents, a refusal.
    """

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
    grounding: Grounding | None = None
    book: str = DEFAULT_BOOK


@dataclass(slots=True)
class Generation:
    """Collect the facts about a generated answer. The generator fills it in, also when it is cut."""

    model: str = ""
    usage: Usage = field(default_factory=Usage)
    fell_back: bool = False
    """A later model of the chain answered."""
    extractive: bool = False
    """No model answered: the words are the book's own sentences."""
    over_budget: bool = False
    """A model was not called, because the budget is spent."""
    at_limit: bool = False
    """The model stopped at its limit of tokens, in the middle of what it had to say."""
    is_thinking: bool = False
    """The model has begun its work and has not said a word yet."""

    @property
    def degraded(self) -> tuple[Degradation, ...]:
        """Return what this answer was made without, as far as models are concerned."""
        if self.extractive:
            return (
                (Degradation.BUDGET,) if self.over_budget else (Degradation.LLM_EXTRACTIVE,) * self.fell_back
            )
        fallback = (Degradation.LLM_FALLBACK,) if self.fell_back else ()
        return (*fallback, Degradation.LLM_LENGTH) if self.at_limit else fallback


@dataclass(frozen=True, slots=True)
class QuestionEmbedding:
    """Hold the vector of a question, with the name of the embedder that made it."""

    embedder: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold an answer under way: `known` from the search, without text, and what its generator fills in.

    `started` and `asked` are the times (`perf_counter`) at which the question came and the generator was
    called. `embedding` is the question's, None where it was not embedded.
    """

    known: Answer
    generation: Generation
    started: float
    asked: float
    embedding: QuestionEmbedding | None = None

    def so_far(self) -> Answer:
        """Return what is known now: model, degradations, tokens, costs and times, without the text."""
        generation, known, now = self.generation, self.known, time.perf_counter()
        # Without a model the answer itself costs nothing; calls that broke off before it may have.
        usage = generation.usage
        if not generation.model and usage.cost_usd is None and not usage.output_tokens:
            usage = replace(usage, cost_usd=0.0)
        return replace(
            known,
            model=generation.model,
            degraded=(*generation.degraded, *known.degraded),
            usage=known.usage + usage,
            latency_ms=replace(
                known.latency_ms, total=(now - self.started) * 1000, generate=(now - self.asked) * 1000
            ),
        )


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """Describe the end of a turn for metrics and logs. `error_code` is None if nothing went wrong.

    Times are milliseconds; None if there was no first word, or nothing was stored.
    """

    answer: Answer
    error_code: str | None = None
    first_word_ms: float | None = None
    persist_ms: float | None = None


# --- events ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Hold the sources. It comes before the first word, and again when a mark adds another passage to them.

    `draft` is the answer so far, from which an answer that never ends is stored; None if no generator is
    called.
    """

    sources: tuple[Source, ...]
    draft: Draft | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """Hold the next part of the answer, already sanitised."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Hold the whole answer. It is the last event; its text is the sum of the deltas."""

    answer: Answer


Event = Retrieved | Delta | Finished
