"""Define the JSON of requests and replies. Field names are here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from flask import Response
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from ragbot.core.answers import Answer, Degradation, Grounding, Mode, Question, Retrieved, Source, Status
from ragbot.core.domain import SLUG
from ragbot.core.text import has_forbidden_characters
from ragbot.core.timestamps import timestamp
from ragbot.storage.conversations import SessionFacts, Turn
from ragbot.storage.message_rows import MessageFacts

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

MAX_QUESTION_CHARS = 2000
MAX_SELECTION_CHARS = 10_000


def _storable(given: object) -> object:
    if isinstance(given, str) and has_forbidden_characters(given):
        raise ValueError("must not hold NUL or half of a surrogate pair")
    return given


def _or_unknown(given: object) -> object:
    """Replace what cannot be an id of ours with an empty one, which is not found."""
    return "" if isinstance(given, str) and not _ID.fullmatch(given) else given


def _address(url: str) -> str:
    try:
        urlsplit(url)
    except ValueError as error:
        raise ValueError("must be an address") from error
    return url


# The schema of each class below.
_SCHEMAS: dict[type[BaseModel], dict[str, Any]] = {}


class Parameters(BaseModel):
    """Base of what is read from headers, paths and queries, whose schema is asked for at each request."""

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the schema; without arguments, the one that was made first."""
        if args or kwargs:
            return super().model_json_schema(*args, **kwargs)
        if cls not in _SCHEMAS:
            _SCHEMAS[cls] = super().model_json_schema()
        return _SCHEMAS[cls]


class Nothing(Parameters):
    """Refuse every query parameter."""

    model_config = ConfigDict(extra="forbid")


Storable = BeforeValidator(_storable)
Id = Annotated[str, BeforeValidator(_or_unknown)]
PageUrl = Annotated[str, StringConstraints(max_length=2000), Storable, AfterValidator(_address)]


def _trimmed(least: int, most: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=least, max_length=most)


Slug = Annotated[str, StringConstraints(pattern=SLUG), Field(examples=["handbook-de"])]
QuestionText = Annotated[str, _trimmed(1, MAX_QUESTION_CHARS), Storable]


class StrictBody(BaseModel):
    """Refuse unknown fields and values of another type in a request's body."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QueryBody(StrictBody):
    """Ask a question."""

    query: QuestionText = Field(examples=["What is a ROS 2 node?"])
    session_id: Id | None = Field(None, description="Null starts a session.")
    mode: Annotated[Mode, Field(strict=False)] = Mode.FULL_BOOK
    selected_text: Annotated[str, _trimmed(10, MAX_SELECTION_CHARS), Storable] | None = Field(
        None, validate_default=True, description="Required in selected_text mode, refused in the other."
    )
    page_url: PageUrl | None = Field(
        None, description="The page that the reader is on; its passages win ties."
    )
    book: Slug | None = Field(
        None,
        description="The book that is asked, as `GET /books` lists it; null is that of `page_url`, else the "
        "default one.",
    )
    book_version: Annotated[str, _trimmed(1, 100), Storable] | None = Field(
        None, description="An edition of the book; null is the published one."
    )
    chapter_filter: Annotated[str, _trimmed(1, 500), Storable] | None = Field(
        None, description="Only passages under this chapter's title or path."
    )
    top_k: Annotated[int, Field(ge=1, le=20)] = 5
    stream: bool = False
    resumable: bool = Field(
        False,
        description="Whether the answer is finished for a reader whose stream breaks; see "
        "`GET /sessions/{session_id}/messages/{message_id}/stream`.",
    )

    @field_validator("selected_text")
    @classmethod
    def _fits_mode(cls, selected_text: str | None, info: ValidationInfo) -> str | None:
        mode = info.data.get("mode")
        if mode is Mode.SELECTED_TEXT and selected_text is None:
            raise ValueError("is required in selected_text mode")
        if mode is Mode.FULL_BOOK and selected_text is not None:
            raise ValueError("is taken in selected_text mode only")
        return selected_text

    def question(self, book: str) -> Question:
        """Return the question as the answering package takes it, for a book that was chosen."""
        return Question(
            text=self.query,
            book=book,
            mode=self.mode,
            selected_text=self.selected_text,
            page_url=self.page_url,
            book_version=self.book_version,
            chapter_filter=self.chapter_filter,
            top_k=self.top_k,
        )


class TokenHeaders(Parameters):
    """Describe a page's token, which is checked before anything else is read."""

    x_ragbot_token: str | None = Field(
        None,
        alias="X-Ragbot-Token",
        description="The page's token, where `GET /book` says that one is required.",
    )


