"""Parse HTML, and refuse pages that are built to keep the parser busy.

The parser's time grows with the square of the nesting depth, the attributes and some other counts. Pages with
too many are refused before they are parsed. Since some can be hidden from counting (in a comment, in quotes,
behind end tags that close nothing), a long page is parsed in growing prefixes within a time limit.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from html import escape

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragbot.core.errors import FileUnreadable
from ragbot.core.page_links import joined

# Deeper trees are no pages, and the parser takes minutes over them.
MAX_DEPTH = 1_000
# The richest tags of real pages, those of drawings and of widgets, have some fifty.
MAX_ATTRIBUTES = 1_000
# A choice of all languages or time zones has six hundred.
MAX_OPTIONS = 10_000
# An unclosed one is opened again in every paragraph that follows; careless pages leave a few.
MAX_OPEN_FORMATTING = 100

# Each prefix is longer than the last by this, or by this part of itself, so that all together are at most
# twenty times the page. The worst known page takes a third of a second for one.
PREFIX_CHARACTERS = 64_000
PREFIX_PART = 16
# Real pages take a third of a second for a million characters, all prefixes together.
FREE_S = 2.0
S_PER_MILLION = 1.0

# (Scripts may hold text that looks like tags; an unclosed one takes the rest.)
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
_REDIRECT = re.compile(r"url\s*=\s*['\"]?(?P<url>[^'\"]+)", re.IGNORECASE)
# Closes a tag, wherever in it the prefix ends.
_END_OF_TAG = "\"'>"


def parse_html(source: str, *, clock: Callable[[], float] = time.thread_time) -> LexborHTMLParser:
    """Parse a page. Raises FileUnreadable if it exceeds a limit or takes too long.

    `clock` gives the seconds of processor time of this thread.
    """
    _refuse_by_count(source)
    end = clock() + FREE_S + S_PER_MILLION * len(source) / 1_000_000
    length = PREFIX_CHARACTERS
    while length < len(source):
        LexborHTMLParser(source[:length] + _END_OF_TAG)
        if clock() > end:
            raise FileUnreadable("The page takes much longer to parse than other pages of its size.")
        length += max(PREFIX_CHARACTERS, length // PREFIX_PART)
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
    """Return the greatest number of attributes in a text: its words, without quoted values."""
    return len(_QUOTED.sub(" ", text).replace("/", " ").split())


def new_element(source: str) -> LexborNode:
    """Return the element that a piece of HTML holds, to be put into a page."""
    return LexborHTMLParser(source).css("body > *")[0]


def new_paragraph(node: LexborNode, *, bold: bool = False) -> LexborNode:
    """Return a paragraph with a node's words, to be put into the page."""
    words = escape(" ".join(node.text().split()))
    return new_element(f"<p><strong>{words}</strong></p>" if bold else f"<p>{words}</p>")


def redirects_of(tree: LexborHTMLParser) -> list[str]:
    """Return where a page sends its reader without being asked."""
    contents = (node.attributes.get("content") or "" for node in tree.css("meta[http-equiv=refresh i]"))
    found = (_REDIRECT.search(content) for content in contents)
    return with_base(tree, (redirect["url"].strip() for redirect in found if redirect is not None))


def with_base(tree: LexborHTMLParser, links: Iterable[str]) -> list[str]:
    """Return links joined to the address that a page names for all of its links, if it names one."""
    base = tree.css_first("base[href]")
    named = (base.attributes.get("href") or "").strip() if base is not None else ""
    return [joined(named, link) for link in links]


def letters_in(text: str) -> int:
    """Return how many letters and digits a text has."""
    return sum(map(str.isalnum, text))
