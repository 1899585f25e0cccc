"""A prompt to an answer made of the book's own sentences, word for word, each with its mark. No model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ragbot.core.deadline import Deadline
from ragbot.core.domain import NOT_IN_BOOK, Prompt
from ragbot.core.ports import Embedder, Generation


class _Block(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class ExtractiveGenerator:
    """v0"""

    name = "extractive"

    def __init__(
        self,
        *,
        terms: Callable[[str, str], list[str]],
        blocks: Callable[[str], Sequence[_Block]],
        embedder: Embedder | None = None,
    ) -> None:
        self._terms = terms
        self._blocks = blocks
        self._embedder = embedder

    def generate(self, prompt: Prompt, deadline: Deadline, generation: Generation) -> Iterator[str]:
        generation.extractive = True
        deadline.check()
        best, place, number = 0.0, "", 0
        for n, passage in enumerate(prompt.passages, start=1):
            text = passage.chunk.text
            for block in self._blocks(text):
                piece = text[block.start : block.end]
                score = sum(prompt.term_weights.get(t, 0) for t in set(self._terms(prompt.language, piece)))
                if score > best:
                    best, place, number = score, piece, n
        yield f"{place} [{number}]" if place else NOT_IN_BOOK

    def ping(self) -> None:
        """Return always."""
