"""Cache the vectors of recently embedded texts."""

from __future__ import annotations

import hashlib
import threading
import time
import zlib
from array import array
from collections.abc import Callable, Sequence

from cachetools import LRUCache

from ragbot.core.deadline import Deadline
from ragbot.core.domain import Vector
from ragbot.core.ports import Cache, Embedder, EmbeddingResult
from ragbot.core.single_flight import SingleFlight

# Some 16 MB with 384 dimensions, some 60 MB with 1,536.
VECTORS_IN_MEMORY = 10_000


class CachingEmbedder:
    """Embed texts that recur: readers' questions, and the sentences that answer them.

    Safe to call from several threads. The last used vectors are cached in memory; simultaneous calls
    for one text share one call of the embedder. With a `cache` the vectors of single texts are also stored
    there, for `ttl_s` seconds and for all workers, under the name of the `provider`; `unreadable` is called
    for each damaged entry. `took` is called with the seconds of each call of the embedder. `tokens` of a
    result counts only the texts that were not cached. (A book's vectors are stored in the database.)
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        cache: Cache | None = None,
        ttl_s: float = 0.0,
        provider: str = "",
        unreadable: Callable[[], None] = lambda: None,
        took: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._cache = cache if ttl_s else None
        self._ttl_s = ttl_s
        self._provider = provider
        self._unreadable = unreadable
        self._took = took
        self._lock = threading.Lock()
        # Models return single precision; a list of Python floats takes eight times the memory.
        self._vectors: LRUCache[str, array[float]] = LRUCache(VECTORS_IN_MEMORY)
        self._flights: SingleFlight[Vector] = SingleFlight()

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        known = {text: vector for text in texts if (vector := self._recalled(text)) is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if not missing:
            return EmbeddingResult([known[text] for text in texts])
        made = (
            self._embed(missing, deadline) if len(missing) > 1 else self._embedded_once(missing[0], deadline)
        )
        for text, vector in zip(missing, made.vectors, strict=True):
            known[text] = vector
            self._remember(text, vector)
        return EmbeddingResult([known[text] for text in texts], made.tokens)

    def _embedded_once(self, text: str, deadline: Deadline | None) -> EmbeddingResult:
        """Embed one text, with one call for all threads that need its vector now; one of them is charged."""
        tokens = 0

        def embed() -> Vector:
            nonlocal tokens
            embedded = self._found_or_embedded(text, deadline)
            tokens = embedded.tokens
            return embedded.vectors[0]

        vector = self._flights.do(text, embed, deadline)
        return EmbeddingResult([vector], tokens)

    def _found_or_embedded(self, text: str, deadline: Deadline | None) -> EmbeddingResult:
        if self._cache is None:
            return self._embed([text], deadline)
        key = _key(self._provider, self.name, text)
        stored = self._cache.get(key)
        if stored is not None and (vector := _unpacked(stored)):
            return EmbeddingResult([vector])
        if stored is not None:
            self._unreadable()
        embedded = self._embed([text], deadline)
        self._cache.put(key, _packed(embedded.vectors[0]), self._ttl_s)
        return embedded

    def _embed(self, texts: Sequence[str], deadline: Deadline | None) -> EmbeddingResult:
        started = time.perf_counter()
        try:
            return self._embedder.embed(texts, deadline)
        finally:
            self._took(time.perf_counter() - started)

    def _recalled(self, text: str) -> Vector | None:
        with self._lock:
            vector = self._vectors.get(text)
        return None if vector is None else vector.tolist()

    def _remember(self, text: str, vector: Vector) -> None:
        with self._lock:
            self._vectors[text] = array("f", vector)


def _key(provider: str, model: str, text: str) -> str:
    return "vector:" + hashlib.sha256(f"{provider}\n{model}\n{text}".encode()).hexdigest()


def _packed(vector: Vector) -> bytes:
    """Return a vector as bytes: its checksum (CRC-32), then its numbers in single precision."""
    numbers = array("f", vector).tobytes()
    return zlib.crc32(numbers).to_bytes(4, "big") + numbers


def _unpacked(stored: bytes) -> Vector | None:
    """Return the vector that was stored, or None if the bytes are damaged."""
    checksum, numbers = stored[:4], stored[4:]
    if not numbers or len(numbers) % 4 or zlib.crc32(numbers).to_bytes(4, "big") != checksum:
        return None
    return array("f", numbers).tolist()
