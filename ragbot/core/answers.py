"""Define the frozen values of a question and its answer, and the events in which an answer comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ragbot.core.domain import DEFAULT_BOOK, Passage, Vector

# A generator's first word when its passages do not answer the question. The rest of the line, if any,
# is the sentence that the reader is shown.
NOT_IN_BOOK = "NOT_IN_BOOK"

# What an answer has as its model where no model wrote it: it is made of the book's own sentences.
EXTRACTIVE = "extractive"


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
    `foreign_language` the question's language where it is not the book's, `context` the question before
    where this one is a follow-up. With `overview` the passages are the beginnings of pages that are to be
    summed up, in the order of the book. With `without_model` no model that costs money may be called; with
    `single_try` a failed call is not repeated; with `whole` the reader sees nothing before the end, so that
    another model may answer for one that broke off; with `only_if_certain` the book's own sentences are given
    only where they hardly can be wrong. `shorter` gives the messages with at least so many tokens
    less, as far as possible; None where they cannot be shortened.
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
    context: str = ""
    without_model: bool = False
    single_try: bool = False
    whole: bool = False
    only_if_certain: bool = False
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

    def __add__(self, other: Grounding) -> Grounding:
        """Return the counts of two parts of one text; the offsets of both are in the whole text."""
        return Grounding(
            self.sentences + other.sentences,
            self.cited + other.cited,
            self.supported + other.supported,
            self.unsupported + other.unsupported,
        )


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
    unspoken: Usage = field(default_factory=lambda: Usage(cost_usd=0.0))
    """What calls cost that ended without a word; they are of models before the one that answered, too."""
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
    streamed: bool = False
    """The model's server sent events, and not its answer as one document."""

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
            usage=known.usage + usage + generation.unspoken,
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