class QueryHeaders(TokenHeaders):
    """Read the headers of a question."""

    idempotency_key: Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,128}$")] | None = Field(
        None, alias="Idempotency-Key", description="Makes a repeated request safe for 24 hours."
    )


class SessionPath(Parameters):
    """Name a session in a path."""

    session_id: Id


class MessagePath(SessionPath):
    """Name a message in a path."""

    message_id: Id


class MessagesQuery(Parameters):
    """Select a part of the messages."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    before: Id | None = Field(None, description="A message id.")


class StreamHeaders(Parameters):
    """Read the place in a stream from which to go on."""

    last_event_id: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")] | None = Field(
        None, alias="Last-Event-ID", description="The id of the last event that came; without one, all come."
    )


class FeedbackBody(StrictBody):
    """Rate an answer."""

    rating: Literal["up", "down"]
    comment: Annotated[str, _trimmed(0, 2000), Storable] | None = None


# --- replies -----------------------------------------------------------------------------------


class SourceReply(BaseModel):
    """Describe a passage: `quote` is verbatim, `url` leads to its place in the book."""

    id: str
    chapter: str
    section: str
    heading_path: list[str]
    path: str
    url: str
    quote: str
    score: float
    cited: bool
    quote_text: str = Field(description="The quote as a reader sees it on the page, without markup.")


class CitationReply(BaseModel):
    """Locate the words in the book that a mark of the answer refers to."""

    source: int = Field(description="The number of the source, as in the answer's marks, from 1.")
    start: int = Field(description="Where the words begin in the source's quote, in Unicode characters.")
    end: int = Field(description="Where they end.")
    text: str = Field(description="The words as a reader sees them on the page.")
    url: str = Field(description="Leads to these words on the page.")


class UsageReply(BaseModel):
    """Count what was charged. `cost_usd` is null where a price is not known."""

    embedding_tokens: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class LatencyReply(BaseModel):
    """Measure the stages of an answer, in milliseconds."""

    total: float
    embed: float
    search: float
    generate: float


class SpanReply(BaseModel):
    """Locate a sentence in the answer."""

    start: int = Field(description="Where it begins in `answer`, in Unicode characters.")
    end: int = Field(description="Where it ends.")


class GroundingReply(BaseModel):
    """Say how the answer's sentences stand against the passages."""

    sentences: int = Field(description="Sentences, tables and listings that claim something.")
    cited: int = Field(description="Those that carry a mark whose passage supports them.")
    supported: int = Field(description="Those that a passage supports.")
    unsupported: list[SpanReply] = Field(description="Where the others stand in the answer.")


class QueryReply(BaseModel):
    """Answer a question, with sources."""

    answer: str
    status: Literal[Status.ANSWERED, Status.REFUSED]
    sources: list[SourceReply]
    citations: list[CitationReply]
    session_id: str | None
    message_id: str | None
    created_at: datetime
    mode: Mode
    book: str
    book_version: str
    model: str
    degraded: list[Degradation]
    cache: Literal["hit", "miss", "bypass"]
    usage: UsageReply
    latency_ms: LatencyReply
    grounding: GroundingReply | None


class SessionReply(BaseModel):
    """Describe a new session."""

    session_id: str
    created_at: datetime
    expires_at: datetime


class FeedbackReply(BaseModel):
    """Show the stored rating."""

    rating: Literal["up", "down"]
    comment: str | None


class MessageReply(BaseModel):
    """Show a stored question with its answer."""

    message_id: str
    query: str
    mode: Mode
    selected_text: str | None
    answer: str
    status: Status
    sources: list[SourceReply]
    citations: list[CitationReply]
    book: str
    model: str | None
    created_at: datetime
    feedback: FeedbackReply | None
    latency_ms: dict[str, float]
    grounding: GroundingReply | None


