"""Detect a generator's refusal, and remove the refusal sentinel from what readers see."""

from __future__ import annotations

import re

from ragbot.core.answers import NOT_IN_BOOK

LEFT_OUT = "…"

# Signs that a model may put before the sentinel, and after it.
_BEFORE_REFUSAL = " \t\n*_`#>-–—•\"'“”‘’«»([{"
_BEHIND_REFUSAL = " \t\n:.-–—*_`\"'“”‘’«»)]}"
# As the prompt's own example has it, in some languages.
_LABELS = ("answer", "antwort", "réponse", "respuesta", "risposta", "resposta", "ответ", "答案", "回答")

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
            start = _without_label(self._head.lstrip(_BEFORE_REFUSAL))
            if start is None or _is_begun(start):
                return ""
            sentinel = _WORD.match(start)
            self.refused = sentinel is not None
            if sentinel is None:
                return self._head
            self._between = _BEHIND_REFUSAL
            piece = start[sentinel.end() :]
        if self._between and (piece := piece.lstrip(self._between)):
            self._between = ""
        return piece

    def flush(self) -> str:
        """Return what is still held back, at the end of the answer."""
        return self._head if self.refused is None else ""


def _without_label(start: str) -> str | None:
    """Return what follows a label such as "Answer:", if there is one; None while that is not known."""
    folded = start.casefold()
    if any(label.startswith(folded) for label in _LABELS):
        return None
    for label in _LABELS:
        if folded.startswith(label):
            behind = start[len(label) :].lstrip(" *_`")
            if not behind:
                return None
            if behind[0] in ":：":
                return behind[1:].lstrip(_BEFORE_REFUSAL)
    return start


def _is_begun(start: str) -> bool:
    """Return whether a text may become the sentinel."""
    plain = start.replace("\\", "").upper()
    return len(plain) < len(NOT_IN_BOOK) and NOT_IN_BOOK.startswith(plain)


def has_sentinel(text: str) -> bool:
    """Return whether the sentinel is in a text, however it is spelt."""
    return _WORD.search(text) is not None


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
