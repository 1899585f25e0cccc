"""Write the labels that MDX gives to components around text, as tabs and cards, into the text."""

from __future__ import annotations

import re

from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.rewriting import rewrite_prose
from ragbot.books.markup.unread_components import PICTURE

_TEXT = r"\"[^\"]{0,1000}\"|'[^']{0,1000}'"
_VALUE = rf"(?:{_TEXT}|\{{(?:[^{{}}]|\{{[^{{}}]{{0,1000}}\}}){{0,1000}}\}})"
# An opening tag that is alone on its lines, so that text follows: within a sentence it draws, and says nothing.
_OPENING = re.compile(
    rf"^(?P<indent>[ \t]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?)<(?P<name>[A-Z][\w.]*)"
    rf"(?P<attributes>(?:\s++[\w:-]++(?:=(?>{_VALUE}))?+)++)\s*(?<!/)>[ \t]*$",
    re.MULTILINE,
)
_LABEL = re.compile(
    r"\s(?:label|title|summary)=(?:\{\s*)?(?:\"(?P<double>[^\"{}<]+)\"|'(?P<single>[^'{}<]+)'|`(?P<code>[^`{}<]+)`)"
)
_TAB = re.compile(r"\svalue=(?:\"(?P<double>[^\"]+)\"|'(?P<single>[^']+)')")
# `<Tabs values={[{label: "Windows", value: "win"}]}>` names the tabs in one place.
_NAMED = re.compile(
    r"\{\s*(?:label:\s*(?P<q1>[\"'])(?P<label>[^\"'\n]+)(?P=q1)\s*,\s*value:\s*(?P<q2>[\"'])(?P<value>[^\"'\n]+)(?P=q2)"
    r"|value:\s*(?P<q3>[\"'])(?P<value2>[^\"'\n]+)(?P=q3)\s*,\s*label:\s*(?P<q4>[\"'])(?P<label2>[^\"'\n]+)(?P=q4))"
)


def with_component_labels(source: str) -> str:
    """Put the label of each component around text on a line of its own, in bold, as the page shows it."""
    if not _OPENING.search(source):
        return source
    named = {m["value"] or m["value2"]: m["label"] or m["label2"] for m in _NAMED.finditer(source)}

    def labelled(tag: re.Match[str]) -> str:
        words = _words(tag, named)
        indent = re.sub(r"\S", " ", tag["indent"])
        return f"{tag[0]}\n\n{indent}{bold(words)}\n" if words else tag[0]

    return rewrite_prose(source, lambda prose: _OPENING.sub(labelled, prose))


def _words(tag: re.Match[str], named: dict[str, str]) -> str:
    """Return a component's label; a tab without one is called by its value."""
    if PICTURE.search(tag["name"]):
        return ""
    label = _LABEL.search(tag["attributes"])
    if label is not None:
        return (label["double"] or label["single"] or label["code"]).strip()
    value = _TAB.search(tag["attributes"]) if tag["name"] == "TabItem" else None
    if value is None:
        return ""
    written = value["double"] or value["single"]
    return named.get(written, written)
