"""Answer questions (`POST /query`), as JSON or as a stream of events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

from flask import Response, g, request
from flask_openapi import APIBlueprint, Tag

from ragbot.answering.resumed_turns import finish_without_reader
from ragbot.answering.turns import RunningTurn
from ragbot.core.answers import Event
from ragbot.services import current_services
from ragbot.storage.idempotency_keys import IdempotencyClaim
from ragbot.web.errors import NotAcceptable
from ragbot.web.middleware.access_log import RequestLog, log_turn
from ragbot.web.middleware.load_shedding import reserved_slot
from ragbot.web.schemas import Nothing, QueryBody, QueryHeaders, QueryReply, json_reply, query_reply
from ragbot.web.sse import HEADERS, as_sse
from ragbot.web.turn_events import first_event, whole_answer

query = APIBlueprint("query", __name__, abp_tags=[Tag(name="Questions", description="Ask the book.")])


@query.post(
    "/query",
    responses={"200": QueryReply},
    summary="Ask a question",
)
def ask(header: QueryHeaders, query: Nothing, body: QueryBody) -> Response:  # noqa: ARG001
    """Answer a question from the book, or from the text that the reader has selected.

    With `stream: true` or `Accept: text/event-stream` the same answer comes as server-sent events:
    `sources`, `delta` …, then `done` or `error`.
    """
    streams = _wants_stream(body)
    claim = _claim(header.idempotency_key, body) if header.idempotency_key else None
    services = current_services()
    question = body.question(services.published.choose(body.book, body.page_url))
    running = services.turns.begin(
        question, body.session_id, claim=claim, slot=reserved_slot(), whole=not streams
    )
    log_turn(running)
    first = first_event(running)
    if streams:
        return _stream(running, first, resumable=body.resumable)
    return json_reply(query_reply(running.turn, whole_answer(running, first)))


def _wants_stream(body: QueryBody) -> bool:
    accepted = request.accept_mimetypes
    # A browser's "*/*" does not ask for a stream; only naming the type does.
    named = any(kind == "text/event-stream" and quality > 0 for kind, quality in accepted)
    if body.stream or named:
        return True
    if accepted and accepted.quality("application/json") <= 0:
        raise NotAcceptable
    return False


def _claim(key: str, body: QueryBody) -> IdempotencyClaim:
    # Hashed with the address: one caller must not get another one's answer by the same key.
    caller = f"{request.remote_addr}\n{key}"
    return IdempotencyClaim(
        hashlib.sha256(caller.encode()).hexdigest(),
        hashlib.sha256(body.model_dump_json(exclude={"stream", "resumable"}).encode()).hexdigest(),
    )


def _stream(running: RunningTurn, first: Event, *, resumable: bool) -> Response:
    stream = as_sse(
        running,
        first,
        request_id=g.request_id,
        connection=request.environ.get("gunicorn.socket"),
        go_on=_finishing(running) if resumable else None,
    )
    return Response(stream, mimetype="text/event-stream", headers=HEADERS)


def _finishing(running: RunningTurn) -> Callable[[Callable[[], object]], None] | None:
    """Return what finishes the turn when its reader is cut off; None for a turn that is not stored."""
    message_id = running.turn.message_id
    if message_id is None:
        return None
    is_stopped = partial(current_services().stop_requests.has, message_id)
    request_log: RequestLog = g.request_log

    def go_on(wait: Callable[[], object]) -> None:
        request_log.hand_over_turn()
        finish_without_reader(running, is_stopped, wait_first=wait, ended=request_log.end_turn)

    return go_on