class TalkReply(BaseModel):
    """Show a session with a part of its messages, oldest first."""

    session_id: str
    created_at: datetime
    last_activity_at: datetime
    expires_at: datetime
    message_count: int
    messages: list[MessageReply]
    next_before: str | None


class FieldFault(BaseModel):
    """Say what is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """Describe an error (RFC 9457). `code` is stable."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldFault] | None = None


def json_reply(payload: dict[str, Any], status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(orjson.dumps(payload), status, mimetype="application/json")


def sources_event(turn: Turn, event: Retrieved) -> dict[str, Any]:
    """Build the first event of a stream."""
    return {
        "session_id": turn.session_id,
        "message_id": turn.message_id,
        "sources": [_source(source) for source in event.sources],
    }


def query_reply(turn: Turn, answer: Answer) -> dict[str, Any]:
    """Build the whole answer, which is also the last event of a stream."""
    return {
        "answer": answer.text,
        "status": str(answer.status),
        "sources": [_source(source) for source in answer.sources],
        "citations": _citations(answer.sources),
        "session_id": turn.session_id,
        "message_id": turn.message_id,
        "created_at": timestamp(turn.created_at),
        "mode": str(answer.mode),
        "book": answer.book,
        "book_version": answer.book_version,
        "model": answer.model,
        "degraded": [str(name) for name in answer.degraded],
        "cache": answer.cache,
        "usage": asdict(answer.usage),
        "latency_ms": _shown_latency(asdict(answer.latency_ms)),
        "grounding": _grounding(answer.grounding),
    }


def session_reply(session: SessionFacts) -> dict[str, Any]:
    """Build the reply of a new session."""
    return {
        "session_id": session.session_id,
        "created_at": timestamp(session.created_at),
        "expires_at": timestamp(session.expires_at),
    }


def talk_reply(
    session: SessionFacts, messages: list[MessageFacts], next_before: str | None
) -> dict[str, Any]:
    """Build the reply of a session with a part of its messages."""
    return {
        **session_reply(session),
        "last_activity_at": timestamp(session.last_activity_at),
        "message_count": session.message_count,
        "messages": [_message(message) for message in messages],
        "next_before": next_before,
    }


def _message(message: MessageFacts) -> dict[str, Any]:
    feedback = {"rating": message.rating, "comment": message.comment} if message.rating else None
    return {
        "message_id": message.message_id,
        "query": message.query,
        "mode": message.mode,
        "selected_text": message.selected_text,
        "answer": message.answer,
        "status": message.status,
        "sources": [_source(source) for source in message.sources],
        "citations": _citations(message.sources),
        "book": message.book,
        "model": message.model,
        "created_at": timestamp(message.created_at),
        "feedback": feedback,
        "latency_ms": _shown_latency(message.latency_ms),
        "grounding": _grounding(message.grounding),
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "id": source.id,
        "chapter": source.chapter,
        "section": source.section,
        "heading_path": list(source.heading_path),
        "path": source.path,
        "url": source.url,
        "quote": source.quote,
        "score": source.score,
        "cited": source.cited,
        "quote_text": source.quote_text,
    }


def _citations(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Collect the cited spans of all sources, each with the number of its source in the answer's marks."""
    return [
        {"source": number, "start": span.start, "end": span.end, "text": span.text, "url": span.url}
        for number, source in enumerate(sources, start=1)
        for span in source.citations
    ]


def _grounding(grounding: Grounding | None) -> dict[str, Any] | None:
    if grounding is None:
        return None
    spans = [{"start": start, "end": end} for start, end in grounding.unsupported]
    return {**asdict(grounding), "unsupported": spans}


def _shown_latency(latency_ms: dict[str, float]) -> dict[str, float]:
    """Select the stages of the contract."""
    return _rounded({name: latency_ms[name] for name in LatencyReply.model_fields if name in latency_ms})


def _rounded(milliseconds: dict[str, float]) -> dict[str, float]:
    return {stage: round(value, 1) for stage, value in milliseconds.items()}
