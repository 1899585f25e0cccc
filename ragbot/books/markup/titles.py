"""Reduce the titles of a site's navigation and front matter to the words that a reader sees."""

from __future__ import annotations

import re
from collections import defaultdict

from ragbot.books.markup.emphasis import without_spans
from ragbot.books.markup.entities import decoded
from ragbot.core.invisible_characters import without_invisible

# No title is longer; the markup of a longer one is not parsed, which could be slow.
MAX_TITLE = 1_000

_TAG = re.compile(r"<(?P<closes>/)?(?P<name>[A-Za-z][\w:-]*)(?:\s[^<>]*?)?(?P<is_empty>/)?>")
_EMPTY_TAGS = frozenset({"br", "img", "wbr"})
_CLOSING_MARKS = re.compile(r"(?<![#\s])[ \t]+#+[ \t]*\Z")


def plain_title(title: str) -> str:
    """Return a title on one line without tags and signs without width, references as signs.

    A tag that is never closed is the author's own word ("The <head> element").
    """
    if len(title) > MAX_TITLE:
        return title
    title = re.sub(r"<br\s*/?>", " ", title, flags=re.IGNORECASE)
    return " ".join(without_invisible(decoded(without_spans(title, _tags(title)))).split())


def without_closing_marks(heading: str) -> str:
    """Return a heading of Markdown without the marks that may close it ("## Boats ##")."""
    return _CLOSING_MARKS.sub("", heading.strip())


def plain_titles(titles: tuple[str, ...]) -> tuple[str, ...]:
    """Return the titles above a page as `plain_title` does, without those of which nothing is left."""
    return tuple(filter(None, map(plain_title, titles)))


def _tags(title: str) -> list[tuple[int, int]]:
    opened: dict[str, list[tuple[int, int]]] = defaultdict(list)
    found: list[tuple[int, int]] = []
    for tag in _TAG.finditer(title):
        name = tag["name"].lower()
        if tag["is_empty"] or name in _EMPTY_TAGS:
            found.append(tag.span())
        elif not tag["closes"]:
            opened[name].append(tag.span())
        elif opened[name]:
            found += (opened[name].pop(), tag.span())
    return sorted(found)
