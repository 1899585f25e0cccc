"""Provide hand-written fakes of the ports, which keep their contracts."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Sequence

from ragbot.core.answers import Generation, Prompt, Usage
from ragbot.core.deadline import Deadline
from ragbot.core.errors import ProviderUnavailable
from ragbot.core.ports import EmbeddingResult


class WordCountEmbedder:
    """Unit vectors of word counts, hashed into 64 places: texts that share words are near."""

    name = "test/word-counts"
    places = 64

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.down = False

    def embed(self, texts: Sequence[str], deadline: Deadline | None = None) -> EmbeddingResult:
        if self.down:
            raise ProviderUnavailable("The test's embedder is switched off.")
        if deadline is not None:
            deadline.check()
        self.texts.extend(texts)
        return EmbeddingResult([self._vector(text) for text in texts], tokens=sum(map(len, texts)))

    def _vector(self, text: str) -> list[float]:
        counts = [0.0] * self.places
        for word in re.findall(r"\w+", text.casefold()):
            counts[zlib.crc32(word.encode()) % self.places] += 1
        length = math.sqrt(sum(n * n for n in counts))
        return [n / length for n in counts] if length else [1.0] + [0.0] * (self.places - 1)


class LoggingBudget:
    """Has as much as the test says, and writes down what is reserved and charged."""

    def __init__(self, left_usd: float = float("inf")) -> None:
        self.left_usd = left_usd
        self.reserved_usd = 0.0
        self.charges: list[tuple[str, Usage]] = []

    def reserve(self, most_usd: float) -> bool:
        if self.reserved_usd + most_usd > self.left_usd:
            return False
        self.reserved_usd += most_usd
        return True

    def release(self, most_usd: float) -> None:
        self.reserved_usd -= most_usd

    def charge(self, model: str, usage: Usage, *, can_wait: bool = False) -> None:
        self.charges.append((model, usage))


class ScriptedGenerator:
    """Says the pieces that it was given, in order; an exception among them is raised in its turn."""

    name = "test/scripted"

    def __init__(self, *pieces: str | Exception) -> None:
        self.pieces = list(pieces)
        self.prompts: list[Prompt] = []
        self.closed = 0

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        self.prompts.append(prompt)
        try:
            for piece in self.pieces:
                deadline.check()
                if isinstance(piece, Exception):
                    raise piece
                generation.model = self.name
                yield piece
            generation.usage = Usage(input_tokens=10, output_tokens=len(self.pieces), cost_usd=0.001)
        finally:
            self.closed += 1

    def ping(self) -> None:
        """Return always."""
