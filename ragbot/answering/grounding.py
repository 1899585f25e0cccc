"""Check each sentence of an answer against the passages while it streams, and repair its marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ragbot.answering.statements import Kind, Piece, StatementSplitter
from ragbot.answering.support import Claim, SupportFinder, says_silence
from ragbot.core.answers import Grounding
from ragbot.core.text import asks


class Grounder:
    """Give an answer's text with marks that hold, and count what they hold.

    A mark whose passage does not support its sentence is moved to the passage that does, or dropped; a
    sentence without a mark gets the one of the passage that supports it. Words pass at once, marks at the end
    of their sentence. `passage_of` gives the passage (from 1) behind a mark and `mark_of` the mark for a
    passage, each None where there is none; `read` are the passages that the model was shown.
    """

    def __init__(
        self,
        support: SupportFinder,
        *,
        passage_of: Callable[[int], int | None],
        mark_of: Callable[[int], int | None],
        read: Sequence[int],
    ) -> None:
        self._support = support
        self._passage_of = passage_of
        self._mark_of = mark_of
        self._read = tuple(read)
        self._splitter = StatementSplitter()
        self._length = 0
        self._last = ""
        self._sentences = 0
        self._cited = 0
        self._silences = 0
        self._questions = 0
        self._announced = 0
        self._unsupported: list[tuple[int, int]] = []

    def feed(self, text: str) -> str:
        """Return the text that can be shown now; it may be empty."""
        return self._given(self._splitter.feed(text))

    def flush(self) -> str:
        """Return the rest, at the end of the answer."""
        return self._given(self._splitter.flush())

    @property
    def is_unsupported(self) -> bool:
        """Return whether nothing that the answer claims is supported, or it does nothing but ask."""
        if self._sentences:
            return len(self._unsupported) == self._sentences
        return bool(self._questions) and not (self._announced or self._silences)

    @property
    def only_says_silence(self) -> bool:
        """Return whether all that the answer says is that the book does not say it."""
        return bool(self._silences) and not self._sentences

    @property
    def grounding(self) -> Grounding:
        """Return the counts so far, and where the unsupported sentences stand in the text that was given."""
        supported = self._sentences - len(self._unsupported)
        return Grounding(self._sentences, self._cited, supported, tuple(self._unsupported))

    def _given(self, pieces: Sequence[Piece]) -> str:
        given: list[str] = []
        for piece in pieces:
            text = piece.text if piece.kind is Kind.FILLER else self._checked(piece)
            given.append(text)
            self._length += len(text)
            self._last = text[-1:] or self._last
        return "".join(given)

    def _checked(self, piece: Piece) -> str:
        """Return the text of a sentence or of the end of a block with marks that hold."""
        claim = self._support.claim_of(piece.body)
        if claim is None:
            self._count_without_claim(piece.body)
            return self._with_marks(piece, self._known(piece.marks))
        self._sentences += 1
        known = self._known(piece.marks)
        holding = [mark for mark in known if self._holds(mark, claim)]
        if not holding and (best := self._support.best(claim, self._read)) is not None:
            mark = self._mark_of(best)
            if mark is None:
                # The list of sources has no place left for it.
                return self._with_marks(piece, [])
            holding = [mark]
        text = self._with_marks(piece, holding)
        if holding:
            self._cited += 1
        else:
            self._unsupported.append(self._span(piece, text))
        return text

    def _span(self, piece: Piece, text: str) -> tuple[int, int]:
        """Return where a sentence stands, its marks included, or the table or listing before a piece."""
        start = self._length - piece.given
        if piece.kind is Kind.BLOCK:
            return start, start + len(piece.body.rstrip())
        return start, self._length + len(text)

    def _count_without_claim(self, text: str) -> None:
        if says_silence(text):
            self._silences += 1
        elif asks(text):
            self._questions += 1
        else:
            self._announced += 1

    def _known(self, marks: Sequence[int]) -> list[int]:
        return [mark for mark in dict.fromkeys(marks) if self._passage_of(mark) is not None]

    def _holds(self, mark: int, claim: Claim) -> bool:
        passage = self._passage_of(mark)
        return passage is not None and self._support.supports(passage, claim)

    def _with_marks(self, piece: Piece, marks: Sequence[int]) -> str:
        if tuple(marks) == tuple(dict.fromkeys(piece.marks)):
            return piece.text
        kept = [mark for mark in piece.marks if mark in marks]
        text = piece.text_with(marks)
        new = "".join(f"[{mark}]" for mark in marks if mark not in kept)
        if not new:
            return text
        if piece.kind is Kind.SENTENCE:
            return f"{text} {new}"
        if piece.text:
            return text + new
        # Behind a table or a listing a mark stands in a paragraph of its own.
        return f"\n{new}\n" if self._last == "\n" else f"\n\n{new}\n"


def verbatim_grounding(answer: str) -> Grounding:
    """Return the counts of an answer that is made of the book's own sentences, all of them cited."""
    splitter = StatementSplitter()
    pieces = [*splitter.feed(answer), *splitter.flush()]
    claims = sum(
        piece.kind is not Kind.FILLER and not piece.body.rstrip("*_ ").endswith(":") for piece in pieces
    )
    return Grounding(claims, claims, claims)
