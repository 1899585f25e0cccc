"""Serve the operator's calls (`/admin`): editions, sessions, the cache. They need ADMIN_API_KEY."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from ragbot.core.domain import DEFAULT_BOOK
from ragbot.core.errors import EditionNotFound
from ragbot.core.timestamps import timestamp
from ragbot.services import current_services
from ragbot.storage.editions import EditionSummary
from ragbot.web.schemas import Id, Nothing, Slug, Storable, json_reply

admin = APIBlueprint(
    "admin",
    __name__,
    url_prefix="/admin",
    abp_tags=[Tag(name="Admin", description="For the operator, with `X-API-Key`.")],
    abp_security=[{"adminKey": []}],
)


class EditionPath(BaseModel):
    """Name an edition in a path."""

    edition: Annotated[str, Storable, Field(max_length=100)]


class AdminSessionsQuery(BaseModel):
    """Select a part of the list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=100)
    before: Id | None = Field(None, description="A session id.")


class BookQuery(BaseModel):
    """Name a book."""

    model_config = ConfigDict(extra="forbid")

    book: Slug = Field(DEFAULT_BOOK, description="The book's slug.")


class EditionsQuery(BaseModel):
    """Select the editions of one book."""

    model_config = ConfigDict(extra="forbid")

    book: Slug | None = Field(
        None, description="The book's slug; without one, the editions of all are listed."
    )


class EditionReply(BaseModel):
    """Describe an edition."""

    book: str
    edition: str
    title: str
    pages: int
    sections: int
    chunks: int
    embedder: str | None
    created_at: str
    published: bool


class EditionsReply(BaseModel):
    """List the editions, newest first."""

    editions: list[EditionReply]


class AdminSessionReply(BaseModel):
    """Describe a session without its messages."""

    session_id: str
    created_at: str
    last_activity_at: str
    expires_at: str
    message_count: int


class ClearedReply(BaseModel):
    """Count the entries that were deleted."""

    entries: int


class AdminSessionsReply(BaseModel):
    """List sessions, newest first."""

    sessions: list[AdminSessionReply]
    next_before: str | None


@admin.get(
    "/editions",
    responses={"200": EditionsReply},
    summary="List the editions",
)
def editions(query: EditionsQuery) -> Response:
    """List all editions, newest first."""
    rows = current_services().editions.editions(query.book)
    return json_reply({"editions": [_edition(row) for row in rows]})


# An edition may be named after a branch, with a slash. The ids are what they were without `path:`.
@admin.post(
    "/editions/<path:edition>/publish",
    operation_id="admin_publish_editions__edition__publish_post",
    responses={"200": EditionReply},
    summary="Publish an edition",
)
def publish(path: EditionPath, query: BookQuery) -> Response:
    """Make this edition the one that readers get. An earlier one can be published again in the same way."""
    services = current_services()
    key = services.ingestion.publish(path.edition, query.book).key
    for row in services.editions.editions(query.book):
        if row.facts.key == key:
            return json_reply(_edition(row))
    raise EditionNotFound("The edition was removed while it was published.")


@admin.delete(
    "/editions/<path:edition>",
    operation_id="admin_remove_editions__edition__delete",
    responses={"204": None},
    summary="Delete an edition",
)
def remove(path: EditionPath, query: BookQuery) -> Response:
    """Delete an edition with its chunks and its index. The published one cannot be deleted."""
    current_services().ingestion.remove(path.edition, query.book)
    return Response(status=204)


@admin.get(
    "/sessions",
    responses={"200": AdminSessionsReply},
    summary="List the sessions",
)
def sessions(query: AdminSessionsQuery) -> Response:
    """List sessions, newest first, without their messages."""
    found, next_before = current_services().conversations.sessions(limit=query.limit, before=query.before)
    listed = [
        {
            "session_id": session.session_id,
            "created_at": timestamp(session.created_at),
            "last_activity_at": timestamp(session.last_activity_at),
            "expires_at": timestamp(session.expires_at),
            "message_count": session.message_count,
        }
        for session in found
    ]
    return json_reply({"sessions": listed, "next_before": next_before})


@admin.delete(
    "/cache",
    responses={"200": ClearedReply},
    summary="Clear the cache",
)
def clear_cache(query: Nothing) -> Response:  # noqa: ARG001
    """Delete cached answers and vectors of questions. Workers keep the vectors that they have in memory."""
    return json_reply({"entries": current_services().cache.clear()})


def _edition(row: EditionSummary) -> dict[str, Any]:
    return {
        "book": row.facts.book,
        "edition": row.facts.name,
        "title": row.facts.title,
        "pages": row.pages,
        "sections": row.facts.sections,
        "chunks": row.facts.chunks,
        "embedder": row.facts.embedder,
        "created_at": timestamp(row.created_at),
        "published": row.published,
    }
