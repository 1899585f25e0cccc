"""Take the place of pypdf's text extraction where it errs about lines and the blanks between words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pypdf._page
from pypdf._text_extraction._text_extractor import TextExtraction
from pypdf.generic._font import Font

from ragbot.books.formats.pdf_marks import MARK_BEGINS, MARK_ENDS

# The width of all, and that of signs which are not in the font.
_MOST_WIDTHS_OF_FIXED = 2
FIXED_PITCH_FLAG = 1
_LIGATURE_NAME = re.compile(r"/[A-Za-z](?:_[A-Za-z]){1,3}")
# Signs of LaTeX's companion fonts are known by their names.
_NAMED_LATER = ".ts1"
UNKNOWN_SIGN = "\ufffd"
# Thousandths of the type size. Justified lines of TeX have gaps of 170 and more between words, kerned letters
# of less than 100.
WIDEST_GAP_IN_WORD = 125.0
# What a text begins with instead of a blank if the pen left a gap before it: a hair space.
GAP = "\u200a"
# What moves the pen and shows nothing.
_MOVES = (b"Td", b"Tm", b"T*")


class TextByPlace(TextExtraction):
    """Find lines and the blanks between words where pypdf errs.

    It takes half of the font's blank for the least gap. A font that TeX has put into a file has no blank: the
    sign of that code is a wider one, or counts as an em wide, and a third of the words ran into each other.

    It compares every move of the pen with the one before. Chrome and Google Docs move it up and down again
    before each word, and each word was a line. InDesign and Acrobat go back to the line's start and let a
    number in `TJ` lead to the next letter, and "The" was "T he". Here the places of two texts are compared,
    however the pen went from one to the other.

    It leaves the space that a line has between its words (`Tw`) out of a text's width, and Word's justified
    lines had blanks within words.
    """

    def __init__(self) -> None:
        super().__init__()
        # Since a text was shown: whether the pen was moved, the width of that text, and what a `TJ` added.
        self._has_moved, self._width_before, self._moved_by_tj = False, 0.0, 0.0
        self._spelt_out: set[int] = set()

    def process_operation(self, operator: bytes, operands: list[Any]) -> None:
        """Follow the pen, and look where it is when a text is shown."""
        if operator in _MOVES:
            self._width_before += self.operation_handlers[operator](operands) or 0.0
            self._has_moved, self._moved_by_tj = True, 0.0
            return
        if operator in MARK_BEGINS or operator == MARK_ENDS:
            self._flush_text()
            return
        if operator == b"Tj" and self._has_moved:
            self._look_where_it_is()
        super().process_operation(operator, operands)
        if operator == b"Tj" and self.font.sub_type != "Type0":
            # pypdf keeps `Tw` as one more than it is. It counts for one-byte codes alone.
            self._actual_str_size["str_widths"] += 1000 * (self.space_scale - 1) * _count_blanks(operands)

    def process_tj_offset(self, offset: float, space_width: float) -> None:
        """Add a blank for a wide gap between two texts of a `TJ`; before the first one it is a move."""
        if self._has_moved:
            self._moved_by_tj -= offset * self.font_size / 1000
        else:
            super().process_tj_offset(offset, space_width)

    def _look_where_it_is(self) -> None:
        """Let pypdf begin a line, or add a blank, for all moves since the text before."""
        line, by = self.tm_matrix, self._moved_by_tj
        self.tm_matrix = [*line[:4], line[4] + by * line[0], line[5] + by * line[1]]
        is_empty = not self.text
        self._post_process_text_operation(self._width_before)
        if is_empty and self.text == " ":
            self.text = GAP
        if self.text and scale_of(self.memo_cm, self.memo_tm) != scale_of(self.cm_matrix, self.tm_matrix):
            # A raised number is a run of its own, whether its size is told by the font or by the matrix.
            self._flush_text()
        self.tm_matrix = line
        self._has_moved, self._width_before, self._moved_by_tj = False, 0.0, 0.0

    def _handle_tf(self, operands: list[Any]) -> None:
        super()._handle_tf(operands)
        if id(self.font) not in self._spelt_out:
            self._spelt_out.add(id(self.font))
            _spell_names_out(self.font)
        widths = {width for width in self.font.character_widths.values() if width > 0}
        # In a font of one width a blank is as wide as a letter, and TeX neither shrinks nor kerns it.
        is_fixed = len(widths) <= _MOST_WIDTHS_OF_FIXED or self.font.font_descriptor.flags & FIXED_PITCH_FLAG
        if not is_fixed:
            self._space_width = min(self._space_width, WIDEST_GAP_IN_WORD)


def _count_blanks(operands: Sequence[Any]) -> int:
    shown = operands[0] if operands else ""
    if isinstance(shown, bytes):
        return shown.count(b" ")
    return shown.count(" ") if isinstance(shown, str) else 0


def _spell_names_out(font: Font) -> None:
    """Give the signs that a font calls `f_i` or `f_f_i` their letters; "office" would be "of/f_ice".

    What it calls `g148` may be any letter, and would be the word "/g148".
    """
    if not isinstance(font.encoding, dict):
        return
    for code, name in font.encoding.items():
        if _LIGATURE_NAME.fullmatch(name):
            font.encoding[code] = name[1:].replace("_", "")
        elif len(name) > 1 and name.startswith("/") and not name.endswith(_NAMED_LATER):
            font.encoding[code] = UNKNOWN_SIGN


# pypdf has no other way to tell it.
pypdf._page.TextExtraction = TextByPlace  # type: ignore[attr-defined]


def scale_of(cm: Sequence[float], tm: Sequence[float]) -> float:
    """Return the height of the type on the page, in multiples of its size."""
    return (math.hypot(tm[2], tm[3]) or 1.0) * (math.hypot(cm[2], cm[3]) or 1.0)
