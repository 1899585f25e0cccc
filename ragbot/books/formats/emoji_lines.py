"""Remove the names of small pictures from a page, with the anchors of its headings as they were."""

from __future__ import annotations

import re

from ragbot.books.formats.markdown import plain_text
from ragbot.books.markup.emoji import without_emoji
from ragbot.books.markup.slugs import github_slug

_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?P<words>[^{}\n]*[^{}#\s])[ \t]*")


def without_emoji_in_text(line: str) -> str:
    """Remove the names from a line that is no heading."""
    return line if line.lstrip().startswith("#") else without_emoji(line)


def without_emoji_as_on_github(line: str) -> str:
    """Remove the names from a line; a heading is given the anchor that GitHub and Docusaurus make of them."""
    heading = _HEADING.fullmatch(line)
    shown = without_emoji(line)
    if heading is None or shown == line or not shown.strip(" #"):
        return without_emoji_in_text(line)
    return f"{shown.rstrip()} {{#{github_slug(plain_text(heading['words']))}}}"
