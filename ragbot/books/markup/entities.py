"""Decode the character references of HTML (`&deg;`) to the signs that a page shows."""

from __future__ import annotations

import re
from html import unescape

from ragbot.core.invisible_characters import without_invisible

ENTITY = r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_ENTITY = re.compile(ENTITY)


def decoded(text: str) -> str:
    """Return a text with signs in place of its references; blanks that do not break are blanks."""
    return _ENTITY.sub(lambda entity: _blank(shown_sign(entity)), text) if "&" in text else text


def shown_sign(entity: re.Match[str]) -> str:
    """Return the sign that a page shows for a reference; none for one without width, such as `&shy;`."""
    before = entity.string[max(entity.start() - 1, 0) : entity.start()]
    return without_invisible(unescape(entity.group()), before)


def as_markdown(entity: re.Match[str]) -> str:
    """Return the sign of a reference, escaped where Markdown would take it for markup."""
    sign = _blank(shown_sign(entity))
    if sign == "&":
        # "&amp;lt;" shows "&lt;".
        return "\\&" if _ENTITY.match(f"&{entity.string[entity.end() : entity.end() + 40]}") else sign
    # A bar may stand in a cell, where one escape is taken off.
    is_markup = len(sign) == 1 and sign.isascii() and not sign.isalnum() and not sign.isspace()
    return entity.group() if sign == "|" else f"\\{sign}" if is_markup else sign


def _blank(sign: str) -> str:
    return " " if sign == "\N{NO-BREAK SPACE}" else sign
