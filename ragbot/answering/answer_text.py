"""Filter the pieces that a generator writes into text that a reader may see."""

from __future__ import annotations

from ragbot.answering.grounding import Grounder, verbatim_grounding
from ragbot.answering.markdown_sanitizer import MarkdownSanitizer
from ragbot.answering.refusal import RefusalDetector, SentinelFilter, has_sentinel
from ragbot.answering.statements import without_marks
from ragbot.core.answers import Generation, Grounding
from ragbot.core.invisible_characters import without_invisible
from ragbot.core.text import QUESTION_MARKS


class AnswerText:
    """Pass pieces through the filters: invisible characters, refusal, sanitiser, sentinel, grounding.

    `text` is all text that was returned so far. The result does not depend on where the pieces were cut. A
    refusal, and the book's own sentences (`generation.extractive`), need no grounding.
    """

    def __init__(self, sanitizer: MarkdownSanitizer, grounder: Grounder, generation: Generation) -> None:
        self._refusal = RefusalDetector()
        self._sanitizer = sanitizer
        self._sentinel = SentinelFilter()
        self._grounder = grounder
        self._generation = generation
        self._visible = ""
        self._pieces: list[str] = []
        # A refusal is given whole, at its end.
        self._refusal_text = ""
        self._given: list[str] = []
        self._verbatim = ""

    @property
    def text(self) -> str:
        """Return all text that was returned so far."""
        return "".join(self._given)

    @property
    def refuses(self) -> bool:
        """Return, at its end, whether the answer is none: refused or empty."""
        return self.is_empty or bool(self._refusal.refused) or self._grounder.only_says_silence

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was said: no word beside marks, or no claim beside the sentinel."""
        if not _has_words(self.text):
            return True
        return (
            self._is_grounded
            and not self._grounder.grounding.sentences
            and has_sentinel("".join(self._pieces))
        )

    @property
    def is_unsupported(self) -> bool:
        """Return whether the answer claims something, and no passage supports any of it."""
        return self._is_grounded and self._grounder.is_unsupported and not self._verbatim

    @property
    def grounding(self) -> Grounding:
        """Return how the sentences of the whole answer stand."""
        if self._generation.extractive:
            return verbatim_grounding(self.text)
        return self._grounder.grounding + verbatim_grounding(self._verbatim)

    def feed(self, piece: str) -> str:
        """Return the text that can be shown now; it may be empty."""
        visible = without_invisible(piece, self._visible)
        self._visible = visible or self._visible
        self._pieces.append(visible)
        text = self._sentinel.feed(self._sanitizer.feed(self._refusal.feed(visible)))
        if self._refusal.refused:
            self._refusal_text += text
            return ""
        return self._give(self._grounder.feed(text) if self._is_grounded else text)

    def flush(self) -> str:
        """Return the rest of the text, after the generator's last piece."""
        rest = self._sanitizer.feed(self._refusal.flush()) + self._sanitizer.flush()
        text = self._sentinel.feed(rest) + self._sentinel.flush()
        if self._refusal.refused:
            text = self._refusal_text + text
            # Small models repeat the question, which says nothing.
            text = text if _has_words(text) and not text.rstrip().endswith(QUESTION_MARKS) else ""
        if self._is_grounded:
            text = self._grounder.feed(text) + self._grounder.flush()
        return self._give(text)

    def add(self, text: str) -> str:
        """Add a text of our own, which needs no filter."""
        return self._give(text)

    def add_verbatim(self, text: str) -> str:
        """Add the book's own sentences, filtered and with their marks, behind what a model said."""
        self._verbatim += text
        return self._give(text)

    @property
    def _is_grounded(self) -> bool:
        return not (self._generation.extractive or self._refusal.refused)

    def _give(self, text: str) -> str:
        self._given.append(text)
        return text


def _has_words(text: str) -> bool:
    return any(map(str.isalnum, without_marks(text)))
