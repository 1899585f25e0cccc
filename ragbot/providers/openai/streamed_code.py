"""Follow code spans and fences through a streamed text."""

from __future__ import annotations

import re

_RUN = re.compile(r"`+|\n")


def open_code_mark(length: int, text: str) -> int:
    """Return the length of the run of back ticks that is open behind a text; 0 outside of code.

    `length` is that of the run that is open before it. A fence (three and more) goes on over line ends.
    """
    for run in _RUN.finditer(text):
        if run.group() == "\n":
            length = length if length >= 3 else 0
        elif not length:
            length = len(run.group())
        elif len(run.group()) == length or len(run.group()) > length >= 3:
            length = 0
    return length
