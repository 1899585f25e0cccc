"""Detect a generator's refusal, and remove the refusal sentinel from what readers see."""

from __future__ import annotations

import re

from ragbot.core.answers import NOT_IN_BOOK

LEFT_OUT = "…"

# Signs that a model may put around the sentinel, and after it.
_BEFORE_REFUSAL = " \t\n*_`"
_BEHIND_REFUSAL = " \t\n:.-–—"

# Markdown may escape an underscore, and models change the letter case.
_WORD = re.compile(NOT_IN_BOOK.replace("_", r"\\?_"), re.IGNORECASE)
_LONGEST_BEGUN = len(NOT_IN_BOOK) + NOT_IN_BOOK.count("_") - 1
_MAY_BE_BEGUN = re.compile(rf"[{''.join(sorted(set(NOT_IN_BOOK)))}\\]+\Z", re.IGNORECASE)


class RefusalDetector:
    """Detect the refusal sentinel at the beginning of an answer, and remove it."""

    def __init__(self) -> None:
        self._head = ""
        # The signs that may still follow the sentinel before the sentence begins.
        self._between = ""
        self.refused: bool | None = None
        """Whether the generator refused; None until that is known."""

    def feed(self, piece: str) -> str:
        """Return the text after the sentinel; "" while more text is needed to decide."""
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
    """Replace the refusal sentinel by an ellipsis anywhere in the sanitised text of an answer.

    The sanitiser removes it from prose; this filter also finds it in code, with escaped underscores, in any
    letter case, and split across pieces. The result does not depend on where the pieces were cut.
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
