"""Recognise attribute lists (`{#id .class key="value"}`), which several dialects set behind a heading."""

from __future__ import annotations

import re

_ATTRIBUTE = re.compile(
    r"\s*+(?:(?P<sign>[#.])(?P<name>[^\s{}\"'=]++)"
    r"|(?P<key>[A-Za-z_][\w:.-]*+)="
    r"(?:\"(?P<double>[^\"{}\n]*+)\"|'(?P<single>[^'{}\n]*+)'|(?P<bare>[^\s{}\"'=]++))|[A-Za-z][\w-]*+|-)(?=\s|\Z)"
)


def id_in_attributes(text: str) -> str | None:
    """Return the id that an attribute list gives, the last if several, or an empty text if it gives none.

    `text` is what stands between the braces. Returns None if that is no attribute list.
    """
    text = text.strip()
    is_marked = text.startswith(":")
    position, own_id = int(is_marked), ""
    while position < len(text):
        found = _ATTRIBUTE.match(text, position)
        if found is None:
            return None
        position = found.end()
        # A name alone, or `a=b`, may be the author's own words in braces.
        is_plain = found["sign"] is None and found["double"] is None and found["single"] is None
        is_marked = is_marked or not is_plain or found["key"] in ("id", "class")
        if found["sign"] == "#":
            own_id = found["name"]
        elif found["key"] == "id":
            own_id = found["double"] or found["single"] or found["bare"] or ""
    return own_id if is_marked else None
