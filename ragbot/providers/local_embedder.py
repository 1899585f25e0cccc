"""Embed texts in this process: all-MiniLM-L6-v2, trained further on questions about books. No network.

The weights are int8, run by ONNX Runtime: `data/embedder/README.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ragbot.core.deadline import Deadline
from ragbot.core.languages import script_of
from ragbot.core.ports import EmbeddingResult
from ragbot.providers.onnx_model import OnnxModel
from ragbot.providers.sentence_vectors import packed_sentences

MODEL = Path(__file__).parent / "data" / "embedder" / "model.onnx"
MODEL_SHA256 = "2e6d83db2d61d23894416b313389111f8371338b64a53e2e33e605ad5d722939"
LONGEST_TOKENS = 384
# The cosine that this model gives where the published one gives 0.
UNRELATED = 0.125


class LocalEmbedder:
    """Embed texts with a model that is loaded on first use. Safe to call from several threads."""

    # Of vectors by other weights, which cannot be compared, the name is another one.
    name = f"local/all-MiniLM-L6-v2-books-{MODEL_SHA256[:8]}"
    # Results have the vectors of sentences, too.
    gives_sentences = True

    def __init__(self, threads: int = 1) -> None:
        self._model = OnnxModel(MODEL, MODEL_SHA256, longest_tokens=LONGEST_TOKENS, threads=threads)

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        """Embed texts in order, without charge. Text after 384 tokens is ignored."""
        tokenizer, model = self._model.open()
        vectors: list[list[float]] = []
        sentences: list[bytes] = []
        for text in texts:
            if deadline is not None:
                deadline.check()
            # One at a time: a batch is padded to its longest text, which costs more than it saves.
            encoding = tokenizer.encode(text)
            states = model.run(None, {"input_ids": np.array([encoding.ids], dtype=np.int64)})[0][0]
            mean = states.mean(axis=0)
            vectors.append([float(x) for x in mean / np.linalg.norm(mean)])
            sentences.append(packed_sentences(text, encoding.offsets, states))
        return EmbeddingResult(vectors, sentences=tuple(sentences))

    @staticmethod
    def understands(text: str) -> bool:
        """Return whether the model's vector of a text is meaningful: only for text in Latin letters.

        Its cosine for two unrelated sentences in Hindi is 0.62 to 0.79, in Thai 1.0.
        """
        return script_of(text) in ("LATIN", "")


def similarity(cosine: float) -> float:
    """Map a cosine to the scale of all-MiniLM-L6-v2 as it is published, on which the constants were fitted.

    For unrelated questions the trained model's cosines are 0.1 higher; 1 stays 1.
    """
    return (cosine - UNRELATED) / (1 - UNRELATED)
