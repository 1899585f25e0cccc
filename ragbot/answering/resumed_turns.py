"""Go on with turns whose readers were cut off, and give the rest of the answer to those who come back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from ragbot.answering.turns import RunningTurn, replayed
from ragbot.core.answers import Delta, Event, Finished, Retrieved, Status
from ragbot.core.deadline import Deadline
from ragbot.core.errors import AnswerCut, DeadlineExceeded, RagbotError
from ragbot.storage.message_rows import MessageFacts

# How often a turn without a reader is checked for a request to stop, and one that is waited for is read.
LOOK_EVERY_S = 0.5


def finish_without_reader(
    running: RunningTurn,
    is_stopped: Callable[[], bool],
    *,
    wait_first: Callable[[], object],
    ended: Callable[[], object],
) -> None:
    """Draw the rest of a turn in a thread, so that it is recorded; end it if its reader has stopped it.

    `wait_first` returns when no other thread draws from the turn any more. `ended` is called when the turn is
    recorded. The turn's own deadline and slot limit how long and how many go on.
    """
    has_ended = threading.Event()

    def finish() -> None:
        with suppress(Exception):
            wait_first()
        # The turn records an error; nobody listens.
        with suppress(Exception):
            deque(running.events, maxlen=0)
        running.events.close()
        has_ended.set()
        ended()

    def watch() -> None:
        # A model may think for long before the next event comes.
        while not is_stopped():
            if has_ended.wait(LOOK_EVERY_S):
                return
        running.deadline.cancel()

    threading.Thread(target=finish, daemon=True, name="unread-answer").start()
    threading.Thread(target=watch, daemon=True, name="stop-of-unread-answer").start()


def rest_of(
    message: MessageFacts, read: Callable[[], MessageFacts], offset: int | None, *, patience_s: float
) -> Iterator[Event | None]:
    """Yield the events of a stored turn after `offset` characters of its answer; None as a sign of life.

    Waits for the end of a turn that is being answered, also by another worker. An offset of None is the
    beginning, with the sources. Raises AnswerCut or DeadlineExceeded at the end of a turn that has no answer,
    after the words that it has.
    """
    deadline = Deadline(patience_s)
    while message.status == Status.PENDING:
        yield None
        if not deadline.left_s():
            raise AnswerCut("The answer was not recorded in time.")
        time.sleep(LOOK_EVERY_S)
        message = read()
    if offset is None:
        yield Retrieved(message.sources)
    if rest := message.answer[offset or 0 :]:
        yield Delta(rest)
    if message.status not in (Status.ANSWERED, Status.REFUSED):
        raise _failure_of(message)
    yield next(event for event in replayed(message) if isinstance(event, Finished))


def _failure_of(message: MessageFacts) -> RagbotError:
    if message.error_code == DeadlineExceeded.code:
        return DeadlineExceeded()
    return AnswerCut(f"The answer has ended as {message.status}.")
