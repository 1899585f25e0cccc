"""Embed texts with OpenAI, or with a server that speaks its protocol."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from ragbot.core.deadline import Deadline
from ragbot.core.errors import ProviderUnavailable
from ragbot.core.ports import EmbeddingResult
from ragbot.providers.openai.client import OpenAIClient


class OpenAIEmbedder:
    """Embed texts with one request for each call. Vectors come as base64, a quarter of the size.

    A book's call is retried. A question's is not: a search by words alone finds nearly as much, at once.
    """

    def __init__(self, client: OpenAIClient, model: str, timeout_s: float) -> None:
        self.name = f"openai/{model}"
        self._client = client
        self._model = model
        self._timeout_s = timeout_s

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        if not texts:
            return EmbeddingResult([])
        single_try = deadline is not None
        return self._client.call(lambda: self._asked(texts, deadline), deadline, single_try=single_try)

    def _asked(self, texts: Sequence[str], deadline: Deadline | None) -> EmbeddingResult:
        # A question must not spend all its time on its vector; a book's batch may take longer.
        limit = self._timeout_s * 10 if deadline is None else min(self._timeout_s, deadline.left_s() / 2)
        limit = max(limit, 0.05)
        with self._client.wire(limit, deadline) as wire, wire.in_use():
            response = self._client.sdk.embeddings.with_raw_response.create(
                model=self._model,
                input=list(texts),
                encoding_format="base64",
                timeout=self._client.timeout(limit),
            )
        return _parsed(response.content, len(texts))


def _parsed(content: bytes, expected: int) -> EmbeddingResult:
    """Return the vectors of a reply, in order. Raises ProviderUnavailable if one is missing or unreadable."""
    try:
        reply = orjson.loads(content)
        rows = {row["index"]: row["embedding"] for row in reply["data"]}
        vectors = [_unit(rows[index]) for index in range(expected)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProviderUnavailable("The provider sent no readable vectors.") from error
    if len(reply["data"]) != expected or len({len(vector) for vector in vectors}) != 1:
        raise ProviderUnavailable("The provider sent vectors of a wrong number or of unequal lengths.")
    return EmbeddingResult(vectors, _tokens(reply))


def _tokens(reply: dict[str, Any]) -> int:
    """Return the charged tokens, or 0 if the reply has no such number."""
    try:
        return int(reply["usage"]["total_tokens"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0


def _unit(embedding: Any) -> list[float]:
    if isinstance(embedding, str):
        vector = np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    else:
        # Some compatible servers ignore `encoding_format` and send numbers.
        vector = np.asarray(embedding, dtype=np.float32)
    length = float(np.linalg.norm(vector))
    if vector.ndim != 1 or not np.isfinite(length) or length == 0:
        raise ValueError("not a direction")
    direction: list[float] = (vector / length).tolist()
    return direction
