"""Encode the events of a turn as server-sent events, with heartbeats until the first word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any

import orjson
import structlog

from ragbot.answering.turns import RunningTurn
from ragbot.core.domain import Delta, Event, Finished, Retrieved
from ragbot.core.timers import TIMERS
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
) -> Iterator[bytes]:
    """Yield the turn's events as bytes, then close it. `first` is its first event, which was drawn before.

    A model that works for longer than a heartbeat before its first word is told once, as `thinking`.
    Needs no app context. Closing the iterator (the reader has left) ends the model's stream; so does a
    reader who closes `connection`, where the server gives access to it.
    """
    numbers = iter(range(1, 1 << 62))
    watch = None if connection is None else _ConnectionWatch(connection, running.deadline.cancel)
    try:
        yield _encoded(running, first, next(numbers))
        waiting = _NextEvent(running.events)
        is_told = False
        while (event := waiting.wait(heartbeat_s)) is _NOTHING_YET:
            if running.ending.is_thinking and not is_told:
                is_told = True
                yield _event("thinking", next(numbers), {})
            else:
                yield COMMENT
        yield _encoded(running, event, next(numbers))
        for event in running.events:
            yield _encoded(running, event, next(numbers))
    except GeneratorExit:
        running.deadline.cancel()
        raise
    except Exception as error:
        # The status line has been sent: the error can only be reported within the stream.
        log.warning("stream_failed", code=getattr(error, "code", "internal_error"), exc_info=error)
        problem = problem_of(error) | {"request_id": request_id}
        yield _event("error", next(numbers), problem)
    finally:
        if watch is not None:
            watch.stop()
        _close(running)


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

    def wait(self, seconds: float) -> Any:
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
