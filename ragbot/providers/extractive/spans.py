"""A passage's blocks to the pieces that an answer can be made of: sentences, items, rows, code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ragbot.core.text import sentence_spans


class TextBlock(Protocol):
    """A span of a text that reads as one thing."""

    @property
    def kind(self) -> str: ...

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


@dataclass(frozen=True, slots=True, order=True)
class TextSpan:
    """A piece of a passage by its offsets. `block` counts the passage's blocks from 0.

    `under` is the block of the heading that it stands under inside the passage, or -1.
    """

    start: int
    end: int
    block: int
    kind: str
    under: int = -1


def spans_of(text: str, blocks: Sequence[TextBlock]) -> Iterator[TextSpan]:
    """Yield the pieces of a passage in order. Headings and the heads of tables are none by themselves."""
    under = -1
    for number, block in enumerate(blocks):
        if block.kind == "heading":
            under = number
        elif block.kind in ("paragraph", "quote"):
            for start, end in sentence_spans(text[block.start : block.end]):
                yield TextSpan(block.start + start, block.start + end, number, block.kind, under)
        elif block.kind in ("list_item", "code", "table_row"):
            yield TextSpan(block.start, block.end, number, block.kind, under)
