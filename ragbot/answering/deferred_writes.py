"""Store the answers that ended while the database was unavailable, once it is back."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import structlog

from ragbot.core.answers import Answer
from ragbot.core.errors import RagbotError
from ragbot.storage.asked_questions import AskedQuestion
from ragbot.storage.conversations import ConversationStore

log = structlog.get_logger(__name__)

TRY_EVERY_S = 1.0
# An answer takes some 10 kB. Of more answers in one outage, the oldest are lost.
MOST_WAITING = 5000


@dataclass(frozen=True, slots=True)
class _Closing:
    message_id: str
    answer: Answer
    error_code: str | None
    asked: AskedQuestion | None


class DeferredWrites:
    """Queue the ends of turns, and try to write them every second, in order, in a thread of its own.

    The thread ends when the queue is empty. If the process is killed before, the turns count as abandoned.
    """

    def __init__(self, conversations: ConversationStore, *, try_every_s: float = TRY_EVERY_S) -> None:
        self._conversations = conversations
        self._try_every_s = try_every_s
        self._lock = threading.Lock()
        self._waiting: deque[_Closing] = deque(maxlen=MOST_WAITING)
        self._running = False

    def add(
        self, message_id: str, answer: Answer, error_code: str | None, asked: AskedQuestion | None = None
    ) -> None:
        """Queue the end of a turn, to be written as soon as possible."""
        with self._lock:
            self._waiting.append(_Closing(message_id, answer, error_code, asked))
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, daemon=True, name="deferred-writes").start()

    def write_all(self) -> bool:
        """Try once to write all, now. Returns whether nothing is left."""
        while True:
            with self._lock:
                if not self._waiting:
                    return True
                closing = self._waiting[0]
            try:
                self._conversations.close_turn(
                    closing.message_id,
                    closing.answer,
                    error_code=closing.error_code,
                    asked=closing.asked,
                )
            except RagbotError:
                return False
            with self._lock:
                # Another thread may have written it too: writing it again changes nothing.
                if self._waiting and self._waiting[0] is closing:
                    self._waiting.popleft()
            log.info("answer_recorded_late", message_id=closing.message_id[:8])

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._try_every_s)
            try:
                self.write_all()
            except Exception as error:  # An answer that cannot be written must not delay the others.
                log.error("answer_lost", error=type(error).__name__)
                with self._lock:
                    self._waiting.popleft()
            with self._lock:
                if not self._waiting:
                    self._running = False
                    return
