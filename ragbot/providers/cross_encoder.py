"""Score how well texts answer a question, in this process: a cross-encoder with int8 weights. No network.

A cross-encoder reads the question and a text together (Nogueira and Cho, "Passage Re-ranking with BERT",
2019), so it tells a sentence that answers from one that merely has the question's words. This one is
all-MiniLM-L6-v2, trained further for this purpose: `data/cross_encoder/README.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ragbot.core.deadline import Deadline
from ragbot.providers.onnx_model import OnnxModel

MODEL = Path(__file__).parent / "data" / "cross_encoder" / "model.onnx"
MODEL_SHA256 = "cdfb24d8c6b71efb8a6556793dc76ed6b4735d84905b75d9e4e123aa1ea14e99"
# Of a question and a text together, of which the longer is cut. Its CPU grows with them: some 0.2 ms a token.
LONGEST_TOKENS = 96


class CrossEncoder:
    """Score texts with a model that is loaded on first use. Safe to call from several threads.

    It was trained on English; in other languages its scores mean nothing.
    """

    def __init__(self, threads: int = 1) -> None:
        self._model = OnnxModel(MODEL, MODEL_SHA256, longest_tokens=LONGEST_TOKENS, threads=threads)

    def scores(self, question: str, texts: Sequence[str], deadline: Deadline | None = None) -> list[float]:
        """Return for each text how likely it answers the question, as log-odds. Long texts are cut.

        Raises DeadlineExceeded, and ProviderUnavailable if the model's file is not the one that was shipped.
        """
        tokenizer, model = self._model.open()
        found: list[float] = []
        for text in texts:
            if deadline is not None:
                deadline.check()
            pair = tokenizer.encode(question, text)
            inputs = {
                "input_ids": np.array([pair.ids], dtype=np.int64),
                "token_type_ids": np.array([pair.type_ids], dtype=np.int64),
            }
            found.append(float(model.run(None, inputs)[0][0]))
        return found
