"""Tell which words of a heading Hugo makes its anchor of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from markdown_it.token import Token

from ragbot.books.formats.markdown import inline_tokens

# What the typographer replaces, by the names of its settings.
_DASHES = {"emdash": "---", "endash": "--"}
_REPLACED = re.compile(r"['\"]|---?|\.\.\.|<<|>>")


class HugoHeadings:
    """Hold how a site's typographer writes dashes, as the settings of Goldmark say."""

    def __init__(self, typographer: object) -> None:
        own = typographer if isinstance(typographer, dict) else {}
        settings = {str(name).lower(): value for name, value in own.items()}
        self._is_on = typographer is not False and settings.get("disable") is not True
        self._dashes = {
            sign: unescape(value) if isinstance(value := settings.get(name), str) else ""
            for name, sign in _DASHES.items()
        }

    def slug_text(self, heading: str) -> str:
        """Return the words that the anchor of a heading is made of, from its Markdown.

        Of what is emphasised or linked Hugo takes the first piece alone, and what the typographer writes
        another way is a piece of its own.
        """
        return "".join(self._words(inline_tokens(heading))).strip()

    def _words(self, tokens: list[Token]) -> Iterator[str]:
        depth = 0
        has_words = is_taken = False
        for token in tokens:
            depth += token.nesting
            is_text = token.type in ("text", "text_special")
            is_taken = is_taken or (has_words and not is_text)
            if depth == 0:
                has_words = is_taken = False
            if token.type not in ("text", "text_special", "code_inline", "image"):
                continue
            if depth == 0:
                yield self._printed(token.content) if is_text else token.content
            elif not is_taken:
                piece = self._first(token)
                has_words, is_taken = True, not is_text or piece != token.content
                yield piece

    def _first(self, token: Token) -> str:
        if token.type != "text" or not self._is_on:
            return token.content
        return _REPLACED.split(token.content, maxsplit=1)[0]

    def _printed(self, text: str) -> str:
        if self._is_on:
            for sign, shown in self._dashes.items():
                text = text.replace(sign, shown)
        return text
