"""Answers that could not be written down when they ended to rows, once the database is back."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import structlog

from ragbot.core.domain import Answer
from ragbot.core.errors import RagbotError
from ragbot.storage.conversations import ConversationStore

log = structlog.get_logger(__name__)

TRY_EVERY_S = 1.0
# At some 10 kB an answer; whoever asks during an outage that is longer than that was told so.
MOST_KEPT = 5000


@dataclass(frozen=True, slots=True)
class _Closing:
    message_id: str
    answer: Answer
    error_code: str | None


class DeferredWrites:
    """Holds what is to be written, in order, and tries every second, in a thread that ends when nothing is
    left. A process that is killed meanwhile loses it: those turns are settled as abandoned."""

    def __init__(self, conversations: ConversationStore, *, try_every_s: float = TRY_EVERY_S) -> None:
        self._conversations = conversations
        self._try_every_s = try_every_s
        self._lock = threading.Lock()
        self._waiting: deque[_Closing] = deque(maxlen=MOST_KEPT)
        self._running = False

    def add(self, message_id: str, answer: Answer, error_code: str | None) -> None:
        """Have a turn closed as soon as that can be done."""
        with self._lock:
            self._waiting.append(_Closing(message_id, answer, error_code))
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, daemon=True, name="late-closings").start()

    def write_all(self) -> bool:
        """Try once, now; whether nothing is left."""
        while True:
            with self._lock:
                if not self._waiting:
                    return True
                closing = self._waiting[0]
            try:
                self._conversations.close_turn(
                    closing.message_id, closing.answer, error_code=closing.error_code
                )
            except RagbotError:
                return False
            with self._lock:
                # Another thread may have written it too; the second time changes nothing.
                if self._waiting and self._waiting[0] is closing:
                    self._waiting.popleft()
            log.info("answer_recorded_late", message_id=closing.message_id[:8])

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._try_every_s)
            try:
                self.write_all()
            except Exception as error:  # One that cannot be written must not keep the others back.
                log.error("answer_lost", error=type(error).__name__)
                with self._lock:
                    self._waiting.popleft()
            with self._lock:
                if not self._waiting:
                    self._running = False
                    return
