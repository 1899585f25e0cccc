"""What programs that show Markdown would make of a text that is none of the book's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

# What programs that show text make a link of without being asked (GFM, linkify-it).
LINKED_UNASKED = re.compile(
    r"(?:https?|ftp)://\w[^\s<]*|www\.\w[^\s<]*|//\w(?:[\w-]*\.)+[^\W\d_]{2,}[^\s<]*"
    r"|(?<!\w)(?:mailto|xmpp):[\w.+-]+@\w[\w.-]*|[A-Za-z0-9._+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}",
    re.IGNORECASE,
)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).disable("text_join")


def foreign_in(markdown: str, own: Collection[str]) -> list[str]:
    """What a renderer would make of the text that leads somewhere else or is HTML."""
    definitions: dict[str, object] = {}
    found = list(_foreign(MARKDOWN.parse(markdown, definitions), own))
    return [*found, *(f"definition {name}" for name in definitions.get("references", {}))]


def _foreign(tokens: list[Token], own: Collection[str]) -> Iterator[str]:
    inside_links = 0
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
            for match in LINKED_UNASKED.finditer(token.content):
                if match.group().rstrip(".,;:!?*_~'\")]}>|") not in own:
                    yield f"bare {match.group()}"
        yield from _foreign(token.children or [], own)


def _joined(tokens: list[Token]) -> list[Token]:
    """Neighbouring texts as one; an escaped character stays apart, as it does for those who make links."""
    joined: list[Token] = []
    for token in tokens:
        if token.type == "text_special" and re.fullmatch(r"\\.", token.content):
            token.type = "text"
        if token.type == "text" and joined and joined[-1].type == "text":
            joined[-1].content += token.content
        else:
            joined.append(token)
    return joined
