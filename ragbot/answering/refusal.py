"""Detect a generator's refusal, and keep the word by which it refuses from readers."""

from __future__ import annotations

import re

from ragbot.core.domain import NOT_IN_BOOK

LEFT_OUT = "…"

# What a model wraps the word in by which it refuses, and what it puts behind it.
_BEFORE_REFUSAL = " \t\n*_`"
_BEHIND_REFUSAL = " \t\n:.-–—"

# Markdown may escape an underscore, and models change the letter case.
_WORD = re.compile(NOT_IN_BOOK.replace("_", r"\\?_"), re.IGNORECASE)
_LONGEST_BEGUN = len(NOT_IN_BOOK) + NOT_IN_BOOK.count("_") - 1
_MAY_BE_BEGUN = re.compile(rf"[{''.join(sorted(set(NOT_IN_BOOK)))}\\]+\Z", re.IGNORECASE)


class RefusalDetector:
    """Say whether an answer begins with the refusal sentinel, and remove it there."""

    def __init__(self) -> None:
        self._head = ""
        # The signs that may still follow on the word before the sentence begins.
        self._between = ""
        self.refused: bool | None = None
        """Whether the generator refused; None until that is known."""

    def feed(self, piece: str) -> str:
        """Return the text behind the sentinel; empty while it may still come."""
        if self.refused is None:
            self._head += piece
            start = self._head.lstrip(_BEFORE_REFUSAL)
            if len(start) < len(NOT_IN_BOOK) and NOT_IN_BOOK.startswith(start):
                return ""
            self.refused = start.startswith(NOT_IN_BOOK)
            if not self.refused:
                return self._head
            self._between = _BEHIND_REFUSAL + self._head[: len(self._head) - len(start)]
            piece = start.removeprefix(NOT_IN_BOOK)
        if self._between and (piece := piece.lstrip(self._between)):
            self._between = ""
        return piece

    def flush(self) -> str:
        """Return what is still held back, at the end of the answer."""
        return self._head if self.refused is None else ""


class SentinelFilter:
    """Replace the refusal sentinel by an ellipsis wherever it stands in the sanitised text of an answer.

    The sanitiser drops it from prose; this finds it in code too, with escaped underscores, in any letter
    case, and cut across pieces. The result does not depend on the cut.
    """

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return the text that can be shown now; it may be empty."""
        text = _WORD.sub(LEFT_OUT, self._held + piece)
        begun = _MAY_BE_BEGUN.search(text[-_LONGEST_BEGUN:])
        end = len(text) - len(begun.group()) if begun else len(text)
        self._held = text[end:]
        return text[:end]

    def flush(self) -> str:
        """Return what is still held back, at the end of the answer."""
        rest, self._held = self._held, ""
        return rest
