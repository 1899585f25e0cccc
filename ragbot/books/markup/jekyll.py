"""Rewrite what Jekyll's template language and kramdown do to a page, as the reader of the site sees it."""

from __future__ import annotations

import re

from ragbot.books.markup.code_spans import fenced, rewrite_around_code
from ragbot.books.markup.front_matter import parse_front_matter
from ragbot.books.markup.rewriting import rewrite_prose
from ragbot.core.code_fences import OPENING_LINE, fenced_code


def _tag(words: str) -> str:
    return rf"\{{%-?[ \t]*{words}[ \t]*-?%\}}"


# A tag that is alone on its line takes the line with it.
_RAW = re.compile(
    rf"(?:^[ \t]*{_tag('raw')}[ \t]*\n|{_tag('raw')})(?P<raw>(?s:.)*?)"
    rf"(?:^[ \t]*{_tag('endraw')}[ \t]*(?:\n|\Z)|{_tag('endraw')})",
    re.MULTILINE,
)
_LISTING = _tag(r"highlight[ \t]+(?P<language>[\w+#-]+)[^%\n]*")
_OPENING = re.compile(
    rf"(?P<fence>^{OPENING_LINE})|(?P<span>`[^`\n]+`)"
    rf"|(?P<comment>{_tag('comment')})|(?P<raw>{_tag('raw')})|(?P<listing>{_LISTING})",
    re.MULTILINE,
)
_KINDS = ("fence", "span", "comment", "raw", "listing")
_ENDS = {
    name: re.compile(_tag(end))
    for name, end in (("comment", "endcomment"), ("raw", "endraw"), ("listing", "endhighlight"))
}
_ATTRIBUTE = r"(?:[.#][\w:.-]++|[\w:-]++=(?:\"[^\"\n{}]*+\"|'[^'\n{}]*+'|[^\s{}\"'=]++))"
# `{: .note target="_blank"}`; a name alone stands on a line of its own (`{:toc}`).
_ATTRIBUTES = re.compile(
    rf"(?<![ \t])[ \t]*+\{{:(?:[ \t]*+{_ATTRIBUTE})++[ \t]*+\}}"
    rf"|^[ \t>]*\{{:[ \t]*+[A-Za-z][\w-]*+(?:[ \t]++{_ATTRIBUTE})*+[ \t]*+\}}[ \t]*$",
    re.MULTILINE,
)
# The item that the table of contents takes the place of.
_CONTENTS = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}\.)[ \t][^\n]*\n[ \t]*\{:[ \t]*toc\b[^{}\n]*\}", re.MULTILINE)
_EMPTY_DETAILS = re.compile(
    r"<details\b[^<>\n]{0,200}>\s*+<summary>[^<>]{0,200}</summary>\s*+</details>", re.IGNORECASE
)
_EXTENSIONS = re.compile(
    r"\{::comment\}(?s:(?:(?!\{:[:/]).)*+)\{:/(?:comment)?\}|\{:[:/][ \t]*[\w-]*+[^{}\n]{0,200}\}"
)
_HEADING = re.compile(r"[ \t>]*#")
# `{% icon oar %}`. (Hugo's have two braces.)
_WITHIN = re.compile(r"(?<!\{)\{%(?!\})[^%\n]{0,500}%\}(?!\})")


def shown_by_jekyll(source: str) -> str:
    """Return a page without comments and attributes of Jekyll; what it shows raw stays as it is.

    Jekyll runs its language only in pages with front matter, in code too.
    """
    if "{%" not in source and "{:" not in source:
        return source
    source = source.replace("\r\n", "\n")
    start = parse_front_matter(source).end
    body = _without_liquid(source[start:]) if start else source
    return source[:start] + rewrite_prose(body, _without_attributes)


def _without_liquid(body: str) -> str:
    pieces: list[str] = []
    position = kept = 0
    unclosed: set[str] = set()
    while (opening := _OPENING.search(body, position)) is not None:
        kind = next(name for name in _KINDS if opening[name])
        end = -1 if kind in unclosed else _end(kind, opening, body)
        if end < 0:
            unclosed.add(kind)
            position = opening.end()
            continue
        pieces += (
            _without_tags(body[kept : opening.start()]),
            _replaced(kind, opening, body[opening.start() : end]),
        )
        position = kept = end
    pieces.append(_without_tags(body[kept:]))
    return "".join(pieces)


def _without_tags(prose: str) -> str:
    """Remove the tags that stand beside words; those alone on a line still part what is around them."""
    if "{%" not in prose:
        return prose
    lines = ((line, _WITHIN.sub("", line)) for line in prose.split("\n"))
    return "\n".join(words if words.strip() else line for line, words in lines)


def _end(kind: str, opening: re.Match[str], body: str) -> int:
    if kind == "span":
        return opening.end()
    if kind == "fence":
        code = next(fenced_code(body, opening.start()))
        # kramdown takes one that is not closed for prose.
        return code.end if code.is_closed else -1
    closing = _ENDS[kind].search(body, opening.end())
    return closing.end() if closing else -1


def _replaced(kind: str, opening: re.Match[str], whole: str) -> str:
    if kind == "comment":
        return ""
    if kind == "listing":
        inside = _ENDS[kind].sub("", whole[len(opening[0]) :]).strip("\n")
        whole = fenced(inside, opening["language"])
    return _RAW.sub(r"\g<raw>", whole)


def _without_attributes(prose: str) -> str:
    if "{:" not in prose:
        return prose
    return rewrite_around_code(
        prose,
        lambda words: _EMPTY_DETAILS.sub("", _attributes_removed(words)),
    )


def _attributes_removed(words: str) -> str:
    return _ATTRIBUTES.sub(_shown, _EXTENSIONS.sub("", _CONTENTS.sub("", words)))


def _shown(attributes: re.Match[str]) -> str:
    """Return a heading's own id, which links lead to, and nothing of the rest."""
    line = attributes.string.rfind("\n", 0, attributes.start()) + 1
    is_headings = _HEADING.match(attributes.string, line) is not None
    return attributes[0] if is_headings and "#" in attributes[0] else ""
