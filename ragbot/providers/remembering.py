"""An embedder that remembers: a text that was embedded lately is not embedded again."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence

from ragbot.core.deadline import Deadline
from ragbot.core.domain import Vector
from ragbot.core.ports import Embedded, Embedder

# At 384 numbers a vector some 16 MB, at 1,536 some 60 MB.
MOST_REMEMBERED = 10_000


class RememberingEmbedder:
    """For texts that come again: readers' questions, and the sentences that answer them. Thread-safe.

    Not for a book, whose vectors are kept in the database. `tokens` counts what was asked for anew.
    """

    def __init__(self, embedder: Embedder, most: int = MOST_REMEMBERED) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[str, array[float]] = OrderedDict()

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> Embedded:
        known = {text: vector for text in texts if (vector := self._recalled(text)) is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        tokens = 0
        if missing:
            embedded = self._embedder.embed(missing, deadline)
            tokens = embedded.tokens
            for text, vector in zip(missing, embedded.vectors, strict=True):
                known[text] = vector
                self._remember(text, vector)
        return Embedded([known[text] for text in texts], tokens)

    def _recalled(self, text: str) -> Vector | None:
        with self._lock:
            vector = self._known.get(text)
            if vector is None:
                return None
            self._known.move_to_end(text)
        return vector.tolist()

    def _remember(self, text: str, vector: Vector) -> None:
        # Single precision is what the model gave; a list of Python floats takes eight times the room.
        with self._lock:
            self._known[text] = array("f", vector)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
