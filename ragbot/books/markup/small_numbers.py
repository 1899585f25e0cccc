"""Write numbers that are set high or low as the small digits of Unicode."""

from __future__ import annotations

import re

# Small numbers, which without their tags would be read as a part of the word before them: "10<sup>2</sup>".
_RAISED = re.compile(r"(?P<code>`[^`\n]{1,400}`)|<(?P<level>su[pb])>(?P<signs>[0-9+()=n-]{1,8})</(?P=level)>")
_SMALL = {
    "sup": str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ"),
    "sub": str.maketrans("0123456789+-=()n", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₙ"),
}


def with_small_numbers(source: str) -> str:
    """Return Markdown whose short raised and lowered numbers need no tags: 10² for `10<sup>2</sup>`."""
    return _RAISED.sub(_raised, source)


def _raised(found: re.Match[str]) -> str:
    return found["code"] or found["signs"].translate(_SMALL[found["level"]])
