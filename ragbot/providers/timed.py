"""An embedder whose calls are timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ragbot.core.deadline import Deadline
from ragbot.core.ports import Embedder, EmbeddingResult


class TimedEmbedder:
    """Tells how many seconds each call took, failed ones too."""

    def __init__(self, embedder: Embedder, took: Callable[[float], None]) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._took = took

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        started = time.perf_counter()
        try:
            return self._embedder.embed(texts, deadline)
        finally:
            self._took(time.perf_counter() - started)
