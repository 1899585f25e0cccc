"""Write raised and lowered numbers with the small signs that Unicode has for them: 10⁹, CO₂."""

from __future__ import annotations

import re

_SMALL = {
    "sup": str.maketrans("0123456789+-\u2212=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ"),
    "sub": str.maketrans("0123456789+-\u2212=()n", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₙ"),
}

# A short number between its tags, and the beginning of one.
SMALL_NUMBER = re.compile(
    r"<(?P<level>su[pb])>(?P<slant>\*?)(?P<signs>[0-9+()=n\u2212-]{1,8})(?P=slant)</(?P=level)>"
)
SMALL_NUMBER_BEGUN = re.compile(r"<su[pb]>[*0-9+()=n\u2212-]{0,10}(?:<(?:/(?:s(?:u[pb]?)?)?)?)?")


def small_number(found: re.Match[str]) -> str:
    """Return what SMALL_NUMBER has found in small signs."""
    return found["signs"].translate(_SMALL[found["level"]])
