"""Filter the pieces that a generator writes into text that a reader may see."""

from __future__ import annotations

from ragbot.answering.markdown_sanitizer import MarkdownSanitizer
from ragbot.answering.refusal import RefusalDetector, SentinelFilter
from ragbot.core.invisible_characters import without_invisible


class AnswerText:
    """Pass pieces through the filters in order: invisible characters, refusal, sanitiser, sentinel.

    `text` is all text that was returned so far. The result does not depend on where the pieces were cut.
    """

    def __init__(self, sanitizer: MarkdownSanitizer) -> None:
        self._refusal = RefusalDetector()
        self._sanitizer = sanitizer
        self._sentinel = SentinelFilter()
        self._visible = ""
        self._given: list[str] = []

    @property
    def refused(self) -> bool:
        """Return whether the generator refused."""
        return bool(self._refusal.refused)

    @property
    def text(self) -> str:
        """Return all text that was returned so far."""
        return "".join(self._given)

    def feed(self, piece: str) -> str:
        """Return the text that can be shown now; it may be empty."""
        visible = without_invisible(piece, self._visible)
        self._visible = visible or self._visible
        return self._give(self._sentinel.feed(self._sanitizer.feed(self._refusal.feed(visible))))

    def flush(self) -> str:
        """Return the rest of the text, after the generator's last piece."""
        rest = self._sanitizer.feed(self._refusal.flush()) + self._sanitizer.flush()
        return self._give(self._sentinel.feed(rest) + self._sentinel.flush())

    def add(self, text: str) -> str:
        """Add a text of our own, which needs no filter."""
        return self._give(text)

    def _give(self, text: str) -> str:
        self._given.append(text)
        return text
