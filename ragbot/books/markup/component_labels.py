"""Write the labels that MDX gives to components around text, as tabs and cards, into the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.rewriting import rewrite_prose
from ragbot.books.markup.unread_components import PICTURE

_TEXT = r"\"[^\"]{0,1000}\"|'[^']{0,1000}'"
_VALUE = rf"(?:{_TEXT}|\{{(?:[^{{}}]|\{{[^{{}}]{{0,1000}}\}}){{0,1000}}\}})"
# An opening tag alone on its lines, which text follows. Within a sentence, a component says nothing.
_OPENING = re.compile(
    rf"^(?P<indent>[ \t]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?)<(?P<name>[A-Z][\w.]*)"
    rf"(?P<attributes>(?:\s++[\w:-]++(?:=(?>{_VALUE}))?+)++)\s*(?<!/)>[ \t]*$",
    re.MULTILINE,
)
_QUOTED = r"(?P<quote>[\"'`])(?P<words>(?:(?!(?P=quote))[^{}<>\n])+)(?P=quote)"
_LABEL = re.compile(rf"\s(?:label|title|summary)=(?:\{{\s*)?{_QUOTED}")
_TAB = re.compile(rf"\svalue={_QUOTED}")
# `<Tabs values={[{label: "Windows", value: "win"}]}>` names the tabs in one place.
_VALUES = re.compile(r"<Tabs\b[^<>]{0,1000}?\svalues=\{\[(?P<tabs>[^\[\]<>]*)\]\}")
_FIELD = re.compile(rf"\b(?P<key>label|value)\s*:\s*{_QUOTED}")


def with_component_labels(source: str) -> str:
    """Put the label of each component around text on a line of its own, in bold, as the page shows it."""
    if not _OPENING.search(source):
        return source
    named = dict(_named_tabs(source))

    def labelled(tag: re.Match[str]) -> str:
        words = _words(tag, named)
        indent = re.sub(r"\S", " ", tag["indent"])
        return f"{tag[0]}\n\n{indent}{bold(words)}\n" if words else tag[0]

    return rewrite_prose(source, lambda prose: _OPENING.sub(labelled, prose))


def _named_tabs(source: str) -> Iterator[tuple[str, str]]:
    """Yield the value and the label of each tab that a page lists."""
    for listed in _VALUES.finditer(source):
        for tab in listed["tabs"].split("}"):
            fields = {field["key"]: field["words"] for field in _FIELD.finditer(tab)}
            if len(fields) == 2:
                yield fields["value"], fields["label"]


def _words(tag: re.Match[str], named: dict[str, str]) -> str:
    """Return a component's label; a tab without one is called by its value."""
    if PICTURE.search(tag["name"]):
        return ""
    if (label := _LABEL.search(tag["attributes"])) is not None:
        return label["words"].strip()
    value = _TAB.search(tag["attributes"]) if tag["name"] == "TabItem" else None
    return named.get(value["words"], value["words"]) if value is not None else ""
