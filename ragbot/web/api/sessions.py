"""Serve sessions (`/sessions`): their messages, their export, and the reader's ratings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain

from flask import Response, g
from flask_openapi import APIBlueprint, Tag

from ragbot.answering.resumed_turns import rest_of
from ragbot.answering.turns import AnswerSlot
from ragbot.core.answers import Status
from ragbot.core.timestamps import timestamp
from ragbot.services import current_services
from ragbot.storage.conversations import Turn
from ragbot.storage.message_rows import MessageFacts
from ragbot.web.schemas import (
    FeedbackBody,
    MessagePath,
    MessagesQuery,
    Nothing,
    SessionPath,
    SessionReply,
    StreamHeaders,
    TalkReply,
    json_reply,
    session_reply,
    talk_reply,
)
from ragbot.web.sse import HEADERS, resumed_as_sse

sessions = APIBlueprint(
    "sessions",
    __name__,
    url_prefix="/sessions",
    abp_tags=[Tag(name="Sessions", description="Conversations and their messages.")],
)

EXPORT_PAGE = 100


@sessions.post("", responses={"201": SessionReply}, summary="Start a session")
def start(query: Nothing) -> Response:  # noqa: ARG001
    """Start a session. A question without one starts one too."""
    return json_reply(session_reply(current_services().conversations.start_session()), 201)


@sessions.get(
    "/<session_id>",
    responses={"200": TalkReply},
    summary="Read a session",
)
def read(path: SessionPath, query: MessagesQuery) -> Response:
    """Return the newest messages, or those before a given one, oldest first."""
    conversations = current_services().conversations
    session = conversations.session(path.session_id)
    messages, next_before = conversations.messages(path.session_id, limit=query.limit, before=query.before)
    return json_reply(talk_reply(session, messages, next_before), 200)


@sessions.delete(
    "/<session_id>",
    responses={"204": None},
    summary="Delete a session",
)
def delete(path: SessionPath, query: Nothing) -> Response:  # noqa: ARG001
    """Delete a session with all its messages."""
    current_services().conversations.delete_session(path.session_id)
    return Response(status=204)


@sessions.get(
    "/<session_id>/export",
    responses={
        "200": {"description": "The messages", "content": {"text/markdown": {"schema": {"type": "string"}}}}
    },
    summary="Export a session as Markdown",
)
def export(path: SessionPath, query: Nothing) -> Response:  # noqa: ARG001
    """Return all messages of the session as Markdown."""
    conversations = current_services().conversations
    conversations.session(path.session_id)
    messages: list[MessageFacts] = []
    before: str | None = None
    while True:
        page, before = conversations.messages(path.session_id, limit=EXPORT_PAGE, before=before)
        messages = page + messages
        if before is None:
            break
    text = "\n\n".join(_as_markdown(message) for message in messages)
    return Response(f"{text}\n", mimetype="text/markdown")


@sessions.put(
    "/<session_id>/messages/<message_id>/feedback",
    responses={
        "204": None,
    },
    summary="Rate an answer",
)
def rate(path: MessagePath, query: Nothing, body: FeedbackBody) -> Response:  # noqa: ARG001
    """Store the reader's rating of an answer; the last one wins."""
    services = current_services()
    services.conversations.rate(path.session_id, path.message_id, body.rating, body.comment)
    services.insight_metrics.rated(body.rating)
    return Response(status=204)


@sessions.get(
    "/<session_id>/messages/<message_id>/stream",
    responses={"200": {"description": "The rest of the answer", "content": {"text/event-stream": {}}}},
    summary="Resume a stream",
)
def resume(path: MessagePath, query: Nothing, header: StreamHeaders) -> Response:  # noqa: ARG001
    """Return what of an answer came after the event of this id, without asking a model again.

    Waits for an answer that is being written. It goes on without its reader if it was asked for as
    `resumable`. The text that is left comes as one `delta`, then `done`, or `error` if it has no end.
    """
    services = current_services()
    read = partial(services.conversations.message, path.session_id, path.message_id)
    message = read()
    # A reader who waits holds a thread as one who asks does.
    slot = services.turns.reserve() if message.status == Status.PENDING else None
    offset = None if header.last_event_id is None else int(header.last_event_id)
    events = rest_of(message, read, offset, patience_s=services.settings.query_deadline_s)
    turn = Turn(message.session_id, message.message_id, message.created_at, ())
    stream = _begun(resumed_as_sse(turn, events, offset or 0, request_id=g.request_id), slot)
    return Response(stream, mimetype="text/event-stream", headers=HEADERS)


@sessions.delete(
    "/<session_id>/messages/<message_id>/stream",
    responses={"204": None},
    summary="Stop a stream",
)
def stop(path: MessagePath, query: Nothing) -> Response:  # noqa: ARG001
    """End an answer that was asked for as `resumable`: close the stream, too. What was written stays."""
    services = current_services()
    if services.conversations.message(path.session_id, path.message_id).status == Status.PENDING:
        services.stop_requests.add(path.message_id)
    return Response(status=204)


def _begun(stream: Iterator[bytes], slot: AnswerSlot | None) -> Iterator[bytes]:
    """Return the stream after its first piece was drawn, so that its end gives the slot back in any case."""

    def holding() -> Iterator[bytes]:
        try:
            yield from stream
        finally:
            if slot is not None:
                slot.give_back()

    pieces = holding()
    return chain([next(pieces)], pieces)


def _as_markdown(message: MessageFacts) -> str:
    lines = [f"## {' '.join(message.query.split())}", f"*{timestamp(message.created_at)}, {message.status}*"]
    if message.answer:
        lines.append(message.answer)
    cited = [(n, source) for n, source in enumerate(message.sources, start=1) if source.cited]
    if cited:
        lines.append("\n".join(f"[{n}] {' > '.join(s.heading_path)} <{s.url}>" for n, s in cited))
    return "\n\n".join(lines)
