"""Remove characters that no screen shows, in which instructions and secrets can be hidden."""

from __future__ import annotations

import re

# Unicode's "default ignorable" characters, the signs around notes, blanks that are letters, and controls
# but tabs and line ends. Among them are the tags (a whole ASCII that no screen shows), the signs that turn
# the direction of writing, and variation selectors, which carry a byte each. New ones of the kind are
# assigned within the last range.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b"
    "\u200e\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# They end a line for some programs and not for others.
_LINE_ENDS = re.compile("[\u2028\u2029\x85]")

# Persian, the languages of India and composed emoji are not written rightly without a joiner, and emoji
# not without their selector. Each stays behind what needs it; a second in a row says nothing more.
_JOINERS = "\u200c\u200d"
_SELECTOR = "\ufe0f"
_RUN = re.compile(f"[{_JOINERS}{_SELECTOR}]+")
_JOINED = re.compile(
    "[\u0590-\u109f\u1700-\u18af\u2190-\u2bff\ufb1d-\ufdff\ufe0f\ufe70-\ufefc\U0001f000-\U0001faff]"
)
_SELECTED = re.compile("[#*0-9\u00a9\u00ae\u203c\u2049\u2122-\u2bff\u3030-\u3299\U0001f000-\U0001faff]")


def without_invisible(text: str, before: str = "") -> str:
    """Return the text without invisible characters. `before` is the text shown so far, if any.

    A text that comes in pieces gives the same result as the whole, if `before` is passed with each piece.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))

    def needed(run: re.Match[str]) -> str:
        last = text[run.start() - 1] if run.start() else before[-1:]
        needed_signs = ""
        for sign in run.group():
            needs = _SELECTED if sign == _SELECTOR else _JOINED
            if needs.fullmatch(last):
                needed_signs += sign
                last = sign
        return needed_signs

    return _RUN.sub(needed, text)
