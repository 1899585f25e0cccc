"""Encode the events of a turn as server-sent events, with heartbeats until the first word."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import structlog

from ragbot.answering.turns import RunningTurn
from ragbot.core.answers import Delta, Event, Finished, Retrieved
from ragbot.core.timers import TIMERS
from ragbot.storage.conversations import Turn
from ragbot.web.errors import problem_of
from ragbot.web.schemas import query_reply, sources_event

log = structlog.get_logger(__name__)

# How often a reader who waits for the first word gets a heartbeat. It also detects a reader who has left,
# before the model is paid for more.
HEARTBEAT_S = 2.0

# After the first word no heartbeats are needed: a model that is silent for longer than 14 s is cut, whatever
# else its provider sends, and each piece is a heartbeat. (A thread for each token would cost as much as the
# token.) A reader who leaves meanwhile is detected by checking the connection.
CONNECTION_CHECK_EVERY_S = 2.0

COMMENT = b": \n\n"
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def as_sse(
    running: RunningTurn,
    first: Event,
    *,
    heartbeat_s: float = HEARTBEAT_S,
    request_id: str = "",
    connection: socket.socket | None = None,
    go_on: Callable[[Callable[[], object]], None] | None = None,
) -> Iterator[bytes]:
    """Yield the turn's events as bytes, then close it. `first` is its first event, which was drawn before.

    An event's id is the number of the answer's characters up to its end. A model that works for longer than a
    heartbeat before its first word is told once, as `thinking`. Needs no app context. Closing the iterator
    (the reader has left) ends the model's stream; so does a reader who closes `connection`, where the server
    gives access to it. With `go_on` nothing ends then: it is called to finish the turn, with a function that
    waits until nothing else draws from it.
    """
    place = _Place()
    waiting: _NextEvent | None = None
    cancel = running.deadline.cancel
    watch = _ConnectionWatch(connection, cancel) if connection is not None and go_on is None else None
    goes_on = False
    try:
        yield _encoded(running.turn, first, place)
        waiting = _NextEvent(running.events)
        is_told = False
        while (event := waiting.wait(heartbeat_s)) is _NOTHING_YET:
            if running.ending.is_thinking and not is_told:
                is_told = True
                yield _event("thinking", place.chars, {})
            else:
                yield COMMENT
        yield _encoded(running.turn, event, place)
        for event in running.events:
            yield _encoded(running.turn, event, place)
    except GeneratorExit:
        if go_on is not None:
            go_on(waiting.wait if waiting is not None else _at_once)
            goes_on = True
        else:
            running.deadline.cancel()
        raise
    except Exception as error:
        yield _told(error, place, request_id)
    finally:
        if watch is not None:
            watch.stop()
        if not goes_on:
            _close(running)


def resumed_as_sse(
    turn: Turn, events: Iterator[Event | None], offset: int, *, request_id: str = ""
) -> Iterator[bytes]:
    """Yield the rest of a turn as bytes: a comment for each None, ids that go on from `offset`."""
    place = _Place(offset)
    beat = time.monotonic()
    try:
        yield COMMENT
        for event in events:
            if event is not None:
                yield _encoded(turn, event, place)
            elif time.monotonic() - beat >= HEARTBEAT_S:
                beat = time.monotonic()
                yield COMMENT
    except Exception as error:
        yield _told(error, place, request_id)


@dataclass(slots=True)
class _Place:
    """Count the characters of the answer that were sent."""

    chars: int = 0


def _told(error: Exception, place: _Place, request_id: str) -> bytes:
    """Encode an error: the status line has been sent, so it can only be reported within the stream."""
    log.warning("stream_failed", code=getattr(error, "code", "internal_error"), exc_info=error)
    return _event("error", place.chars, problem_of(error) | {"request_id": request_id})


def _at_once() -> None:
    """Return: nothing draws from the turn."""


_NOTHING_YET: Any = object()


class _NextEvent:
    """Draw one event in a thread of its own, so that heartbeats can be sent meanwhile."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._drawn = threading.Event()
        self._draw: Callable[[], Event] | None = None
        self._events = events
        # With the request's id, for what is logged there.
        run = partial(copy_context().run, self._run)
        self._thread = threading.Thread(target=run, daemon=True, name="first-word")
        self._thread.start()

    def wait(self, seconds: float | None = None) -> Any:
        """Return the event, or `_NOTHING_YET` after this time. Raises what drawing it raised."""
        if not self._drawn.wait(seconds):
            return _NOTHING_YET
        self._thread.join()
        assert self._draw is not None
        return self._draw()

    def _run(self) -> None:
        try:
            event = next(self._events)
            self._draw = lambda: event
        except BaseException as error:
            failure = error

            def fail() -> Event:
                raise failure

            self._draw = fail
        finally:
            self._drawn.set()


class _ConnectionWatch:
    """Check regularly whether the reader has closed the connection, and call `left` if so."""

    def __init__(self, connection: socket.socket, left: Callable[[], None]) -> None:
        self._connection = connection
        self._left = left
        self._timer = TIMERS.after(CONNECTION_CHECK_EVERY_S, self._check)
        self._is_stopped = False

    def stop(self) -> None:
        """Stop checking."""
        self._is_stopped = True
        self._timer.stop()

    def _check(self) -> None:
        try:
            is_closed = not self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            is_closed = False
        except OSError:
            is_closed = True
        if is_closed:
            self._left()
        elif not self._is_stopped:
            self._timer = TIMERS.after(CONNECTION_CHECK_EVERY_S, self._check)


def _close(running: RunningTurn) -> None:
    # While the other thread is still drawing, the iterator cannot be closed from here; it has been
    # interrupted, ends by itself and records how.
    with suppress(ValueError):
        running.events.close()


def _encoded(turn: Turn, event: Event, place: _Place) -> bytes:
    match event:
        case Retrieved():
            return _event("sources", place.chars, sources_event(turn, event))
        case Delta(text):
            place.chars += len(text)
            return _event("delta", place.chars, {"text": text})
        case Finished(answer):
            return _event("done", place.chars, query_reply(turn, answer))


def _event(name: str, chars: int, payload: dict[str, Any]) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), chars, orjson.dumps(payload))
