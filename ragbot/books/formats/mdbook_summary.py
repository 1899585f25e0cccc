"""Parse an mdBook's SUMMARY.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ragbot.books.formats.markdown import plain_text
from ragbot.books.markup.blocks import line_spans

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_PART = re.compile(r" {0,3}(?P<level>#{1,6})[ \t]+(?P<title>.+?)(?:[ \t]+#+)?[ \t]*")
_ENTRY = re.compile(
    r"(?P<indent>[ \t]*)(?P<bullet>(?:[-*+]|\d{1,9}[.)])[ \t]+)?"
    r"\[(?P<title>(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\]\((?P<link><[^<>]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)?)"
    r"(?:[ \t]+[\"'(][^\r\n]*)?\)[ \t]*"
)
_OTHER_SITE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//|mailto:")
# GitBook writes `summary\_of\_changes.md`. CommonMark 0.31, 2.4: a backslash before a sign of ASCII.
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


@dataclass(frozen=True, slots=True)
class SummaryChapter:
    """Describe a chapter that has a file; `parts` are the titles of the part and the chapters above it."""

    title: str
    link: str
    parts: tuple[str, ...]


def parse_summary(summary: str) -> list[SummaryChapter]:
    """Return the chapters that have a file, in order. Drafts only add their title to chapters below.

    Entries that lead to another site are no chapters.
    """
    return list(_chapters(_COMMENT.sub("", summary)))


def _chapters(summary: str) -> Iterator[SummaryChapter]:
    part = ""
    above: list[tuple[int, str]] = []
    is_first_heading = True
    for start, end in line_spans(summary, 0, len(summary)):
        heading = _PART.fullmatch(summary, start, end)
        if heading is not None:
            # The summary's own title ("Summary", "Table of contents"), before any chapter, is no part.
            is_title = is_first_heading and heading["level"] == "#"
            part = "" if is_title else plain_text(heading["title"])
            is_first_heading, above = False, []
            continue
        entry = _ENTRY.fullmatch(summary, start, end)
        if entry is None:
            continue
        is_first_heading = False
        title = plain_text(entry["title"])
        link = _ESCAPED.sub(r"\1", entry["link"].strip("<>").split("#")[0])
        depth = len(entry["indent"].expandtabs(4)) if entry["bullet"] else -1
        above = [outer for outer in above if outer[0] < depth and entry["bullet"]]
        # Chapters before and after the numbered ones belong to no part.
        parts = (
            (part, *(name for _, name in above)) if part and entry["bullet"] else tuple(n for _, n in above)
        )
        if entry["bullet"]:
            above.append((depth, title))
        if link and not _OTHER_SITE.match(link):
            yield SummaryChapter(title, link.removeprefix("./"), parts)
