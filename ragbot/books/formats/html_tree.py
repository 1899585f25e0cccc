"""A page's HTML to its tree, or to a refusal where it is made to keep the parser busy.

The parser's time grows with the square of several things. What can be counted is refused before it is
parsed; for what hides from counting (in a comment, in quotes, behind end tags that end nothing) the page
is parsed piece by piece, longer each time, for as long as its length allows.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable

from selectolax.lexbor import LexborHTMLParser

from ragbot.core.errors import FileUnreadable

# Deeper trees are no pages, and the parser takes minutes over them.
MAX_DEPTH = 1_000
# The richest tags of real pages, those of drawings and of widgets, have some fifty.
MAX_ATTRIBUTES = 1_000
# A choice of all languages or time zones has six hundred.
MAX_OPTIONS = 10_000
# What is left open is opened again in every paragraph that follows; careless pages leave a few.
MAX_OPEN_FORMATTING = 100

# Each piece is longer by this, or by this part of itself, so that all pieces together are at most
# twenty times the page. The worst that is known takes a third of a second for one.
PIECE_CHARACTERS = 64_000
PIECE_PART = 16
# Real pages take a third of a second for a million characters, with all their pieces.
FREE_S = 2.0
S_PER_MILLION = 1.0

# (What is in scripts looks like tags now and then; one that does not end takes the rest.)
_TAG = re.compile(
    r"<(?:!--(?s:.*?)(?:-->|\Z)|(?P<raw>(?i:script|style))\b(?s:.*?)(?:</(?i:(?P=raw))|\Z)"
    r"|(?P<close>/?)(?P<name>[a-zA-Z][\w-]*+)(?P<attributes>[^<>]*+)(?P<empty>(?<=/))?(?P<end>>)?)"
)
_UNCLOSED = frozenset(
    "area base br col embed hr img input link meta source track wbr p li dt dd tr td th option thead tbody "
    "html body head colgroup rt rp".split()
)
# (An open `a` or `nobr` is closed by the next.)
_FORMATTING = frozenset("b big code em font i s small strike strong tt u".split())
_QUOTED = re.compile(r"\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)")
# Ends a tag, wherever in it the piece is cut.
_END_OF_TAG = "\"'>"


def parse_html(source: str, *, clock: Callable[[], float] = time.thread_time) -> LexborHTMLParser:
    """Parse a page. Raises FileUnreadable where it nests or repeats what no page does, or takes too long."""
    _refuse_by_count(source)
    end = clock() + FREE_S + S_PER_MILLION * len(source) / 1_000_000
    length = PIECE_CHARACTERS
    while length < len(source):
        LexborHTMLParser(source[:length] + _END_OF_TAG)
        if clock() > end:
            raise FileUnreadable("The page is written so that it takes a parser many times what pages take.")
        length += max(PIECE_CHARACTERS, length // PIECE_PART)
    return LexborHTMLParser(source)


def _refuse_by_count(source: str) -> None:
    depth = options = 0
    formatting: Counter[str] = Counter()
    for match in _TAG.finditer(source):
        if match["name"] is None:
            continue
        if len(match["attributes"]) > MAX_ATTRIBUTES and _attributes(match["attributes"]) > MAX_ATTRIBUTES:
            raise FileUnreadable(f"The page has a tag with more than {MAX_ATTRIBUTES:,} attributes.")
        # XHTML closes empty elements in their own tag; a comparison in the text has no end.
        if match["empty"] is not None or match["end"] is None:
            continue
        name, step = match["name"].lower(), -1 if match["close"] else 1
        options += name == "option" and step > 0
        if name in _FORMATTING:
            formatting[name] = max(formatting[name] + step, 0)
            if formatting.total() > MAX_OPEN_FORMATTING:
                raise FileUnreadable(
                    f"The page leaves more than {MAX_OPEN_FORMATTING} bold or other marks open."
                )
        if name not in _UNCLOSED:
            depth = max(depth + step, 0)
        if depth > MAX_DEPTH:
            raise FileUnreadable(f"The page nests its elements more than {MAX_DEPTH:,} deep.")
        if options > MAX_OPTIONS:
            raise FileUnreadable(f"The page has more than {MAX_OPTIONS:,} options to choose from.")


def _attributes(text: str) -> int:
    """How many there are at most: what stands between white space, quoted values aside."""
    return len(_QUOTED.sub(" ", text).replace("/", " ").split())
