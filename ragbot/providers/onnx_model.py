"""Load a model for ONNX Runtime, with the tokenizer that the local models share."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

from ragbot.core.errors import ProviderUnavailable

TOKENIZER = Path(__file__).parent / "data" / "minilm" / "tokenizer.json"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


class OnnxModel:
    """Hold a model that is loaded on first use. Safe to call from several threads.

    `longest_tokens` is what an input is cut to, two texts together.
    """

    def __init__(self, path: Path, sha256: str, *, longest_tokens: int, threads: int) -> None:
        self._path = path
        self._sha256 = sha256
        self._longest_tokens = longest_tokens
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def open(self) -> tuple[Any, Any]:
        """Return the tokenizer and the session. Raises ProviderUnavailable if a file is another one."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> tuple[Any, Any]:
        # The imports cost some 0.3 s and 60 MB, which a service with another embedder saves.
        import onnxruntime
        from tokenizers import Tokenizer

        for path, expected in ((TOKENIZER, TOKENIZER_SHA256), (self._path, self._sha256)):
            if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
                raise ProviderUnavailable(
                    f"The local model's file {path.name} is not the one that was shipped."
                )
        tokenizer = Tokenizer.from_file(str(TOKENIZER))
        tokenizer.enable_truncation(self._longest_tokens)
        tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(self._path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        return tokenizer, session
