"""Embed texts with OpenAI, or with a server that speaks its protocol."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import orjson

from ragbot.core.deadline import Deadline
from ragbot.core.domain import Vector
from ragbot.core.errors import ProviderUnavailable, RequestRejected
from ragbot.core.ports import EmbeddingResult
from ragbot.providers.openai.client import OpenAIClient
from ragbot.providers.openai.dialect import ServerDialect
from ragbot.providers.openai.refusal_reasons import Refusal, RefusalKind
from ragbot.providers.openai.stream import plausible_tokens

# A text that the server takes for too long is shortened so often, and to no less than so many characters.
MOST_CUTS = 6
LEAST_CHARACTERS = 100
# Of 2,048 vectors of 3,072 numbers, written as decimals.
LONGEST_REPLY = 200_000_000


class OpenAIEmbedder:
    """Embed the texts of a call in one request, or in several where the server takes fewer at once.

    Vectors come as base64, a quarter of the size, or as numbers where that is refused. A batch that is
    refused is halved, down to one text; a text that is refused alone is shortened and named in the result. A
    question's call is not repeated: the words alone find nearly as much, at once. A book's is.
    """

    def __init__(self, client: OpenAIClient, model: str, timeout_s: float) -> None:
        self.name = f"openai/{model}"
        self._client = client
        self._model = model
        self._timeout_s = timeout_s
        self._memory = client.dialect_of(self.name)
        # How many texts the server has taken at once after it refused more.
        self._most_texts = 0

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        if not texts:
            return EmbeddingResult([])
        most = self._most_texts or len(texts)
        if most < len(texts):
            return _joined([self.embed(part, deadline) for part in _parts(texts, most)])
        try:
            return self._call(texts, deadline)
        except RequestRejected as error:
            if len(texts) == 1:
                return self._shortened(texts[0], deadline, error)
            halves = _parts(texts, (len(texts) + 1) // 2)
            embedded = _joined([self.embed(half, deadline) for half in halves])
            if not embedded.shortened:
                # No single text was at fault, so their number was.
                self._most_texts = min(self._most_texts or len(halves[0]), len(halves[0]))
            return embedded

    def _shortened(self, text: str, deadline: Deadline | None, error: RequestRejected) -> EmbeddingResult:
        """Embed the beginning of a text.

        Raises RequestRejected, which names a book's text, if no length will do.
        """
        for _ in range(MOST_CUTS):
            text = text[: len(text) // 2]
            if len(text) < LEAST_CHARACTERS:
                break
            try:
                return replace(self._call([text], deadline), shortened=(0,))
            except RequestRejected as still:
                error = still
        if deadline is not None:
            raise error
        begins = " ".join(text.split())[:60]
        raise RequestRejected(f"{error} It was the text that begins “{begins}”.", error.reason) from error

    def _call(self, texts: Sequence[str], deadline: Deadline | None) -> EmbeddingResult:
        return self._client.call(
            lambda: self._asked(texts, deadline), deadline, single_try=deadline is not None
        )

    def _asked(self, texts: Sequence[str], deadline: Deadline | None) -> EmbeddingResult:
        """Ask for vectors, in another format where the server refuses the one before; it is remembered."""
        known = self._memory.current()
        formats = [name for name in FORMATS if name not in known.without]
        for tried, name in enumerate(formats):
            try:
                embedded = self._in_format(name, texts, deadline)
            except Exception as error:
                refusal = self._client.refusal(error)
                if refusal is None or tried + 1 == len(formats) or not _may_be_the_format(refusal, texts):
                    raise
                continue
            if refused := frozenset(formats[:tried]):
                self._memory.learn(partial(_without, refused))
            return embedded
        raise AssertionError("unreachable: the last format returns or raises")

    def _in_format(self, name: str, texts: Sequence[str], deadline: Deadline | None) -> EmbeddingResult:
        # A question's vector is worth some of its time; a book's are worth more.
        limit = self._timeout_s * 10 if deadline is None else min(self._timeout_s, deadline.left_s() / 2)
        limit = max(limit, 0.05)
        body: dict[str, Any] = {"model": self._model, "input": list(texts)}
        if name:
            body["encoding_format"] = name
        with (
            self._client.wire(limit, deadline) as wire,
            self._client.post("/embeddings", body, wire) as response,
        ):
            content = response.read(LONGEST_REPLY)
        return _parsed(content, len(texts))


# How vectors are asked for: the shortest way first, and at last in the server's own.
FORMATS = ("base64", "float", "")


def _without(refused: frozenset[str], now: ServerDialect) -> ServerDialect:
    return replace(now, without=now.without | refused)


def _may_be_the_format(refusal: Refusal, texts: Sequence[str]) -> bool:
    """Return whether a refusal names the format, or names nothing and there is but one text to blame."""
    is_unclear = not refusal.named and len(texts) == 1 and refusal.reason.status in (400, 422)
    return "encoding_format" in refusal.named or (is_unclear and refusal.kind is RefusalKind.OTHER)


def _parts(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def _joined(results: Sequence[EmbeddingResult]) -> EmbeddingResult:
    """Return the vectors of several calls as those of one."""
    vectors: list[Vector] = []
    shortened: list[int] = []
    for result in results:
        shortened.extend(len(vectors) + place for place in result.shortened)
        vectors.extend(result.vectors)
    return EmbeddingResult(vectors, sum(result.tokens for result in results), tuple(shortened))


def _parsed(content: bytes, expected: int) -> EmbeddingResult:
    """Return the vectors of a reply, in order. Raises ProviderUnavailable if one is missing or unreadable."""
    try:
        reply = orjson.loads(content)
        rows = {_index(row, place): row["embedding"] for place, row in enumerate(reply["data"])}
        vectors = [_unit(rows[index]) for index in range(expected)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProviderUnavailable("The provider sent no readable vectors.") from error
    if len(reply["data"]) != expected or len({len(vector) for vector in vectors}) != 1:
        raise ProviderUnavailable("The provider sent vectors of a wrong number or of unequal lengths.")
    return EmbeddingResult(vectors, _tokens(reply))


def _index(row: dict[str, Any], place: int) -> Any:
    """Return which text a row belongs to: by its place where that is left out, as Gemini does for 0."""
    index = row.get("index")
    return place if index is None else index


def _tokens(reply: dict[str, Any]) -> int:
    """Return the charged tokens, or 0 if the reply has no such number."""
    try:
        return plausible_tokens(reply["usage"]["total_tokens"])
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
