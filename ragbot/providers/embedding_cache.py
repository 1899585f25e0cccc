"""An embedder that remembers: a text that was embedded lately is not embedded again."""

from __future__ import annotations

import hashlib
import threading
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence

from ragbot.core.deadline import Deadline
from ragbot.core.domain import Vector
from ragbot.core.errors import ProviderError
from ragbot.core.ports import Cache, Embedder, EmbeddingResult

# At 384 numbers a vector some 16 MB, at 1,536 some 60 MB.
MOST_REMEMBERED = 10_000


class CachingEmbedder:
    """For texts that come again: readers' questions, and the sentences that answer them. Thread-safe.

    Not for a book, whose vectors are kept in the database. Those who ask for one text at once cost one call.
    With a `cache` the vectors of single texts are kept there too, for the other workers and for later, over
    `kept_s` seconds, as those of `provider`; `unreadable` is told of each entry that is none. `tokens` counts
    what was asked for anew.
    """

    def __init__(
        self,
        embedder: Embedder,
        most: int = MOST_REMEMBERED,
        *,
        cache: Cache | None = None,
        kept_s: float = 0.0,
        provider: str = "",
        unreadable: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._most = most
        self._cache = cache if kept_s else None
        self._kept_s = kept_s
        self._provider = provider
        self._unreadable = unreadable
        self._lock = threading.Lock()
        self._known: OrderedDict[str, array[float]] = OrderedDict()
        self._under_way: dict[str, _Call] = {}

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        known = {text: vector for text in texts if (vector := self._recalled(text)) is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if not missing:
            return EmbeddingResult([known[text] for text in texts])
        made = (
            self._embedder.embed(missing, deadline)
            if len(missing) > 1
            else self._made_once(missing[0], deadline)
        )
        for text, vector in zip(missing, made.vectors, strict=True):
            known[text] = vector
            self._remember(text, vector)
        return EmbeddingResult([known[text] for text in texts], made.tokens)

    def _made_once(self, text: str, deadline: Deadline | None) -> EmbeddingResult:
        """One text's vector, made by this caller or by another one who asks for it at this moment."""
        while True:
            with self._lock:
                call = self._under_way.get(text)
                own = call is None
                if call is None:
                    call = self._under_way[text] = _Call()
            if own:
                return self._led(text, call, deadline)
            call.ended.wait(None if deadline is None else deadline.left_s())
            if deadline is not None:
                deadline.check()
            if call.vector is not None:
                return EmbeddingResult([call.vector])
            if call.failure is not None:
                raise call.failure
            # Whoever asked has left: the next one asks.

    def _led(self, text: str, call: _Call, deadline: Deadline | None) -> EmbeddingResult:
        try:
            embedded = self._kept_or_made(text, deadline)
            call.vector = embedded.vectors[0]
            return embedded
        except ProviderError as error:
            call.failure = error
            raise
        finally:
            with self._lock:
                self._under_way.pop(text, None)
            call.ended.set()

    def _kept_or_made(self, text: str, deadline: Deadline | None) -> EmbeddingResult:
        if self._cache is None:
            return self._embedder.embed([text], deadline)
        key = _key(self._provider, self.name, text)
        kept = self._cache.get(key)
        if kept is not None and (vector := _unpacked(kept)):
            return EmbeddingResult([vector])
        if kept is not None:
            self._unreadable()
        embedded = self._embedder.embed([text], deadline)
        self._cache.put(key, _packed(embedded.vectors[0]), self._kept_s)
        return embedded

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


class _Call:
    """A call under way: what it gave, or why it failed; neither where whoever asked has left."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.vector: Vector | None = None
        self.failure: ProviderError | None = None


def _key(provider: str, model: str, text: str) -> str:
    return "vector:" + hashlib.sha256(f"{provider}\n{model}\n{text}".encode()).hexdigest()


def _packed(vector: Vector) -> bytes:
    """A vector in single precision behind its checksum."""
    numbers = array("f", vector).tobytes()
    return zlib.crc32(numbers).to_bytes(4, "big") + numbers


def _unpacked(kept: bytes) -> Vector | None:
    """The vector that was kept; None for what is none."""
    checksum, numbers = kept[:4], kept[4:]
    if not numbers or len(numbers) % 4 or zlib.crc32(numbers).to_bytes(4, "big") != checksum:
        return None
    return array("f", numbers).tolist()
