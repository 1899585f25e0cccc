"""Rewrite what Obsidian adds to Markdown: links by a page's name, embedded files, comments, callouts."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote

from ragbot.books.markup.code_spans import rewrite_around_code
from ragbot.books.markup.emphasis import bold
from ragbot.books.markup.rewriting import rewrite_prose

# `[[Oars]]`, `[[Oars#Care|how to care]]`, `![[oar.png|400]]`; in a table the line is escaped.
_WIKI_LINK = re.compile(
    r"(?P<embed>!?)\[\[(?P<page>[^\[\]|#\\\n]{0,300})(?P<heading>(?:#[^\[\]|\\\n]{0,300})?)"
    r"(?:\\?\|(?P<shown>[^\[\]\n]{0,300}))?\]\]"
)
_COMMENT = re.compile(r"%%(?:(?!%%)[\s\S]){0,5000}%%")
_HIGHLIGHT = re.compile(r"==(?=[^\s=])(?P<words>[^=\n]{1,500})(?<=\S)==")
# The name of a paragraph, for links to it.
_BLOCK_ID = re.compile(r"(?:(?<![ \t])[ \t]+|^[ \t]*)\^[A-Za-z0-9-]{1,60}[ \t]*$", re.MULTILINE)
# `> [!tip]- Dry oars`, the first line of a quotation.
_CALLOUT = re.compile(
    r"^(?P<lead>[ \t>]*>)[ \t]*\[![A-Za-z][\w-]{0,40}(?:\|[^\]\n]{0,100})?\][+-]?[ \t]*(?P<title>[^\n]*)$",
    re.MULTILINE,
)


def shown_by_obsidian(text: str) -> str:
    """Return a page's text as Obsidian shows it, in plain Markdown; embedded files are left out."""
    return rewrite_prose(with_callout_titles(text), lambda prose: rewrite_around_code(prose, _shown))


def with_callout_titles(text: str) -> str:
    """Put the title of each callout on a line of its own, in bold; its mark goes."""
    return rewrite_prose(text, lambda prose: _CALLOUT.sub(_titled, prose)) if "[!" in text else text


def is_of_vault(text: str, names: Collection[str]) -> bool:
    """Return whether a page embeds a file or links another by its name.

    `names` are those of the folder's pages, case-folded and without endings.
    """
    return "[[" in text and any(
        link["embed"] or _file_name(link["page"]).removesuffix(".md").casefold() in names
        for link in _WIKI_LINK.finditer(text)
    )


def _shown(prose: str) -> str:
    if "%%" in prose:
        prose = _COMMENT.sub("", prose)
    if "[[" in prose:
        prose = _WIKI_LINK.sub(_linked, prose)
    if "==" in prose:
        prose = _HIGHLIGHT.sub(r"\g<words>", prose)
    return _BLOCK_ID.sub("", prose) if "^" in prose else prose


def _linked(link: re.Match[str]) -> str:
    """Write a link with its own words, else with the heading's, else with the name of the page."""
    if link["embed"]:
        return ""
    heading = link["heading"].rpartition("#")[2].strip()
    heading = "" if heading.startswith("^") else heading
    words = (link["shown"] or "").strip() or heading or _file_name(link["page"])
    return f"[{words}]({quote(link['page'].strip())})" if words else link[0]


def _file_name(page: str) -> str:
    return page.strip().rpartition("/")[2]


def _titled(callout: re.Match[str]) -> str:
    lead = callout["lead"]
    title = bold(callout["title"])
    return f"{lead} {title}\n{lead}" if title else lead
