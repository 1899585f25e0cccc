"""Turn the components of a page into the words in their attributes, in a line or as paragraphs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ragbot.books.markup.code_spans import rewrite_around_code
from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.rewriting import rewrite_prose
from ragbot.core.text import line_starts

_COMPONENT = re.compile(
    r"<(?P<closes>/[ \t]*)?(?P<name>[A-Z][\w.]*+)"
    r"(?:\s(?>[^<>\"']|\"[^\"]{0,2000}\"|'[^']{0,2000}'|=>){0,2000}+)?(?<![=])/?>"
)
_SPOKEN = re.compile(r"\b(?:title|label|description|text|alt)=([\"'])(?P<words>(?:(?!\1).)+)\1", re.DOTALL)
_HTML_TAG = re.compile(r"</?[a-z][^<>\n]*>")
_HEADING = re.compile(r"#{1,6}[ \t]")
# What stands before the first words of an item or a quote.
_ITEM = re.compile(r"[ \t>]*(?:[-*+]|\d{1,9}[.)]|>)[ \t]*")


@dataclass(frozen=True, slots=True)
class _Tag:
    """Hold a tag of a component, and what stands in its line: before the first tag, and on both sides."""

    match: re.Match[str]
    beginning: str
    is_first: bool
    has_words: bool
    before: str
    after: str

    @property
    def holds_nothing(self) -> bool:
        following = self.match.string.startswith(f"</{self.match['name']}>", self.match.end())
        return not self.match["closes"] and (self.match[0].endswith("/>") or following)


def unwrap_components(text: str) -> str:
    """Turn components into the words in their attributes; what stands between their tags stays.

    The words of a component among others stay in their line; else they are paragraphs.
    """
    if "<" not in text:
        return text
    return rewrite_prose(text, lambda prose: rewrite_around_code(prose, _unwrapped))


def _unwrapped(text: str) -> str:
    pieces: list[str] = []
    position = 0
    for tags in _tags_of_lines(text):
        partners = _partners(tags)
        for number, tag in enumerate(tags):
            shown = _shown(tag, tags[partners.get(number, number)])
            pieces += (text[position : tag.match.start()], shown)
            position = tag.match.end()
    return "".join((*pieces, text[position:]))


def _tags_of_lines(text: str) -> Iterator[list[_Tag]]:
    """Yield the tags of each line; the lines of a tag that has several are one."""
    plain = _HTML_TAG.sub(_blank, _COMPONENT.sub(_blank, text))
    starts = [*line_starts(plain), len(plain) + 1]
    for line, found in groupby(_COMPONENT.finditer(text), lambda tag: bisect_right(starts, tag.end())):
        matches = list(found)
        start, end = starts[line - 1], starts[line] - 1
        edges = [start, *(edge for match in matches for edge in match.span()), end]
        between = [plain[left:right] for left, right in zip(edges[::2], edges[1::2], strict=True)]
        has_words = any(words.strip(" \t\r>") for words in between)
        yield [
            _Tag(
                match,
                between[0],
                number == 0,
                has_words,
                between[number].strip(),
                between[number + 1].strip(),
            )
            for number, match in enumerate(matches)
        ]


def _blank(tag: re.Match[str]) -> str:
    return " " * len(tag[0])


def _partners(tags: Sequence[_Tag]) -> dict[int, int]:
    """Map the tag that opens a component to the one that closes it in the same line, and back."""
    opened: dict[str, list[int]] = {}
    partners: dict[int, int] = {}
    for number, tag in enumerate(tags):
        same = opened.setdefault(tag.match["name"], [])
        if not tag.match["closes"]:
            same += [] if tag.match[0].endswith("/>") else [number]
        elif same:
            opening = same.pop()
            partners |= {opening: number, number: opening}
    return partners


def _shown(tag: _Tag, partner: _Tag) -> str:
    if _HEADING.match(tag.beginning):
        # A badge; the author's id stands behind it.
        return ""
    words = [found["words"].strip() for found in _SPOKEN.finditer(tag.match[0])]
    if not _is_in_line(tag, partner):
        return f"\n{bold(words[0])}\n\n" + " ".join(words[1:]) + "\n" if words else "\n"
    is_label = tag.is_first and _ITEM.fullmatch(tag.beginning) is not None
    if not words or not (tag.holds_nothing or is_label):
        # (What is given to a tag around words is a tool tip.)
        return ""
    text, (start, end) = tag.match.string, tag.match.span()
    lead = " " if text[start - 1 : start].strip() else ""
    trail = " " if not tag.holds_nothing or text[end : end + 1].isalnum() else ""
    return f"{lead}{' '.join((bold(words[0]), *words[1:]))}{trail}".replace("\n", " ")


def _is_in_line(tag: _Tag, partner: _Tag) -> bool:
    if tag.beginning.strip():
        return True
    if tag.holds_nothing or partner.holds_nothing:
        return tag.has_words
    if partner is tag:
        return bool(tag.after if tag.match["closes"] else tag.before)
    first, last = (partner, tag) if tag.match["closes"] else (tag, partner)
    return bool(first.before or last.after)
