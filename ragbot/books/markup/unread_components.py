"""Count the components of a book's pages whose words are made from their attributes, for the operator."""

from __future__ import annotations

import re
from collections import Counter

from ragbot.books.markup.blocks import parse_page
from ragbot.core.domain import Dialect

# Names that a note tells.
MOST_NAMES = 5

_MAY_BE = re.compile(r"<(?:[A-Z][\w.]*|[a-z]+-[\w-]+)\s[^<>]*?=")
_TAG = re.compile(r"<(?P<name>[A-Z][\w.]*|[a-z]+-[\w-]+)(?=\s)")
# (Braces within braces, as deep as lists of objects with types go.)
_ATTRIBUTE = re.compile(
    r"(?<=\s)(?P<key>[:@]?[A-Za-z][\w:.-]*+)\s*+=\s*+(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'"
    r"|\{(?P<code>(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*+\})*+\})*+\})*+\})*+)\})"
)
_CLOSING = re.compile(r"\s*+(?=</)")
_WORD = re.compile(r"[^\W_]")
# Addresses and names of files.
_ADDRESS = re.compile(r"(?:https?:|mailto:|\.{0,2}/|@|#)\S+|\S+\.[a-z]\w{1,3}")
# Values that are no words: switches, sizes, pictures, functions, names of classes.
_SWITCH = re.compile(
    r"\s*(?:true|false|null|undefined|[-+\d.]+|\{\s*\}|\[\s*\]|(?:require|useBaseUrl)\(.*|.*=>.*)\s*",
    re.DOTALL,
)
# Attributes that say how a component looks, what it is called by scripts, and where it leads.
_UNSEEN_KEYS = frozenset(
    "alt align as class classname classes color colour decoding fill height href icon id img image key lang "
    "language loading media points position ref rel role size slot src srcset sources style target theme to "
    "toc transform url variant viewbox width".split()
)
_UNSEEN = re.compile(r"@|v-(?!text)|on[A-Z:]|client:|set:|data-|aria-")
_SPOKEN_KEYS = frozenset(("title", "label", "description", "text", "caption"))
# Components that draw a picture, or leave no words on the page.
PICTURE = re.compile(
    r"Image|Img|Icon|Video|Audio|Player|Logo|Picture|Avatar|Screenshot|You[Tt]ube|Vimeo|I[Ff]rame|Giscus"
    r"|Redirect|Metadata|S[Ee][Oo]\b|Head\b|Script"
)


class UnreadComponents:
    """Count the components without content, page by page, whose only words stand in their attributes.

    With `shows_spoken` the reader shows titles, labels, descriptions and texts: a component that has one of
    these is not counted.
    """

    def __init__(self, *, shows_spoken: bool = False) -> None:
        self._shows_spoken = shows_spoken
        self._found: Counter[str] = Counter()

    def count(self, source: str) -> None:
        """Count those of a page."""
        if not _MAY_BE.search(source):
            return
        hidden = parse_page(source, Dialect.MDX).prose.hidden
        starts = {start for start, _ in hidden}
        for start, end in hidden:
            tag = _TAG.match(source, start, end)
            if tag is not None and self._is_unread(tag["name"], source[tag.end() : end]):
                closing = _CLOSING.match(source, end)
                is_closed = (
                    closing is not None
                    and closing.end() in starts
                    and source.startswith(f"</{tag['name']}>", closing.end())
                )
                self._found[tag["name"]] += is_closed or source.endswith("/>", start, end)

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for the operator, none for none."""
        found = Counter({name: count for name, count in self._found.items() if count})
        if not found:
            return ()
        total = found.total()
        subject = f"The words of {total} components are" if total > 1 else "The words of a component are"
        names = ", ".join(f"<{name}> {count}" for name, count in found.most_common(MOST_NAMES))
        more = ", ..." if len(found) > MOST_NAMES else ""
        return (
            f"{subject} made by the site from attributes, and missing here ({names}{more}): "
            "give the built HTML where you can.",
        )

    def _is_unread(self, name: str, attributes: str) -> bool:
        """Return whether a component has words in its attributes that are shown nowhere."""
        keys = {attribute["key"] for attribute in _ATTRIBUTE.finditer(attributes) if _is_worded(attribute)}
        spoken = keys & _SPOKEN_KEYS
        if self._shows_spoken and spoken:
            return False
        return bool(spoken if PICTURE.search(name) else keys)


def _is_worded(attribute: re.Match[str]) -> bool:
    key = attribute["key"]
    if key.lstrip(":").lower() in _UNSEEN_KEYS or _UNSEEN.match(key):
        return False
    code = attribute["code"]
    if code is None and not key.startswith(":"):
        text = (attribute["double"] or attribute["single"] or "").strip()
        return bool(text) and _ADDRESS.fullmatch(text) is None
    code = code or attribute["double"] or attribute["single"] or ""
    return _WORD.search(code) is not None and _SWITCH.fullmatch(code) is None
