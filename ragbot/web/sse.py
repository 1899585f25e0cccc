"""Events to bytes: server-sent events, with comments while nothing is said, and an honest end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any

import orjson
import structlog

from ragbot.answering.turns import RunningTurn
from ragbot.core.domain import Delta, Event, Finished, Retrieved
from ragbot.web.errors import problem_of
from ragbot.web.payloads import query_reply, sources_event

log = structlog.get_logger(__name__)

# How often a reader gets a sign of life while nothing is said. A reader who has left is noticed by it, before
# the model is paid for more.
HEARTBEAT_S = 2.0

COMMENT = b": \n\n"
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def as_sse(
    running: RunningTurn, first: Event, *, heartbeat_s: float = HEARTBEAT_S, request_id: str = ""
) -> Iterator[bytes]:
    """Yield the turn's events as bytes, then close it. `first` is drawn already.

    Needs no app context. Closing the iterator (the reader has left) ends the model's stream.
    """
    numbers = iter(range(1, 1 << 62))
    drawer = _Drawer(running.events)
    try:
        yield _encoded(running, first, next(numbers))
        while (event := drawer.next_within(heartbeat_s)) is not _END:
            yield COMMENT if event is _NOTHING_YET else _encoded(running, event, next(numbers))
    except GeneratorExit:
        running.deadline.cancel()
        raise
    except Exception as error:
        # The status line is sent: the error can only be told inside the stream.
        log.warning("stream_broke", code=getattr(error, "code", "internal_error"), exc_info=error)
        problem = problem_of(error) | {"request_id": request_id}
        yield _event("error", next(numbers), problem)
    finally:
        drawer.end()
        _closed(running)


_NOTHING_YET: Any = object()
_END: Any = object()


class _Drawer:
    """Draws events in a thread of its own, one when one is wanted, so that the reader hears a sign of life
    meanwhile."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._wanted, self._drawn = threading.Semaphore(0), threading.Semaphore(0)
        self._is_drawing = self._has_ended = False
        self._event: Any = None
        self._failure: BaseException | None = None
        # With the request's id, for the lines that are logged there.
        run = partial(copy_context().run, self._run)
        threading.Thread(target=run, daemon=True, name="stream").start()

    def next_within(self, seconds: float) -> Any:
        """The event, `_END` after the last one, or `_NOTHING_YET`. Raises what drawing it raised."""
        if not self._is_drawing:
            self._is_drawing = True
            self._wanted.release()
        if not self._drawn.acquire(timeout=seconds):
            return _NOTHING_YET
        self._is_drawing = False
        if self._failure is not None:
            raise self._failure
        return self._event

    def end(self) -> None:
        """Let the thread go; one that is drawing ends with what it draws."""
        self._has_ended = True
        self._wanted.release()

    def _run(self) -> None:
        while True:
            self._wanted.acquire()
            if self._has_ended:
                return
            try:
                self._event = next(self._events, _END)
            except BaseException as error:
                self._failure = error
            self._drawn.release()


def _closed(running: RunningTurn) -> None:
    # While the other thread is still drawing, the iterator cannot be closed from here; it has been
    # interrupted, ends by itself and writes down how.
    with suppress(ValueError):
        running.events.close()


def _encoded(running: RunningTurn, event: Event, number: int) -> bytes:
    match event:
        case Retrieved():
            return _event("sources", number, sources_event(running.turn, event))
        case Delta(text):
            return _event("delta", number, {"text": text})
        case Finished(answer):
            return _event("done", number, query_reply(running.turn, answer))


def _event(name: str, number: int, payload: dict[str, Any]) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), number, orjson.dumps(payload))
