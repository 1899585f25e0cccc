"""Find what programs that render Markdown would show of a text, beyond what the book has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

# What programs that show text make a link of without being asked (cmark-gfm, marked, linkify-it, browsers).
# It is written from what they do, and shares nothing with the cleaner.
_WEB = re.compile(r"(?:https?|ftp)://([^\s<]+)|www\.[^\s<.]+[^\s<]*", re.IGNORECASE)
_HOST_ALONE = re.compile(r"(?<![:/])//[^\s/?#<]+", re.IGNORECASE)
_MAIL = re.compile(r"(?<!\w)(?:mailto|xmpp):[^\s<@]+@[^\s<]+|[A-Za-z0-9._+-]+@[^\s<]+", re.IGNORECASE)
_BEHIND = ".,;:!?*_~'\")]}>|"
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).disable("text_join")


def linked_unasked(text: str) -> Iterator[str]:
    """Yield each address in a text that some program makes a link of."""
    for match in _WEB.finditer(text):
        # None takes punctuation for a host, but for a hyphen.
        if match[1] is None or any(sign == "-" or not _is_punctuation(sign) for sign in match[1]):
            yield match.group()
    for match in _HOST_ALONE.finditer(text):
        # (As linkify-it does: two labels at least, the last one of letters.)
        host = match.group()[2:].rpartition("@")[2].partition(":")[0].rstrip(_BEHIND).split(".")
        if len(host) > 1 and all(map(_is_label, host)) and re.search(r"[^\W\d_]", host[-1]):
            yield match.group()
    for match in _MAIL.finditer(text):
        name, _, host = match.group().partition("@")
        labels = re.match(r"(?:[\w-]+\.)+[A-Za-z]{2,}", host, re.ASCII)
        if labels:
            yield f"{name}@{labels.group()}"


def _is_label(text: str) -> bool:
    return bool(text) and not any(sign.isspace() or (_is_punctuation(sign) and sign != "-") for sign in text)


def _is_punctuation(sign: str) -> bool:
    return unicodedata.category(sign).startswith("P")


def foreign_in(markdown: str, own: Collection[str]) -> list[str]:
    """Return what a renderer would make of the text that leads somewhere else or is HTML."""
    definitions: dict[str, object] = {}
    found = list(_foreign(MARKDOWN.parse(markdown, definitions), own))
    return [*found, *(f"definition {name}" for name in definitions.get("references", {}))]


def _foreign(tokens: list[Token], own: Collection[str]) -> Iterator[str]:
    inside_links = 0
    # Some make links of what they have read, some of what they have decoded.
    for token in _joined(tokens):
        if token.type in ("html_inline", "html_block", "image"):
            yield f"{token.type} {token.content}"
        elif token.type == "link_open":
            inside_links += 1
            if token.attrs["href"] not in own:
                yield f"link {token.attrs['href']}"
        elif token.type == "link_close":
            inside_links -= 1
        elif token.type == "text" and not inside_links:
            for address in linked_unasked(token.content):
                if address.rstrip(_BEHIND) not in own:
                    yield f"bare {address}"
        yield from _foreign(token.children or [], own)


def _joined(tokens: list[Token]) -> list[Token]:
    """Neighbouring texts as one, with what is escaped or an entity in them."""
    joined: list[Token] = []
    for token in tokens:
        if token.type == "text_special":
            token.type = "text"
        if token.type == "text" and joined and joined[-1].type == "text":
            joined[-1].content += token.content
        else:
            joined.append(token)
    return joined
