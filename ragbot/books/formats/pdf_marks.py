"""Follow the marks in a PDF page's content, between which a piece stands that the file's tags name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragbot.books.formats.pdf_tags import ARTIFACT, Tag

MARK_BEGINS = (b"BDC", b"BMC")
MARK_ENDS = b"EMC"
# More are open on no page.
_MOST_OPEN = 1_000


class OpenMarks:
    """Hold the marks that are open. `tags` are the page's by MCID, `properties` its named property lists.

    On a page without tags nothing is marked, and no artifact either.
    """

    def __init__(self, tags: Mapping[int, Tag], properties: Mapping[Any, Any]) -> None:
        self._tags = tags
        self._properties = properties
        self._open: list[Tag | None] = []
        self._forms = 0

    @property
    def tag(self) -> Tag | None:
        """Return the tag of what is drawn now; None if it has none."""
        return self._open[-1] if self._open else None

    def begin(self, operands: Sequence[Any]) -> None:
        """Open a mark, with the operands of its operator."""
        # A form's numbers are its own.
        if self._tags and not self._forms and len(self._open) < _MOST_OPEN:
            self._open.append(self._tag_of(operands))

    def end(self) -> None:
        """Close the mark that was opened last."""
        if not self._forms and self._open:
            self._open.pop()

    def enter_form(self) -> None:
        """Begin a form, which is drawn as part of the page."""
        self._forms += 1

    def leave_form(self) -> None:
        """End a form."""
        self._forms -= 1

    def _tag_of(self, operands: Sequence[Any]) -> Tag | None:
        if operands and operands[0] == "/Artifact":
            return ARTIFACT
        properties = operands[1] if len(operands) > 1 else None
        if isinstance(properties, str):
            properties = self._properties.get(properties)
        number = properties.get("/MCID") if isinstance(properties, Mapping) else None
        return self._tags.get(number, self.tag) if isinstance(number, int) else self.tag
