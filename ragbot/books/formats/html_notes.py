"""Write the marks of a built page's footnotes as Markdown does, and drop the links back to them."""

from __future__ import annotations

import re
from collections.abc import Callable

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragbot.books.formats.html_tree import letters_in

_HEADINGS = "h1, h2, h3, h4, h5, h6"
_BLOCKS = ("p", "div", "li", "dd", "td", "aside", "blockquote")
_LINK = "a[href*='#']"
# Links that say what they are: of pandoc, Python-Markdown, Sphinx, kramdown, DocBook, remark, HonKit and all
# that keep to ARIA. Others stand in a raised number, or hold one.
_MARKS = (
    "a.footnote-ref, a.footnote-reference, a.footnote, a[data-footnote-ref], a[role=doc-noteref], "
    ".footnote-ref > a, .footnote-reference > a, sup > a[href^='#fn']"
)
_NUMBER = re.compile(r"[\[(]?(?:\w{1,4}|[*†‡§¶]{1,3})[\])]?")
_BACK = (
    "a.footnote-backref, a.footnote-back, a.reversefootnote, a.fn-backref, a[data-footnote-backref], "
    "a[role=doc-backlink]"
)
_BACK_SIGNS = ("↩", "⤴", "⏎", "↵")


def plain_notes(main: LexborNode) -> None:
    """Write each mark of a footnote as `[^1]`, which is no word; at the beginning of a note it is dropped.

    A number that leads back to the mark stays where its page shows no raised one: it is the note's own.
    """
    _show_notes(main)
    for back in main.css(f":is({_BACK})"):
        if not any(map(str.isalnum, back.text())):
            back.decompose()
    for link in main.css(_LINK):
        if link.text(strip=True).startswith(_BACK_SIGNS):
            link.decompose()
    for heading in main.css(f":is({_HEADINGS}):not(:is({_HEADINGS}) *)"):
        _replace_marks(heading, lambda _: "")
    _replace_marks(main, _mark)


def _replace_marks(node: LexborNode, replacement: Callable[[LexborNode], str]) -> None:
    for raised in node.css(f"sup:not(sup sup):has({_LINK})"):
        links = [link.text(strip=True) for link in raised.css(_LINK)]
        if all(map(_NUMBER.fullmatch, links)) and letters_in(raised.text()) == sum(map(letters_in, links)):
            raised.replace_with(replacement(raised))
    for link in node.css(f":is({_MARKS})"):
        above = link.parent
        is_raised = (
            above is not None and above.tag == "sup" and letters_in(above.text()) == letters_in(link.text())
        )
        mark = above if above is not None and is_raised else link
        mark.replace_with(replacement(mark))
    for link in node.css(f"{_LINK}:has(> sup:only-child)"):
        raised_text, text = (link.css_first("sup") or link).text(strip=True), link.text(strip=True)
        if raised_text == text and _NUMBER.fullmatch(text):
            link.replace_with(replacement(link))


def _show_notes(main: LexborNode) -> None:
    """Put notes that a page shows on a click behind the words that they belong to."""
    for mark in main.css("a.footnote-ref[data-content], a.footnote-ref[data-bs-content]"):
        held = mark.attributes.get("data-content") or mark.attributes.get("data-bs-content")
        note = LexborHTMLParser(held or "").body
        words = " ".join(note.text().split()) if note is not None else ""
        mark.replace_with(f" ({words})" if words else " ")


def _mark(node: LexborNode) -> str:
    """Return the mark of a note in Markdown; an empty text where it opens a block, as a note's own number."""
    if node.prev is None and node.parent is not None and node.parent.tag in _BLOCKS:
        return ""
    return f"[^{''.join(filter(str.isalnum, node.text()))[:20] or 'note'}]"
