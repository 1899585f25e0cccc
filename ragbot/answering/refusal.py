"""Keep the word by which a generator refuses from readers."""

from __future__ import annotations

import re

from ragbot.core.domain import NOT_IN_BOOK

LEFT_OUT = "…"

# Markdown may escape an underscore, and models change the letter case.
_WORD = re.compile(NOT_IN_BOOK.replace("_", r"\\?_"), re.IGNORECASE)
_LONGEST_BEGUN = len(NOT_IN_BOOK) + NOT_IN_BOOK.count("_") - 1
_MAY_BE_BEGUN = re.compile(rf"[{''.join(sorted(set(NOT_IN_BOOK)))}\\]+\Z", re.IGNORECASE)


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
