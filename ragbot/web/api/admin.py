"""`/admin`: what the operator may see and do over HTTP, with the key, and not at all where there is none."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from ragbot.core.errors import EditionNotFound
from ragbot.services import current_services
from ragbot.storage.editions import EditionSummary
from ragbot.web.schemas import Id, Nothing, Storable, json_reply, timestamp

admin = APIBlueprint(
    "admin",
    __name__,
    url_prefix="/admin",
    abp_tags=[Tag(name="Admin", description="For the operator, with `X-API-Key`.")],
    abp_security=[{"adminKey": []}],
)


class EditionPath(BaseModel):
    """An edition's address."""

    edition: Annotated[str, Storable, Field(max_length=100)]


class AdminSessionsQuery(BaseModel):
    """Which part of the list is wanted."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=100)
    before: Id | None = Field(None, description="A session id.")


class EditionReply(BaseModel):
    """An edition in a list."""

    edition: str
    title: str
    pages: int
    sections: int
    chunks: int
    embedder: str | None
    created_at: str
    published: bool


class EditionsReply(BaseModel):
    """All editions, newest first."""

    editions: list[EditionReply]


class AdminSessionReply(BaseModel):
    """A session without its words."""

    session_id: str
    created_at: str
    last_activity_at: str
    expires_at: str
    message_count: int


class ClearedReply(BaseModel):
    """What was forgotten."""

    entries: int


class AdminSessionsReply(BaseModel):
    """Sessions, newest first."""

    sessions: list[AdminSessionReply]
    next_before: str | None


@admin.get(
    "/editions",
    responses={"200": EditionsReply},
    summary="List the editions",
)
def editions(query: Nothing) -> Response:  # noqa: ARG001
    """All editions, newest first."""
    return json_reply({"editions": [_edition(row) for row in current_services().editions.editions()]})


@admin.post(
    "/editions/<edition>/publish",
    responses={"200": EditionReply},
    summary="Publish an edition",
)
def publish(path: EditionPath, query: Nothing) -> Response:  # noqa: ARG001
    """Make an edition the one that readers get; also the way back to an earlier one."""
    services = current_services()
    key = services.ingestion.publish(path.edition).key
    for row in services.editions.editions():
        if row.facts.key == key:
            return json_reply(_edition(row))
    raise EditionNotFound("The edition was removed while it was published.")


@admin.get(
    "/sessions",
    responses={"200": AdminSessionsReply},
    summary="List the sessions",
)
def sessions(query: AdminSessionsQuery) -> Response:
    """Sessions, newest first, without a word of what was said."""
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
    summary="Forget kept answers",
)
def clear_cache(query: Nothing) -> Response:  # noqa: ARG001
    """Forget kept answers and the vectors of questions; workers go on with the vectors in their memory."""
    return json_reply({"entries": current_services().cache.clear()})


def _edition(row: EditionSummary) -> dict[str, Any]:
    return {
        "edition": row.facts.name,
        "title": row.facts.title,
        "pages": row.pages,
        "sections": row.facts.sections,
        "chunks": row.facts.chunks,
        "embedder": row.facts.embedder,
        "created_at": timestamp(row.created_at),
        "published": row.published,
    }
