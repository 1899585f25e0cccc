"""Convert messages to rows of the database and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from ragbot.core.answers import Answer, CitedSpan, Grounding, Question, Source, Status, Usage
from ragbot.core.text import cleaned

# What is written of each, and nothing besides.
SESSION_COLUMNS = ("id", "created_at", "last_activity_at", "expires_at")
PENDING_COLUMNS = (
    *("message_id", "session_id", "created_at", "query", "book", "mode", "selected_text", "status"),
    *("answer", "sources", "degraded", "usage", "latency_ms"),
)
ENDED_COLUMNS = (
    *("status", "answer", "sources", "model", "book_version", "degraded", "cache", "usage", "latency_ms"),
    *("grounding", "error_code", "finished_at"),
)
_SOURCE_FIELDS = tuple(field.name for field in fields(Source))
_SPAN_FIELDS = tuple(field.name for field in fields(CitedSpan))


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """Hold a stored message: a question with its answer."""

    message_id: str
    session_id: str
    created_at: datetime
    query: str
    mode: str
    selected_text: str | None
    status: str
    answer: str
    sources: tuple[Source, ...]
    model: str | None
    book: str
    book_version: str | None
    degraded: tuple[str, ...]
    cache: str | None
    usage: dict[str, Any]
    latency_ms: dict[str, Any]
    grounding: Grounding | None
    error_code: str | None
    rating: str | None
    comment: str | None


def source_values(source: Source) -> dict[str, Any]:
    """Return a source as it is stored. (`asdict` would take ten times as long.)"""
    values = {name: getattr(source, name) for name in _SOURCE_FIELDS}
    spans = [{name: getattr(span, name) for name in _SPAN_FIELDS} for span in source.citations]
    return {**values, "heading_path": list(source.heading_path), "citations": spans}


def pending_values(question: Question, session_id: str, message_id: str, now: datetime) -> dict[str, Any]:
    """Return the row of a question that waits for its answer."""
    return {
        "message_id": message_id,
        "session_id": session_id,
        "created_at": now,
        "query": question.text,
        "book": question.book,
        "mode": str(question.mode),
        "selected_text": question.selected_text,
        "status": str(Status.PENDING),
        "answer": "",
        "sources": [],
        "degraded": [],
        "usage": asdict(Usage()),
        "latency_ms": {},
    }


def ended_values(answer: Answer, error_code: str | None, now: datetime) -> dict[str, Any]:
    """Return what changes in a question's row when its turn ends."""
    return {
        "status": str(answer.status),
        "answer": cleaned(answer.text),
        "sources": [source_values(source) for source in answer.sources],
        "model": answer.model or None,
        "book_version": answer.book_version or None,
        "degraded": [str(name) for name in answer.degraded],
        "cache": answer.cache,
        "usage": asdict(answer.usage),
        "latency_ms": asdict(answer.latency_ms),
        "grounding": asdict(answer.grounding) if answer.grounding else None,
        "error_code": error_code,
        "finished_at": now,
    }


def message_facts(row: Row[Any]) -> MessageFacts:
    """Return a message from its row."""
    sources = tuple(stored_source(stored) for stored in row.sources)
    return MessageFacts(
        message_id=row.message_id,
        session_id=row.session_id,
        created_at=row.created_at,
        query=row.query,
        mode=row.mode,
        selected_text=row.selected_text,
        status=row.status,
        answer=row.answer,
        sources=sources,
        model=row.model,
        book=row.book,
        book_version=row.book_version,
        degraded=tuple(row.degraded),
        cache=row.cache,
        usage=row.usage,
        latency_ms=row.latency_ms,
        grounding=_grounding(row.grounding),
        error_code=row.error_code,
        rating=row.rating,
        comment=row.comment,
    )


def stored_source(stored: Mapping[str, Any]) -> Source:
    """Rebuild a stored source; an older row has no citations."""
    citations = tuple(CitedSpan(**span) for span in stored.get("citations", ()))
    return Source(**{**stored, "heading_path": tuple(stored["heading_path"]), "citations": citations})


def _grounding(stored: Mapping[str, Any] | None) -> Grounding | None:
    if not stored:
        return None
    return Grounding(**{**stored, "unsupported": tuple((start, end) for start, end in stored["unsupported"])})
