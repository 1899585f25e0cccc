"""Remove from code what only colours it: comments that highlight lines, and names of languages."""

from __future__ import annotations

import re

_OPENS = r"(?://|\#|--|%|;|\{?/\*|<!--)"
_CLOSES = r"(?:\*/\}?|-->)?"
# `// highlight-next-line`, of Docusaurus, on a line of its own.
_LINE = re.compile(
    rf"^[ \t]*+{_OPENS}[ \t]*highlight-(?:next-line|start|end)[ \t]*{_CLOSES}[ \t]*(?:\r?\n|\Z)", re.MULTILINE
)
# `// [!code ++]`, of VitePress, behind a line.
_BEHIND = re.compile(
    rf"(?<![ \t])[ \t]*+{_OPENS}[ \t]*\[!code [^\]\n]{{1,80}}\][ \t]*{_CLOSES}[ \t]*$", re.MULTILINE
)
# `# <1>`, of Quarto, to which a list below refers.
_ANNOTATION = re.compile(
    rf"(?<![ \t])[ \t]*+{_OPENS}[ \t]*<\d{{1,3}}(?:,\d{{1,3}}){{0,9}}>[ \t]*{_CLOSES}[ \t]*$"
)
# `# (1)!`, of Material for MkDocs, which shows a bubble there.
_BUBBLE = re.compile(rf"(?<![ \t])[ \t]*+{_OPENS}[ \t]*\(\d{{1,3}}\)![ \t]*{_CLOSES}[ \t]*$", re.MULTILINE)
# `#!python x = 1`, of PyMdown, in code within a line.
_LANGUAGE = re.compile(r"(?<!`)(?P<ticks>`{1,3})(?:#!|:::)[\w+#.-]+[ ](?=[^`\n])")


def without_highlight_comments(text: str) -> str:
    """Return a page whose listings are without comments that only colour their lines."""
    return _BEHIND.sub("", text) if "[!code " in (text := _LINE.sub("", text)) else text


def without_annotations(line: str) -> str:
    """Return a line of code without the number by which a list explains it."""
    return _ANNOTATION.sub("", line) if "<" in line else line


def without_bubbles(text: str) -> str:
    """Return a page whose listings are without the numbers that it shows as bubbles."""
    return _BUBBLE.sub("", text) if ")!" in text else text


def without_inline_languages(line: str) -> str:
    """Return a line whose code is without the name of its language."""
    return _LANGUAGE.sub(r"\g<ticks>", line) if "`" in line else line
